"""`clinmart load s3://...`: the same tables as from files, nothing read twice, and every fault of a store."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from sources.synth import SynthPlan, write_synth
from tests.flows.inputs import Outcome, contents, medication, query, write
from tests.objects.store import Store, cut, error, is_read, times

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
    write_synth(SynthPlan(patients=2, seed=7), export)
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
    taken = [key for key in store.keys() if "hidden" not in key and "manifest" not in key]
    assert query(far, "SELECT count(*), count(DISTINCT uri) FROM etl.object") == [(len(taken), len(taken))]
