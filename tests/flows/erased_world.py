"""A mart of every format in which one person stands everywhere, and what looks for her afterwards."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from flows.cli.main import main
from flows.keyring import keys_of
from schemas.sealed import Sealed
from stores.identity import mart_id
from stores.landing_signatures import LandingSignatures
from stores.mart import Mart
from stores.messages import KeptMessage, keep
from tests.flows.inputs import write
from tests.transforms.decode.ccda.documents import coded, document, problem, section

HER, NUMBER, OTHER = "canary-77xq", "CAN-4711-QX", "other-1"
CANARIES = (HER, NUMBER, "Quixcanary", "555-0199-77", "77 Canary Mews")
DISPOSITIONS = ("applied", "superseded", "duplicate", "quarantined", "suppressed")
LAB = """
zone: America/New_York
files:
  - file: "labs*"
    table: observation
    keys: [ACC, TEST]
    columns:
      patient_id: MRN
      status: {column: STATUS, lookup: {F: final}}
      code: TEST
      code_system: {constant: "http://loinc.org"}
      effective: {column: TAKEN, format: ["%m/%d/%Y"]}
      value: {column: RESULT, unit: UNITS}
"""
VIEW = {
    "resourceType": "ViewDefinition",
    "name": "seen",
    "resource": "Observation",
    "status": "active",
    "select": [{"column": [{"name": "who", "path": "subject.reference"}]}],
}


def run(*arguments: object, stdin: bytes = b"") -> tuple[int, dict[str, Any], str]:
    """Exit code, JSON and stderr of the command line in this process."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        told = [] if arguments[:2] == ("view", "add") else ["--json"]
        patch.setattr(sys, "argv", ["clinmart", *map(str, arguments), *told])
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as left:
            main()
    text = out.getvalue()
    code = left.value.code
    return code if isinstance(code, int) else 0, json.loads(text) if text and told else {}, err.getvalue()


def _line(kind: str, ident: str, **more: object) -> bytes:
    meta = {"versionId": "1", "lastUpdated": "2024-01-01T00:00:00Z"}
    return json.dumps({"resourceType": kind, "id": ident, "meta": meta, **more}).encode()


def _to(kind: str, ident: str) -> dict[str, str]:
    return {"reference": f"{kind}/{ident}"}


def patient(ident: str, family: str, version: str = "1", **more: object) -> bytes:
    """A patient, with what tells who that is."""
    meta = {"versionId": version, "lastUpdated": f"2024-01-0{version}T00:00:00Z"}
    return json.dumps(
        {"resourceType": "Patient", "id": ident, "meta": meta, "name": [{"family": family, "given": ["Zelda"]}], **more}
    ).encode()


def _observation(ident: str, **more: object) -> bytes:
    return _line("Observation", ident, status="final", code={"text": "x"}, **more)


