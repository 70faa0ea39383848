"""Bundles as the resources they hold: as lines of NDJSON and as entries of a stream."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from schemas.reasons import Reason
from schemas.records import ChunkKind
from tests.transforms.one_chunk import observation, rows, run, text_of, written

PATIENT_URL = "urn:uuid:0b7e3c2a-8f3f-4a55-9d4e-2f1f6a3c9d10"
PATIENT = {"resourceType": "Patient", "id": "p9", "birthDate": "1980-01-01"}
NAMELESS_URL = "urn:uuid:7d0e3c2a-8f3f-4a55-9d4e-2f1f6a3c9d22"
NAMELESS = {"resourceType": "Patient", "birthDate": "1990-01-01"}


def bundle(*entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A Bundle of these entries."""
    return {"resourceType": "Bundle", "type": "transaction", **more, "entry": list(entries)}


ENTRIES: list[dict[str, Any]] = [
    {"fullUrl": PATIENT_URL, "resource": PATIENT},
    {"fullUrl": NAMELESS_URL, "resource": NAMELESS},
    {"resource": observation("o1", subject={"reference": PATIENT_URL})},
    {"resource": observation("o2", subject={"reference": NAMELESS_URL})},
    {"resource": observation("o3", subject={"reference": "urn:uuid:unknown"})},
    {"request": {"method": "DELETE", "url": "Patient/p2"}},
    {"search": {"mode": "match"}, "resource": None},
]


def as_entries(**more: Any) -> Any:
    """The entries as the reader of a large Bundle hands them on."""
    data = text_of(written(entry) for entry in ENTRIES)
    references = {PATIENT_URL: "Patient/p9", NAMELESS_URL: "Patient/" + NAMELESS_URL.removeprefix("urn:uuid:")}
    return run(data, kind=ChunkKind.ENTRY, references=references, **more)


@pytest.mark.parametrize("stream", [False, True])
def test_entries_become_rows(stream: bool) -> None:
    """References to the Bundle's own resources are `Type/id`; a resource without id takes the uuid of its fullUrl."""
    result = as_entries() if stream else run([written(bundle(*ENTRIES))])
    assert result.rejections == []
    uuid = NAMELESS_URL.removeprefix("urn:uuid:")
    found = rows(result)
    assert [(row["id"], row["subject_type"], row["patient_id"]) for row in found] == [
        ("o1", "Patient", "p9"),
        ("o2", "Patient", uuid),
        ("o3", None, None),
    ]
    assert found[2]["subject_id"] == "unknown"
    assert [row["id"] for row in rows(result, "patient")] == ["p9", uuid]
    assert {kind: c.read for kind, c in result.counts.items()} == {"Observation": 3, "Patient": 3}  # a delete is one


@pytest.mark.parametrize("stream", [False, True])
def test_the_hash_is_of_the_bytes_received(stream: bool) -> None:
    """Before references are resolved and ids are given."""
    result = as_entries() if stream else run([written(bundle(*ENTRIES))])
    hashes = {row["id"]: row["content_hash"] for table in ("observation", "patient") for row in rows(result, table)}
    uuid = NAMELESS_URL.removeprefix("urn:uuid:")
    for ident, resource in (("o1", ENTRIES[2]["resource"]), ("p9", PATIENT), (uuid, NAMELESS)):
        assert hashes[ident] == hashlib.sha256(written(resource)).digest()


def test_a_resource_is_the_same_alone_and_in_a_bundle() -> None:
    """Where nothing refers to the Bundle, the row does not depend on the wrapping, white space included."""
    alone = json.dumps(observation("o1")).encode()
    wrapped = b'{"resourceType":"Bundle","type":"batch","entry":[ {"resource": ' + alone + b" } ]}"
    assert rows(run([wrapped])) == rows(run([alone]))


def test_the_envelope_lands_when_it_has_an_id() -> None:
    """A Bundle of its own right is a resource too, kept whole without its entries."""
    result = run([written(bundle({"resource": PATIENT}, id="b1", timestamp="2024-01-01T00:00:00Z"))])
    (row,) = rows(result, "resource")
    assert (row["type"], row["id"]) == ("Bundle", "b1")
    assert json.loads(row["json"]) == {
        "resourceType": "Bundle", "type": "transaction", "id": "b1", "timestamp": "2024-01-01T00:00:00Z",
    }  # fmt: skip
    assert [row["id"] for row in rows(result, "patient")] == ["p9"]


def test_bundles_in_bundles() -> None:
    """Opened too, and each resolves its own references."""
    inner = bundle(*ENTRIES[:3])
    result = run([written(bundle({"resource": inner}, {"resource": observation("outer")}))])
    assert [(row["id"], row["patient_id"]) for row in rows(result)] == [("o1", "p9"), ("outer", "p1")]
    deep = written(bundle({"resource": PATIENT}))
    for _ in range(30):
        deep = written(bundle({"resource": json.loads(deep)}))
    result = run([deep, written(observation("after"))])
    assert [row["id"] for row in rows(result)] == ["after"]
    assert len(rows(result, "patient")) + len(rows(result, "resource")) + len(result.rejections) == 1


def test_bad_entries_do_not_harm_good_ones() -> None:
    """Refused with the place of their line; the other entries and lines load."""
    spoiled = [
        (b"[]", Reason.NOT_AN_OBJECT),
        (b'{"resource":{"resourceType":"Observation"}}', Reason.NO_ID),
        (b'{"resource":{"id":"a"}}', Reason.NO_RESOURCE_TYPE),
        (b'{"resource":5}', Reason.NOT_AN_OBJECT),
        (b'{"fullUrl":5,"resource":{}}', Reason.WRONG_TYPE),
    ]
    entries = b",".join([entry for entry, _ in spoiled] + [written({"resource": PATIENT})])
    line = b'{"resourceType":"Bundle","entry":[' + entries + b"]}"
    result = run([written(observation("before")), line, written(observation("after"))])
    assert sorted(str(bad.code) for bad in result.rejections) == sorted(str(reason) for _, reason in spoiled)
    assert {bad.line for bad in result.rejections} == {2}
    assert all(bad.payload in line for bad in result.rejections)
    assert [row["id"] for row in rows(result)] == ["before", "after"]
    assert [row["id"] for row in rows(result, "patient")] == ["p9"]


@pytest.mark.parametrize("line", [b'{"resourceType":"Bundle","entry":{}}', b'{"resourceType":"Bundle","entry":[{]}'])
def test_a_bundle_that_is_none(line: bytes) -> None:
    """The line is refused whole."""
    result = run([line, written(observation("o"))])
    assert [(bad.line, bad.payload) for bad in result.rejections] == [(1, line)]
    assert [row["id"] for row in rows(result)] == ["o"]


def test_positions_of_entries() -> None:
    """A refused entry of a stream says its own number and byte offset."""
    data = text_of([written({"resource": PATIENT}), written({"resource": observation("o", status="bogus")})])
    result = run(data, kind=ChunkKind.ENTRY, line=41, offsets=(1000, 2000))
    (bad,) = result.rejections
    assert (bad.line, bad.offset, bad.payload) == (42, 2000, written(observation("o", status="bogus")))


def test_nothing_is_resolved_outside_references() -> None:
    """A uuid in another element stays as it was sent."""
    resource = observation("o1", identifier=[{"system": "urn:ietf:rfc:3986", "value": PATIENT_URL}])
    result = run([written(bundle({"fullUrl": PATIENT_URL, "resource": PATIENT}, {"resource": resource}))])
    (row,) = rows(result)
    assert row["identifier_value"] == PATIENT_URL
