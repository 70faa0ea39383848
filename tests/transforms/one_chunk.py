"""What the tests of the transforms share: good lines, and one chunk taken through all steps."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import polars as pl

from schemas.records import Chunk, ChunkKind
from schemas.tables import tables_by_type
from transforms.decode.fhir import Decoder
from transforms.partition import Tools, transform
from transforms.result import ChunkResult
from transforms.sample import Sampler, Sampling

AS_OF = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
URI = "file:///export/Observation.ndjson"


@functools.cache
def decoder() -> Decoder:
    """The decoder of this process."""
    return Decoder(tables_by_type())


def observation(ident: str = "o1", **more: Any) -> dict[str, Any]:
    """A good Observation; ``more`` replaces or adds elements."""
    return {
        "resourceType": "Observation",
        "id": ident,
        "meta": {"versionId": "3", "lastUpdated": "2024-01-02T03:04:05.678Z"},
        "status": "final",
        "category": [{"coding": [{"system": "http://c.example", "code": "laboratory"}], "text": "Lab"}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7", "display": "Hb"}], "text": "Hb"},
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2024-01-01T10:00:00+02:00",
        "valueQuantity": {"value": 13.5, "unit": "g/dL", "system": "http://unitsofmeasure.org", "code": "g/dL"},
    } | more


def written(resource: Mapping[str, Any]) -> bytes:
    """A resource as a line, without its line feed."""
    return json.dumps(resource, separators=(",", ":"), ensure_ascii=False).encode()


def text_of(lines: Iterable[bytes]) -> bytes:
    """Lines as the bytes of a file."""
    return b"".join(line + b"\n" for line in lines)


def chunk_of(data: bytes, **more: Any) -> Chunk:
    """A chunk of these bytes; ``more`` replaces its fields."""
    fields: dict[str, Any] = {"uri": URI, "offset": 0, "line": 1, "kind": ChunkKind.RESOURCE} | more
    return Chunk(data=data, **fields)


def run(data: bytes | Iterable[bytes], sampling: Sampling | None = None, **more: Any) -> ChunkResult:
    """All steps for one chunk of these bytes or lines."""
    whole = data if isinstance(data, bytes) else text_of(data)
    tools = Tools(decoder(), Sampler(sampling or Sampling(0)))
    return transform(chunk_of(whole, **more), tools, AS_OF)


def rows(result: ChunkResult, table: str = "observation") -> list[dict[str, Any]]:
    """The accepted rows of a table, in order."""
    frame = result.tables.get(table, pl.DataFrame())
    return frame.to_dicts()