def write_fhir(folder: Path) -> None:
    """NDJSON of all kinds of resources that are hers, mention her, or neither."""
    her = {
        "identifier": [{"system": "urn:x", "value": NUMBER}],
        "telecom": [{"system": "phone", "value": CANARIES[3]}],
        "address": [{"line": [CANARIES[4]], "city": "Town"}],
    }
    hers, others = {"subject": _to("Patient", HER)}, {"subject": _to("Patient", OTHER)}
    write(
        folder / "all.ndjson",
        patient(HER, "Quixcanary", **her),
        patient(HER, "Quixcanary", "2", **her, gender="female"),
        patient(OTHER, "Smith"),
        _line("Encounter", "enc-c", status="finished", **{"class": {"code": "AMB"}}, **hers),
        _observation("obs-c", **hers),
        _observation("obs-o", performer=[_to("Patient", HER), _to("Practitioner", "d1")], **others),
        _observation("obs-n", encounter=_to("Encounter", "enc-c")),
        _line("Group", "g", type="person", actual=True, member=[
            {"entity": _to("Patient", HER)}, {"entity": _to("Patient", OTHER)}]),
        _line("Provenance", "p1", recorded="2024-01-01T00:00:00Z", target=[_to("Observation", "obs-c")],
              agent=[{"who": _to("Practitioner", "d1")}]),
        _line("Provenance", "p2", recorded="2024-01-01T00:00:00Z", agent=[{"who": _to("Practitioner", "d1")}],
              target=[_to("Observation", "obs-c"), _to("Observation", "obs-o")]),
        _line("Appointment", "ap", status="proposed", participant=[
            {"actor": _to("Patient", HER), "status": "accepted"}]),
        _line("RelatedPerson", "rel-c", patient=_to("Patient", HER)),
        _line("QuestionnaireResponse", "q-c", status="completed", **hers),
        _line("List", "l", status="current", mode="working", entry=[
            {"item": _to("Patient", HER)}, {"item": _to("Patient", OTHER)}]),
        _line("DocumentReference", "doc-c", status="current", **hers,
              content=[{"attachment": {"url": "Binary/bin-c"}}]),
        _line("Binary", "bin-c", contentType="text/plain", data="eA=="),
        _line("Practitioner", "d1"),
        b'{"resourceType":"Observation","id":"bad-c","subject":{"reference":"Patient/' + HER.encode() + b'"},"status":',
        b'{"resourceType":"Observation","id":"bad-o","subject":{"reference":"Patient/other-1"},"status":',
    )  # fmt: skip


def _message(control: str, kind: str, number: str, name: str, *segments: str) -> bytes:
    head = f"MSH|^~\\&|LAB|HOSP|CLIN|HOSP|20240301120000||{kind}|{control}|P|2.5.1"
    pid = f"PID|1||{number}^^^HOSP^MR||{name}^Jane||19800102|F"
    return "".join(f"{segment}\r" for segment in (head, pid, *segments)).encode()


def hers_by_hl7(control: str = "c1") -> bytes:
    """A message about her."""
    return _message(control, "ADT^A01", NUMBER, "Quixcanary", "ZPD|1|note without a name")


def write_inputs(folder: Path) -> None:
    """All inputs, by source."""
    write_fhir(folder / "fhir")
    others = _message("o1", "ADT^A01", "o1", "Smith", "ZPD|1|mine")
    result = ("OBR|1|a|b|24323-8^P^LN|||2024", "OBX|1|NM|x^y^LN||7|||||F|||20241399")
    bad = _message("c2", "ORU^R01", NUMBER, "Quixcanary", *result)
    write(folder / "hl7" / "feed.hl7")
    (folder / "hl7" / "feed.hl7").write_bytes(hers_by_hl7() + others + bad)
    problems = section("11450-4", problem(coded("233604007")), text="Her story.")
    data = document(problems)
    (folder / "ccda").mkdir()
    name = f"ccda-{NUMBER}.xml"
    hers = data.replace(b'extension="p1"', f'extension="{NUMBER}"'.encode()).replace(b"Doe", b"Quixcanary")
    (folder / "ccda" / name).write_bytes(hers.replace(b'extension="doc"', b'extension="doc-her"'))
    (folder / "ccda" / "other.xml").write_bytes(data)
    write(
        folder / "ext" / "labs.csv",
        b"ACC,MRN,TEST,RESULT,UNITS,TAKEN,STATUS",
        f"A1,{NUMBER},2345-7,101.50,mg/dL,03/01/2024,F".encode(),
        b"A2,101,2345-7,20,mg/dL,03/01/2024,F",
        f"A3,{NUMBER},2345-7,101.50,mg/dL,never,F".encode(),
        b"A4,102,2345-7,101.50,mg/dL,never,F",
    )
    (folder / "labs.yaml").write_text(LAB)
    (folder / "view.json").write_text(json.dumps(VIEW))


