"""An export from kick-off to folder, whatever the server does in between."""

from __future__ import annotations

import gzip
import hashlib
import json
import stat
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.errors import ClinmartError, IntegrityError, LockedError, TryAgainError, UsageError
from schemas.sealed import Sealed
from sources.bulk_export.job import STATE_NAME, own_folder, read_job
from sources.files import FileSource
from sources.manifest import parse_manifest
from sources.pace import PaceLimits
from tests.bulk.fetching import fetch, landed_bytes, lines, some_files
from tests.bulk.server import (
    OUTCOME,
    BulkServer,
    Fault,
    File,
    cut,
    disguised,
    expire,
    forget,
    html,
    status,
    without_length,
    wrong_length,
)
from tests.sources.pace.time_machine import TimeMachine

WHOLE = {
    "Patient.000.ndjson": some_files()["p"].content,
    "Observation.000.ndjson": some_files()["o1"].content,
    "Observation.001.ndjson": some_files()["o2"].content,
}


def test_a_folder_that_load_reads(server: BulkServer, tmp_path: Path, machine: TimeMachine) -> None:
    """Files as sent, a manifest with names beside it, sums that agree, DELETE at the end."""
    arrived: list[str] = []
    fetched = fetch(server, tmp_path / "f", machine, arrived=lambda file: arrived.append(file.path.name))
    assert landed_bytes(tmp_path / "f") == WHOLE
    assert set(arrived) == set(WHOLE)
    manifest = parse_manifest((tmp_path / "f" / "manifest.json").read_bytes(), str(tmp_path / "f" / "manifest.json"))
    assert manifest is not None
    assert manifest.transaction_time == fetched.transaction_time == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert {(file.name, file.type, file.count) for file in manifest.output} == {
        ("Patient.000.ndjson", "Patient", 3),
        ("Observation.000.ndjson", "Observation", 200),
        ("Observation.001.ndjson", "Observation", 50),
    }
    sums = dict(line.split("  ")[::-1] for line in (tmp_path / "f" / "SHA256SUMS").read_text().splitlines())
    assert sums == {name: hashlib.sha256(content).hexdigest() for name, content in WHOLE.items()}
    assert server.deleted
    assert {Path(p.uri).name for p in FileSource([tmp_path / "f"]).partitions()} == set(WHOLE)
    assert stat.S_IMODE((tmp_path / "f" / STATE_NAME).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o700


def test_again_asks_for_nothing(server: BulkServer, tmp_path: Path, machine: TimeMachine) -> None:
    """A folder that is whole is known to be."""
    fetch(server, tmp_path, machine)
    before = len(server.asked)
    again = fetch(server, tmp_path, machine)
    assert len(again.files) == 3
    assert len(server.asked) == before


def test_what_is_asked(server: BulkServer, tmp_path: Path, machine: TimeMachine) -> None:
    """All parameters, each in its form."""
    since = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    fetch(
        server,
        tmp_path,
        machine,
        types=["Patient,Observation"],
        type_filters=["Observation?category=laboratory&status=final,amended", "Patient?active=true"],
        elements=["id,Patient.name"],
        organize_by="Patient",
        since=since,
        group="g1",
    )
    kick_off = server.asked[0]
    assert kick_off.path == "/fhir/Group/g1/$export"
    assert kick_off.query == {
        "_outputFormat": ["application/fhir+ndjson"],
        "_since": ["2026-01-02T03:04:05.678Z"],
        "_type": ["Observation,Patient"],
        "_elements": ["Patient.name,id"],
        "_typeFilter": ["Observation?category=laboratory&status=final,amended", "Patient?active=true"],
        "organizeOutputBy": ["Patient"],
    }
    assert (kick_off.headers["accept"], kick_off.headers["prefer"]) == ("application/fhir+json", "respond-async")


NESTED = b'{"resourceType":"Basic","id":"b","code":{"coding":[{"code":"c"}]}}\n'

PASSING: dict[str, tuple[str, list[Fault]]] = {
    "429 storm at kick-off": ("kickoff", [status(429, Retry_After="5")] * 4),
    "503 at kick-off": ("kickoff", [status(503)] * 2),
    "503 while polling": ("status", [status(503, Retry_After="Sat, 31 Jan 2026 12:00:10 GMT")] * 4),
    "429 while polling": ("status", [status(429, Retry_After="999999999")] * 2),
    "HTML while polling": ("status", [html()]),
    "transient outcome while polling": ("status", [status(500, OUTCOME % b"transient")]),
    "no manifest": ("status", [status(200, b'{"resourceType":"OperationOutcome"}')]),
    "503 of a file": ("o1", [status(503)] * 4),
    "500 of a file": ("o1", [status(500, b"oh")] * 2),
    "reset in mid-file": ("o1", [cut(20_000, reset=True)]),
    "end in mid-file": ("o1", [cut(20_000), cut(3000), cut(0)]),
    "always the end in mid-file": ("o1", [cut(4500)] * 40),
    "length too great": ("o1", [wrong_length(+100)]),
    "length too small": ("o1", [wrong_length(-100)]),
    "cut without a length": ("o1", [without_length(9000)]),
    "cut between lines without a length": ("o1", [without_length(len(lines("Observation", 100, 100)))]),
    "HTML for a file": ("o1", [html()]),
    "HTML in disguise": ("o1", [disguised(b"<!DOCTYPE html><html/>")]),
    "outcome for a file": ("o1", [disguised(OUTCOME % b"exception")]),
    "outcome for a file without count": ("o2", [disguised(OUTCOME % b"exception")]),
    "cut after a bracket without a length": ("o3", [without_length(len(NESTED) - 2), without_length(len(NESTED) - 5)]),
    "empty": ("o1", [disguised(b"")]),
    "accepted": ("o1", [status(202)]),
    "expired addresses": ("o1", [expire]),
    "expired in mid-file": ("o1", [cut(20_000), expire]),
    "DELETE fails": ("delete", [status(404)]),
}


@pytest.mark.parametrize("name", PASSING)
def test_faults_that_pass(server: BulkServer, tmp_path: Path, machine: TimeMachine, name: str) -> None:
    """Each ends in the same folder."""
    what, faults = PASSING[name]
    server.files["o3"] = File(NESTED, "Basic")
    server.faults[what].extend(faults)
    fetched = fetch(server, tmp_path, machine)
    assert fetched.missing == []
    assert landed_bytes(tmp_path) == WHOLE | {"Basic.000.ndjson": NESTED}
    assert not server.faults[what]
    assert not [path.name for path in tmp_path.glob(".*") if path.suffix in (".part", ".note", ".new")]


STAYING: dict[str, tuple[str, Fault, type[ClinmartError], str]] = {
    "400 at kick-off": ("kickoff", status(400, OUTCOME % b"not-supported"), UsageError, "400 .not-supported."),
    "403 at kick-off": ("kickoff", status(403), UsageError, "403"),
    "no export": ("kickoff", status(200, b'{"resourceType":"Bundle"}'), UsageError, "starts no export"),
    "HTML at kick-off": ("kickoff", html(), UsageError, "HTML"),
    "503 for ever": ("kickoff", status(503), TryAgainError, "tried 5 times"),
    "polling 503 for ever": ("status", status(503), TryAgainError, "tried 5 times"),
    "polling refused": ("status", status(400, OUTCOME % b"processing"), UsageError, "400 .processing."),
    "export failed": ("status", status(500, OUTCOME % b"processing"), TryAgainError, "starts another"),
    "never ready": ("status", status(202, Retry_After="120"), TryAgainError, "not ready: it took longer"),
    "HTML for ever": ("status", html(), TryAgainError, "HTML"),
}


@pytest.mark.parametrize("name", STAYING)
def test_faults_that_stay(server: BulkServer, tmp_path: Path, machine: TimeMachine, name: str) -> None:
    """A clear error without what the server says, no manifest, and nothing that waits for ever."""
    what, fault, kind, says = STAYING[name]
    server.faults[what].extend([fault] * 100)
    with pytest.raises(kind, match=says) as said:
        fetch(server, tmp_path, machine)
    assert "Zzyzx" not in str(said.value)
    assert landed_bytes(tmp_path) == {}
    assert not (tmp_path / "manifest.json").exists()


def test_what_a_server_says_is_kept_for_the_user(server: BulkServer, tmp_path: Path, machine: TimeMachine) -> None:
    """In a file, not in the message."""
    server.faults["kickoff"].append(status(400, OUTCOME % b"invalid"))
    with pytest.raises(UsageError, match=r"\.refusal\.json"):
        fetch(server, tmp_path, machine)
    assert b"Zzyzx" in (tmp_path / ".refusal.json").read_bytes()


def test_a_file_that_stays_away(server: BulkServer, tmp_path: Path, machine: TimeMachine) -> None:
    """The others land without a manifest, the export is not deleted; the next process gets what is missing."""
    server.faults["o1"].extend([status(503)] * 5)
    fetched = fetch(server, tmp_path, machine)
    assert len(fetched.missing) == 1
    assert fetched.missing[0].startswith("Observation.000.ndjson: status 503")
    assert set(landed_bytes(tmp_path)) == {"Patient.000.ndjson", "Observation.001.ndjson"}
    assert not (tmp_path / "manifest.json").exists()
    assert not server.deleted
    kick_offs = server.count("GET", "$export")
    assert fetch(server, tmp_path, machine).missing == []
    assert landed_bytes(tmp_path) == WHOLE
    assert server.count("GET", "$export") == kick_offs
    assert len(server.files_asked("p")) == 1
    assert server.deleted


def test_a_file_that_is_gone(server: BulkServer, tmp_path: Path, machine: TimeMachine) -> None:
    """The manifest is asked for again a few times, and not for ever."""
    server.faults["o1"].extend([status(404)] * 100)
    fetched = fetch(server, tmp_path, machine)
    assert fetched.missing == ["Observation.000.ndjson: the server lists it and does not have it; try again later"]
    assert len(server.faults["o1"]) == 96


def test_resume_asks_only_for_the_rest(server: BulkServer, tmp_path: Path, machine: TimeMachine) -> None:
    """With Range and If-Range; what was there is compared."""
    server.faults["o1"].append(cut(20_000))
    fetch(server, tmp_path, machine)
    first, second = server.files_asked("o1")
    assert "range" not in first.headers
    assert second.headers["range"] == f"bytes={20_000 - 4096}-"
    assert second.headers["if-range"].startswith('"')


@pytest.mark.parametrize("etags", [True, False])
def test_other_bytes_are_not_glued_to_the_old(
    server: BulkServer, tmp_path: Path, machine: TimeMachine, *, etags: bool
) -> None:
    """A file that changes in between is downloaded anew, with or without an ETag that shows it."""
    other = lines("Observation", 200, 100).replace(b"x", b"y")

    def change(handler: object, normal: object) -> None:
        server.files["o1"] = File(other, "Observation", count=200)
        normal()  # type: ignore[operator] # the right answer

    server.etags = etags
    server.faults["o1"].extend([cut(20_000), change])
    fetch(server, tmp_path, machine)
    assert landed_bytes(tmp_path)["Observation.000.ndjson"] == other


def test_servers_without_ranges(server: BulkServer, tmp_path: Path, machine: TimeMachine) -> None:
    """The file is downloaded from its beginning."""
    server.ranges = False
    server.faults["o1"].extend([cut(20_000), cut(20_000)])
    fetch(server, tmp_path, machine)
    assert landed_bytes(tmp_path) == WHOLE


def test_gzip_stays_gzip(server: BulkServer, tmp_path: Path, machine: TimeMachine) -> None:
    """What is sent compressed is kept so, resumes so, and is checked whole."""
    server.zipped = True
    server.faults["o1"].append(cut(500))
    fetch(server, tmp_path, machine)
    assert set(landed_bytes(tmp_path)) == {name + ".gz" for name in WHOLE}
    assert len(FileSource([tmp_path]).partitions()) == 3


@pytest.mark.parametrize("spoil", [lambda body: body[:-9], lambda body: body[:60] + b"???" + body[63:]])
def test_gzip_that_is_damaged(
    server: BulkServer, tmp_path: Path, machine: TimeMachine, spoil: Callable[[bytes], bytes]
) -> None:
    """Is downloaded again, where nothing but the gzip itself shows it."""
    server.zipped = True
    server.faults["o2"].append(disguised(spoil(gzip.compress(server.files["o2"].content))))
    fetch(server, tmp_path, machine)
    assert gzip.decompress(landed_bytes(tmp_path)["Observation.001.ndjson.gz"]) == server.files["o2"].content
    assert len(server.files_asked("o2")) == 2


def test_digests_are_checked(server: BulkServer, tmp_path: Path, machine: TimeMachine) -> None:
    """A body that is not what its digest says is downloaded again."""
    good = server.files["o1"].content

    def flipped(handler: object, _: object) -> None:
        bad = good.replace(b"xxxx", b"xxzx", 1)
        code, _body, headers = handler.prepared(good)  # type: ignore[attr-defined] # the server's handler
        handler.send(code, bad, headers)  # type: ignore[attr-defined] # the server's handler

    server.digests = True
    server.faults["o1"].append(flipped)
    fetch(server, tmp_path, machine)
    assert landed_bytes(tmp_path) == WHOLE
    assert len(server.files_asked("o1")) == 2


def test_manifest_in_pages(server: BulkServer, tmp_path: Path, machine: TimeMachine) -> None:
    """All pages are followed; names are counted over all of them."""
    server.pages = 3
    fetch(server, tmp_path, machine)
    assert landed_bytes(tmp_path) == WHOLE


@pytest.mark.parametrize(
    ("told", "time"),
    [
        ("2026-01-31T13:00:00.5+01:00", datetime(2026, 1, 31, 12, 0, 0, 500000, tzinfo=UTC)),
        ("1769860800000", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T13:00:00", None),
        ("20260131", None),
        ("Sat Jan 31 2026", None),
        ("", None),
    ],
)
def test_times_of_exports(
    server: BulkServer, tmp_path: Path, machine: TimeMachine, told: str, time: datetime | None
) -> None:
    """Instants, or milliseconds as some servers give them; without one, what changes since cannot be asked for."""
    server.transaction_time = told
    if time is None:
        with pytest.raises(TryAgainError, match="transactionTime"):
            fetch(server, tmp_path, machine)
    else:
        assert fetch(server, tmp_path, machine).transaction_time == time
        assert FileSource([tmp_path]).manifests[0].transaction_time == time


def test_pages_without_end(server: BulkServer, tmp_path: Path, machine: TimeMachine) -> None:
    """A page that names itself as the next is refused."""
    page = {"transactionTime": "2026-01-31T12:00:00Z", "output": [], "link": [{"relation": "next", "url": "?again"}]}
    server.faults["status"].extend([status(200, json.dumps(page).encode())] * 9)
    with pytest.raises(UsageError, match="no end"):
        fetch(server, tmp_path, machine)


def test_errors_and_deletes_land(server: BulkServer, tmp_path: Path, machine: TimeMachine) -> None:
    """In their sections; errors are counted."""
    server.files["e"] = File(OUTCOME % b"exception" + b"\n", "OperationOutcome", "error")
    server.files["d"] = File(b'{"resourceType":"Bundle","type":"transaction"}\n', "Bundle", "deleted")
    fetched = fetch(server, tmp_path, machine)
    assert fetched.reported == 1
    assert set(landed_bytes(tmp_path)) == {*WHOLE, "error.000.ndjson", "deleted.000.ndjson"}
    manifest = json.loads((tmp_path / "manifest.json").read_bytes())
    assert [file["url"] for file in manifest["error"]] == ["error.000.ndjson"]
    assert [file["url"] for file in manifest["deleted"]] == ["deleted.000.ndjson"]


def test_too_few_resources(server: BulkServer, tmp_path: Path, machine: TimeMachine) -> None:
    """A file that never holds what the manifest says is missing; blank lines are no resources, more lines no fault."""
    server.files["p"].count = 4
    server.files["o1"].content += b"\n \n\r\n"
    server.files["o2"].count = 1
    fetched = fetch(server, tmp_path, machine)
    assert len(fetched.missing) == 1
    assert fetched.missing[0].startswith("Patient.000.ndjson: it holds 3 resources, and the manifest says 4")
    assert {file.path.name: file.resources for file in fetched.files}["Observation.000.ndjson"] == 200
    server.faults["p"].append(expire)
    again = fetch(server, tmp_path, machine, counts=False)
    assert (again.missing, len(again.files)) == ([], 3)


def test_the_same_export_after_a_restart(server: BulkServer, tmp_path: Path, machine: TimeMachine) -> None:
    """A process that dies while it waits leaves its kick-off; the next one waits for the same."""
    server.pending = 5
    with pytest.raises(TryAgainError):
        server.retry_after = "60"
        fetch(server, tmp_path, machine, seconds=100.0)
    job = read_job(tmp_path)
    assert job is not None
    assert job.status_url is not None
    fetch(server, tmp_path, machine)
    assert server.count("GET", "$export") == 1
    assert landed_bytes(tmp_path) == WHOLE


def test_a_server_that_forgot(server: BulkServer, tmp_path: Path, machine: TimeMachine) -> None:
    """After a restart another export is started; in the middle of one the user is told to try again."""
    server.retry_after = "60"
    with pytest.raises(TryAgainError):
        fetch(server, tmp_path, machine, seconds=10.0)
    server.jobs.clear()
    fetch(server, tmp_path, machine)
    assert server.count("GET", "$export") == 2
    other = tmp_path / "other"
    server.faults["status"].append(forget)
    with pytest.raises(TryAgainError, match="the same command starts another"):
        fetch(server, other, machine)
    fetch(server, other, machine)
    assert landed_bytes(other) == WHOLE


def test_folders_are_not_shared(server: BulkServer, tmp_path: Path, machine: TimeMachine) -> None:
    """Another request, other files, another process or a damaged state: refused before anything is asked."""
    fetch(server, tmp_path / "a", machine)
    before = len(server.asked)
    with pytest.raises(UsageError, match="another export"):
        fetch(server, tmp_path / "a", machine, types=["Patient"])
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.ndjson").touch()
    with pytest.raises(UsageError, match="holds other files"):
        fetch(server, tmp_path / "b", machine)
    with pytest.raises(UsageError, match="this is a file"):
        fetch(server, tmp_path / "b" / "x.ndjson", machine)
    with own_folder(tmp_path / "c"), pytest.raises(LockedError):
        fetch(server, tmp_path / "c", machine)
    (tmp_path / "c" / STATE_NAME).write_bytes(b"{")
    with pytest.raises(IntegrityError):
        fetch(server, tmp_path / "c", machine)
    assert len(server.asked) == before


def test_no_more_connections_than_allowed(server: BulkServer, tmp_path: Path, machine: TimeMachine) -> None:
    """However many files there are."""
    server.files = {f"p{n}": File(lines("Patient", 5), "Patient") for n in range(40)}
    fetch(server, tmp_path, machine, limits=PaceLimits(rate=1e6, concurrency=3))
    assert len(landed_bytes(tmp_path)) == 40
    assert server.most_at_once <= 3


def test_other_hosts_are_not_asked(
    server: BulkServer, tmp_path: Path, machine: TimeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless they were allowed, and then without what is for the first."""
    monkeypatch.setattr("sources.http.reach._known_as", lambda host: host)  # else localhost is no other host
    far = {"transactionTime": "2026-01-31T12:00:00Z", "requiresAccessToken": False}
    far |= {"output": [{"type": "Patient", "url": server.url.replace("127.0.0.1", "localhost") + "/files/0/p"}]}
    page = json.dumps(far).encode()
    server.tokens = False
    server.faults["status"].extend([status(200, page)] * 2)
    with pytest.raises(UsageError, match="--allow-host localhost"):
        fetch(server, tmp_path / "a", machine)
    assert server.files_asked("p") == []
    fetch(server, tmp_path / "b", machine, allowed=("localhost",))
    assert set(landed_bytes(tmp_path / "b")) == {"Patient.000.ndjson"}


def test_full_disk(server: BulkServer, tmp_path: Path, machine: TimeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is said, and what was downloaded stays for the next time."""
    from schemas.errors import StorageError

    async def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(StorageError, match="No space left"):
        patch.setattr("sources.bulk_export.download._write", full)
        fetch(server, tmp_path, machine)
    fetch(server, tmp_path, machine)
    assert landed_bytes(tmp_path) == WHOLE


def test_what_was_signed_is_taken_up_and_nothing_else(server: BulkServer, tmp_path: Path, machine: TimeMachine) -> None:
    """The next process takes a signed file as it is, refuses one that was altered, and fetches an unsigned one anew."""
    folder = tmp_path / "f"
    seals = _Seals()
    server.faults["o2"].extend([status(503)] * 100)
    assert fetch(server, folder, machine, seals=seals).missing
    asked = len(server.asked)
    del seals.signed["Patient.000.ndjson"]
    (folder / "Patient.000.ndjson").write_bytes(lines("Patient", 3, 1))
    server.faults["o2"].clear()
    assert not fetch(server, folder, machine, seals=seals).missing
    assert landed_bytes(folder) == WHOLE
    assert sum(one.path.endswith("/o1") for one in server.asked[asked:]) == 0
    assert set(seals.signed) == set(WHOLE)
    assert [path.name for path in seals.closed] == ["manifest.json", "SHA256SUMS"]
    (folder / "Patient.000.ndjson").write_bytes(lines("Patient", 3, 1))
    with pytest.raises(IntegrityError, match="not what it was when it landed"):
        fetch(server, folder, machine, seals=seals)


class _Seals:
    """Signatures that are only remembered."""

    def __init__(self) -> None:
        self.signed: dict[str, Sealed] = {}
        self.closed: list[Path] = []

    def known(self, name: str) -> Sealed | None:
        return self.signed.get(name)

    def add(self, file: Sealed) -> None:
        self.signed[file.name] = file

    def close(self, beside: Sequence[Path]) -> None:
        self.closed = list(beside)

    def restart(self) -> None:
        self.signed.clear()
