"""Chunks of a source to the rows of a view."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import polars as pl

from schemas.errors import UsageError
from schemas.reasons import Reason
from schemas.records import Chunk, ChunkKind, OversizedLine
from transforms.decode.reading import Asked, LineReader
from transforms.decode.types import types_of
from transforms.decode.unwrap import resources_of
from transforms.ndjson import ndjson_source
from transforms.views.compile import CompiledView
from transforms.views.output import Format, output_sql


@dataclass(frozen=True, slots=True)
class ViewRows:
    """The rows of one chunk as the format wants them, the number of resources read, and refused lines by reason."""

    rows: pl.DataFrame
    read: int
    refused: Counter[Reason]


class ViewReader:
    """Runs a compiled view over chunks, on one thread."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._reader = LineReader()

    def close(self) -> None:
        """Release the connection."""
        self._reader.close()

    def empty(self) -> pl.DataFrame:
        """No rows, with the columns of the result."""
        return self._reader.nothing(self._asked)

    def read(self, item: Chunk | OversizedLine) -> ViewRows:
        """The rows of the chunk's lines of the view's type; lines of other types are passed over unread.

        Refused are lines of the type that are not what FHIR says of the elements read, and lines whose type cannot
        be told. Raises UsageError when a value is not what the view promises, such as several where one is, and for HL7
        v2 messages.
        """
        if isinstance(item, Chunk) and item.kind is ChunkKind.HL7V2:
            raise UsageError(
                f"{item.uri} holds HL7 v2 messages, and views read FHIR: load it with --to-fhir DIR, and run the view "
                "over what is written there"
            )
        if isinstance(item, OversizedLine):
            return ViewRows(self.empty(), 0, Counter([Reason.LINE_TOO_LONG]))
        opened = resources_of(item, hashed=False)
        lines, bad = opened.lines, opened.refused
        types, untold = types_of(lines, {r.row for r in bad})
        rows = types.filter(pl.col("type") == self._asked.resource_type)["row"]
        reasons = Counter(r.fault.reason for r in (*bad, *untold))
        if not len(rows):
            return ViewRows(self.empty(), 0, reasons)
        found = self._reader.read(self._asked, lines, rows, lines.texts(rows))
        reasons.update(r.fault.reason for r in found.refused)
        return ViewRows(found.raw, len(rows), reasons)


def asked_by(view: CompiledView, form: Format) -> Asked:
    """What a view asks of the lines of its type, with its rows in a format."""
    read = {"resourceType": "VARCHAR"} | view.shape.columns()

    def query(file: str) -> str:
        used = 'WHERE "resourceType" IS NOT NULL'
        return output_sql(view, form, f"(SELECT * FROM {ndjson_source(file, read)} {used})")

    literals, own = view.shape.literals(), view.own_errors()
    return Asked(view.resource, query, view.shape, literals, row_each=False, own_errors=own)
