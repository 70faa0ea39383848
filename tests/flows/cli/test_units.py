"""``clinmart units``, and units in a load, as a user meets them."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.flows.inputs import Outcome, query, write

UCUM = "http://unitsofmeasure.org"
Clinmart = Callable[..., Outcome]
Ask = Callable[..., list[dict[str, str]]]


@pytest.fixture
def ask(clinmart: Clinmart, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Run a command with this CSV on stdin; the rows that come back."""

    def asked(command: str, text: str, *more: object) -> list[dict[str, str]]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        done = clinmart("units", command, *more)
        assert (done.code, done.err) == (0, "")
        return list(csv.DictReader(io.StringIO(done.out.decode())))

    return asked


def test_resolve(ask: Ask) -> None:
    """One row for each asked, in their order; with a BOM, with and without a code."""
    rows = ask("resolve", '\ufeffunit,code\nK/uL,\n"a,b",\nG/L,718-7\nG/L,\n,\nMg/dL,2345-7\n')
    assert [(r["unit"], r["ucum"], r["status"]) for r in rows] == [
        ("K/uL", "10*3/uL", "mapped"),
        ("a,b", "", "unknown"),
        ("G/L", "g/L", "mapped"),
        ("G/L", "", "ambiguous"),
        ("", "", "absent"),
        ("Mg/dL", "mg/dL", "mapped"),
    ]
    assert "LOINC code may decide" in rows[3]["why"]


def test_convert(ask: Ask) -> None:
    """Values as exact decimals; empty when refused, with the reason."""
    rows = ask(
        "convert",
        "value,from,to,code\n0.1,g,mg,\n1,mg/dL,mmol/L,\n10,mg/dL,mmol/L,2345-7\n98.6,F,Cel,\nx,g,mg,\n1e400,g,mg,\n"
        "5,N/A,g,\n6.3,4.s/m,s/m,\n6.30,4.s/m,s/m,\n1,K,Cel,\n-1,1,B,\n5.5,mmol/L,,2345-7\n3,g,,\n1,[lb_av],kg,\n",
    )
    assert [(r["value"], r["status"]) for r in rows] == [
        ("100", "converted"),
        ("", "incompatible"),
        (rows[2]["value"], "converted"),
        ("37", "converted"),
        ("", "not_a_number"),
        ("", "not_a_number"),
        ("", "not_a_unit"),
        ("25", "converted"),
        ("25.2", "converted"),
        ("-272.15", "converted"),
        ("", "not_a_number"),
        ("99.0858", "converted"),
        ("", "absent"),
        ("0.45359237", "converted"),
    ]
    assert float(rows[2]["value"]) == pytest.approx(0.5550745)
    assert "LOINC code of the analyte" in rows[1]["why"]
    assert [r["unit"] for r in rows[:4]] == ["mg", "", "mmol/L", "Cel"]


