"""The US Core extensions of a Patient become columns, nested ones too."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pytest

from flows.runner import run_load
from flows.settings import LoadSettings
from schemas.tables import table_of
from sources.files import FileSource

_US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"
_CDC = "urn:oid:2.16.840.1.113883.6.238"


def _part(url: str, code: str, display: str) -> dict[str, Any]:
    return {"url": url, "valueCoding": {"system": _CDC, "code": code, "display": display}}


_PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p",
    "extension": [
        {
            "url": _US_CORE + "us-core-race",
            "extension": [
                _part("ombCategory", "2028-9", "Asian"),
                _part("ombCategory", "2106-3", "White"),
                _part("detailed", "2036-2", "Filipino"),
                _part("detailed", "2039-6", "Japanese"),
                {"url": "text", "valueString": "Filipino, Japanese and white"},
            ],
        },
        {
            "url": _US_CORE + "us-core-ethnicity",
            "extension": [
                {"url": "text", "valueString": "Mexican"},
                _part("detailed", "2148-5", "Mexican"),
                _part("ombCategory", "2135-2", "Hispanic or Latino"),
            ],
        },
        {"url": _US_CORE + "us-core-birthsex", "valueCode": "F"},
        {
            "url": _US_CORE + "us-core-genderIdentity",
            "valueCodeableConcept": {
                "coding": [{"system": "http://snomed.info/sct", "code": "446151000124109", "display": "Male"}],
                "text": "man",
            },
        },
        {"url": "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName", "valueString": "Castañeda"},
        {"url": "https://elsewhere.example/us-core-race", "valueString": "not to be read"},
    ],
}
_BARE: dict[str, Any] = {"resourceType": "Patient", "id": "bare", "gender": "male"}


@pytest.fixture(scope="module")
def row(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The row of the Patient above, loaded beside one without extensions."""
    folder = tmp_path_factory.mktemp("us-core")
    (folder / "Patient.ndjson").write_text("\n".join(json.dumps(p) for p in (_PATIENT, _BARE)), encoding="utf-8")
    run_load(FileSource([str(folder / "Patient.ndjson")]), LoadSettings(mart=folder / "mart.duckdb", source="s"))
    with duckdb.connect(str(folder / "mart.duckdb"), read_only=True) as connection:
        result = connection.execute("SELECT * EXCLUDE (last_updated) FROM patient ORDER BY id DESC")
        names = [d[0] for d in result.description or ()]
        rows = result.fetchall()
    assert len(rows) == 2
    return dict(zip(names, rows[0], strict=True)) | {"~bare": dict(zip(names, rows[1], strict=True))}


def test_race_and_ethnicity(row: dict[str, object]) -> None:
    """OMB categories, texts and detailed codes come from their parts, in whatever order those stand."""
    assert (row["race"], row["race_system"], row["race_display"]) == ("2028-9", _CDC, "Asian")
    assert row["race_text"] == "Filipino, Japanese and white"
    assert _codes(row["race_detailed_codings"]) == ["2036-2", "2039-6"]
    assert (row["ethnicity"], row["ethnicity_display"]) == ("2135-2", "Hispanic or Latino")
    assert row["ethnicity_text"] == "Mexican"
    assert _codes(row["ethnicity_detailed_codings"]) == ["2148-5"]


def test_sex_and_gender(row: dict[str, object]) -> None:
    """Birth sex and gender identity are columns of their own."""
    assert row["birth_sex"] == "F"
    assert (row["gender_identity"], row["gender_identity_text"]) == ("446151000124109", "man")


def test_mothers_maiden_name(row: dict[str, object]) -> None:
    """The mother's maiden name is there, and marked as identifying a person."""
    assert row["mothers_maiden_name"] == "Castañeda"
    table = table_of("Patient")
    assert table is not None
    assert [c.phi for c in table.columns() if c.name == "mothers_maiden_name"] == [True]


def test_patient_without_extensions(row: dict[str, object]) -> None:
    """Without extensions all of these columns are null."""
    bare = row["~bare"]
    assert isinstance(bare, dict)
    stems = ("race", "ethnicity", "birth_sex", "gender_identity", "mothers_maiden_name")
    assert {n: v for n, v in bare.items() if n.startswith(stems) and v} == {}


def _codes(codings: object) -> list[str]:
    assert isinstance(codings, list)
    return [c["code"] for c in codings]
