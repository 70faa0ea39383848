"""Drafts of mappings: what a header and a sample tell, and never a guess in silence."""

from __future__ import annotations

import polars as pl
import pytest

from schemas.mapping import Dialect, Mapping
from sources.mapping import parse_mapping
from transforms.draft import draft
from transforms.draft.guess import guess_table
from transforms.draft.profile import profile
from transforms.draft.write import pattern


def drafted(name: str = "labs_2024-05-01.csv", dialect: Dialect | None = None, **columns: list[str | None]) -> str:
    frame = pl.DataFrame({key: pl.Series(values, dtype=pl.String) for key, values in columns.items()})
    text = draft(name, dialect or Dialect(), frame)
    assert isinstance(parse_mapping(text.encode(), "draft"), Mapping)  # every draft is a mapping already
    return text


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines()]


def test_a_lab() -> None:
    """Columns, times, numbers, codes and keys by their names and values."""
    text = lines(
        drafted(
            ORDER_ID=["1", "1", "2"],
            MRN=["a", "a", "b"],
            LOINC=["2345-7", "718-7", "2345-7"],
            Result=["1.5", "<2", "positive"],
            Units=["mg/dL", "g/dL", None],
            collectedAt=["2024-03-01 08:00", "2024-03-01 08:00", "2024-03-02 08:00"],
            status=["F", "F", "C"],
            last_updated=["2024-03-01T08:00:00Z"] * 3,
            comment=["x", None, None],
        )
    )
    assert 'file: "labs*.csv"' in text or '- file: "labs*.csv"' in text
    for line in (
        "table: observation",
        "keys: [ORDER_ID, LOINC]",
        "last_updated: last_updated",
        "patient_id: {column: MRN, required: true}",
        "code: LOINC",
        'code_system: {constant: "http://loinc.org"}',
        "value: {column: Result, unit: Units}",
        "effective: collectedAt",
        "status: {column: status, lookup: {C: corrected, F: final}}",
        "# zone: America/New_York",
        "# Not mapped: comment",
    ):
        assert line in text


def test_day_or_month_first_is_asked() -> None:
    """Where the sample cannot tell, nothing is mapped until somebody decides; where it can, it does."""
    text = drafted(mrn=["a", "b"], result=["1", "2"], test=["x", "y"], collected=["03/04/2024", "05/06/2024"])
    assert '# effective: {column: collected, format: "%m/%d/%Y"}' in text
    assert '# effective: {column: collected, format: "%d/%m/%Y"}' in text
    (entry,) = parse_mapping(text.encode(), "draft").entries
    assert "effective" not in dict(entry.columns)
    text = drafted(mrn=["a", "b"], result=["1", "2"], test=["x", "y"], collected=["03/04/2024", "05/26/2024"])
    assert '      effective: {column: collected, format: "%m/%d/%Y"}' in text


@pytest.mark.parametrize(
    ("values", "layouts"),
    [
        (["2024-03-01", "2024-03"], ((),)),
        (["2024-03-01 00:00:00", "2024-04-01 00:00:00"], (("%Y-%m-%d 00:00:00",),)),
        (["2024-03-01 00:00:00", "2024-04-01 10:00:00"], ((),)),
        (["31.12.2024 10:00", "01.01.2024 11:00"], (("%d.%m.%Y %H:%M",),)),
        (["05-JAN-24"], (("%d-%b-%y",),)),
        (["20240105"], (("%Y%m%d",),)),
        (["03/14/2024", "03/15/2024 10:00"], (("%m/%d/%Y", "%m/%d/%Y %H:%M"),)),
        (["hello"], ()),
        (["12", "13"], ()),
    ],
)
def test_layouts(values: list[str], layouts: tuple[tuple[str, ...], ...]) -> None:
    """Those by which all values are dates; midnight in all of them is no time of day."""
    assert profile(pl.Series("x", values)).layouts == layouts


def test_what_texts_mean_is_asked() -> None:
    """Codes that nobody knows, texts that may stand for nothing, thousands, character sets, other delimiters."""
    text = drafted(
        dialect=Dialect(";", '"', "cp1252"),
        mrn=["a", "b", "b"],
        gender=["M", "F", "7"],
        birth_date=["1980-01-01 00:00:00"] * 3,
        last_name=["NA", "NULL", "Poe"],
    )
    assert "gender: {column: gender, lookup:" not in text  # all values differ: no column of codes
    text = drafted(
        dialect=Dialect(";", '"', "cp1252"),
        mrn=["a", "b", "b", "c"],
        gender=["M", "F", "7", "F"],
        birth_date=["1980-01-01 00:00:00"] * 4,
        last_name=["NA", "NULL", " Poe", "Doe"],
    )
    assert 'DECIDE: what "7" mean' in text
    assert "gender: {column: gender, lookup: {F: female, M: male}}" in text
    assert 'DECIDE: whether "NA" in last_name' in text
    assert 'nulls: ["NULL"]' in text
    assert "delimiter: semicolon" in text
    assert "encoding: cp1252   # DECIDE" in text
    assert "trim: true" in text
    assert 'birth: {column: birth_date, format: "%Y-%m-%d 00:00:00"}' in text
    numbers = drafted(mrn=["a", "b"], test=["x", "y"], result=["1,234.5", "2"], units=["g", "g"])
    assert 'value: {column: result, unit: units, thousands: ","}' in numbers
    assert "DECIDE: is this how numbers are written (1,234.5)?" in numbers


def test_ids_that_do_not_fit() -> None:
    """Become keys, which are made of any text."""
    text = drafted(patient_id=["a/1", "a/2"], result_id=["1_1", "1_2"], result=["1", "2"], test=["x", "y"])
    assert "patient_id: {key: [patient_id], required: true}" in text
    assert "id: result_id" not in lines(text)
    assert any(line.startswith("keys: [") for line in lines(text))


def test_a_header_that_says_nothing() -> None:
    """The draft asks which table it is, and is a mapping all the same."""
    text = drafted(foo=["1", "2"], bar=["x", "y"])
    assert "DECIDE: the header does not tell which table this is" in text


@pytest.mark.parametrize(
    ("names", "table"),
    [
        ("person_id gender_concept_id year_of_birth birth_datetime", "patient"),
        ("measurement_id person_id measurement_date value_as_number unit_source_value", "observation"),
        ("PAT_ENC_CSN_ID PAT_ID HOSP_ADMSN_TIME HOSP_DISCH_TIME DEPARTMENT_ID", "encounter"),
        ("PatientID DxCode DxName OnsetDate", "condition"),
        ("mrn drug_name dose sig order_date", "medication_request"),
        ("mrn cpt_code procedure_date", "procedure"),
        ("mrn cvx vaccine_name date_given lot", "immunization"),
        ("a b c", None),
    ],
)
def test_tables(names: str, table: str | None) -> None:
    """By the words of the header."""
    assert guess_table(names.split()) == table


def test_patterns() -> None:
    """Of a name what changes from file to file may be any text."""
    assert pattern("labs_2024-05-01.csv") == "labs*.csv"
    assert pattern("export-20240501T1030-part2.tsv") == "export*part*.tsv"
    assert pattern("person") == "person*"


def test_a_moment_is_no_key() -> None:
    """Though no two rows of the sample have the same; whose it is and of which test belongs to it."""
    dates = [f"2024-03-0{day}" for day in range(1, 5)]
    text = lines(
        drafted(DATE=dates, PATIENT=["a", "a", "b", "b"], CODE=["x", "y", "x", "y"], VALUE=["1", "2", "3", "4"])
    )
    assert "keys: [DATE, PATIENT, CODE]" in text
