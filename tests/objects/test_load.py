"""`clinmart load s3://...`: the same tables as from files, nothing read twice, and every fault of a store."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import zstandard

import flows.settings
from flows.runner import run_load
from flows.settings import LoadSettings
from schemas.records import Partition
from sources.files import FileSource
from sources.reading import AheadReading
from sources.source import ReadLimits
from sources.synth import SynthPlan, write_synth
from tests.flows.inputs import Outcome, contents, medication, query, write
from tests.objects.store import Environ, Fault, Store, error, is_read

pytestmark = pytest.mark.integration
Clinmart = Callable[..., Outcome]

MESSAGE = (
    b"MSH|^~\\&|LAB|H|EHR|H|20240101120000+0000||ORU^R01^ORU_R01|1|P|2.5\r"
    b"PID|1||77^^^H^MR||Doe^Jane||19700101|F\r"
    b"OBR|1|A1|F1|718-7^Hemoglobin^LN|||20240101110000+0000\r"
    b"OBX|1|NM|718-7^Hemoglobin^LN||14.1|g/dL|||||F|||20240101110000+0000\r"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every format: NDJSON plain, gzip and zstd, a Bundle, a resource, messages, a table, and a manifest."""
    root = tmp_path_factory.mktemp("inputs")
    export = root / "export"
    write_synth(SynthPlan(patients=1, seed=7, types={"Patient", "Observation", "Condition"}), export)
    for name, pack in (("Observation.000.ndjson", gzip.compress), ("Condition.000.ndjson", zstandard.compress)):
        plain = export / name
        plain.with_name(name + {"O": ".gz", "C": ".zst"}[name[0]]).write_bytes(pack(plain.read_bytes()))
        plain.unlink()
    entries = [{"fullUrl": f"urn:uuid:{n}", "resource": json.loads(medication(f"b{n}"))} for n in range(3)]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    write(root / "more" / "bundle.json", json.dumps(bundle).encode())
    write(root / "more" / "deep" / "one.json", medication("alone"))
    write(root / "more" / ".hidden" / "no.ndjson", medication("hidden"))
    (root / "more" / "feed.hl7").write_bytes(MESSAGE)
    (root / "more" / "empty.ndjson").write_bytes(b"")
    return root


def lines(*names: str, **more: object) -> bytes:
    """Medications as NDJSON."""
    return b"".join(medication(name, **more) + b"\n" for name in names)


def load(clinmart: Clinmart, mart: Path, *arguments: object) -> Outcome:
    """The outcome of a load into the mart."""
    return clinmart("load", *arguments, "--mart", mart, "--source", "s", "--json")


