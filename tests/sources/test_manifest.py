"""Manifests of bulk exports: told from resources, read, and refused when wrong."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from schemas.errors import IntegrityError
from sources.manifest import Manifest, TransactionTimes, find_output, parse_manifest

TIME = "2024-05-01T10:00:00.5+02:00"


def _text(**members: object) -> bytes:
    manifest = {"transactionTime": TIME, "request": "https://a/$export", "output": [], **members}
    return json.dumps({key: value for key, value in manifest.items() if value is not ...}).encode()


def _manifest(uri: str, *names: str, time: str = TIME) -> Manifest:
    found = parse_manifest(_text(transactionTime=time, output=[{"url": name} for name in names]), uri)
    assert found is not None
    return found


def test_a_manifest_is_read() -> None:
    """Time with its offset, files with type and count, deletions and errors apart."""
    found = parse_manifest(
        b"\xef\xbb\xbf"
        + _text(
            output=[{"type": "Patient", "url": "Patient.000.ndjson", "count": 5}, {"url": "sub/b.ndjson"}],
            deleted=[{"type": "Bundle", "url": "del.ndjson"}],
            error=[{"type": "OperationOutcome", "url": "err.ndjson"}],
            extension={"anything": 1},
        ),
        "/x/manifest.json",
    )
    assert found is not None
    assert found.transaction_time == datetime(2024, 5, 1, 10, 0, 0, 500_000, timezone(timedelta(hours=2)))
    assert [(file.name, file.type, file.count) for file in found.output] == [
        ("Patient.000.ndjson", "Patient", 5),
        ("sub/b.ndjson", None, None),
    ]
    assert [file.name for file in (*found.deleted, *found.errors)] == ["del.ndjson", "err.ndjson"]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[]",
        _text(output=...),
        _text(transactionTime=...),
        _text(resourceType="Task"),
        _text()[:-1],
        b'{"x":"\\"transactionTime\\" \\"output\\""}',
    ],
)
def test_other_json_is_no_manifest(text: bytes) -> None:
    """Resources, other objects and cut files."""
    assert parse_manifest(text, "u") is None


def test_urls_become_names_beside_the_manifest() -> None:
    """Relative as they are, absolute by their last part, percent signs undone, the same file once."""
    urls = ["a.ndjson", "b/c.ndjson", "https://host/x/d%20e.ndjson?sig=1#f", "file:///tmp/f.ndjson", "a.ndjson"]
    assert [file.name for file in _manifest("/m.json", *urls).output] == [
        "a.ndjson",
        "b/c.ndjson",
        "d e.ndjson",
        "f.ndjson",
    ]


@pytest.mark.parametrize("url", ["../a", "/etc/passwd", "a/../../b", "https://host/", "", ".", "%2e%2e/a", "a%00b"])
def test_urls_that_lead_elsewhere_are_refused(url: str) -> None:
    """A manifest cannot make the loader read what lies outside its folder."""
    with pytest.raises(IntegrityError, match=r"^/m.json: .* names no file beside the manifest"):
        _manifest("/m.json", url)


@pytest.mark.parametrize("time", ["2024-05-01T10:00:00", "2024-05-01", "yesterday", ""])
def test_a_time_without_zone_is_refused(time: str) -> None:
    """The time orders rows: it is not guessed."""
    with pytest.raises(IntegrityError, match=r"transactionTime .* is not an instant with a zone"):
        _manifest("/m.json", time=time)


@pytest.mark.parametrize("members", [{"output": {}}, {"output": [{}]}, {"transactionTime": 5}, {"deleted": "x"}])
def test_a_manifest_of_the_wrong_form_is_refused(members: dict[str, object]) -> None:
    """With the place of the fault."""
    with pytest.raises(IntegrityError, match=r"^u: this \$export manifest is wrong: .*\$\."):
        parse_manifest(_text(**members), "u")


def test_the_time_of_a_file() -> None:
    """The latest manifest that lists it; else the only one in its folder; else none."""
    old = _manifest("/x/old.json", "a.ndjson", "b.ndjson", time="2024-01-01T00:00:00Z")
    new = _manifest("/x/new.json", "b.ndjson", time="2024-02-01T00:00:00Z")
    times = TransactionTimes([new, old])
    assert times.of("/x/a.ndjson") == datetime(2024, 1, 1, tzinfo=UTC)
    assert times.of("/x/b.ndjson.gz") == datetime(2024, 2, 1, tzinfo=UTC)
    assert times.of("/x/c.ndjson") is None
    assert times.of("/y/a.ndjson") is None
    assert TransactionTimes([old]).of("/x/c.ndjson") == datetime(2024, 1, 1, tzinfo=UTC)


def test_listed_files_may_have_been_compressed_since() -> None:
    """Each is looked for as listed, then with .gz and .zst."""
    there = {"/x/a.ndjson", "/x/b.ndjson.gz", "/x/c.ndjson.zst"}
    manifest = _manifest("/x/m.json", "a.ndjson", "b.ndjson", "c.ndjson", "d.ndjson")
    assert find_output(manifest, there.__contains__) == (sorted(there), ["d.ndjson"])
