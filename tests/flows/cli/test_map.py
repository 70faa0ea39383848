"""`clinmart map`: from a file that nobody has described to its rows in a mart."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from sources.synth import SynthPlan, write_extracts
from tests.flows.inputs import Outcome, query, write

Clinmart = Callable[..., Outcome]
HEADER = b"Order,MRN,LOINC,Result,Units,Collected,Status"
ROWS = (
    b"1,p1,2345-7,5.4,mmol/L,2024-03-01 08:00,F",
    b"1,p1,718-7,<7,g/dL,2024-03-01 08:00,F",
    b"2,p2,2345-7,x,,2024-03-02 08:00,C",
)


@pytest.fixture
def labs(tmp_path: Path) -> Path:
    return write(tmp_path / "labs_2024.csv", HEADER, *ROWS)


def test_from_a_file_to_its_rows(clinmart: Clinmart, labs: Path, tmp_path: Path) -> None:
    """Draft, decide the zone, check, load: the steps of the documentation."""
    out, mart = tmp_path / "map.yaml", tmp_path / "m"
    outcome = clinmart("map", "init", labs, "--out", out)
    assert outcome.code == 0, outcome.err
    assert f"{out}: a draft, 2 things to decide; then clinmart map check".encode() in outcome.out
    out.write_text(out.read_text().replace("# zone:", "zone:"))
    outcome = clinmart("map", "check", out, labs, "--json")
    assert outcome.code == 0, outcome.err
    shown = outcome.json
    assert (shown["records"], shown["landed"], shown["refused"]) == (3, {"observation": 3}, [])
    first = shown["rows"]["observation"][0]
    assert (first["code"], first["value_literal"], first["patient_id"]) == ("2345-7", "5.4", "p1")
    assert first["effective_at"] == "2024-03-01 13:00:00+00:00"
    outcome = clinmart("load", labs, "--format", "extract", "--mapping", out, "--mart", mart, "--source", "lab")
    assert outcome.code == 0, outcome.err
    assert query(
        mart, "SELECT value_comparator, value_number, value_text, status FROM observation ORDER BY id"
    ) == query(mart, "SELECT value_comparator, value_number, value_text, status FROM observation ORDER BY id")
    assert query(mart, "SELECT count(*), count(effective_at), count(value_number) FROM observation") == [(3, 3, 2)]


def test_generated_files(clinmart: Clinmart, tmp_path: Path) -> None:
    """Each is drafted and checked as it is, with what is left to decide left out, and nothing of it is refused but for
    what the draft says it does not know.
    """
    folder = tmp_path / "x"
    write_extracts(SynthPlan(patients=4), folder)
    for file in sorted(folder.iterdir()):
        out = tmp_path / f"{file.stem}.yaml"
        assert clinmart("map", "init", file, "--out", out).code == 0
        outcome = clinmart("map", "check", out, file, "--json")
        assert (outcome.code, outcome.json["refused"]) == (0, []), (file.name, outcome.json["refused"])
        assert sum(outcome.json["landed"].values()) == outcome.json["records"] > 0


def test_check_shows_what_is_refused(clinmart: Clinmart, labs: Path, tmp_path: Path) -> None:
    """By reason and column with its first line; also what has the id of another, and columns that are not read."""
    mapping = tmp_path / "m.yaml"
    mapping.write_text(
        "files:\n  - file: '*.csv'\n    table: observation\n    keys: [Order]\n    columns:\n"
        "      value_number: Result\n      status: {column: Status, lookup: {F: final, C: corrected}}\n"
    )
    outcome = clinmart("map", "check", mapping, labs)
    assert outcome.code == 3
    said = re.sub(r"\s+", " ", outcome.out.decode())
    assert "refused: 1 for not_a_number (value_number), the first on line 4" in said
    assert "observation: 1 rows have the id of another" in said
    assert "columns that the mapping does not read: MRN, LOINC, Units, Collected" in said
    assert "value_literal" in said
    none = clinmart("map", "check", mapping, labs, "--rows", "0", "--json").json
    assert none["rows"] == {"observation": []}


def test_init_refuses_what_is_no_table(clinmart: Clinmart, tmp_path: Path, labs: Path) -> None:
    """One line that says why; a file that is there is not written over."""
    for data, said in ((b"", "only one column"), (b"hello\nworld\n", "only one column"), (b"a,a\n1,2\n", "'a'")):
        (tmp_path / "x.csv").write_bytes(data)
        outcome = clinmart("map", "init", tmp_path / "x.csv")
        assert (outcome.code, said in outcome.err, outcome.err.count("\n")) == (2, True, 1), outcome.err
    assert clinmart("map", "init", tmp_path / "none.csv").code == 2
    assert clinmart("map", "init", labs, "--out", labs).code == 2
    assert clinmart("map", "init", labs, "--table", "nothing").code == 2
    assert clinmart("map", "check", tmp_path / "none.yaml", labs).code == 2


def test_init_reads_what_files_there_are(clinmart: Clinmart, labs: Path, tmp_path: Path) -> None:
    """Packed files, Parquet, other character sets and delimiters give the same draft but for what they are."""
    plain = clinmart("map", "init", labs).out.decode().splitlines()[5:]
    (tmp_path / "labs_1.csv.gz").write_bytes(gzip.compress(labs.read_bytes()))
    packed = clinmart("map", "init", tmp_path / "labs_1.csv.gz").out.decode().splitlines()
    assert packed[-len(plain) :][-5:] == plain[-5:]
    pl.read_csv(labs, infer_schema=False).write_parquet(tmp_path / "labs.parquet")
    made = clinmart("map", "init", tmp_path / "labs.parquet").out.decode().splitlines()
    assert made[-5:] == plain[-5:]
    (tmp_path / "wide.txt").write_bytes(labs.read_text().replace(",", "\t").encode("utf-16"))
    wide = clinmart("map", "init", tmp_path / "wide.txt").out.decode()
    assert "delimiter: tab" in wide
    assert "encoding: utf-16" in wide


def test_targets(clinmart: Clinmart) -> None:
    """The names to choose from, with their kind and codes."""
    shown = clinmart("map", "targets", "observation").out.decode()
    assert re.search(r"^effective +time$", shown, re.MULTILINE)
    assert re.search(r"^status +text of registered, preliminary, final", shown, re.MULTILINE)
    assert clinmart("map", "targets", "observations").code == 2
