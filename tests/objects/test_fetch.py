"""`clinmart fetch --out s3://...`: an export that lands whole, manifest last, and is loaded from there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bulk.fetching import lines
from tests.bulk.server import File, serving
from tests.flows.inputs import Outcome, query
from tests.objects.store import Store, error

pytestmark = pytest.mark.integration


def test_an_export_lands_in_a_store(store: Store, tmp_path: Path, clinmart: Callable[..., Outcome]) -> None:
    """What fails on the way leaves no manifest and keeps the folder; the same command then ends it."""
    landing = tmp_path / "landing"
    with serving() as server:
        server.files = {"p": File(lines("Patient", 3), "Patient", count=3)}
        fetch = ("fetch", f"{server.url}/fhir", "--out", "s3://clinic/exports/1", "--landing", landing, "--json")
        store.fault = lambda environ, start: (
            error("403 Forbidden", "AccessDenied")(environ, start)
            if environ["REQUEST_METHOD"] == "PUT" and environ["PATH_INFO"].endswith("SHA256SUMS")
            else None
        )
        assert clinmart(*fetch).code == 5
        assert not [key for key in store.all_keys() if "manifest" in key] and (landing / "manifest.json").exists()
        store.fault = None
        done = clinmart(*fetch)
        assert done.code == 0 and done.json["folder"] == "s3://clinic/exports/1"
        assert not landing.exists()
        assert clinmart(*fetch).code == 2, "an export is never mixed with another"
        kickoffs = [one for one in server.asked if "$export" in one.path]
        assert len(kickoffs) == 1
    assert sorted(key.split("/")[-1] for key in store.all_keys()) == sorted(
        ["Patient.000.ndjson", "SHA256SUMS", "manifest.json"]
    )
    whole = store.get("exports/1/Patient.000.ndjson")
    store.put("exports/1/Patient.000.ndjson", whole.replace(b"patient-1", b"patient-7"))
    load = ("load", "s3://clinic/exports/1", "--mart", tmp_path / "m.duckdb", "--source", "s", "--json")
    tampered = clinmart(*load)
    assert tampered.code == 4 and "is not what it was when it landed" in tampered.err
    assert clinmart(*load, "--require-signed").code == 2
    store.put("exports/1/Patient.000.ndjson", whole)
    loaded = clinmart("load", "s3://clinic/exports/1", "--mart", tmp_path / "m.duckdb", "--source", "s", "--json")
    assert loaded.json["resources"]["Patient"]["applied"] == 3
    assert query(tmp_path / "m.duckdb", "SELECT count(DISTINCT last_updated) FROM patient") == [(1,)]


def test_landing_goes_with_a_store(tmp_path: Path, clinmart: Callable[..., Outcome]) -> None:
    """A folder needs no second one, and a store needs one."""
    for out, more in (("s3://clinic/x", ()), (str(tmp_path / "x"), ("--landing", tmp_path / "y"))):
        refused = clinmart("fetch", "https://example.org/fhir", "--out", out, *more)
        assert refused.code == 2 and "--landing FOLDER goes with --out s3://" in refused.err
