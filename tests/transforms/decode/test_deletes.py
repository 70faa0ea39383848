"""What says that a resource was deleted: entries with the request DELETE, and lines of a table."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.records import ChunkKind
from tests.transforms.one_chunk import AS_OF, observation, run, text_of, written

NOON = "2024-03-01T12:00:00Z"


def _bundle(*entries: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"resourceType": "Bundle", "type": "transaction", **more, "entry": list(entries)}).encode()


def _delete(url: object, **response: object) -> dict[str, Any]:
    made: dict[str, Any] = {"request": {"method": "DELETE", "url": url}}
    return made | ({"response": response} if response else {})


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("Patient/123", ("Patient", "123", None)),
        ("/Patient/123", ("Patient", "123", None)),
        ("https://example.org/fhir/r4/Patient/a-b.C", ("Patient", "a-b.C", None)),
        ("http://example.org:8080/Basic/x/_history/7", ("Basic", "x", "7")),
        ("Patient/123/_history/2", ("Patient", "123", "2")),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_urls(url: str, named: tuple[str, str, str | None], stream: bool) -> None:
    """Relative, absolute, and with a version; as a line of NDJSON and as entries of a stream."""
    entry = _delete(url)
    result = run(text_of([written(entry)]), kind=ChunkKind.ENTRY) if stream else run([_bundle(entry)])
    assert result.deletes is not None
    (row,) = result.deletes.to_dicts()
    assert (row["resource_type"], row["id"], row["version_id"], row["last_updated"]) == (*named, AS_OF)
    assert {kind: (c.read, c.quarantined) for kind, c in result.counts.items()} == {named[0]: (1, 0)}
    assert result.rejections == []


@pytest.mark.parametrize(
    ("url", "kind", "reason"),
    [
        ("Patient?identifier=1", "Patient", "conditional_delete"),
        ("http://example.org/Patient?identifier=1", "Patient", "conditional_delete"),
        ("?_lastUpdated=lt2020", "Unknown", "conditional_delete"),
        ("Patient", "Unknown", "invalid_delete"),
        ("Patient/1/2", "Unknown", "invalid_delete"),
        ("Patient/a b", "Unknown", "invalid_delete"),
        ("Patient/1?_cascade=delete", "Unknown", "invalid_delete"),
        ("urn:uuid:4c0f", "Unknown", "invalid_delete"),
        ("", "Unknown", "invalid_delete"),
        (None, "Unknown", "invalid_delete"),
        (7, "Unknown", "invalid_delete"),
        ("Patiend/1", "Unknown", "unknown_resource_type"),
    ],
)
def test_what_names_no_resource_is_refused(url: object, kind: str, reason: str) -> None:
    """With its reason, its entry whole, and no effect on its neighbours."""
    entry = _delete(url)
    result = run([_bundle(entry, _delete("Patient/1"), {"resource": observation()})])
    (bad,) = result.rejections
    assert (bad.resource_type, bad.code, json.loads(bad.payload), bad.length) == (kind, reason, entry, len(bad.payload))
    assert result.deletes is not None
    assert result.deletes["id"].to_list() == ["1"]
    assert result.tables["observation"].height == 1
    assert sum(c.read for c in result.counts.values()) == 3


def test_time_of_a_delete() -> None:
    """That of its response, else of its Bundle, else of the load; the response's ETag is its version."""
    told = _delete("Patient/1", lastModified="2024-03-02T00:00:00.123456789Z", etag='W/"4"')
    result = run([_bundle(told, _delete("Patient/2"), meta={"lastUpdated": NOON}), _bundle(_delete("Patient/3"))])
    assert result.deletes is not None
    rows = {row["id"]: row for row in result.deletes.to_dicts()}
    assert (rows["1"]["last_updated"], rows["1"]["last_updated_nanos"], rows["1"]["version_id"]) == (
        datetime(2024, 3, 2, 0, 0, 0, 123456, tzinfo=UTC),
        789,
        "4",
    )
    assert rows["2"]["last_updated"] == datetime(2024, 3, 1, 12, tzinfo=UTC)
    assert rows["3"]["last_updated"] == AS_OF
    assert result.latest == {"Patient": datetime(2024, 3, 2, 0, 0, 0, 123456, tzinfo=UTC)}
    streamed = run(text_of([written(_delete("Patient/2"))]), kind=ChunkKind.ENTRY, updated=NOON)
    assert streamed.deletes is not None
    assert streamed.deletes["last_updated"].to_list() == [datetime(2024, 3, 1, 12, tzinfo=UTC)]
    wrong = run([_bundle(_delete("Patient/1", lastModified="2024-03-02"))])
    assert [bad.code for bad in wrong.rejections] == ["invalid_time"]


