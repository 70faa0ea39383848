"""Views and tables written to an object store: whole or not at all."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

import flows.settings
from flows.outputs import written_whole
from sources.objects import writing
from tests.flows.inputs import Outcome, medication
from tests.objects.store import Store, error, times

pytestmark = pytest.mark.integration
Clinmart = Callable[..., Outcome]
VIEW = {
    "resourceType": "ViewDefinition",
    "resource": "Medication",
    "status": "active",
    "name": "m",
    "select": [{"column": [{"name": "id", "path": "id"}, {"name": "said", "path": "code.text"}]}],
}


@pytest.fixture
def view(tmp_path: Path) -> Path:
    """A view of medications."""
    path = tmp_path / "view.json"
    path.write_text(json.dumps(VIEW))
    return path


def test_a_view_from_objects_to_objects(store: Store, view: Path, clinmart: Clinmart) -> None:
    """Every format equals what goes to a file."""
    store.put("in/a.ndjson", medication("1") + b"\n" + medication("2") + b"\n")
    for form in ("ndjson", "csv", "parquet"):
        near, far = view.with_name(f"near.{form}"), f"s3://clinic/out/rows.{form}"
        assert clinmart("view", "run", view, "s3://clinic/in", "--format", form, "--out", near).code == 0
        assert clinmart("view", "run", view, "s3://clinic/in", "--format", form, "--out", far).code == 0
        assert store.get(f"out/rows.{form}") == near.read_bytes()
    assert pl.read_parquet(io.BytesIO(store.get("out/rows.parquet")))["id"].to_list() == ["1", "2"]


@pytest.mark.parametrize("part", [1, 6_000_000])
def test_what_fails_on_the_way_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch, part: int) -> None:
    """Before the first part and after it; the upload is given up, so that its parts cost nothing."""
    monkeypatch.setattr(writing, "PART_BYTES", 5 * 1024 * 1024)
    with pytest.raises(ZeroDivisionError), written_whole("s3://clinic/out.ndjson") as out:
        out.write(b"x" * part)
        raise ZeroDivisionError
    assert store.all_keys() == []
    assert "<Upload>" not in store.request("GET", "?uploads").text


def test_a_part_that_fails_is_sent_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The object is whole."""
    monkeypatch.setattr(writing, "PART_BYTES", 5 * 1024 * 1024)
    content = b"0123456789" * 1_100_000
    store.fault = times(3, error("503 Slow Down", "SlowDown"), lambda e: "partNumber" in e.get("QUERY_STRING", ""))
    with written_whole("s3://clinic/out.bin") as out:
        for at in range(0, len(content), 1_000_000):
            out.write(content[at : at + 1_000_000])
    assert store.get("out.bin") == content
    assert len([one for one in store.asked if "partNumber" in one.query]) == 3 + 3


def test_outputs_that_cannot_be(store: Store, view: Path, clinmart: Clinmart) -> None:
    """Each has its exit code and one line, before anything is read where that can be known."""
    store.put("in/a.ndjson", medication("1") + b"\n")
    for out, code, said in (
        ("s3://clinic/out/", 2, "names no object to write to"),
        ("s3://no-such-bucket/out.csv", 5, "there is no such bucket"),
    ):
        found = clinmart("view", "run", view, "s3://clinic/in", "--out", out)
        assert (found.code, len(found.err.splitlines())) == (code, 1) and said in found.err
    store.fault = lambda environ, start: (
        error("403 Forbidden", "AccessDenied")(environ, start) if environ["REQUEST_METHOD"] != "GET" else None
    )
    found = clinmart("view", "run", view, "s3://clinic/in/", "--out", "s3://clinic/out.csv")
    assert (
        found.code == 5 and "s3://clinic/out.csv: cannot be written: the store refuses it (AccessDenied)" in found.err
    )


def test_publishing_below_a_prefix(store: Store, tmp_path: Path, clinmart: Clinmart) -> None:
    """One object names the snapshot that holds; the one before stays for its readers, older ones go."""
    mart, lines = tmp_path / "m.duckdb", tmp_path / "a.ndjson"
    snapshots = []
    for number in range(3):
        lines.write_bytes(medication(f"{number}") + b"\n")
        assert clinmart("load", lines, "--mart", mart, "--source", "s").code == 0
        told = clinmart("publish", "s3://clinic/mart", "--mart", mart, "--to", "parquet", "--json").json
        assert told["folder"] == "s3://clinic/mart" and told["tables"]["medication"] == number + 1
        pointer = json.loads(store.get("mart/_clinmart.json"))
        snapshots.append(pointer["snapshot"])
        table = pl.read_parquet(io.BytesIO(store.get(f"mart/{snapshots[-1]}/medication.parquet")))
        assert table.height == number + 1 == pointer["tables"]["medication"]
    kept = {key.split("/")[1] for key in store.all_keys("mart/")}
    assert kept == {"_clinmart.json", *snapshots[1:]}

    store.put("foreign/thesis.docx", b"x")
    refused = clinmart("publish", "s3://clinic/foreign", "--mart", mart, "--to", "parquet")
    assert refused.code == 2 and "holds what clinmart did not publish" in refused.err
    assert store.all_keys("foreign/") == ["foreign/thesis.docx"]


def test_a_publish_that_is_cut_off_leaves_the_last_one(store: Store, tmp_path: Path, clinmart: Clinmart) -> None:
    """The next one clears what was left of it."""
    mart, lines = tmp_path / "m.duckdb", tmp_path / "a.ndjson"
    lines.write_bytes(medication("1") + b"\n")
    clinmart("load", lines, "--mart", mart, "--source", "s")
    publish = ("publish", "s3://clinic/", "--mart", mart, "--to", "parquet")
    store.fault = lambda environ, start: (
        error("403 Forbidden", "AccessDenied")(environ, start)
        if environ["REQUEST_METHOD"] == "PUT" and environ["PATH_INFO"].endswith("_clinmart.json")
        else None
    )
    assert clinmart(*publish).code == 5
    cut_off = {key.split("/")[0] for key in store.all_keys()}
    store.fault = None
    assert clinmart(*publish).code == 0
    assert not cut_off & {key.split("/")[0] for key in store.all_keys()}
    assert flows.settings.object_access().variable("AWS_SECRET_ACCESS_KEY") == "Zzyzx-secret"
    assert "Zzyzx" not in repr(flows.settings.object_access())
