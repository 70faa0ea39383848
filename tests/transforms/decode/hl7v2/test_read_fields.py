"""The fields that the maps read are those that are told: what is told and not read would vanish."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime

import polars as pl
import pytest

from schemas.records import Chunk, ChunkKind
from tests.transforms.decode.hl7v2.messages import made, msh
from tests.transforms.one_chunk import decoder
from transforms.decode.hl7v2.maps.segment import Distinct, Segment
from transforms.decode.hl7v2.read_fields import READ_FIELDS
from transforms.messages import transform_messages
from transforms.options import MessageOptions
from transforms.partition import Tools

_MOST = 60  # fields; no segment has as many
_SEGMENTS = {
    ("ADT^A01", "ADT^A40", "PPR^PC1"): "EVN PID PD1 NK1 MRG PV1 PV2 DG1 PRB AL1 IAM PR1 IN1 OBX",
    ("ORU^R01", "OML^O21", "OML^O33"): "PID PV1 ORC OBR TQ1 NTE OBX NTE SPM",
    ("RDE^O11", "RAS^O17", "VXU^V04"): "PID ORC TQ1 RXO RXE RXR RXA RXR OBX NTE",
    ("ORM^O01",): "PID ORC RXO RXR",
    ("SIU^S12",): "SCH TQ1 PID PV1 AIS AIL AIP",
    ("MDM^T02",): "EVN PID PV1 TXA OBX",
}
_ONLY_NUMBERS = {
    "PID": {1}, "NK1": {1}, "PV1": {1}, "DG1": {1}, "AL1": {1}, "IAM": {1}, "PR1": {1}, "IN1": {1}, "OBR": {1},
    "OBX": {1}, "NTE": {1}, "TQ1": {1}, "TXA": {1}, "RXA": {1}, "AIS": {1}, "AIP": {1}, "AIL": {1},
    "EVN": {1},  # the trigger event, which MSH-9 tells
}  # fmt: skip


def _filled(name: str) -> str:
    return "|".join([name, *(f"a{number}^b^c^d^e^f" for number in range(1, _MOST))])


def test_fields_are_those_that_maps_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over messages in which every field has something, and messages in which none has."""
    read: dict[str, set[int]] = defaultdict(set)
    distinct = Segment.distinct

    def noted(self: Segment, number: int) -> Distinct | None:
        if "text" in self.frame.columns and self.frame.height:
            read[self.frame["text"][0][:3]].add(number)
        return distinct(self, number)

    monkeypatch.setattr(Segment, "distinct", noted)
    for events, names in _SEGMENTS.items():
        for event in events:
            made((msh(event, sent=""), *map(_filled, names.split())))
            made((msh(event), *(f"{name}|||" for name in names.split())))
    for name, fields in READ_FIELDS.items():
        if name != "MSH":
            assert read[name] | _ONLY_NUMBERS.get(name, set()) == fields, name


def test_what_is_not_read_is_kept_and_counted() -> None:
    """The whole segment, with the numbers of its fields that stand in no table; others are not kept."""
    texts = (
        "\r".join([msh("ADT^A01", "1"), "PID|1||a^^^H^MR||Doe|||||||||||||||||||||USA|", "ZZZ|1"]),
        "\r".join([msh("ADT^A01", "2"), "PID|1||b^^^H^MR||Doe", "PV1|1|I||||||||||x"]),
        "\r".join([msh("ACK", "3"), "MSA|AA|1"]),
    )
    data = "\r".join(texts).encode()
    offsets = (0, len(texts[0]) + 1, len(texts[0]) + len(texts[1]) + 2)
    chunk = Chunk("f", 0, 1, data, ChunkKind.HL7V2, offsets, lengths=tuple(map(len, texts)))
    result = transform_messages([chunk], Tools(decoder()), datetime(2024, 1, 1, tzinfo=UTC), MessageOptions())
    kept = pl.concat(result.segments).sort("control_id", "ordinal")
    assert kept.select("control_id", "segment", "unread").rows() == [
        ("1", "PID", [26]),
        ("1", "ZZZ", None),
        ("2", "PV1", [12]),
        ("3", "MSH", None),
        ("3", "MSA", None),
    ]
    assert result.unread == {("PID", "PID-26"): 1, ("PV1", "PV1-12"): 1}
    assert (result.sampled["PID"], result.sampled["PV1"]) == (2, 1)
