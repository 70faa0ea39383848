"""``clinmart load --crosswalk``: what ends up in the mart, what a person is told, and what a faulty file does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.flows.inputs import UPDATED, Outcome, query, write

HEADER = "source_system,source_code,target_system,target_code,equivalence,map_version"
LAB = "http://lab.example.org"
CANARY = "Canary-Patient-Name"


def observation(identity: str, *codes: tuple[str | None, str], **more: Any) -> bytes:
    """An Observation with these codings."""
    codings = [{"code": code} | ({"system": system} if system else {}) for system, code in codes]
    meta = {"versionId": "1", "lastUpdated": UPDATED}
    resource = {
        "resourceType": "Observation",
        "id": identity,
        "meta": meta,
        "status": "final",
        "code": {"coding": codings},
    }
    return json.dumps(resource | more).encode()


@pytest.fixture
def given(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Input, mart and crosswalk."""
    file = write(
        tmp_path / "o.ndjson",
        observation("a", (LAB, "HB")),
        observation("b", (LAB, "QQ"), (LAB, "K")),
        observation("c", (LAB, "QQ")),
        observation("d", ("urn:oid:2.16.840.1.113883.6.1", "718-7")),
        observation("e", (LAB, "TWO")),
        observation("f", (LAB, f"{CANARY}  {'x' * 60}")),
        observation("g", (LAB, "HB"), component=[{"code": {"coding": [{"system": LAB, "code": "K"}]}}]),
    )
    rows = [f"{LAB},HB,LN,718-7,equivalent,7", f"{LAB},K,http://loinc.org,2823-3,wider,7"]
    rows += [f"{LAB},TWO,LN,{n},equal,7" for n in (1, 2)]
    return file, tmp_path / "m.duckdb", write(tmp_path / "map.csv", *(r.encode() for r in (HEADER, *rows)))


def load(clinmart: Callable[..., Outcome], file: Path, mart: Path, *maps: Path, more: tuple[str, ...] = ()) -> Outcome:
    """A load with these crosswalks."""
    options = [part for one in maps for part in ("--crosswalk", one)]
    return clinmart("load", file, "--mart", mart, "--source", "s", "--jobs", 1, *options, *more)


def test_what_the_mart_has(clinmart: Callable[..., Outcome], given: tuple[Path, Path, Path]) -> None:
    """Mapped columns, one row a resource, counts by code, and which maps were used."""
    file, mart, maps = given
    report = load(clinmart, file, mart, maps, more=("--json",)).json
    assert query(
        mart, "SELECT id, code_system, code, code_mapped, code_mapped_system FROM observation ORDER BY id"
    ) == [
        ("a", LAB, "HB", "718-7", "http://loinc.org"),
        ("b", LAB, "QQ", "2823-3", "http://loinc.org"),
        ("c", LAB, "QQ", None, None),
        ("d", "http://loinc.org", "718-7", None, None),
        ("e", LAB, "TWO", None, None),
        ("f", LAB, f"{CANARY}  {'x' * 60}", None, None),
        ("g", LAB, "HB", "718-7", "http://loinc.org"),
    ]
    assert query(mart, "SELECT code_mapped FROM observation_component") == [("2823-3",)]
    assert query(mart, "SELECT resource_type, column_name, code, reason, fields FROM etl.unmapped ORDER BY ALL") == [
        ("Observation", "code", "QQ", "not_listed", 1),
        ("Observation", "code", "TWO", "ambiguous", 1),
        ("Observation", "code", None, "not_listed", 1),
    ]
    assert query(mart, "SELECT sent, canonical, codings FROM etl.alias") == [
        ("urn:oid:2.16.840.1.113883.6.1", "http://loinc.org", 1)
    ]
    assert query(mart, "SELECT load_id, uri, version, entries FROM etl.crosswalk") == [
        (report["load_id"], str(maps), "7", 4)
    ]
    assert report["unmapped"] == 3
    assert {one["code"] for one in report["unmapped_codes"]} == {"QQ", "TWO", None}
    assert report["notes"] == []


def test_one_to_many_is_joined_by_hand(clinmart: Callable[..., Outcome], given: tuple[Path, Path, Path]) -> None:
    """The join of the documentation gives a row for each target of the load's own maps."""
    file, mart, maps = given
    load(clinmart, file, mart, maps)
    join = (
        "SELECT o.id, e.target_code FROM observation o JOIN etl.crosswalk_entry e "
        "ON e.source_system = o.code_system AND e.source_code = o.code "
        "AND e.sha256 IN (SELECT sha256 FROM etl.crosswalk c WHERE c.load_id = o.load_id) WHERE id = 'e' ORDER BY ALL"
    )
    assert query(mart, join) == [("e", "1"), ("e", "2")]


