"""`clinmart erase`: nothing of a person is left anywhere, nothing of others is lost, and she does not come back."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import duckdb
import pytest

from flows.erase import EraseRequest, erase
from flows.listen_commit import Message
from flows.listen_mart import open_committer
from flows.settings import LoadSettings
from schemas.errors import StorageError
from stores.database import is_encrypted
from stores.lock import loader_lock
from stores.people import Asked
from tests.flows.erased_world import (
    HER,
    NUMBER,
    OTHER,
    ask,
    hers_by_hl7,
    left_of_her,
    load_all,
    make_world,
    run,
)
from tests.flows.inputs import contents, query, write


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a mart in which she stands everywhere."""
    folder = tmp_path_factory.mktemp("world")
    mart = make_world(folder)
    assert len(set(left_of_her(mart))) > 20  # what looks for her finds her
    return folder


@pytest.fixture
def mart(world: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(world, tmp_path / "w")
    published = str(tmp_path / "w" / "m.duckdb.published-tables")
    (tmp_path / "w" / "m.duckdb.published").write_text(json.dumps({"folder": published}) + "\n")
    with duckdb.connect(str(tmp_path / "w" / "m.duckdb")) as connection:  # the landing zone is the copy's
        connection.execute(
            "UPDATE etl.receipt SET uri = replace(uri, ?, ?) WHERE contains(uri, '.landing/')",
            [str(world), str(tmp_path / "w")],
        )
    return tmp_path / "w" / "m.duckdb"


def test_nothing_is_left_and_she_stays_away(world: Path, mart: Path, tmp_path: Path) -> None:
    """Tables, history, quarantine, messages, landing, published files: then all inputs are loaded again."""
    folder = mart.parent
    certificate = tmp_path / "c.json"
    dry = run("erase", "--mart", mart, "--patients", ask(tmp_path), "--dry-run")[1]
    assert left_of_her(mart)
    code, report, err = run(
        "erase", "--mart", mart, "--patients", ask(tmp_path), "--reason", "asked", "--certificate", certificate
    )
    assert (code, report["status"], report["residue"]) == (0, "done", []), err
    assert (report["removed"], report["mended"]) == (dry["removed"], dry["mended"])
    assert report["people"] == 4  # of FHIR, HL7 v2, C-CDA and the extract
    assert left_of_her(mart) == []
    assert NUMBER not in certificate.read_text() and HER not in certificate.read_text() + err

    kept = {table for (table,) in query(mart, "SELECT id FROM observation WHERE source = 'fhir'")}
    assert kept == {"obs-o"}
    assert query(mart, "SELECT len(performers), performer_type FROM observation WHERE id = 'obs-o'") == [(1, None)]
    assert query(mart, "SELECT entity_id FROM group_member") == [(OTHER,)]
    assert query(mart, "SELECT id, target_id FROM provenance_target") == [("p2", "obs-o")]
    assert query(mart, "SELECT type FROM resource") == [("List",)]
    assert query(mart, "SELECT json FROM resource WHERE type = 'List'")[0][0].count("Patient/") == 1
    assert query(mart, "SELECT count(*) FROM appointment, document_reference") == [(0,)]
    assert query(mart, "SELECT who FROM seen") == [(f"Patient/{OTHER}",)]
    assert query(mart, "SELECT DISTINCT control_id FROM hl7_segment") == [("o1",)]
    refused = query(mart, "SELECT payload FROM etl.quarantine WHERE source = 'fhir'")
    assert len(refused) == 1 and b"bad-o" in refused[0][0]
    assert query(mart, "SELECT count(*) FROM etl.quarantine WHERE source = 'hl7'") == [(0,)]
    assert query(mart, "SELECT count(*) FROM etl.quarantine WHERE source = 'ext'") == [(1,)]
    assert query(mart, "SELECT control_id, payload FROM etl.message") == [("heard1", None)]
    landed = folder / "m.duckdb.landing" / "20240101"
    assert (landed / "Patient.000.ndjson").read_bytes().count(b"\n") == 1
    assert json.loads((landed / "manifest.json").read_text())["output"][0]["count"] == 1

    code, told, err = run("load", landed, "--mart", mart, "--source", "fhir")  # it is signed anew
    assert (code, told["resources"]["Patient"]["read"]) == (0, 1), err
    before = contents(mart)
    reports = load_all(world / "in", mart)
    assert left_of_her(mart) == []
    assert contents(mart) == before
    suppressed = {kind: c["suppressed"] for kind, c in reports["fhir"]["resources"].items() if c["suppressed"]}
    # Of the line that is cut nothing but its type can be told.
    assert suppressed["Observation"] == 3 and suppressed["Patient"] == 2 and suppressed["Binary"] == 1
    assert {kind: c["suppressed"] for kind, c in reports["ext"]["inputs"].items()} == {"Record": 2}
    assert sum(c["suppressed"] for c in reports["hl7"]["inputs"].values()) == 2
    assert sum(c["suppressed"] for c in reports["ccda"]["inputs"].values()) == 1
    again = run("load", world / "in" / "fhir", "--mart", mart, "--source", "fhir")[1]
    assert again["resources"] == reports["fhir"]["resources"]  # by the receipts


def test_the_certificate_can_be_checked(mart: Path, tmp_path: Path) -> None:
    """It is of this mart's keyring, and an altered one is not."""
    certificate = tmp_path / "c.json"
    given = ("--mart", mart, "--patients", "-", "--reason", "r", "--certificate", certificate)
    assert run("erase", *given, stdin=ask(tmp_path).read_bytes())[0] == 0
    assert run("erase", "verify", certificate, "--mart", mart)[1]["signer"] == "keyring"
    assert run("erase", "verify", certificate)[1]["signer"] == "unknown"
    told = json.loads(certificate.read_text())
    certificate.write_text(json.dumps(told | {"people": 7}))
    assert run("erase", "verify", certificate)[0] == 4
    certificate.write_text("{}")
    assert run("erase", "verify", certificate)[0] == 2
    stored = query(mart, "SELECT certificate FROM etl.erasure")[0][0]
    assert json.loads(stored) == told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--patient", "fhir:nobody", "--reason", "r"), "not in the mart"),
        (("--reason", "r"), "nobody is asked for"),
        (("--patient", HER), "--reason is missing"),
        (("--identifier", "x", "--reason", "r"), "SYSTEM|VALUE"),
        (("--identifier", "urn:x|nobody", "--reason", "r", "--even-if-unknown"), "SOURCE:ID"),
    ],
)
def test_what_cannot_be_done_is_said(mart: Path, arguments: tuple[str, ...], said: str) -> None:
    """One line, exit code 2, nothing of whom it was about."""
    code, _, err = run("erase", "--mart", mart, *arguments)
    assert (code, said in err) == (2, True)
    assert HER not in err and "nobody\n" not in err.replace("nobody is", "")