def test_what_a_delete_says_is_its_content() -> None:
    """The same from other bytes; another where it says another time, but not where the time was only given."""

    def content(*lines: bytes) -> list[bytes]:
        made = run(list(lines)).deletes
        assert made is not None
        return made["content_hash"].to_list()

    plain = content(_bundle(_delete("Patient/1")))
    assert content(_bundle(_delete("http://h/Patient/1"), id="b", type="batch")) == plain
    timed = content(_bundle(_delete("Patient/1"), meta={"lastUpdated": NOON}))
    assert content(_bundle(_delete("Patient/1", lastModified="2024-03-01T13:00:00+01:00"))) == timed != plain
    assert len(set(content(*(_bundle(_delete(url)) for url in ("Patient/1", "Patient/2", "Basic/1"))))) == 3


def test_other_requests_and_texts_are_no_deletes() -> None:
    """A PUT, a resource that holds the word, and an answer to nothing."""
    put = {"request": {"method": "PUT", "url": "Observation/o1"}, "resource": observation("o1", status="final")}
    word = {"resource": observation("o2", code={"text": "DELETE"}), "request": {"method": "PUT", "url": "DELETE"}}
    result = run([_bundle(put, word, {"response": {"status": "204"}})])
    assert result.deletes is None
    assert result.tables["observation"]["id"].to_list() == ["o1", "o2"]
    assert result.rejections == []


def test_a_carrier_of_deletes_is_no_resource() -> None:
    """A Bundle with an id is a resource of its own, unless it does nothing but carry deletes."""
    carried = run([_bundle(_delete("Patient/1"), _delete("Patient?x=1"), id="carrier")])
    assert carried.tables == {}
    mixed = run([_bundle(_delete("Patient/1"), {"resource": observation()}, id="mixed")])
    assert mixed.tables["resource"]["id"].to_list() == ["mixed"]


def test_only_deletes_are_expected() -> None:
    """In a file named as one of deletes everything else is refused, what cannot be read with its own reason."""
    lines = [_bundle(_delete("Patient/1"), {"resource": observation()}, {}, id="b"), written(observation("o2")), b"{"]
    result = run(lines, deletes=True)
    assert sorted(bad.code for bad in result.rejections) == ["invalid_delete"] * 3 + ["malformed_json"]
    assert (result.tables, sum(c.read for c in result.counts.values())) == ({}, 5)
    assert result.counts["Patient"].quarantined == 0


def test_lines_of_a_table() -> None:
    """Type, id and perhaps a time; names of columns are no line of it, and each bad line has its reason."""
    lines = [
        b"resource_type,id,last_updated",
        b"Patient,1," + NOON.encode(),
        b'"Patient", "2"',
        b"Observation,3,\r",
        b"",
        b"Patiend,4",
        b"Patient,a b",
        b"Patient",
        b"Patient,5,2024-03-01",
        b"Patient,6,,x",
        b"\xff,7",
    ]
    result = run(lines, kind=ChunkKind.DELETE, deletes=True)
    assert result.deletes is not None
    rows = [(row["resource_type"], row["id"], row["last_updated"]) for row in result.deletes.to_dicts()]
    assert rows == [
        ("Patient", "1", datetime(2024, 3, 1, 12, tzinfo=UTC)),
        ("Patient", "2", AS_OF),
        ("Observation", "3", AS_OF),
    ]
    assert [(bad.line, bad.code) for bad in result.rejections] == [
        (6, "unknown_resource_type"),
        (7, "invalid_id"),
        (8, "invalid_delete"),
        (9, "invalid_time"),
        (10, "invalid_delete"),
        (11, "invalid_delete"),
    ]
