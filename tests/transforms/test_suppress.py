"""Whose a row is, and what is left of a row that mentions somebody who was erased."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from schemas.payload_names import named_identifiers, named_patients
from schemas.records import Chunk, ChunkKind
from schemas.suppression import IDENTIFIER, Suppression, token
from schemas.tables import tables_by_type
from transforms.decode.fhir import Decoder
from transforms.partition import Tools, transform
from transforms.result import ChunkResult
from transforms.suppress import is_theirs, theirs

KEY = b"k" * 32
AT = datetime(2024, 1, 1, tzinfo=UTC)
ME = ("Patient", "me")


def listed(*pairs: tuple[str, str]) -> Suppression:
    """A list of these types and ids."""
    return Suppression("s", ((KEY, frozenset(token(KEY, "s", *pair) for pair in pairs)),))


def taken(
    *resources: dict[str, Any] | bytes, of: Suppression | None, kind: ChunkKind = ChunkKind.RESOURCE
) -> ChunkResult:
    """What a chunk of these lines gives."""
    data = b"".join((one if isinstance(one, bytes) else json.dumps(one).encode()) + b"\n" for one in resources)
    tools = Tools(Decoder(tables_by_type()), suppression=of)
    return transform(Chunk("f", 0, 1, data, kind, deletes=kind is ChunkKind.DELETE), tools, AT)


def observation(ident: str, **more: object) -> dict[str, Any]:
    return {"resourceType": "Observation", "id": ident, "status": "final", "code": {"text": "x"}, **more}


def to(reference: str) -> dict[str, str]:
    return {"reference": reference}


@pytest.mark.parametrize(
    ("more", "gone"),
    [
        ({"subject": to("Patient/me")}, True),
        ({"subject": to("http://h.example/fhir/Patient/me/_history/3")}, True),
        ({"subject": to("urn:uuid:me")}, False),  # of no declared type: it is not known to be a patient
        ({"subject": to("urn:uuid:me") | {"type": "Patient"}}, True),
        ({"subject": {"identifier": {"value": "mrn-1"}}}, True),
        ({"subject": to("Patient/other")}, False),
        ({"subject": to("Patient/other"), "performer": [to("Patient/me")]}, False),
        ({"subject": to("Group/g"), "performer": [to("Patient/me")]}, True),
        ({"performer": [to("Patient/me"), to("Patient/other")]}, False),
        ({"encounter": to("Encounter/mine")}, True),
        ({"subject": to("Patient/other"), "encounter": to("Encounter/mine")}, False),
        ({"subject": to("Patient/me2")}, False),
        ({"subject": to("Group/me")}, False),
    ],
)
def test_whose_an_observation_is(more: dict[str, Any], gone: bool) -> None:
    """By its subject, else by all that it refers to."""
    of = listed(ME, ("Encounter", "mine"), (IDENTIFIER, "mrn-1"))
    counts = taken(observation("o", **more), observation("p", subject=to("Patient/x")), of=of).counts["Observation"]
    assert (counts.read, counts.suppressed, counts.quarantined) == (2, int(gone), 0)


def test_a_row_of_a_listed_id_is_suppressed_where_nothing_says_whose_it_is() -> None:
    """The id alone does not take a row from somebody else."""
    of = listed(("Observation", "o"))
    both = taken(observation("o"), observation("o", subject=to("Patient/x")), of=of)
    assert both.counts["Observation"].suppressed == 1


def test_others_forget_whom_they_mention() -> None:
    """Items that refer to her go, all else of the row stays."""
    group = {"resourceType": "Group", "id": "g", "type": "person", "actual": True,
             "member": [{"entity": to("Patient/me")}, {"entity": to("Patient/you"), "inactive": True}]}  # fmt: skip
    made = taken(group, observation("o", subject=to("Patient/x"), focus=[to("Patient/me")]), of=listed(ME))
    (members,) = made.tables["fhir_group"]["members"].to_list()
    assert [member["entity_id"] for member in members] == ["you"]
    assert "focus_id" not in made.tables["observation"].columns or made.tables["observation"]["focus_id"][0] is None
    assert made.tables["observation"]["patient_id"].to_list() == ["x"]
    assert "'me'" not in repr(made.tables["observation"].to_dicts())
    assert sum(c.suppressed for c in made.counts.values()) == 0


def test_a_refused_line_of_hers_is_not_kept() -> None:
    """Whether it cannot be read or breaks a rule."""
    cut = b'{"resourceType":"Observation","id":"x","subject":{"reference":"Patient/me"},'
    broken = observation("y", status="bogus", subject=to("Patient/me"))
    others = observation("z", status="bogus", subject=to("Patient/you"))
    made = taken(cut, broken, others, of=listed(ME))
    counts = made.counts["Observation"]
    assert (counts.read, counts.suppressed, counts.quarantined) == (3, 2, 1)
    assert [rejection.resource_id for rejection in made.rejections] == ["z"]


def test_her_deletes_leave_no_tombstone() -> None:
    """There is nothing left to delete."""
    made = taken(b"Patient,me,", b"Patient,you,", of=listed(ME), kind=ChunkKind.DELETE)
    assert made.deletes is not None and made.deletes["id"].to_list() == ["you"]
    assert made.counts["Patient"].suppressed == 1


def test_another_source_is_not_meant() -> None:
    """Tokens are of one source."""
    tokens = frozenset({token(KEY, "s", *ME)})
    assert Suppression("s", ((KEY, tokens),)).has(*ME)
    assert not Suppression("t", ((KEY, tokens),)).has(*ME)
    assert not Suppression("s", ((b"x" * 32, tokens),)).has(*ME)
    assert Suppression("s", ((b"x" * 32, frozenset()), (KEY, tokens))).has(*ME)  # after a rotation


def test_lengths_keep_source_type_and_id_apart() -> None:
    """No other cut of the same letters has the same token."""
    assert len({token(KEY, *parts) for parts in (("ab", "c", "d"), ("a", "bc", "d"), ("a", "b", "cd"))}) == 3


def test_nobody_listed_is_nothing_to_do() -> None:
    """The frame is not looked at."""
    assert theirs(None, "Patient", None, pl.DataFrame({"id": ["me"]})).rows == []
    assert not is_theirs(None, b"Patient/me")


@pytest.mark.parametrize(
    ("payload", "patients", "identifiers"),
    [
        (b'{"subject":{"reference":"Patient/a-1"', {"a-1"}, set()),
        (b'{"resourceType":"Patient","id":"b.2","identifier":[{"value":"m 1"}]', {"b.2"}, {"m 1"}),
        (b'{"resourceType":"Observation","id":"b.2"', set(), set()),
        (b"MSH|^~\\&|A\rPID|1|x1|m2^^^A~m3|y||n^f\rMRG|m4^^^A", set(), {"x1", "m2", "m3", "y", "m4"}),
        (b'<id root="1.2" extension="e5"/><code code="7"/>', set(), {"e5"}),
        (b"no names", set(), set()),
    ],
)
def test_who_a_payload_names(payload: bytes, patients: set[str], identifiers: set[str]) -> None:
    """Only where ids and identifiers stand."""
    assert named_patients(payload) == patients
    assert named_identifiers(payload) - {""} == identifiers


def test_a_record_names_by_its_fields() -> None:
    """Of separated values nobody knows which column it is."""
    assert {"A1", "101", "x y"} <= named_identifiers(b'A1,101,"x y"', fields=True)
    assert named_identifiers(b'A1,101,"x y"') == set()
