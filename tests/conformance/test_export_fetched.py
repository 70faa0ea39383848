"""A whole `$export` of 100 patients, fetched from a server with faults, against its load from disk."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from flows.drain import Drain
from flows.export_settings import Credentials, ExportSettings
from flows.load_far import load_far
from flows.runner import run_load
from flows.settings import LoadSettings
from sources.files import FileSource
from tests.bulk.server import File, cut, expire, serving, status
from tests.flows.inputs import contents, query
from tests.sources.smart.test_smart import EC384
from transforms.sample import Sampling

pytestmark = pytest.mark.conformance

SHARED = Path(os.environ.get("CLINMART_SHARED", Path(__file__).parents[2].parent / "shared"))
EXPORT = SHARED / "data" / "fhir-export"


def test_far_and_near_are_the_same(tmp_path: Path) -> None:
    """All rows of all tables, with tokens that end, addresses that expire and files that are cut."""
    if not EXPORT.is_dir():
        pytest.skip(f"no export at {EXPORT}; set CLINMART_SHARED")
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = tmp_path / "key.pem"
    key.write_bytes(EC384.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    listed = json.loads((EXPORT / "manifest.json").read_bytes())
    files = {}
    for file in listed["output"]:
        name = Path(file["url"]).name.removesuffix(".gz")
        content = gzip.decompress((EXPORT / f"{name}.gz").read_bytes())
        files[name] = File(content, file["type"], count=file.get("count"))
    near = LoadSettings(tmp_path / "near", "s", sampling=Sampling(0))
    report = run_load(FileSource([EXPORT]), near)
    with serving(
        files=files,
        transaction_time=listed["transactionTime"],
        clients={"k": EC384.public_key()},
        token_uses=9,
        retry_after="0",
    ) as server:
        server.faults["Observation.000.ndjson"].extend([cut(3_000_000), status(503, Retry_After="0"), cut(1_000_000)])
        server.faults["Claim.000.ndjson"].append(expire)
        asked = ExportSettings(server.url + "/fhir", Credentials("me", key, "k"))
        far = LoadSettings(tmp_path / "far", "s", sampling=Sampling(0))
        found = load_far(far, asked, tmp_path / "landing", lambda _: None, None, Drain())
    assert found.error is None
    assert found.report is not None
    assert {kind: counts.as_dict() for kind, counts in found.report.resources.items()} == {
        kind: counts.as_dict() for kind, counts in report.resources.items()
    }
    assert contents(tmp_path / "far") == contents(tmp_path / "near")
    cursors = "SELECT resource_type, read_cursor FROM etl.watermark ORDER BY 1"
    assert query(tmp_path / "far", cursors) == query(tmp_path / "near", cursors)