def test_what_a_person_sees(clinmart: Callable[..., Outcome], given: tuple[Path, Path, Path]) -> None:
    """The codes without a target, and nothing that was typed into a code."""
    file, mart, maps = given
    said = load(clinmart, file, mart, maps)
    assert b"codes without a target" in said.out
    assert b"3 coded fields got no target" in said.out
    assert CANARY.encode() not in said.out
    assert CANARY not in said.err
    without = load(clinmart, file, mart.with_name("n.duckdb"))
    assert b"without a target" not in without.out


def test_other_maps_for_what_is_loaded_already(
    clinmart: Callable[..., Outcome], given: tuple[Path, Path, Path]
) -> None:
    """Rows keep the codes they were given; the user is told, and only when the maps are others."""
    file, mart, maps = given
    assert load(clinmart, file, mart).code == 0
    told = load(clinmart, file, mart, maps)
    assert "keep the codes they were given then" in told.err
    assert query(mart, "SELECT count(code_mapped) FROM observation") == [(0,)]
    fresh = mart.with_name("n.duckdb")
    load(clinmart, file, fresh, maps)
    assert load(clinmart, file, fresh, maps, maps).err == ""
    assert query(fresh, "SELECT count(*) FROM etl.crosswalk_entry") == [(4,)]


def test_several_commits_add_up(clinmart: Callable[..., Outcome], given: tuple[Path, Path, Path]) -> None:
    """Counts are one row a code, however often a load commits; another load has its own."""
    from flows.runner import run_load
    from flows.settings import LoadSettings
    from sources.crosswalks import read_crosswalk
    from sources.files import FileSource

    file, mart, maps = given
    typed = observation("x", (LAB, f"{CANARY}  {'y' * 60}"))
    other = write(file.with_name("p.ndjson"), observation("z", (LAB, "QQ")), observation("y", ("LN", "1")), typed)
    settings = LoadSettings(mart, "s", jobs=1, unit_bytes=1, crosswalk=read_crosswalk([maps]))
    report = run_load(FileSource([str(file), str(other)]), settings)
    assert query(mart, "SELECT fields FROM etl.unmapped WHERE code = 'QQ' OR code IS NULL") == [(2,), (2,)]
    assert query(mart, "SELECT sent, codings FROM etl.alias ORDER BY ALL") == [
        ("LN", 1), ("urn:oid:2.16.840.1.113883.6.1", 1),
    ]  # fmt: skip
    assert query(mart, "SELECT count(*) FROM etl.crosswalk") == [(1,)]
    assert report.unmapped == 5


def test_the_entries_of_a_map_are_kept_once(clinmart: Callable[..., Outcome], given: tuple[Path, Path, Path]) -> None:
    """Each load names its maps; their entries are there once, however many loads use them."""
    file, mart, maps = given
    load(clinmart, file, mart, maps)
    load(clinmart, write(file.with_name("p.ndjson"), observation("z", (LAB, "HB"))), mart, maps)
    assert query(mart, "SELECT count(*), count(DISTINCT load_id) FROM etl.crosswalk") == [(2, 2)]
    assert query(mart, "SELECT count(*) FROM etl.crosswalk_entry") == [(4,)]


def test_a_faulty_file_loads_nothing(clinmart: Callable[..., Outcome], given: tuple[Path, Path, Path]) -> None:
    """One line, exit 2, no mart."""
    file, mart, maps = given
    bad = write(maps.with_name("bad.csv"), HEADER.encode(), f"{LAB},HB,LN,718-7,same,1".encode())
    said = load(clinmart, file, mart, maps, bad)
    assert (said.code, said.out) == (2, b"")
    assert said.err == (
        f"clinmart: {bad}: row 2: equivalence 'same' is not known: give one of equal, equivalent, wider, subsumes, "
        "source-is-narrower-than-target, narrower, specializes, source-is-broader-than-target, inexact, relatedto, "
        "related-to, unmatched, disjoint, not-related-to\n"
    )
    assert not mart.exists()


def test_displays_are_checked_on_the_sample(clinmart: Callable[..., Outcome], given: tuple[Path, Path, Path]) -> None:
    """A note in `etl.validation`, even where the sample may refuse rows."""
    _, mart, _ = given
    wrong = {"code": {"coding": [{"system": LAB, "code": "HB", "display": CANARY}]}}
    file = write(mart.with_name("w.ndjson"), observation("w", **wrong))
    target = {"code": "718-7", "equivalence": "equal"}
    group = {"source": LAB, "target": "LN", "element": [{"code": "HB", "display": "Haemoglobin", "target": [target]}]}
    maps = write(mart.with_name("map.json"), json.dumps({"resourceType": "ConceptMap", "group": [group]}).encode())
    assert load(clinmart, file, mart, maps, more=("--sample", "1")).code == 0
    assert query(mart, "SELECT id, finding, path FROM etl.validation") == [("w", "display", "code.coding[0].display")]
    assert CANARY not in str(query(mart, "SELECT * FROM etl.validation"))
