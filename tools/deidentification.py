"""Writes docs/deidentified_columns.md: what becomes of every column of every table in a copy for analysts.

Run with ``make docs``; a test fails when the file is stale.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from schemas.research import Method, ResearchPolicy, Treatment
from schemas.table import Table
from schemas.tables import all_tables
from stores.research.decide import decide
from stores.research.decision import Told, told

TARGET = Path(__file__).parents[1] / "docs" / "deidentified_columns.md"

_HEAD = """\
# What becomes of each column

Of `clinmart deidentify` ([how](deidentify.md)), by table, with `--method safe-harbor`. With `--method shifted-dates`
each `x_year` is `x_at`, `x_date` and `x_precision` instead, moved by the patient's own number of days; `x_*` are the
four columns of a time. `list[].field` is a field of the items of a list; a list that is dropped is named without its
fields. The copy has the same as a table, `etl.deidentification`, with the reason for each column. This file is written
by `make docs`; do not edit it.
"""

_ORDER = (
    (Treatment.KEPT, "Kept"),
    (Treatment.FILTERED, "Kept where of a public vocabulary, else null"),
    (Treatment.PSEUDONYM, "Pseudonym"),
    (Treatment.GENERALISED, "Made general"),
    (Treatment.DROPPED, "Dropped"),
)


def rendered() -> str:
    """The whole file as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    for table in all_tables():
        yield from _table(table)
    yield "## Dropped whole\n"
    yield "`resource`, `hl7_segment`, `document_section`, tables of views that users added, all of `history` and `etl`."


def _table(table: Table) -> Iterator[str]:
    yield f"## {table.name}\n"
    lines = list(told(decide(table, ResearchPolicy(method=Method.SAFE_HARBOR))))
    for treatment, heading in _ORDER:
        of = [line for line in lines if line.treatment is treatment]
        if of:
            yield f"- **{heading}**: {', '.join(dict.fromkeys(_named(line) for line in of))}"
    yield ""


def _named(line: Told) -> str:
    """A column, with what it became where that is called otherwise; the four of a time are `x_*`."""
    if line.treatment is Treatment.GENERALISED and line.became.endswith(("_year", "_or_over")):
        return f"`{line.column.rpartition('_')[0]}_*` → `{line.became}`"
    new = line.treatment is Treatment.GENERALISED and line.became != line.column
    return f"`{line.column}` → `{line.became}`" if new else f"`{line.column}`"


if __name__ == "__main__":
    TARGET.write_text(rendered(), encoding="utf-8")
    print(f"{TARGET}: {len(rendered().splitlines())} lines")
