"""Writes docs/data_dictionary.md: every table, view and column of a mart, from the models that make them.

Run with ``make docs``; a test fails when the file is stale.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from schemas.bookkeeping import BOOKKEEPING, SECTION_COLUMNS, SECTION_TABLE, SEGMENT_COLUMNS, SEGMENT_TABLE
from schemas.table import IDENTITY, Column, Element, Table
from schemas.tables import all_tables
from stores.codings import CODING_COLUMNS
from stores.daily_views import EXCLUDED_COLUMNS
from stores.ddl import HISTORY_COLUMNS, RESOURCE_TABLE, resource_contract

TARGET = Path(__file__).parents[1] / "docs" / "data_dictionary.md"

_HEAD = """\
# Data dictionary

Every table, view and column of a mart. This file is written by `make docs` from the models that also make the tables,
so it cannot drift; do not edit it.

- **Type** is DuckDB's. `STRUCT(...)[]` stands for a list of items whose fields are listed below the table.
- **FHIRPath** says where in the resource a value comes from (FHIR R4). Inside a list it is relative to the item.
- **PHI** marks columns that identify a person by themselves or with little else.
- Joins between tables always include `source`: ids are unique only within a source and a type.
"""

_ETL_TABLES = {
    "mart": "The mart itself.",
    "load": "One row a load.",
    "commit": "One row for each transaction that brought data in; compared on open with the tail beside the mart.",
    "receipt": "One row for each piece of input that was committed: what has a receipt is not read again.",
    "object": "What object stores called the bytes of receipts (ETag): what is still called so is not read again.",
    "mapping": "Entries of mappings of extracts, one row for each change (`clinmart load --mapping`).",
    "tombstone": "One row a delete: what is deleted is in `history` and not in `main`.",
    "message": "HL7 v2 messages that listeners took in, whole; a control id that comes again is known by it.",
    "listener": "Up to which message of each source listeners have made rows.",
    "consumer": "How far the messages of brokers are in the mart (`clinmart consume`), by queue or partition.",
    "view": "The SQL on FHIR views that were added, each with a table that loads fill (`clinmart view add`).",
    "export": "How far each export of a far server was read (`clinmart load https://...`).",
    "watermark": "How far each type of each source has come.",
    "quarantine": "Lines that were refused, with the reason and the bytes.",
    "erasure": "Erasures of people, each with its signed certificate (`clinmart erase`).",
    "suppression": "Tokens of what was erased and must not be loaded again: a list that names nobody.",
    "hold": "Legal holds of the policy that was applied last (`clinmart retain`).",
    "validation": "What was found without being a reason to refuse.",
    "unread": "Element paths that no column reads, so that nothing is lost unseen.",
    "alias": "Code systems that came under another name than their canonical URI.",
    "crosswalk": "The maps that each load was given (`clinmart load --crosswalk`).",
    "crosswalk_entry": "The entries of those maps, to join one code to all its targets.",
    "unmapped": "Codes that a load's crosswalk maps from and gives no target for.",
}


def rendered() -> str:
    """The whole dictionary as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    yield "## Columns of every table\n"
    yield from _columns(IDENTITY)
    yield "\n## Tables\n"
    for table in all_tables():
        yield from _table(table)
    yield "## Everything else\n"
    yield f"### `{RESOURCE_TABLE}`\n"
    yield "Resources of types that have no table of their own, whole.\n"
    yield from _columns(resource_contract().columns)
    yield f"\n### `{SEGMENT_TABLE}`\n"
    yield "Segments of HL7 v2 messages that no table reads, and all of a message of which no row was made.\n"
    yield from _columns(SEGMENT_COLUMNS)
    yield f"\n### `{SECTION_TABLE}`\n"
    yield "Parts of C-CDA documents that no table reads, as they were sent.\n"
    yield from _columns(SECTION_COLUMNS)
    yield "\n### `history`\n"
    yield (
        "Schema `history` has a view of the same name and columns for each table above and for `resource`. "
        "It holds the versions that a newer one replaced, and has one column more.\n"
    )
    yield from _columns(HISTORY_COLUMNS)
    yield "\n### `coding`\n"
    yield "View of all codings of all coded columns, one row a coding.\n"
    yield from _columns(CODING_COLUMNS)
    yield "\n### `clean`\n"
    yield (
        "Schema `clean` has a view of the same name and columns for each table above, for `resource` and for the views "
        "of items. It leaves out the rows that the view `clean.excluded` names.\n"
    )
    yield from _columns(EXCLUDED_COLUMNS)
    yield "\n## Bookkeeping\n"
    for name, columns in BOOKKEEPING.items():
        yield f"### `etl.{name}`\n"
        yield _ETL_TABLES[name] + "\n"
        yield from _columns(columns)
        yield ""


def _table(table: Table) -> Iterator[str]:
    yield f"### `{table.name}`\n"
    yield f"{table.description} One row a FHIR `{table.resource_type}`.\n"
    yield from _columns(c for c in table.columns() if c not in IDENTITY)
    yield ""
    if table.rules:
        yield "Rules (a row that breaks one is quarantined):\n"
        yield from (f"- `{rule.name}`: {rule.description}" for rule in table.rules)
        yield ""
    yield from _lists(table.elements)


def _lists(elements: Iterable[Element], inside: str = "") -> Iterator[str]:
    """The fields of each list, and of the lists in it; a list with a view of its own is called by the view's name."""
    for element in elements:
        if not element.children:
            continue
        column = element.columns[0]
        place = f"{inside}{column.name}"
        if element.child_table:
            yield f"#### `{element.child_table}`\n"
            yield (
                f"View of the items of `{place}`, one row an item: the columns of every table, `ordinal` "
                "(from 1, in the order sent), and:\n"
            )
        else:
            yield f"#### Items of `{place}`\n"
        yield from _columns(c for child in element.children for c in child.columns)
        yield ""
        yield from _lists(element.children, f"{place}.")


def _columns(columns: Iterable[Column]) -> Iterator[str]:
    yield "| column | type | FHIRPath | PHI | meaning |"
    yield "|---|---|---|---|---|"
    for column in columns:
        path = f"`{_cell(column.path)}`" if column.path else ""
        mark = "PHI" if column.phi else ""
        yield f"| `{column.name}` | {_type(column.dtype)} | {path} | {mark} | {_cell(_meaning(column))} |"


def _type(dtype: str) -> str:
    return "STRUCT(...)[]" if dtype.startswith("STRUCT(") else dtype


def _meaning(column: Column) -> str:
    required = " Required." if column.required else ""
    codes = f" One of {', '.join(f'`{code}`' for code in column.codes)}." if column.codes else ""
    return column.description + required + codes


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def main() -> None:
    """Write the file."""
    TARGET.write_text(rendered(), encoding="utf-8")
    print(f"{TARGET.relative_to(TARGET.parents[1])}: {rendered().count(chr(10))} lines")


if __name__ == "__main__":
    main()
