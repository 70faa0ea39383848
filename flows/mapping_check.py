"""What a mapping makes of the first records of a file, without a mart."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows.sample_file import first_chunk
from schemas.mapping import Mapping
from schemas.records import Chunk
from schemas.tables import all_tables, tables_by_type
from transforms.decode.extract.fields import FieldReader
from transforms.decode.fhir import Decoder
from transforms.extracts import transform_extracts
from transforms.options import ExtractOptions
from transforms.partition import Tools

_JUDGED = 4 * 1024 * 1024  # bytes of a file that are looked at
_HIDDEN = {"content_hash", "last_updated_nanos", "version_id", "source", "load_id"}


@dataclass(slots=True)
class Checked:
    """What became of the first records of a file. ``rows`` are the first that land, by table; ``refused`` counts
    records by reason and column, each with the line of the first; ``alike``, by table, are rows with the id of another.
    """

    records: int = 0
    landed: dict[str, int] = field(default_factory=dict)
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    refused: list[dict[str, Any]] = field(default_factory=list)
    alike: dict[str, int] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)  # columns of the file that the mapping does not read
    whole: bool = True  # the whole file was looked at

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values."""
        names = ("records", "landed", "rows", "refused", "alike", "unused", "whole")
        return {name: getattr(self, name) for name in names}


def check_mapping(mapping: Mapping, path: Path, rows: int, zone: str | None = None) -> Checked:
    """Map the beginning of a file, some megabytes of it, and show the first ``rows`` of each table.

    Raises UsageError when the mapping does not fit the file, and the errors of a source.
    """
    found = Checked()
    chunk = first_chunk(path, mapping, _JUDGED)
    if chunk is None:
        return found
    found.whole = chunk.line + chunk.data.count(b"\n") >= _lines(path, chunk)
    entries = mapping.of(chunk.uri)
    read = {name for entry in entries for name, _ in entry.reads()}
    found.unused = [name for name in chunk.names if name not in read]
    options = ExtractOptions(mapping, zone)
    made = transform_extracts([chunk], Tools(Decoder(tables_by_type())), FieldReader(), datetime.now(UTC), options)
    found.records = sum(counts.read for counts in made.inputs[0].values())
    order = {table.name: table.column_names() for table in all_tables()}
    for name, frame in made.rows:
        found.landed[name] = frame.height
        shown = [column for column in order[name] if column in frame.columns and column not in _HIDDEN]
        found.rows[name] = frame.select(shown).head(rows).to_dicts()
        if alike := frame.height - frame["id"].n_unique():
            found.alike[name] = alike
    first: dict[tuple[str, str], int] = {}
    many = Counter((str(r.code), r.column or "") for r in made.rejections)
    messages = {}
    for rejection in sorted(made.rejections, key=lambda r: r.line):
        key = str(rejection.code), rejection.column or ""
        first.setdefault(key, rejection.line)
        messages[key] = rejection.message
    for (reason, column), records in many.most_common():
        line = first[reason, column]
        said = {"reason": reason, "column": column or None, "records": records, "first_line": line}
        found.refused.append(said | {"message": messages[reason, column]})
    return found


def _lines(path: Path, chunk: Chunk) -> int:
    """A number of lines that the chunk reaches only when it is all of the file."""
    if chunk.dialect is None or len(chunk.data) < _JUDGED // 2:
        return 0
    size = path.stat().st_size
    return 0 if chunk.offset + len(chunk.data) >= size else 1 << 62
