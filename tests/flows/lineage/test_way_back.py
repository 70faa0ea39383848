"""The way back from tables, columns and rows."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.lineage import origins
from schemas.tables import all_tables
from tests.flows.inputs import Outcome, medication, write


@pytest.fixture
def mart(clinmart: Callable[..., Outcome], tmp_path: Path) -> Path:
    """Medications from plain lines, from gzip, from a Bundle, and an older version of one."""
    write(tmp_path / "1.ndjson", medication("z"), b"", medication("a", "old"))
    (tmp_path / "2.ndjson.gz").write_bytes(
        gzip.compress(medication("a", "new", updated="2025-01-01T00:00:00Z") + b"\r\n")
    )
    entries = b",".join(b'{"resource": ' + medication(i) + b"}" for i in ("x", "b"))
    write(tmp_path / "3.json", b'{"resourceType": "Bundle", "type": "collection", "entry": [' + entries + b"]}")
    files = [tmp_path / name for name in ("1.ndjson", "2.ndjson.gz", "3.json")]
    assert clinmart("load", *files, "--mart", tmp_path / "m", "--source", "s").code == 0
    return tmp_path / "m"


def test_rows(clinmart: Callable[..., Outcome], mart: Path) -> None:
    """A row's line is the one whose bytes have its hash, also in gzip and in a Bundle; each version has its own."""
    found = clinmart("lineage", "medication.code_text", "--mart", mart, "--row", "a", "--json")
    assert found.code == 0, found.err
    (element,) = found.json["from"]
    assert element["name"] == "Medication.code.text"
    new, old = element["from"]
    assert (new["about"][:3], old["about"][:7]) == ("now", "earlier")
    assert [line["name"] for line in new["from"]] == [f"{mart.parent}/2.ndjson.gz:1"]
    (line,) = old["from"]
    assert line["name"] == f"{mart.parent}/1.ndjson:3"
    offset = int(line["about"].split(";")[0].removeprefix("byte ").replace(",", ""))
    data = (mart.parent / "1.ndjson").read_bytes()[offset:].split(b"\n")[0]
    assert hashlib.sha256(data).digest() == hashlib.sha256(medication("a", "old")).digest()
    inside = clinmart("lineage", "medication", "--mart", mart, "--row", "b", "--json").json
    assert [line["name"] for line in inside["from"][0]["from"]] == [f"{mart.parent}/3.json:2"]


def test_changed_files_prove_nothing(clinmart: Callable[..., Outcome], mart: Path) -> None:
    """A file that changed since, or is gone, is named as one that may have it, and no line is."""
    write(mart.parent / "1.ndjson", medication("z", "changed"))
    (mart.parent / "2.ndjson.gz").unlink()
    found = clinmart("lineage", "medication", "--mart", mart, "--row", "z").out.decode()
    assert "line not proved" in found
    assert "1.ndjson:1" not in found
    assert found.count("file ") == 3


def test_columns(clinmart: Callable[..., Outcome], mart: Path) -> None:
    """Tables, columns, fields of lists and child tables lead to elements and files; in three drawings and JSON."""
    tree = clinmart("lineage", "medication", "--mart", mart).out.decode()
    assert tree.startswith("table main.medication")
    assert tree.count("file ") == 3
    assert "Patient.address.city" in clinmart("lineage", "patient_address.city", "--mart", mart).out.decode()
    deep = clinmart("lineage", "observation.components.value_number", "--mart", mart).out.decode()
    assert "Observation.component.valueQuantity.value" in deep
    assert "no file" in deep
    mermaid = clinmart("lineage", "medication.id", "--mart", mart, "--format", "mermaid").out.decode()
    assert mermaid.startswith("flowchart RL")
    assert mermaid.count("-->") == mermaid.count('["') - 1
    dot = clinmart("lineage", "medication.load_id", "--mart", mart, "--format", "dot").out.decode()
    assert dot.startswith("digraph lineage {")
    assert "made by the load itself" in dot
    assert json.loads(clinmart("lineage", "medication", "--mart", mart, "--format", "json").out)["kind"] == "table"


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (("medicatio",), "did you mean medication?"),
        (("medication.code_txt",), "did you mean code_text?"),
        (("medication", "--row", "nobody"), "no row of medication has that id"),
        (("hl7_segment", "--row", "a"), "its columns uri and line"),
        (("medication", "--format", "png"), "text, mermaid, dot or json"),
    ],
)
def test_wrong_questions(clinmart: Callable[..., Outcome], mart: Path, told: tuple[str, ...], said: str) -> None:
    """What the models or the mart do not have is one line."""
    done = clinmart("lineage", *told, "--mart", mart)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert said in done.err


def test_every_column_has_an_origin() -> None:
    """Every column of every model but those that the load makes leads to an element."""
    for table in all_tables():
        without = {origin.column for origin in origins(table) if not origin.path}
        assert without == {"source", "load_id", "content_hash"}, table.name
