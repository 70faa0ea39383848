"""`clinmart deidentify`: a copy for analysts from the command line."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flows.inputs import UPDATED, Outcome, query, write

ROOT = Path(__file__).parents[3]
META = {"versionId": "1", "lastUpdated": UPDATED}
PEOPLE = {"ann": ("1950-02-03", "02139"), "bob": ("1930-01-01", "03601")}


def _patient(ident: str) -> bytes:
    born, zip_code = PEOPLE[ident]
    return json.dumps(
        {
            "resourceType": "Patient", "id": ident, "meta": META, "birthDate": born, "gender": "female",
            "name": [{"family": "Qanary", "given": ["Zzyzx"]}],
            "identifier": [{"system": "urn:mrn", "value": "MRN-4711-42"}],
            "telecom": [{"system": "phone", "value": "555-867-5309"}],
            "address": [{"line": ["1 Qanary Street"], "city": "Zzyzxville", "state": "MA", "postalCode": zip_code}],
        }
    ).encode()  # fmt: skip


def _result(ident: str, who: str, day: str) -> bytes:
    return json.dumps(
        {
            "resourceType": "Observation", "id": ident, "meta": META, "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7", "display": "Glucose of Qanary"}]},
            "subject": {"reference": f"Patient/{who}", "display": "Zzyzx Qanary"},
            "effectiveDateTime": f"{day}T10:00:00Z",
            "valueQuantity": {"value": 99, "unit": "mg/dL", "system": "http://unitsofmeasure.org", "code": "mg/dL"},
            "note": [{"text": "Qanary called from 555-867-5309"}],
        }
    ).encode()  # fmt: skip


@pytest.fixture
def mart(clinmart: Callable[..., Outcome], tmp_path: Path) -> Path:
    """A mart of two people with two results each."""
    write(tmp_path / "p.ndjson", *map(_patient, PEOPLE))
    days = ("2024-03-01", "2024-03-15")
    write(tmp_path / "o.ndjson", *(_result(f"{who}{n}", who, day) for who in PEOPLE for n, day in enumerate(days)))
    files = (tmp_path / "p.ndjson", tmp_path / "o.ndjson")
    assert clinmart("load", *files, "--mart", tmp_path / "m.duckdb", "--source", "s").code == 0
    return tmp_path / "m.duckdb"


def test_safe_harbor(clinmart: Callable[..., Outcome], mart: Path, tmp_path: Path) -> None:
    """Years, three digits and pseudonyms; no value of a person in the file or on the terminal."""
    to = tmp_path / "r.duckdb"
    done = clinmart("deidentify", "--mart", mart, "--out", to, "--as-of", "2026-01-01", "--json")
    assert done.code == 0, done.err
    assert done.json["tables"] == {"observation": 4, "patient": 2}
    people = query(to, "SELECT birth_year, age_90_or_over, address_zip3, address_state FROM patient ORDER BY ALL")
    assert people == [(1950, False, "021", "MA"), (None, True, "000", "MA")]
    found = query(
        to,
        "SELECT effective_year, value_number, value_unit, code, count(*) FROM observation o JOIN patient p "
        "ON p.source = o.source AND p.id = o.patient_id GROUP BY ALL",
    )
    assert found == [(2024, 99.0, "mg/dL", "2345-7", 4)]
    bad = (b"Qanary", b"Zzyzx", b"4711-42", b"867-5309", b"02139", b"Cambridge")
    assert not [word for word in bad if word in to.read_bytes() + done.out + done.err.encode()]
    assert to.stat().st_mode & 0o777 == 0o600
    became = query(to, "SELECT treatment, became FROM etl.deidentification WHERE column_name = 'address_postal_code'")
    assert became[0] == ("generalised", "address_zip3")
    assert query(to, "SELECT method, statement LIKE '%(b)(2)(ii)%' FROM etl.about") == [("safe-harbor", True)]


def test_shifted_and_stable(clinmart: Callable[..., Outcome], mart: Path, tmp_path: Path) -> None:
    """Intervals stay, days do not; the same person has the same id in each copy, and another with `--ids once`."""
    first, second, once = (tmp_path / name for name in ("1.duckdb", "2.duckdb", "3.duckdb"))
    shifted = ("--method", "shifted-dates")
    people = clinmart("deidentify", "--mart", mart, "--out", first, *shifted)
    assert "NOT a Safe Harbor" in people.err
    clinmart("deidentify", "--mart", mart, "--out", second)
    clinmart("deidentify", "--mart", mart, "--out", once, *shifted, "--ids", "once")
    dates = "max(effective_date) - min(effective_date), min(effective_date)"
    days = query(first, f"SELECT {dates} FROM observation GROUP BY patient_id")
    assert [gap for gap, _ in days] == [14, 14]
    assert query(first, "SELECT count(*) FROM observation WHERE effective_date IN ('2024-03-01')") == [(0,)]
    ids = [query(each, "SELECT id FROM patient ORDER BY 1") for each in (first, second, once)]
    assert ids[0] == ids[1]
    assert not {*ids[0]} & {*ids[2]}
    assert mart.with_name("m.duckdb.keys").stat().st_mode & 0o777 == 0o600


def test_policy_and_parquet(clinmart: Callable[..., Outcome], mart: Path, tmp_path: Path) -> None:
    """A policy file, Parquet files with the documentation beside them, and a copy in place of an earlier one."""
    policy = write(
        tmp_path / "policy.yaml",
        b"method: shifted-dates", b"weekdays: true", b"columns:", b"  patient.gender: drop",
        b"quasi_identifiers:", b"  patient: [address_zip3]",
    )  # fmt: skip
    told = ("deidentify", "--mart", mart, "--policy", policy)
    done = clinmart(*told, "--out", tmp_path / "r", "--format", "parquet", "--json")
    assert done.code == 0, done.err
    names = {path.name for path in (tmp_path / "r").glob("*.parquet")}
    assert {"patient.parquet", "etl_deidentification.parquet", "etl_anonymity.parquet"} <= names
    assert done.json["anonymity"][0]["quasi_identifiers"] == ["address_zip3"]
    for _ in range(2):
        assert clinmart(*told, "--out", tmp_path / "r.duckdb").code == 0
    assert query(tmp_path / "r.duckdb", "SELECT effective_date - DATE '2024-03-01' FROM observation")[0][0] % 7 == 0
    names = [name for (name,) in query(tmp_path / "r.duckdb", "SELECT column_name FROM duckdb_columns()")]
    assert "gender" not in names


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("method: best", "line 1: 'best' is not known: give safe-harbor or shifted-dates"),
        ("a: 1", "line 1: 'a' is not known"),
        ("columns:\n  patient.gendre: drop", "line 2: patient has no column 'gendre': did you mean gender?"),
        ("columns:\n  person.gender: drop", "line 2: there is no table 'person'"),
        ("columns:\n  patient.gender: mask", "line 2: 'mask' is not known: give keep or drop"),
        ("most_days: 3", "give a number from 14 to 3650"),
        ("weekdays: maybe", "give true or false"),
        ("quasi_identifiers: {patient: [name_family]}", "the copy has no column 'name_family'"),
        ("- a", "is no list of `name: value`"),
    ],
)
def test_wrong_policies(clinmart: Callable[..., Outcome], mart: Path, tmp_path: Path, lines: str, said: str) -> None:
    """What is wrong with a policy is one line with its place, and nothing is written."""
    policy = write(tmp_path / "p.yaml", lines.encode())
    done = clinmart("deidentify", "--mart", mart, "--out", tmp_path / "r.duckdb", "--policy", policy)
    assert done.code == 2
    assert said in done.err
    assert done.err.count("\n") == 1
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("r.duckdb")]


def test_refusals(clinmart: Callable[..., Outcome], mart: Path, tmp_path: Path) -> None:
    """What is there and is no copy is never replaced; a day and a format must be such."""
    told = ("deidentify", "--mart", mart, "--out")
    before = mart.read_bytes()
    assert "no copy" in clinmart(*told, mart.with_name("p.ndjson")).err
    assert clinmart(*told, mart).code == 2
    assert mart.read_bytes() == before
    assert clinmart(*told, tmp_path / "no" / "r").code == 5
    assert "give one as" in clinmart(*told, tmp_path / "r", "--as-of", "soon").err
    assert "duckdb or parquet" in clinmart(*told, tmp_path / "r", "--format", "csv").err


def test_documentation_is_fresh() -> None:
    """docs/deidentified_columns.md is what `make docs` writes."""
    spec = importlib.util.spec_from_file_location("deidentification_tool", ROOT / "tools" / "deidentification.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.TARGET.read_text(encoding="utf-8") == tool.rendered(), "stale: run `make docs`"
