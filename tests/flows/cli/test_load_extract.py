"""`clinmart load` of extracts by a mapping: what lands, what is refused and why, and that nothing is lost."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.flows.inputs import Outcome, contents, query, write

Clinmart = Callable[..., Outcome]
DISPOSITIONS = ("applied", "superseded", "duplicate", "quarantined", "suppressed")
MAPPING = """
zone: America/New_York
files:
  - file: "labs*"
    table: observation
    keys: [ACC, TEST]
    last_updated: {column: UPDATED, format: "%m/%d/%Y %H:%M:%S"}
    columns:
      patient_id: MRN
      status: {column: STATUS, lookup: {F: final, P: preliminary}}
      code: TEST
      code_system: {constant: "http://loinc.org"}
      code_display: NAME
      effective: {column: TAKEN, format: ["%m/%d/%Y %H:%M:%S", "%m/%d/%Y"]}
      value: {column: RESULT, unit: UNITS}
"""
HEADER = b"ACC,MRN,TEST,NAME,RESULT,UNITS,TAKEN,STATUS,UPDATED"
GOOD = b"A1,100,2345-7,Glucose,101.50,mg/dL,03/01/2024 08:30:00,F,03/01/2024 09:00:00"
BOUND = b"A2,101,2345-7,Glucose,<20,mg/dL,03/01/2024,F,03/01/2024 09:00:00"
WORD = b'A3,102,5778-6,"Color of\nUrine",Yellow,,03/02/2024 02:30:00,P,03/01/2024 09:00:00'


@pytest.fixture
def mart(tmp_path: Path) -> Path:
    return tmp_path / "m.duckdb"


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    return mapped(tmp_path / "map.yaml", MAPPING)


def mapped(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def load(clinmart: Clinmart, mart: Path, mapping: Path, file: Path, *more: object) -> dict[str, Any]:
    """The report of a load."""
    given = ("--format", "extract", "--mapping", mapping, "--mart", mart, "--source", "lab", "--json")
    outcome = clinmart("load", file, *given, *more)
    assert outcome.code in (0, 3), outcome.err
    report: dict[str, Any] = outcome.json
    for counts in (*report["resources"].values(), *report["inputs"].values()):
        assert counts["read"] == sum(counts[name] for name in DISPOSITIONS)
    return report


def test_a_file(clinmart: Clinmart, mart: Path, mapping: Path, tmp_path: Path) -> None:
    """Its rows: digits as sent, bounds, words, local times in the mapping's zone, and no time of day made up."""
    report = load(clinmart, mart, mapping, write(tmp_path / "labs.csv", HEADER, GOOD, BOUND, WORD))
    assert report["resources"]["Observation"]["applied"] == report["inputs"]["Record"]["read"] == 3
    assert query(
        mart,
        "SELECT patient_id, status, code, code_system, code_display, value_literal, value_comparator, value_unit, "
        "value_text, unit_status, effective_at::text, effective_date::text, effective_precision, effective_offset, "
        "last_updated::text, version_id FROM observation ORDER BY patient_id",
    ) == [
        ("100", "final", "2345-7", "http://loinc.org", "Glucose", "101.50", None, "mg/dL", None, "ucum",
         "2024-03-01 13:30:00+00", "2024-03-01", "second", -300, "2024-03-01 14:00:00+00", None),
        ("101", "final", "2345-7", "http://loinc.org", "Glucose", "20", "<", "mg/dL", None, "ucum",
         None, "2024-03-01", "day", None, "2024-03-01 14:00:00+00", None),
        ("102", "preliminary", "5778-6", "http://loinc.org", "Color of\nUrine", None, None, None, "Yellow", None,
         "2024-03-02 07:30:00+00", "2024-03-02", "second", -300, "2024-03-01 14:00:00+00", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "reason", "column"),
    [
        (GOOD.rpartition(b",")[0], "ragged_line", None),
        (GOOD + b",", "ragged_line", None),
        (GOOD.replace(b"Glucose", b'"Glucose'), "malformed_record", None),
        (GOOD.replace(b"Glucose", b"Gluc\rose"), "malformed_record", None),
        (GOOD.replace(b"Glucose", b"Gluc\xf6se"), "wrong_encoding", None),
        (GOOD.replace(b"Glucose", b"Gluc\0se"), "nul_character", None),
        (GOOD.replace(b"A1", b""), "missing_key", "id"),
        (GOOD.replace(b"101.50", b'"1,101.50"'), "not_a_number", "value"),
        (GOOD.replace(b"101.50", b'"101,5"'), "not_a_number", "value"),
        (GOOD.replace(b"03/01/2024 08:30:00", b"2024-03-01 08:30:00"), "date_format", "effective"),
        (GOOD.replace(b"03/01/2024 08:30:00", b"30/01/2024 08:30:00"), "date_format", "effective"),
        (GOOD.replace(b",F,", b",X,"), "not_in_lookup", "status"),
        (GOOD.replace(b"100", b"1_00"), "invalid_id", "patient_id"),
        (GOOD.replace(b"101.50", b"1e999"), "number_out_of_range", "value_number"),
    ],
)
def test_what_is_refused(
    clinmart: Clinmart, mart: Path, mapping: Path, tmp_path: Path, line: bytes, reason: str, column: str | None
) -> None:
    """Only the line itself, with its bytes, its place, its reason and the column; those around it go in."""
    file = write(tmp_path / "labs.csv", HEADER, BOUND, line, WORD)
    report = load(clinmart, mart, mapping, file)
    assert report["resources"] == {
        "Observation": {"read": 3, "applied": 2, "superseded": 0, "duplicate": 0, "quarantined": 1, "suppressed": 0}
    }
    assert query(mart, "SELECT reason, column_name, line, byte_offset, payload FROM etl.quarantine") == [
        (reason, column, 3, len(HEADER) + len(BOUND) + 2, line)
    ]


