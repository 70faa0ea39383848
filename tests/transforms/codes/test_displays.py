"""Displays that a crosswalk contradicts: found by path, never shown."""

from __future__ import annotations

import polars as pl
import pytest

from tests.transforms.codes.plain import LAB, LOINC, crosswalk, entry
from tests.transforms.one_chunk import AS_OF, chunk_of, decoder, observation, rows, text_of, written
from transforms.codes.displays import contradicted, displays_of
from transforms.partition import Tools, transform
from transforms.sample import Sampler, Sampling

CANARY = "Mrs Canary, ward 7"
MAPS = crosswalk(
    entry("HB", "718-7", source_display="Haemoglobin", target_display="Hemoglobin [Mass/volume] in Blood"),
    entry("HB", "718-7", target_display="Hb in blood", map=0),
    entry("K", "2823-3"),
)


@pytest.mark.parametrize(
    ("system", "code", "display", "wrong"),
    [
        (LOINC, "718-7", "Hemoglobin [Mass/volume] in Blood", False),
        (LOINC, "718-7", "hemoglobin  [mass/volume]\tin BLOOD ", False),
        (LOINC, "718-7", "Hb in blood", False),  # either name will do
        ("LN", "718-7", "hb in blood", False),
        ("LN", "718-7", CANARY, True),
        (LAB, "HB", "Haemoglobin", False),
        (LAB, "HB", "Hb in blood", True),  # the target's name, not the source's
        (LAB, "K", CANARY, False),  # the maps do not name it
        (LOINC, "1-1", CANARY, False),
        ("other", "HB", CANARY, False),
    ],
)
def test_only_what_is_known_is_contradicted(system: str, code: str, display: str, wrong: bool) -> None:
    """By system and code; case and whitespace do not count."""
    displays = displays_of(MAPS)
    assert displays is not None
    resource = {"code": {"coding": [{"system": "x"}, {"system": system, "code": code, "display": display}]}}
    assert list(contradicted(resource, displays)) == (["code.coding[1].display"] if wrong else [])


def test_maps_without_displays_judge_nothing() -> None:
    """CSV files mostly have none."""
    assert displays_of(crosswalk(entry("K", "2823-3"))) is None


@pytest.mark.parametrize("rate", [0.999, 1.0])
def test_findings_of_the_sample(rate: float) -> None:
    """A finding names resource and path, not what was sent; it refuses nothing, not even when every row is checked."""
    wrong = {"coding": [{"system": "http://loinc.org", "code": "718-7", "display": CANARY}]}
    lines = [written(observation("a")), written(observation("b", code=wrong)), written(observation("b2", code=wrong))]
    good = observation("a")["code"]["coding"][0]
    assert good["display"] == "Hb"
    maps = crosswalk(entry("HB", "718-7", target_display="Hb"))
    sampler = Sampler(Sampling(rate, share=1e9), displays_of(maps))
    result = transform(chunk_of(text_of(lines)), Tools(decoder(), sampler), AS_OF)
    assert [row["id"] for row in rows(result)] == ["a", "b", "b2"]
    found = pl.concat(result.findings).filter(finding="display")
    assert found.select("resource_type", "id", "path", "code").rows() == [
        ("Observation", i, "code.coding[0].display", "display_differs") for i in ("b", "b2")
    ]
    assert CANARY not in repr([frame.to_dicts() for frame in result.findings])
    assert isinstance(result.tables["observation"], pl.DataFrame)