def test_who_is_unknown_can_be_kept_out(tmp_path: Path, world: Path, mart: Path) -> None:
    """She is listed before anything of her comes."""
    assert run("erase", "--mart", mart, "--patient", "later:p9", "--even-if-unknown", "--reason", "r")[0] == 0
    line = b'{"resourceType":"Patient","id":"p9"}\n{"resourceType":"Patient","id":"p8"}\n'
    (tmp_path / "p.ndjson").write_bytes(line)
    report = run("load", tmp_path / "p.ndjson", "--mart", mart, "--source", "later")[1]
    assert (report["resources"]["Patient"]["suppressed"], report["resources"]["Patient"]["applied"]) == (1, 1)


def test_without_its_keys_nothing_is_loaded(mart: Path, tmp_path: Path) -> None:
    """Else she would come back."""
    assert run("erase", "--mart", mart, "--patients", ask(tmp_path), "--reason", "r")[0] == 0
    mart.with_name(mart.name + ".keys").unlink()
    code, _, err = run("load", mart.parent / "in" / "fhir", "--mart", mart, "--source", "fhir")
    assert (code, "keeps them out" in err) == (4, True)


def _request(mart: Path) -> EraseRequest:
    return EraseRequest(mart, [Asked(value=NUMBER), Asked(id=NUMBER, source="ext")], "r")


class _Crash(BaseException):
    pass


STEPS = ("list_tokens", "clean_around", "look_in_mart", "put_in_place")


