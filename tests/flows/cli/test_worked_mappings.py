"""The worked mappings, on generated extracts: what lands is what the same records are as FHIR."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sources.synth import SynthPlan, write_extracts, write_synth
from tests.flows.inputs import Outcome, query

Clinmart = Callable[..., Outcome]
MAPPINGS = Path(__file__).parents[3] / "data" / "mappings"
PLAN = SynthPlan(patients=12)


@pytest.fixture(scope="module")
def extracts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("extracts")
    write_extracts(PLAN, folder)
    return folder


@pytest.fixture(scope="module")
def fhir(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """The same records by type."""
    folder = tmp_path_factory.mktemp("fhir")
    write_synth(SynthPlan(patients=12, types={"Patient", "Encounter", "Observation"}), folder)
    return {
        kind: [json.loads(line, parse_float=str) for line in (folder / f"{kind}.000.ndjson").read_text().splitlines()]
        for kind in ("Patient", "Encounter", "Observation")
    }


def load(clinmart: Clinmart, folder: Path, name: str, mart: Path) -> dict[str, Any]:
    told = ("--mapping", MAPPINGS / name, "--mart", mart, "--source", "h", "--sample", "1", "--json")
    outcome = clinmart("load", folder, "--format", "extract", *told)
    assert outcome.code == 0, outcome.err
    report: dict[str, Any] = outcome.json["resources"]
    return report


def labs(fhir: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [
        one
        for one in fhir["Observation"]
        if one["category"][0]["coding"][0]["code"] == "laboratory"
        and "component" not in one
        and any(coding.get("system") == "http://loinc.org" for coding in one["code"]["coding"])
    ]


def test_a_lab(clinmart: Clinmart, extracts: Path, fhir: dict[str, list[dict[str, Any]]], tmp_path: Path) -> None:
    """Each result with its digits, its bound, its unit and its times; thousands separators and Windows texts too."""
    mart = tmp_path / "m"
    load(clinmart, extracts, "lab.yaml", mart)
    sent = [one["valueQuantity"] for one in labs(fhir) if "valueQuantity" in one]
    micro = str.maketrans({"\u03bc": "\u00b5"})  # Windows has no Greek mu
    units = [q.get("unit", "").translate(micro) or None for q in sent]
    expected = [(str(q["value"]), q.get("comparator"), unit) for q, unit in zip(sent, units, strict=True)]
    quantities = "SELECT value_literal, value_comparator, value_unit FROM observation WHERE value_type = 'Quantity'"
    found = query(mart, quantities)
    assert sorted(found, key=repr) == sorted(expected, key=repr)
    assert any(float(number) >= 1000 for number, _, _ in expected)  # else no separator was read
    issued = sorted(one["issued"][:10] for one in labs(fhir) if "issued" in one)
    assert len(issued) == query(mart, "SELECT count(issued_at) FROM observation")[0][0]
    assert query(mart, "SELECT count(*) FROM observation WHERE patient_id IS NULL OR code IS NULL") == [(0,)]


def test_omop(clinmart: Clinmart, extracts: Path, fhir: dict[str, list[dict[str, Any]]], tmp_path: Path) -> None:
    """People with what is known of their birth; measurements that join them, with a time only where one is known."""
    mart = tmp_path / "m"
    load(clinmart, extracts, "omop.yaml", mart)
    births = sorted(one["birthDate"] for one in fhir["Patient"])
    precisions = {10: "day", 7: "month", 4: "year"}
    assert query(mart, "SELECT birth_date::text, birth_precision FROM patient ORDER BY 1") == [
        (birth + "-01-01"[len(birth) - 4 :] if len(birth) < 10 else birth, precisions[len(birth)]) for birth in births
    ]
    assert sorted(row[0] for row in query(mart, "SELECT gender FROM patient")) == sorted(
        one["gender"] if one.get("gender") in ("male", "female") else "unknown" for one in fhir["Patient"]
    )
    many = sum("valueQuantity" in one for one in labs(fhir))
    joined = "SELECT count(*) FROM observation o JOIN patient p ON p.source = o.source AND p.id = o.patient_id"
    assert query(mart, joined) == [(many,)]
    with (extracts / "measurement.csv").open() as file:
        timed = sum(bool(row["measurement_datetime"]) for row in csv.DictReader(file))
    assert query(mart, "SELECT count(effective_at) FROM observation") == [(timed,)]


def test_clarity(clinmart: Clinmart, extracts: Path, fhir: dict[str, list[dict[str, Any]]], tmp_path: Path) -> None:
    """Encounters with class, reason and instants of a zone; what stands for nothing is nothing."""
    mart = tmp_path / "m"
    report = load(clinmart, extracts, "clarity.yaml", mart)
    assert report["Encounter"]["applied"] == len(fhir["Encounter"])
    found = "SELECT encounter_class, count(*) FROM encounter GROUP BY 1 ORDER BY 1"
    classes = [one["class"]["code"] for one in fhir["Encounter"]]
    assert query(mart, found) == [(code, classes.count(code)) for code in sorted(set(classes))]
    reasons = sum("reasonCode" in one for one in fhir["Encounter"])
    told = "SELECT count(reason_code_text), count(*) FILTER (reason_code_text = 'NULL') FROM encounter"
    assert query(mart, told) == [(reasons, 0)]
    started = {one["period"]["start"] for one in fhir["Encounter"] if "Z" in one.get("period", {}).get("start", "")}
    instants = query(mart, "SELECT strftime(period_start_at, '%Y-%m-%dT%H:%M:%SZ') FROM encounter")
    assert len(started & {row[0] for row in instants}) >= 0.9 * len(started)  # all but those of an hour shown twice