def test_a_quote_that_is_not_closed_costs_one_line(
    clinmart: Clinmart, mart: Path, mapping: Path, tmp_path: Path
) -> None:
    """Though all that follows could stand within it; a quote in the middle of a field is a character."""
    tube = GOOD.replace(b"Glucose", b'5" tube').replace(b"A1", b"A9")
    lines = [GOOD.replace(b"Glucose", b'"Glucose'), tube, *(GOOD.replace(b"A1", b"B%d" % n) for n in range(50))]
    report = load(clinmart, mart, mapping, write(tmp_path / "labs.csv", HEADER, *lines))
    assert report["resources"]["Observation"]["applied"] == 51
    assert query(mart, "SELECT line, reason FROM etl.quarantine") == [(2, "malformed_record")]
    assert query(mart, "SELECT count(*) FROM observation WHERE code_display = '5\" tube'") == [(1,)]


def test_ways_of_writing(clinmart: Clinmart, mart: Path, tmp_path: Path) -> None:
    """Delimiter, character sets, no header, decimal comma, packed files, line ends, byte order mark, padding."""
    text = MAPPING.replace('file: "labs*"', 'file: "labs*"\n    delimiter: DELIMITER\n    encoding: ENCODING').replace(
        "unit: UNITS", 'unit: UNITS, decimal: ",", thousands: "."'
    )
    line = GOOD.replace(b"101.50", b"1.101,50").replace(b"Glucose", "Glucöse".encode("cp1252"))
    expected = [("1101.50", "Glucöse", "100")]
    shown = "SELECT value_literal, code_display, patient_id FROM observation"

    def landed(name: str, text: str, data: bytes) -> list[tuple[Any, ...]]:
        folder = tmp_path / name
        folder.mkdir()
        file = folder / ("labs.csv.gz" if name == "packed" else "labs.csv")
        file.write_bytes(gzip.compress(data) if name == "packed" else data)
        load(clinmart, folder / "m", mapped(folder / "map.yaml", text), file)
        return query(folder / "m", shown)

    def semicolons(some: bytes) -> bytes:
        return some.replace(b",", b";").replace(b"1.101;50", b"1.101,50")

    whole = semicolons(HEADER) + b"\r\n" + semicolons(line) + b"\r\n"
    narrow = text.replace("DELIMITER", "semicolon").replace("ENCODING", "windows-1252")
    assert landed("semicolons", narrow, whole) == expected
    assert landed("packed", narrow, whole) == expected
    assert landed("last", narrow, whole.rstrip()) == expected
    wide = text.replace("DELIMITER", "';'").replace("ENCODING", "utf-16")
    assert landed("wide", wide, whole.decode("cp1252").encode("utf-16")) == expected
    tabs = text.replace("DELIMITER", "tab").replace("ENCODING", "utf-8")
    data = whole.decode("cp1252").replace(";", "\t").encode()
    assert landed("tabs", tabs, b"\xef\xbb\xbf" + data) == expected
    names = HEADER.decode().split(",")
    bare = tabs.replace("    keys:", f"    header: [{', '.join(names)}]\n    trim: true\n    nulls: [NULL]\n    keys:")
    padded = data.partition(b"\r\n")[2].replace(b"100", b" 100 ").replace(b"mg/dL", b"NULL")
    assert landed("bare", bare, padded) == expected


