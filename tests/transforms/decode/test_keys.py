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
from transforms.project import Present, Projection, keys, projection, wide_lists

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
    present = KeyMemory(keys(projection(table).shape), wide_lists(table)).present(text)
    pruned, full = read(projection(table, present), b"".join(lines)), read(projection(table), b"".join(lines))
    assert filled(pruned) == filled(full)
    narrow = normalise(pruned, table.elements)  # without any column it has no height
    assert (filled(narrow) or [{}] * len(lines)) == filled(normalise(full, table.elements))


def test_what_was_seen_stays_seen() -> None:
    """A memory only grows, finds keys in late lines and with white space, and takes no text for a key."""
    memory = KeyMemory(frozenset({"a", "b", "c", "d"}))
    assert memory.present(pl.Series(['{"a":"b"}'])) == Present(frozenset("a"))
    assert memory.present(pl.Series(["{}"] * 500 + ['{"b" \t:1}'])) == Present(frozenset("ab"))
    assert memory.present(pl.Series(["{}"])) == Present(frozenset("ab"))


def test_one_scan_finds_keys_and_pattern() -> None:
    """The pattern is found in lines with new keys and in others."""
    memory = KeyMemory(frozenset({"a", "b"}))
    text = pl.Series(['{"a":1}'] * 300 + ["x", '{"b":1}', '{"b":"x"}', "{}"])
    present, found = memory.look(text, ["x"])
    assert present == Present(frozenset("ab"))
    assert found.to_list() == [300, 302]
    assert memory.look(text, ["x"])[1].to_list() == [300, 302]
    assert memory.look(text, [])[1].to_list() == []


def test_a_rare_list_has_only_the_keys_of_its_lines() -> None:
    """A list that few lines have is not read for the keys of the others; one that most have is not looked at."""
    memory = KeyMemory(frozenset({"rare", "usual", "a", "b", "c"}), ["rare", "usual"])
    text = pl.Series(['{"a":1,"usual":[]}'] * 9 + ['{"rare":[{"b":1}]}'])
    present = memory.present(text)
    assert present == Present(frozenset({"rare", "usual", "a", "b"}), (("rare", frozenset({"rare", "b"})),))
    assert present.inside("rare") == Present(frozenset({"rare", "b"}))
    assert present.inside("usual") == Present(present.keys)
    later = memory.present(pl.Series(['{"rare":[],"c":1}', *['{"a":1}'] * 9]))
    assert later.inside("rare") == Present(frozenset({"rare", "b", "c"}))
    assert memory.present(pl.Series(['{"rare":[],"c":1}'])).within == ()


def test_a_key_with_escapes_means_all_keys() -> None:
    """A key cannot be found by its name when it is spelled otherwise."""
    memory = KeyMemory(frozenset({"status", "code"}))
    assert memory.present(pl.Series(['{"st\\u0061tus":"final"}'])) == Present(frozenset({"status", "code"}))
    assert memory.present(pl.Series(['{"x":"\\u00e9"}'])) == Present(frozenset())
