"""`clinmart load` of C-CDA documents: the same tables, whole versions in any order, and nothing lost without a word."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.flows.inputs import Outcome, contents, medication, query, write
from tests.transforms.decode.ccda.documents import coded, document, problem, result, section

Clinmart = Callable[..., Outcome]
AT = "2024-03-01 12:00:00+00"
GLUCOSE = '<value xsi:type="PQ" value="{}" unit="mmol/L"/>'
DISPOSITIONS = ("applied", "superseded", "duplicate", "quarantined", "suppressed")


@pytest.fixture
def mart(tmp_path: Path) -> Path:
    return tmp_path / "m.duckdb"


def load(clinmart: Clinmart, mart: Path, file: Path, *more: object) -> dict[str, Any]:
    """The report of a load."""
    outcome = clinmart("load", file, "--mart", mart, "--source", "s", "--json", *more)
    assert outcome.code in (0, 3), outcome.err
    report: dict[str, Any] = outcome.json
    for counts in (*report["resources"].values(), *report["inputs"].values()):
        assert counts["read"] == sum(counts[name] for name in DISPOSITIONS)
    return report


def labs(value: str = "5.40", at: str = "20240301120000+0000", more: str = "", version: str = "") -> bytes:
    """A document with a result and a problem."""
    entries = (result(GLUCOSE.format(value), more),)
    problems = section("11450-4", problem(coded("233604007")))
    return document(section("30954-2", *entries), problems, at=at, version=version)


def written(path: Path, data: bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


def test_a_document(clinmart: Clinmart, mart: Path, tmp_path: Path) -> None:
    """Its rows, with digits, unit, references and the version that the document tells."""
    data = labs(version='<versionNumber value="2"/>')
    report = load(clinmart, mart, written(tmp_path / "a.xml", data))
    assert report["status"] == "ok"
    assert report["inputs"]["34133-9"]["applied"] == 1
    assert query(
        mart,
        "SELECT value_literal, value_unit, unit_status, code, code_system, status, effective_date::text, "
        "effective_precision, o.version_id, o.last_updated::text, o.patient_id = p.id FROM observation o, patient p",
    ) == [("5.40", "mmol/L", "ucum", "2345-7", "http://loinc.org", "final", "2024-03-01", "day", "2", AT, True)]
    assert query(mart, "SELECT name_family, birth_date::text, gender, address_city FROM patient") == [
        ("Doe", "1980-01-02", "female", "Town")
    ]
    assert query(mart, "SELECT code, clinical_status FROM condition") == [("233604007", "active")]
    assert query(mart, "SELECT type, attachment_size FROM document_reference") == [("34133-9", len(data))]


def test_what_files_hold(clinmart: Clinmart, mart: Path, tmp_path: Path) -> None:
    """Documents are told by their first bytes or named; beside FHIR, packed, or with a byte order mark."""
    folder = tmp_path / "in"
    written(folder / "a.xml", labs("1"))
    written(folder / "b.cda.gz", gzip.compress(labs("2")))
    written(folder / "c.ccda", b"\xef\xbb\xbf" + labs("3"))
    write(folder / "d.ndjson", medication("m"))
    report = load(clinmart, mart, folder)
    assert (report["inputs"]["34133-9"]["read"], report["resources"]["Medication"]["applied"]) == (3, 1)
    only = load(clinmart, tmp_path / "n.duckdb", folder, "--format", "ccda")
    assert "Medication" not in only["resources"]
    assert only["inputs"]["34133-9"]["read"] == 3
    without = load(clinmart, tmp_path / "o.duckdb", folder, "--format", "fhir")
    assert (list(without["resources"]), without["inputs"]) == (["Medication"], {})


def test_any_order_ends_alike(clinmart: Clinmart, tmp_path: Path) -> None:
    """The newest document wins, of two of one time the greater version; what did not change adds no version."""
    number = '<versionNumber value="{}"/>'
    stream = [
        labs("5.0", "20240301"),
        labs("5.1", "20240302", version=number.format(2)),
        labs("5.2", "20240302", version=number.format(10)),
        labs("5.0", "20240229235959-0500"),
    ]
    found = []
    for n in range(4):
        shuffled = [*stream, *random.Random(n).choices(stream, k=2 * (n > 0))]
        if n:
            random.Random(n).shuffle(shuffled)
        at = tmp_path / f"m{n}"
        for part, data in enumerate(shuffled):
            load(clinmart, at, written(tmp_path / f"{n}-{part}.xml", data))
        tables = contents(at)
        found.append({name: rows for name, rows in tables.items() if "document" not in name})
    assert found[0] == found[1] == found[2] == found[3]
    assert query(tmp_path / "m0", "SELECT value_literal FROM observation") == [("5.2",)]
    history = "SELECT value_literal, last_updated::text FROM history.observation ORDER BY ALL"
    assert query(tmp_path / "m0", history) == [("5.0", "2024-03-01 04:59:59+00"), ("5.1", "2024-03-02 00:00:00+00")]
    assert query(tmp_path / "m0", "SELECT count(*) FROM history.condition") == [(0,)]


def test_two_patients_with_one_numbering(clinmart: Clinmart, mart: Path, tmp_path: Path) -> None:
    """Entries of two patients never meet, even when their ids are the same."""
    load(clinmart, mart, written(tmp_path / "a.xml", labs("5")))
    load(clinmart, mart, written(tmp_path / "b.xml", labs("6").replace(b'extension="p1"', b'extension="p2"')))
    assert query(mart, "SELECT count(*), count(DISTINCT patient_id) FROM observation") == [(2, 2)]


def test_one_id_for_two_things(clinmart: Clinmart, mart: Path, tmp_path: Path) -> None:
    """Both have a row; what comes twice has one."""
    twice = [result(GLUCOSE.format(value)) for value in ("5", "6", "5")]
    load(clinmart, mart, written(tmp_path / "a.xml", document(section("30954-2", *twice))))
    assert query(mart, "SELECT value_number FROM observation ORDER BY 1") == [(5.0,), (6.0,)]


def test_times_without_offset(clinmart: Clinmart, mart: Path, tmp_path: Path) -> None:
    """They are of the zone."""
    data = labs().replace(b'<effectiveTime value="20240301"/>', b'<effectiveTime value="202403011000"/>')
    load(clinmart, mart, written(tmp_path / "a.xml", data), "--zone", "America/New_York")
    assert query(mart, "SELECT effective_at::text, effective_offset FROM observation") == [
        ("2024-03-01 15:00:00+00", -300)
    ]
    load(clinmart, tmp_path / "n.duckdb", written(tmp_path / "a.xml", data))
    assert query(tmp_path / "n.duckdb", "SELECT effective_at, effective_date::text FROM observation") == [
        (None, "2024-03-01")
    ]


def test_what_is_kept(clinmart: Clinmart, mart: Path, tmp_path: Path) -> None:
    """Narrative sections, unknown entries and the rest of the header, once for a document."""
    odd = '<observation><templateId root="1.1.1"/><code code="x"/></observation>'
    data = document(
        section("10164-2", text="<paragraph>Ill <content>since</content> May</paragraph>"),
        section("99999-9", result(GLUCOSE.format("5")), odd),
        header='<informant><assignedEntity><id root="1.2.3"/></assignedEntity></informant>',
    )
    for name in "ab":
        load(clinmart, mart, written(tmp_path / f"{name}.xml", data))
    rows = query(
        mart,
        "SELECT reason, section_code, element, template_id, text FROM document_section JOIN patient ON patient_id = id "
        "ORDER BY ordinal",
    )
    assert rows == [
        ("header", None, "informant", None, None),
        ("narrative_only", "10164-2", "section", None, "Ill since May"),
        ("unmapped", "99999-9", "observation", "1.1.1", None),
    ]
    ((xml,),) = query(mart, "SELECT xml FROM document_section WHERE reason = 'unmapped'")
    assert '<code code="x"/>' in xml


def test_a_part_is_mended(clinmart: Clinmart, mart: Path, tmp_path: Path) -> None:
    """And the report of findings says so."""
    part = result(GLUCOSE.format("5")).encode()
    report = load(clinmart, mart, written(tmp_path / "a.xml", part), "--format", "ccda")
    assert report["inputs"]["fragment"]["applied"] == 1
    assert query(mart, "SELECT patient_id, value_number FROM observation") == [(None, 5.0)]
    assert query(mart, "SELECT code FROM etl.validation WHERE finding = 'note'") == [("document_mended",)]


def test_a_refused_row_leaves_the_others(clinmart: Clinmart, mart: Path, tmp_path: Path) -> None:
    """The quarantine has the document whole, with the line; a replay takes it in when it can."""
    data = labs().replace(b'<effectiveTime value="20240301"/>', b'\n<effectiveTime value="20243001"/>')
    report = load(clinmart, mart, written(tmp_path / "a.xml", data))
    assert (report["status"], report["inputs"]["34133-9"]["quarantined"]) == ("quarantined", 1)
    assert report["resources"]["Observation"]["quarantined"] == report["resources"]["Condition"]["applied"] == 1
    asked = "SELECT reason, column_name, payload, line FROM etl.quarantine"
    assert query(mart, asked) == [("invalid_time", "effective", data, 1)]
    done = clinmart("quarantine", "replay", "--mart", mart, "--json")
    assert (done.code, done.json["replayed"], done.json["open"]) == (3, 0, 1)
    assert query(mart, "SELECT attempts, state FROM etl.quarantine") == [(1, "open")]


def test_a_broken_document(clinmart: Clinmart, mart: Path, tmp_path: Path) -> None:
    """It is refused whole and alone, and no message holds a value of it."""
    folder = tmp_path / "in"
    written(folder / "a.xml", labs())
    written(folder / "b.xml", labs().replace(b"Doe", b"CANARY")[:-20])
    entity = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY c "CANARY">]><ClinicalDocument>&c;</ClinicalDocument>'
    written(folder / "c.xml", entity)
    outcome = clinmart("load", folder, "--mart", mart, "--source", "s", "--json")
    assert outcome.code == 3
    assert "CANARY" not in outcome.err + outcome.out.decode()
    assert outcome.json["inputs"]["Unknown"]["quarantined"] == 2
    asked = "SELECT reason, resource_type, contains(message, 'CANARY') FROM etl.quarantine ORDER BY 1"
    assert query(mart, asked) == [("doctype", "Unknown", False), ("malformed_xml", "Unknown", False)]
    assert query(mart, "SELECT name_family FROM patient") == [("Doe",)]
    assert b"CANARY" not in json.dumps(query(mart, "SELECT * FROM document_section"), default=str).encode()


def test_replay_of_a_document(clinmart: Clinmart, mart: Path, tmp_path: Path) -> None:
    """A late document is taken in when the policy lets it."""
    load(clinmart, mart, written(tmp_path / "a.xml", labs("5", "20240301")))
    old = labs("4", "20240101")
    report = load(clinmart, mart, written(tmp_path / "b.xml", old), "--late-policy", "quarantine")
    assert report["resources"]["Observation"]["quarantined"] == 1
    done = clinmart("quarantine", "replay", "--mart", mart, "--json")
    assert (done.code, done.json["open"]) == (0, 0)
    assert query(mart, "SELECT value_number FROM observation") == [(5.0,)]
    assert query(mart, "SELECT value_number FROM history.observation") == [(4.0,)]


def test_refresh_passes_over_documents(clinmart: Clinmart, mart: Path, tmp_path: Path) -> None:
    """Their rows stay what they are, and are counted as left."""
    load(clinmart, mart, written(tmp_path / "a.xml", labs()))
    before = contents(mart)
    done = clinmart("refresh", "observation", "--mart", mart, "--json")
    assert (done.code, done.json["refreshed"], done.json["left"]) == (0, 0, 1), done.err
    assert contents(mart) == before


def test_too_long(clinmart: Clinmart, mart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document above the limit is refused; its beginning is kept."""
    from sources.source import ReadLimits

    monkeypatch.setattr(ReadLimits.__init__, "__defaults__", _with_limit(ReadLimits, 1000))
    load(clinmart, mart, written(tmp_path / "a.xml", labs()))
    size = len(labs())
    assert query(mart, "SELECT reason, payload_bytes FROM etl.quarantine") == [("document_too_long", size)]