def test_the_same_file_again(clinmart: Clinmart, mart: Path, mapping: Path, tmp_path: Path) -> None:
    """It is not read again, unless what the mapping says of it has changed; then the new rows count, and so on back."""
    file = write(tmp_path / "labs.csv", HEADER, GOOD, BOUND.replace(b",F,", b",X,"))
    assert load(clinmart, mart, mapping, file)["resources"]["Observation"]["quarantined"] == 1
    before = contents(mart)
    again = load(clinmart, mart, mapping, file)
    assert (again["resources"]["Observation"]["duplicate"], contents(mart)) == (1, before)
    mapped(mapping, "# a word\n" + MAPPING)
    assert load(clinmart, mart, mapping, file)["inputs"]["Record"]["duplicate"] == 1  # nothing else is said

    mapped(mapping, MAPPING.replace("F: final", "F: amended, X: final"))
    report = load(clinmart, mart, mapping, file)
    assert report["resources"]["Observation"]["applied"] == 2
    rows = "SELECT patient_id, status, version_id FROM observation ORDER BY 1"
    assert query(mart, rows) == [("100", "amended", "2"), ("101", "final", "2")]
    assert query(mart, "SELECT state FROM etl.quarantine") == [("replayed",)]
    mapped(mapping, MAPPING)
    assert load(clinmart, mart, mapping, file)["resources"]["Observation"]["quarantined"] == 1
    assert query(mart, rows) == [("100", "final", "3"), ("101", "final", "2")]
    assert query(mart, "SELECT state FROM etl.quarantine") == [("open",)]
    assert query(mart, "SELECT number, count(*) FROM etl.mapping GROUP BY 1 ORDER BY 1") == [(1, 1), (2, 1), (3, 1)]


def test_later_wins(clinmart: Clinmart, mart: Path, mapping: Path, tmp_path: Path) -> None:
    """By the time of change, in whatever order the files come; the other is history."""
    newer = write(tmp_path / "labs_2.csv", HEADER, GOOD.replace(b"101.50", b"7").replace(b"09:00:00", b"10:00:00"))
    older = write(tmp_path / "labs_1.csv", HEADER, GOOD)
    load(clinmart, mart, mapping, newer)
    assert load(clinmart, mart, mapping, older)["resources"]["Observation"]["superseded"] == 1
    assert query(mart, "SELECT value_literal FROM observation") == [("7",)]
    assert query(mart, "SELECT value_literal FROM history.observation") == [("101.50",)]


def test_replay(clinmart: Clinmart, mart: Path, mapping: Path, tmp_path: Path) -> None:
    """Refused lines go through the mapping that the mart keeps, or a better one, as if they had passed at first."""
    tube = b'A4,103,2345-7,"Two\nlines",5,mg/dL,03/01/2024,X,03/01/2024 09:00:00'
    bad = BOUND.replace(b",F,", b",X,").replace(b"Glucose", b"Gluc\xf6se")
    file = write(tmp_path / "labs.csv", HEADER, GOOD, bad, tube, b"MSH,ragged", b"<a,b")
    assert load(clinmart, mart, mapping, file)["resources"]["Observation"]["quarantined"] == 4
    told = ("quarantine", "replay", "--mart", mart, "--json")
    outcome = clinmart(*told)
    assert (outcome.code, outcome.json["replayed"], outcome.json["open"]) == (3, 0, 4)
    better = mapped(
        tmp_path / "b.yaml",
        MAPPING.replace("P: preliminary", "P: preliminary, X: final").replace(
            "    keys", "    encoding: latin-1\n    keys"
        ),
    )
    outcome = clinmart(*told, "--mapping", better)
    assert (outcome.json["replayed"], outcome.json["open"]) == (2, 2), outcome.err
    assert query(mart, "SELECT code_display FROM observation ORDER BY patient_id") == [
        ("Glucose",), ("Glucöse",), ("Two\nlines",)
    ]  # fmt: skip
    assert query(mart, "SELECT payload, state FROM etl.quarantine ORDER BY line") == [
        (bad, "replayed"), (tube, "replayed"), (b"MSH,ragged", "open"), (b"<a,b", "open")
    ]  # fmt: skip