def upload(store: Store, folder: Path, prefix: str = "in") -> str:
    """Put the files of a folder into the store; the address of the prefix."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            store.put(f"{prefix}/{path.relative_to(folder)}", path.read_bytes())
    store.asked.clear()
    return f"s3://clinic/{prefix}"


def tables(mart: Path) -> dict[str, list[str]]:
    """The contents of a mart without the places that files came from."""
    found = contents(mart)
    found.pop("etl.quarantine", None)
    return found


def test_the_tables_are_those_of_the_files_and_nothing_is_read_twice(
    store: Store, folder: Path, tmp_path: Path, clinmart: Clinmart
) -> None:
    """Every format from a prefix equals the load from disk; the second load asks for no byte of data."""
    address = upload(store, folder)
    far, near = tmp_path / "far.duckdb", tmp_path / "near.duckdb"
    common = ("--source", "s", "--zone", "UTC", "--as-of", "2026-01-01T00:00:00Z", "--json")
    from_files = clinmart("load", folder, "--mart", near, *common).json
    found = clinmart("load", address, "--mart", far, *common).json
    assert found["status"] == from_files["status"] == "ok"
    assert found["resources"] == from_files["resources"] and found["inputs"] == from_files["inputs"]
    assert found["bytes"] == from_files["bytes"]
    assert tables(far) == tables(near)
    assert not [path for path in store.reads if "hidden" in path or "empty" in path]
    assert len(store.reads) == len(set(store.reads)), "an object of one block was asked for twice"

    store.asked.clear()
    again = clinmart("load", address, "--mart", far, *common).json
    assert [path for path in store.reads if "manifest" not in path] == []
    assert again["resources"]["Patient"]["duplicate"] == found["resources"]["Patient"]["read"]
    assert tables(far) == tables(near)
    taken = [key for key in store.all_keys() if "hidden" not in key and "manifest" not in key]
    assert query(far, "SELECT count(*), count(DISTINCT uri) FROM etl.object") == [(len(taken), len(taken))]


def test_the_same_bytes_under_another_key_are_duplicates(store: Store, tmp_path: Path, clinmart: Clinmart) -> None:
    """They are read once to know them, and not again the next time."""
    store.put("a.ndjson", lines("1", "2"))
    mart = tmp_path / "m.duckdb"
    assert load(clinmart, mart, "s3://clinic/a.ndjson").json["resources"]["Medication"]["applied"] == 2
    store.put("b.ndjson", lines("1", "2"))
    store.asked.clear()
    assert load(clinmart, mart, "s3://clinic/*.ndjson").json["resources"]["Medication"]["duplicate"] == 4
    assert store.reads == ["/clinic/b.ndjson"]
    store.asked.clear()
    assert load(clinmart, mart, "s3://clinic/").json["resources"]["Medication"]["duplicate"] == 4
    assert store.reads == []


def test_an_object_that_was_replaced_is_read(store: Store, tmp_path: Path, clinmart: Clinmart) -> None:
    """Another content under the same key and of the same size is new; the receipts decide, not the names."""
    mart = tmp_path / "m.duckdb"
    store.put("a.ndjson", lines("1"))
    load(clinmart, mart, "s3://clinic/a.ndjson")
    store.put("a.ndjson", lines("2"))
    assert load(clinmart, mart, "s3://clinic/a.ndjson").json["resources"]["Medication"]["applied"] == 1
    assert query(mart, "SELECT id FROM medication ORDER BY id") == [("1",), ("2",)]


def test_an_object_that_changes_is_left_to_the_next_load(store: Store, tmp_path: Path, clinmart: Clinmart) -> None:
    """Exit 75; nothing of it is in the mart, the others are; the same command takes what is there now."""
    mart = tmp_path / "m.duckdb"
    for key in "abc":
        store.put(f"{key}.ndjson", lines(key))

    def replace_it(environ: Environ, _: object) -> None:
        if is_read(environ) and environ["PATH_INFO"].endswith("b.ndjson"):
            store.fault = None
            store.put("b.ndjson", lines("b", "new", text="another"))

    store.fault = replace_it
    found = load(clinmart, mart, "s3://clinic/")
    assert found.code == 75 and found.json["status"] == "failed"
    assert found.json["deferred"] == [
        "s3://clinic/b.ndjson: this object was replaced or removed since it was listed; nothing of it was loaded. The "
        "same command loads what is there now"
    ]
    assert found.json["deferred"][0] in found.err
    assert query(mart, "SELECT id FROM medication ORDER BY id") == [("a",), ("c",)]
    assert found.json["bytes"] == len(lines("a")) + len(lines("c"))
    again = load(clinmart, mart, "s3://clinic/")
    assert again.code == 0 and again.json["resources"]["Medication"]["applied"] == 2


def test_ranges_of_an_object_that_changes_go_together(store: Store, tmp_path: Path) -> None:
    """When the last range of a large object finds another content, those before it are not committed either."""
    limits = ReadLimits(chunk_bytes=4_000, partition_bytes=20_000)
    store.put("a.ndjson", lines(*(f"a{n}" for n in range(700))))
    store.put("b.ndjson", lines("b"))
    files = FileSource(["s3://clinic/"], limits, objects=flows.settings.object_access)
    ranges = [partition for partition in files.partitions() if partition.uri.endswith("a.ndjson")]
    assert len(ranges) > 3

    class Late(FileSource):
        """Another content is there when the last range is asked for."""

        def read(self, partition: Partition, *, first_line: int | None = None) -> AheadReading:
            if partition == ranges[-1]:
                store.put("a.ndjson", lines("other"))
                self._objects = None  # as another process would look
            return super().read(partition, first_line=first_line)

    mart = tmp_path / "m.duckdb"
    late = Late(["s3://clinic/"], limits, objects=flows.settings.object_access)
    report = run_load(late, LoadSettings(mart=mart, source="s", limits=limits))
    assert len(report.deferred) == 1 and report.bytes == len(lines("b"))
    assert query(mart, "SELECT id FROM medication") == [("b",)]


def test_strict_loads_nothing_when_an_object_is_left_out(store: Store, tmp_path: Path, clinmart: Clinmart) -> None:
    """All or nothing holds for objects that go away, too."""
    mart = tmp_path / "m.duckdb"
    store.put("a.ndjson", lines("a"))
    store.put("b.ndjson", lines("b"))
    store.fault = lambda environ, _: (
        store.request("DELETE", "b.ndjson") and None if environ["PATH_INFO"].endswith("b.ndjson") else None
    )
    assert load(clinmart, mart, "s3://clinic/", "--strict").code == 75
    assert query(mart, "SELECT count(*) FROM medication") == [(0,)]


def test_a_store_that_goes_down_keeps_what_was_read(store: Store, tmp_path: Path, clinmart: Clinmart) -> None:
    """Exit 75; what was read whole is committed, no further object is asked for, and the next load goes on."""
    mart = tmp_path / "m.duckdb"
    for key in "abcde":
        store.put(f"{key}/{key}.ndjson", lines(key))
    store.fault = lambda environ, start: (
        error("500 Internal Server Error", "InternalError")(environ, start)
        if is_read(environ) and environ["PATH_INFO"] > "/clinic/c"
        else None
    )
    found = load(clinmart, mart, "s3://clinic/")
    assert found.code == 75 and len(found.json["deferred"]) == 1
    assert "s3://clinic/c/c.ndjson: cannot be read: the store answers 500 InternalError; tried 5 times" in found.err
    assert "Zzyzx" not in found.err + found.out.decode()
    assert query(mart, "SELECT id FROM medication ORDER BY id") == [("a",), ("b",)]
    store.fault = None
    assert load(clinmart, mart, "s3://clinic/").json["resources"]["Medication"]["applied"] == 3


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        (error("403 Forbidden", "AccessDenied"), 5, "the store refuses it (AccessDenied): check the credentials"),
        (error("400 Bad Request", "ExpiredToken"), 5, "the store says ExpiredToken: get new credentials"),
        (error("503 Slow Down", "SlowDown"), 75, "the store answers 503 SlowDown; tried 5 times. Try again later"),
    ],
)
def test_refusals_of_the_store(
    store: Store, tmp_path: Path, clinmart: Clinmart, fault: Fault, code: int, said: str
) -> None:
    """Each has its exit code and one line, which repeats nothing of what the store says at length."""
    store.put("in/a.ndjson", lines("a"))
    store.fault = fault
    found = load(clinmart, tmp_path / "m.duckdb", "s3://clinic/in/")
    assert found.code == code and said in found.err and len(found.err.splitlines()) == 1
    assert "Zzyzx" not in found.err + found.out.decode()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("s3://clinic/nothing.ndjson", "there is no such object, and nothing below such a prefix"),
        ("s3://clinic/nothing/*.ndjson", "nothing matches this pattern"),
        ("s3://nowhere-at-all/x", "there is no such bucket"),
        ("s3://clinic/odd/", "below this prefix there is nothing to load"),
        ("s3://", "names no bucket"),
        ("s3:/clinic/a", "write it as s3://bucket/key"),
        ("s3://key:Zzyzx@clinic/a", "an address must hold no secret"),
        ("s3://clinic/a.ndjson?X-Amz-Signature=Zzyzx", "an address must hold no parameters"),
        ("s3://clinic/a//b.ndjson", "the key has an empty part"),
    ],
)
def test_wrong_addresses_are_the_users(
    store: Store, tmp_path: Path, clinmart: Clinmart, address: str, said: str
) -> None:
    """Exit 2 and one line; a secret in an address is not repeated."""
    store.put("odd/readme.txt", b"x")
    found = load(clinmart, tmp_path / "m.duckdb", address)
    assert (found.code, len(found.err.splitlines())) == (2, 1) and said in found.err
    assert "Zzyzx" not in found.err + found.out.decode()
    assert not (tmp_path / "m.duckdb").exists()


def test_without_credentials_nobody_is_asked(
    store: Store, tmp_path: Path, clinmart: Clinmart, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the store nor the metadata server of the machine; the message says what to set."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", store.url)
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", store.url)
    store.asked.clear()
    for address, said in (
        ("s3://clinic/a", "AWS_ACCESS_KEY_ID"),
        ("gs://clinic/a", "GOOGLE_"),
        ("az://clinic/a", "AZ"),
    ):
        found = load(clinmart, tmp_path / "m.duckdb", address)
        assert found.code == 2 and said in found.err and len(found.err.splitlines()) == 1
    assert store.asked == []


def test_keys_of_a_profile_serve(
    store: Store, tmp_path: Path, clinmart: Clinmart, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The standard files are read where the environment has no keys."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    keys = tmp_path / "credentials"
    keys.write_text("[clinic]\naws_access_key_id = test\naws_secret_access_key = test\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(keys))
    monkeypatch.setenv("AWS_PROFILE", "clinic")
    store.put("a.ndjson", lines("a"))
    assert load(clinmart, tmp_path / "m.duckdb", "s3://clinic/a.ndjson").code == 0


def test_paths_that_must_be_of_this_machine(store: Store, tmp_path: Path, clinmart: Clinmart) -> None:
    """An address where only a path will do is refused, not taken for a folder called s3:."""
    found = clinmart("load", "s3://clinic/a", "--mart", "s3://clinic/m.duckdb", "--source", "s")
    assert (found.code, found.err) == (
        2,
        "clinmart: --mart is an address of an object store: give a path of this machine\n",
    )


def test_an_export_with_its_manifest(store: Store, tmp_path: Path, clinmart: Clinmart) -> None:
    """Its time is that of rows without one, its deletes are deletes, and a missing file refuses it."""
    mart = tmp_path / "m.duckdb"
    listed = {
        "transactionTime": "2026-01-31T12:00:00Z",
        "request": "https://example.org/$export",
        "output": [{"type": "Medication", "url": "https://example.org/files/one.ndjson"}],
        "deleted": [{"type": "Bundle", "url": "https://example.org/files/gone.ndjson"}],
        "error": [],
    }
    gone = {"request": {"method": "DELETE", "url": "Medication/2"}}
    deleted = {"resourceType": "Bundle", "type": "transaction", "entry": [gone]}
    store.put("export/one.ndjson", lines("1", "2", updated=None))
    store.put("export/manifest.json", json.dumps(listed).encode())
    found = load(clinmart, mart, "s3://clinic/export")
    assert found.code == 4 and "of 2 files listed, 1 missing" in found.err
    store.put("export/gone.ndjson", json.dumps(deleted).encode())
    assert load(clinmart, mart, "s3://clinic/export/manifest.json").code == 0
    assert query(mart, "SELECT id, last_updated::VARCHAR FROM medication") == [("1", "2026-01-31 12:00:00+00")]
    beside = tmp_path / "beside.duckdb"
    load(clinmart, beside, "s3://clinic/export/one.ndjson")
    assert query(beside, "SELECT DISTINCT last_updated::VARCHAR FROM medication") == [("2026-01-31 12:00:00+00",)]


def test_deletes_and_extracts(store: Store, tmp_path: Path, clinmart: Clinmart) -> None:
    """Files of deletes, CSV and Parquet are read from a store too."""
    mart = tmp_path / "m.duckdb"
    store.put("a.ndjson", lines("1", "2"))
    store.put("gone.csv", b"Medication,1,2025-01-01T00:00:00Z\n")
    assert load(clinmart, mart, "s3://clinic/a.ndjson", "--deletes", "s3://clinic/gone.csv").code == 0
    assert query(mart, "SELECT id FROM medication") == [("2",)]

    table = pl.DataFrame({"ID": ["7", "8"], "NAME": ["x", "y"]})
    table.write_parquet(tmp_path / "t.parquet")
    store.put("tables/t.parquet", (tmp_path / "t.parquet").read_bytes())
    store.put("tables/t.csv", b"ID,NAME\n9,z\n")
    mapping = tmp_path / "map.yaml"
    mapping.write_text(
        "files:\n  - file: 't.*'\n    table: location\n    keys: [ID]\n    columns: {location_name: NAME}\n"
    )
    found = load(clinmart, mart, "s3://clinic/tables", "--format", "extract", "--mapping", mapping)
    assert found.code == 0, found.err
    assert query(mart, "SELECT location_name FROM location ORDER BY ALL") == [("x",), ("y",), ("z",)]