def load_all(folder: Path, mart: Path) -> dict[str, dict[str, Any]]:
    """Load every input, with their reports, in which every line has one disposition."""
    more = {
        "hl7": ("--zone", "UTC", "--format", "hl7v2"),
        "ccda": ("--zone", "UTC", "--format", "ccda"),
        "ext": ("--format", "extract", "--mapping", folder / "labs.yaml"),
    }
    reports = {}
    for source in ("fhir", "hl7", "ccda", "ext"):
        code, report, err = run("load", folder / source, "--mart", mart, "--source", source, *more.get(source, ()))
        assert code in (0, 3), err
        for counts in (*report["resources"].values(), *report["inputs"].values()):
            assert counts["read"] == sum(counts[name] for name in DISPOSITIONS), report
        reports[source] = report
    return reports


def make_world(folder: Path) -> Path:
    """Inputs, a mart of them, what a listener took in, a landing zone and a published folder; the mart."""
    write_inputs(folder / "in")
    mart = folder / "m.duckdb"
    load_all(folder / "in", mart)
    assert run("view", "add", folder / "in" / "view.json", "--mart", mart)[0] == 0
    load_all(folder / "in", mart)
    with Mart(mart).connect() as connection:
        data = hers_by_hl7("heard1")
        kept = KeptMessage(("LAB", "HOSP", "heard1"), hashlib.sha256(data).digest(), datetime.now(UTC), data, 1)
        keep(connection, "hl7", "listened", [kept])
        Mart(mart).heard.note(mart_id(connection), "hl7", 1)
    export = folder / "m.duckdb.landing" / "20240101"
    lines = (patient(HER, "Quixcanary"), patient(OTHER, "Smith"))
    write(export / "Patient.000.ndjson", *lines)
    digest = hashlib.sha256((export / "Patient.000.ndjson").read_bytes()).hexdigest()
    (export / "SHA256SUMS").write_text(f"{digest}  Patient.000.ndjson\n")
    listed = [{"type": "Patient", "url": "Patient.000.ndjson", "count": 2}]
    told = {"transactionTime": "2024-01-01T00:00:00Z", "request": "x", "requiresAccessToken": False, "output": listed}
    (export / "manifest.json").write_text(json.dumps(told | {"error": []}))
    signatures = LandingSignatures(export, keys_of(mart))
    data = (export / "Patient.000.ndjson").read_bytes()
    signatures.add(Sealed("Patient.000.ndjson", len(data), hashlib.sha256(data).hexdigest()))
    signatures.close([export / "manifest.json", export / "SHA256SUMS"])
    assert run("load", export, "--mart", mart, "--source", "fhir")[0] == 0
    (folder / "m.duckdb.wal.damaged-1").write_bytes(HER.encode())
    assert run("publish", folder / "m.duckdb.published-tables", "--to", "parquet", "--mart", mart)[0] == 0
    return mart


def ask(folder: Path) -> Path:
    """A file that asks for her, wherever she is."""
    return write(folder / "people.txt", f"|{NUMBER}".encode(), f"ext:{NUMBER}".encode())


def left_of_her(mart: Path) -> list[str]:
    """Where anything of her is, in files beside the mart and in every row of it; not by the code that erases."""
    found = []
    wanted = [one.encode() for one in CANARIES]
    for path in sorted(p for p in mart.parent.rglob(mart.name + "*") for p in ([p] if p.is_file() else p.rglob("*"))):
        if path.is_file():
            data = path.read_bytes()
            data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
            found += [path.name for one in wanted if one in data]
            if path.suffix == ".parquet":
                rows = duckdb.execute(f"FROM '{path}'").fetchall()
                found += [path.name for one in CANARIES if one in repr(rows)]
    with duckdb.connect(str(mart), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for schema, table in connection.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall():
            rows = connection.execute(f'FROM {schema}."{table}"').fetchall()
            found += [f"{schema}.{table}" for one in CANARIES if one in repr(rows)]
    return found