def test_two_tables_of_one_file(clinmart: Clinmart, mart: Path, tmp_path: Path) -> None:
    """Each entry makes rows of its own; a line that any of them refuses makes none, and counts once."""
    mapping = mapped(
        tmp_path / "map.yaml",
        """
files:
  - file: "*.csv"
    table: patient
    keys: [MRN]
    columns: {mrn: MRN, mrn_system: {constant: "urn:oid:1.2.3"}, phone: PHONE, birth_date: BORN, name_family: NAME}
  - file: "*.csv"
    table: encounter
    id: VISIT
    columns:
      patient_id: {key: [MRN]}
      period_start: START
      period_end: END
      encounter_class: {column: CLASS, lookup: {I: IMP}, otherwise: AMB}
""",
    )
    lines = [
        b"MRN,NAME,PHONE,BORN,VISIT,START,END,CLASS",
        b"7/1,Doe,555,1980-02-03,v1,2024-01-01,2024-01-03,I",
        b"7/2,Roe,,1981,v2,2024-01-01T10:00:00Z,,X",
        b"7/3,Poe,,1981,v 3,2024-01-01,,X",
        b"7/4,Moe,,81,v_4,2024-01-01,,X",
    ]
    report = load(clinmart, mart, mapping, write(tmp_path / "visits.csv", *lines), "--sample", "1")
    assert report["inputs"]["Record"]["read"] == 4
    assert report["resources"]["Patient"]["read"] == 3
    assert report["resources"]["Encounter"]["read"] == 3
    assert sum(counts["quarantined"] for counts in report["resources"].values()) == 2
    assert query(mart, "SELECT reason, resource_type FROM etl.quarantine ORDER BY line") == [
        ("invalid_id", "Encounter"), ("date_format", "Patient")
    ]  # fmt: skip
    assert query(
        mart,
        "SELECT e.id, p.mrn, p.phone, birth_date::text, birth_precision, period_start_at::text, "
        "period_end_date::text, encounter_class, len(p.identifiers) "
        "FROM encounter e JOIN patient p ON e.source = p.source AND e.patient_id = p.id ORDER BY 1",
    ) == [
        ("v1", "7/1", "555", "1980-02-03", "day", None, "2024-01-03", "IMP", 1),
        ("v2", "7/2", None, "1981-01-01", "year", "2024-01-01 10:00:00+00", None, "AMB", 1),
    ]


def test_parquet(clinmart: Clinmart, mart: Path, tmp_path: Path) -> None:
    """The same as CSV: values of any type say what they are, and a refused row is kept as a line."""
    frame = pl.DataFrame(
        {
            "id": [1, 2, 3],
            "who": ["p1", "p2", "p 3"],
            "value": [1.5, 1e-7, None],
            "taken": pl.Series(["2024-01-01T10:00:00", "2024-07-01T10:00:00", None]).str.to_datetime(time_unit="us"),
            "seen": pl.Series(["2024-01-01", "2024-01-02", None]).str.to_date(),
            "parts": [[1], [2], [3]],
        }
    )
    file = tmp_path / "rows.parquet"
    frame.write_parquet(file)
    mapping = mapped(
        tmp_path / "map.yaml",
        """
zone: Europe/Berlin
files:
  - {file: "*.parquet", table: observation, id: id, columns: {
      patient_id: who, value_number: value, effective: taken, issued: seen}}
""",
    )
    report = load(clinmart, mart, mapping, file)
    assert report["resources"]["Observation"]["applied"] == 2
    assert query(mart, "SELECT id, value_literal, value_number, effective_at::text, issued_date::text FROM observation "
                 "ORDER BY id") == [
        ("1", "1.5", 1.5, "2024-01-01 09:00:00+00", "2024-01-01"),
        ("2", "1e-7", 1e-7, "2024-07-01 08:00:00+00", "2024-01-02"),
    ]  # fmt: skip
    assert query(mart, "SELECT reason, line, payload FROM etl.quarantine") == [("invalid_id", 3, b"3,p 3,,,")]