@pytest.mark.parametrize(
    ("text", "said"),
    [(b"units\nmg\n", "no column unit"), (b"", "no column unit"), (b"unit\n\xff\n", "UTF-8")],
)
def test_what_is_no_such_csv(clinmart: Clinmart, monkeypatch: pytest.MonkeyPatch, text: bytes, said: str) -> None:
    """One line, exit 2."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    done = clinmart("units", "resolve")
    assert done.code == 2
    assert said in done.err
    assert done.err.count("\n") == 1


def observation(ident: str, code: str, number: float | None, unit: str, **more: Any) -> bytes:
    quantity = {"value": number, "unit": unit}
    return json.dumps(
        {
            "resourceType": "Observation",
            "id": ident,
            "status": "final",
            "category": [{"coding": [{"code": "laboratory"}]}],
            "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
            "subject": {"reference": "Patient/p"},
            "effectiveDateTime": "2024-03-01T10:00:00Z",
            **({"valueQuantity": quantity} if number is not None else {}),
        }
        | more
    ).encode()


def load(clinmart: Clinmart, tmp_path: Path, *lines: bytes, more: tuple[object, ...] = ()) -> Path:
    mart = tmp_path / "m.duckdb"
    done = clinmart("load", write(tmp_path / "o.ndjson", *lines), "--mart", mart, "--source", "s", "--json", *more)
    assert (done.code, done.err) == (0, "")
    return mart


def test_lab_and_vital(clinmart: Clinmart, tmp_path: Path) -> None:
    """A row for each result and component, value and range in one unit, and the age; what is wrong is left out."""
    patient = {"resourceType": "Patient", "id": "p", "birthDate": "1960-03-02"}
    pressure = {
        "category": [{"coding": [{"code": "vital-signs"}]}],
        "component": [
            {
                "code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]},
                "valueQuantity": {"value": 16, "unit": "kPa"},
                "referenceRange": [{"low": {"value": 90, "unit": "mmHg"}, "high": {"value": 18, "unit": "kPa"}}],
            }
        ],
    }
    limits = {"referenceRange": [{"low": {"value": 3.9, "unit": "mmol/L"}, "high": {"value": 1, "unit": "mg"}}]}
    mart = load(
        clinmart,
        tmp_path,
        json.dumps(patient).encode(),
        observation("glucose", "2345-7", 5.5, "mmol/L", **limits),
        observation("pressure", "85354-9", None, "", **pressure),
        observation("wrong", "2345-7", 5.5, "mmol/L", status="entered-in-error"),
        observation("odd", "2345-7", 5.5, "mmol/L", modifierExtension=[{"url": "http://x", "valueBoolean": True}]),
    )
    columns = (
        "id, ordinal, round(harmonized_value, 2), harmonized_unit, round(reference_low, 2), reference_high, "
        "age_years, age_is_exact"
    )
    assert query(mart, f"SELECT {columns} FROM lab") == [
        ("glucose", 0, 99.09, "mg/dL", 70.26, None, 63, True),
    ]
    assert query(mart, f"SELECT {columns} FROM vital") == [
        ("pressure", 1, 120.01, "mm[Hg]", 90.0, pytest.approx(135.0115), 63, True),
    ]


def test_report(clinmart: Clinmart, tmp_path: Path) -> None:
    """Units that were left alone, by code, with their rows; all of them on demand."""
    lines = [observation(f"o{i}", "2345-7", i, unit) for i, unit in enumerate(["mg/dL", "zz", "zz", "N/A"])]
    mart = load(clinmart, tmp_path, *lines)
    told = csv.DictReader(io.StringIO(clinmart("units", "report", "--mart", mart).out.decode()))
    assert [(r["column_name"], r["loinc"], r["unit"], r["unit_status"], r["rows"]) for r in told] == [
        ("value", "2345-7", "zz", "unknown", "2"),
        ("value", "2345-7", "N/A", "not_a_unit", "1"),
    ]
    assert clinmart("units", "report", "--mart", mart, "--all").out.count(b"\n") == 4
    assert clinmart("units", "report", "--mart", tmp_path / "none.duckdb").code == 2


def test_a_user_s_own_units(clinmart: Clinmart, tmp_path: Path) -> None:
    """A CSV replaces the project's choice."""
    mine = tmp_path / "mine.csv"
    mine.write_text("loinc,ucum\n2345-7,mmol/L\n", encoding="utf-8")
    mart = load(clinmart, tmp_path, observation("o", "2345-7", 90, "mg/dL"), more=("--preferred-units", mine))
    assert query(mart, "SELECT round(harmonized_value, 3), harmonized_unit FROM observation") == [(4.996, "mmol/L")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("code,unit\n1,g\n", "needs loinc and ucum"),
        ("loinc,ucum\n1,zz\n", "line 2: 'zz' is no UCUM unit"),
        ("loinc,ucum\n1,g\n,g\n", "line 3: a LOINC code and a unit"),
        ("loinc,ucum\n1,g\n1,mg\n", "line 3: 1 has two units"),
        (None, "cannot be read"),
    ],
)
def test_own_units_that_cannot_be_used(clinmart: Clinmart, tmp_path: Path, text: str | None, said: str) -> None:
    """One line that names the place; nothing is loaded."""
    mine = tmp_path / "mine.csv"
    if text is not None:
        mine.write_text(text, encoding="utf-8")
    file, mart = write(tmp_path / "o.ndjson", observation("o", "2345-7", 90, "mg/dL")), tmp_path / "m.duckdb"
    done = clinmart("load", file, "--mart", mart, "--source", "s", "--preferred-units", mine)
    assert done.code == 2
    assert said in done.err
    assert not mart.exists()