def test_ended_at_any_step_it_is_done_by_running_it_again(mart: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mart is whole and as it was, from the list on nothing of her comes in, and the last run ends them all."""
    before = query(mart, "SELECT id FROM main.observation ORDER BY 1")

    def crash(*_: object, **__: object) -> None:
        raise _Crash

    for step in STEPS:
        with monkeypatch.context() as patch:
            patch.setattr(f"flows.erase.{step}", crash)
            with pytest.raises(_Crash):
                erase(_request(mart))
        assert query(mart, "SELECT id FROM main.observation ORDER BY 1") == before, step
    assert query(mart, "SELECT status FROM etl.erasure") == [("pending",)]
    report = erase(_request(mart))
    assert report.status == "done"
    assert query(mart, "SELECT status FROM etl.erasure") == [("done",)]
    assert left_of_her(mart) == []
    assert not mart.with_name(mart.name + ".staging").exists()


def test_no_room_is_said_before_anything_is_done(mart: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new file needs as much again."""
    monkeypatch.setattr("stores.rewrite.shutil.disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 0))  # type: ignore[attr-defined] # typeshed has it not
    with pytest.raises(StorageError, match="make room"):
        erase(_request(mart))
    assert query(mart, "SELECT count(*) FROM etl.suppression") == [(0,)]


def test_what_is_left_is_named_by_its_place(mart: Path) -> None:
    """Free text of others is nobody's to cut: exit code 5, and where it is."""
    line = b'{"resourceType":"Basic","id":"b","code":{"text":"asked by canary-77xq herself"}}\n'
    (mart.parent / "b.ndjson").write_bytes(line)
    assert run("load", mart.parent / "b.ndjson", "--mart", mart, "--source", "fhir")[0] == 0
    code, report, err = run("erase", "--mart", mart, "--patients", ask(mart.parent), "--reason", "r")
    assert (code, report["status"]) == (5, "residue")
    published = str(mart.with_name("m.duckdb.published-tables") / "resource.parquet")
    assert report["residue"] == ["stored.resource.json", published]
    assert HER not in err and query(mart, "SELECT status FROM etl.erasure") == [("residue",)]


def test_another_source_is_left_alone(mart: Path) -> None:
    """The same id or identifier there is another person's, unless that source is asked for too."""
    assert run("erase", "--mart", mart, "--patient", f"fhir:{HER}", "--reason", "r")[0] == 0
    assert query(mart, f"SELECT count(*) FROM observation WHERE patient_id = '{HER}'") == [(0,)]
    assert query(mart, "SELECT count(*) FROM patient WHERE source = 'hl7' AND name_family = 'Quixcanary'") == [(1,)]


def test_an_encrypted_mart_stays_encrypted(tmp_path: Path) -> None:
    """By the same keyring, and so do its published folders."""
    lines = [json.dumps({"resourceType": "Patient", "id": one}).encode() for one in (HER, OTHER)]
    write(tmp_path / "p.ndjson", *lines)
    mart = tmp_path / "e.duckdb"
    given = ("--mart", mart, "--source", "s")
    assert run("load", tmp_path / "p.ndjson", *given, "--encrypt")[0] == 0
    assert run("publish", tmp_path / "out", "--to", "parquet", "--mart", mart)[0] == 0
    code, report, err = run("erase", "--mart", mart, "--patient", f"s:{HER}", "--reason", "r")
    assert (code, report["published"]) == (0, [str(tmp_path / "out")]), err
    assert is_encrypted(mart) and OTHER.encode() not in mart.read_bytes()
    assert (tmp_path / "out" / "patient.parquet").read_bytes()[:4] == b"PARE"
    assert [row["rows"] for row in run("status", "--mart", mart)[1]["tables"] if row["table"] == "patient"] == [1]
    assert run("load", tmp_path / "p.ndjson", *given)[1]["resources"]["Patient"]["suppressed"] == 1


def test_a_mart_in_use_is_left_alone(mart: Path) -> None:
    """Exit code 6."""
    with loader_lock(mart):
        assert run("erase", "--mart", mart, "--patient", f"fhir:{HER}", "--reason", "r")[0] == 6


def test_a_listener_keeps_nothing_of_her(mart: Path, staging_in_a_thread: None) -> None:
    """What comes of her over MLLP is acknowledged, and only its name stays."""
    assert run("erase", "--mart", mart, "--patients", ask(mart.parent), "--reason", "r")[0] == 0
    data = hers_by_hl7("later")
    message = Message(data, ("LAB", "HOSP", "later"), sha256(data).digest(), datetime.now(UTC))
    with open_committer(LoadSettings(mart, "hl7", zone="UTC"), rows_after=0.0) as committer:
        committer.commit([message])
    assert query(mart, "SELECT control_id, payload FROM etl.message WHERE control_id = 'later'") == [("later", None)]
    assert query(mart, "SELECT count(*) FROM patient WHERE name_family = 'Quixcanary'") == [(0,)]