def test_to_fhir(clinmart: Clinmart, mart: Path, mapping: Path, tmp_path: Path) -> None:
    """What lands is valid FHIR R4 too, with the digits sent."""
    file = write(tmp_path / "labs.csv", HEADER, GOOD, WORD)
    report = load(clinmart, mart, mapping, file, "--to-fhir", tmp_path / "fhir", "--sample", "1")
    assert report["status"] == "ok"
    (made,) = (tmp_path / "fhir").iterdir()
    first = made.read_text().splitlines()[0]
    assert '"value":101.50' in first
    assert json.loads(first)["effectiveDateTime"] == "2024-03-01T08:30:00-05:00"


def test_folders_and_other_files(clinmart: Clinmart, mart: Path, mapping: Path, tmp_path: Path) -> None:
    """Of a folder what the mapping is for is taken; a file that it says nothing of is a user's mistake."""
    folder = tmp_path / "in"
    write(folder / "labs.csv", HEADER, GOOD)
    other = write(folder / "notes.csv", b"a,b")
    assert load(clinmart, mart, mapping, folder)["inputs"]["Record"]["read"] == 1
    given = ("--format", "extract", "--mapping", mapping, "--mart", mart, "--source", "lab")
    outcome = clinmart("load", other, *given)
    assert outcome.code == 2
    assert "it is for labs*" in outcome.err
    outcome = clinmart("load", folder / "labs.csv", "--mapping", mapping, "--mart", mart, "--source", "lab")
    assert (outcome.code, "--format extract and --mapping go together" in outcome.err) == (2, True)
    mapped(mapping, MAPPING.replace("MRN", "MNR"))
    outcome = clinmart("load", folder, *given)
    assert outcome.code == 2
    assert "map.yaml, line 9: " in outcome.err
    assert "has no column 'MNR'; did you mean 'MRN'?" in outcome.err
    assert outcome.err.count("\n") == 1


def test_no_record(clinmart: Clinmart, mart: Path, mapping: Path, tmp_path: Path) -> None:
    """A file with a header and blank lines has no record; an empty one has no column."""
    assert load(clinmart, mart, mapping, write(tmp_path / "labs.csv", HEADER, b"", b""))["resources"] == {}
    given = ("--format", "extract", "--mapping", mapping, "--mart", mart, "--source", "lab")
    assert clinmart("load", write(tmp_path / "labs2.csv"), *given).code == 2


def test_a_load_that_dies_and_a_mart_that_lost_it(
    clinmart: Clinmart, mart: Path, mapping: Path, tmp_path: Path
) -> None:
    """Run again, or repaired from what the tail keeps of the mapping, the tables are those of a load that lived."""
    tube = b'A4,103,2345-7,"Two\nlines",5,mg/dL,03/01/2024,X,03/01/2024 09:00:00'
    lines = [GOOD.replace(b"A1", b"B%d" % n).replace(b"100", b"%d" % n) for n in range(300)]
    file = write(tmp_path / "labs.csv", HEADER, *lines, tube, WORD)
    told = ("--format", "extract", "--mapping", mapping, "--source", "lab", "--as-of", "2024-05-05T00:00:00Z")
    assert clinmart("load", file, "--mart", tmp_path / "reference", *told).code == 3
    program = "import os, flows.session\nflows.session.{} = lambda *_, **__: os._exit(9)\n"
    program += "from flows.cli.main import main\nmain()"
    for step in ("commit", "save_load"):  # before the commit, and after it, before the mart takes it out of its log
        own = tmp_path / f"{step}.duckdb"
        arguments = ["load", file, "--mart", own, *told]
        ran = subprocess.run(
            [sys.executable, "-c", program.format(step), *map(str, arguments)], check=False, stdout=subprocess.DEVNULL
        )
        assert ran.returncode == 9
        if step == "save_load":
            own.with_name(f"{own.name}.wal").unlink()
            assert clinmart("load", file, "--mart", own, *told).code == 4
            mapping.unlink()  # the tail has what it said
            assert clinmart("repair", "--mart", own).code == 0
        else:
            assert clinmart("load", file, "--mart", own, *told).code == 3
        assert contents(own) == contents(tmp_path / "reference")