def _with_limit(limits: Any, size: int) -> tuple[object, ...]:
    """The defaults of the limits with another one for documents."""
    defaults = dict(zip(limits.__slots__, limits.__init__.__defaults__, strict=True))
    return tuple((defaults | {"document_bytes": size}).values())


def test_to_fhir(clinmart: Clinmart, mart: Path, tmp_path: Path) -> None:
    """The accepted rows as FHIR: times written as FHIR has them, digits as sent, what is not told unknown."""
    from fhir.resources.R4B import get_fhir_model_class

    out = tmp_path / "fhir"
    written(tmp_path / "in" / "a.xml", labs())
    bare = result(GLUCOSE.format("7")).replace('<statusCode code="completed"/>', "")
    written(tmp_path / "in" / "b.xml", problem(coded("1")).encode())
    written(tmp_path / "in" / "c.xml", bare.encode())
    load(clinmart, mart, tmp_path / "in", "--to-fhir", out)
    lines = [line for file in sorted(out.iterdir()) for line in file.read_bytes().splitlines()]
    for line in lines:
        get_fhir_model_class(json.loads(line)["resourceType"]).model_validate_json(line)
    by_type: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        one = json.loads(line)
        by_type.setdefault(one["resourceType"], []).append(one)
    whole, part = sorted(by_type["Observation"], key=lambda one: one["valueQuantity"]["value"])
    assert (whole["effectiveDateTime"], whole["status"], part["status"]) == ("2024-03-01", "final", "unknown")
    assert whole["meta"] == {"lastUpdated": "2024-03-01T12:00:00+00:00"}
    assert whole["subject"] == {"reference": f"Patient/{by_type['Patient'][0]['id']}"}
    assert any(b'"value":5.40' in line for line in lines)
    assert sorted("extension" in one["subject"] for one in by_type["Condition"]) == [False, True]
