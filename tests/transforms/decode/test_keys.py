"""Reading only the keys that occur gives the rows that reading all of them gives."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.tables import tables_by_type
from tests.transforms.one_chunk import written
from transforms.decode.keys import KeyMemory
from transforms.decode.memory_file import memory_file
from transforms.normalise import normalise
from transforms.project import Projection, keys, projection

SAMPLE = Path(__file__).parents[3] / "data" / "sample"
TYPES = ("Observation", "Patient", "Encounter", "Condition", "MedicationRequest", "Claim")


def resources(kind: str) -> list[dict[str, Any]]:
    """A few resources of the sample."""
    lines = gzip.decompress((SAMPLE / f"{kind}.000.ndjson.gz").read_bytes()).splitlines()
    return [json.loads(line) for line in lines[:: max(1, len(lines) // 12)]]


WORLD = {kind: resources(kind) for kind in TYPES}


def read(plan: Projection, data: bytes) -> pl.DataFrame:
    """The raw columns of the lines."""
    with memory_file(data) as path:
        found = duckdb.sql(plan.query(path))
        assert found is not None
        frame = pl.from_arrow(found.to_arrow_table())
    assert isinstance(frame, pl.DataFrame)
    return frame


def filled(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows without what is null, at any depth, and without false flags: what a narrower read leaves out."""
    return [_bare(row) for row in frame.to_dicts()]


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: made for key, inner in value.items() if (made := _bare(inner)) not in (None, False, {}, [])}
    if isinstance(value, list):
        return [_bare(item) for item in value]
    return value


@pytest.mark.parametrize("kind", TYPES)
@settings(deadline=None, max_examples=15)
@given(st.data())
def test_present_keys_give_the_same_rows(kind: str, data: st.DataObject) -> None:
    """Over random subsets of elements of real resources, raw and normalised."""
    table = tables_by_type()[kind]
    names = sorted({key for resource in WORLD[kind] for key in resource} - {"resourceType", "id"})
    kept = data.draw(st.sets(st.sampled_from(names))) | {"resourceType", "id"}
    lines = [written({k: v for k, v in r.items() if k in kept}) + b"\n" for r in WORLD[kind]]
    text = pl.Series([line.decode() for line in lines])
    present = KeyMemory(keys(projection(table).shape)).present(text)
    pruned, full = read(projection(table, present), b"".join(lines)), read(projection(table), b"".join(lines))
    assert filled(pruned) == filled(full)
    narrow = normalise(pruned, table.elements)  # without any column it has no height
    assert (filled(narrow) or [{}] * len(lines)) == filled(normalise(full, table.elements))


def test_what_was_seen_stays_seen() -> None:
    """A memory only grows, finds keys in late lines and with white space, and takes no text for a key."""
    memory = KeyMemory(frozenset({"a", "b", "c", "d"}))
    assert memory.present(pl.Series(['{"a":"b"}'])) == {"a"}
    assert memory.present(pl.Series(["{}"] * 500 + ['{"b" \t:1}'])) == {"a", "b"}
    assert memory.present(pl.Series(["{}"])) == {"a", "b"}


def test_a_key_with_escapes_means_all_keys() -> None:
    """A key cannot be found by its name when it is spelled otherwise."""
    memory = KeyMemory(frozenset({"status", "code"}))
    assert memory.present(pl.Series(['{"st\\u0061tus":"final"}'])) == {"status", "code"}
    assert memory.present(pl.Series(['{"x":"\\u00e9"}'])) == frozenset()
