"""Small messages, and what the maps make of them."""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from transforms.decode.hl7v2.fhir_json import fhir_lines
from transforms.decode.hl7v2.maps.rows import Made
from transforms.decode.hl7v2.resources import made_of
from transforms.decode.hl7v2.segments import segments_of
from transforms.decode.hl7v2.separators import Separators

PID = "PID|1||4711^^^HOSP&1.2.3&ISO^MR"
OBR = "OBR|1|P1^EHR|F1^LAB|24323-8^Panel^LN|||20240102030405+0100"


def msh(event: str = "ORU^R01", control: str = "C1", sent: str = "20240102030405+0100") -> str:
    """An MSH of that event."""
    return f"MSH|^~\\&|APP|FAC|EHR|HOSP|{sent}||{event}|{control}|P|2.5.1"


def made(*messages: tuple[str, ...], separators: Separators | None = None) -> list[Made]:
    """What is made of messages, each a tuple of segments."""
    texts = pl.Series(["\r".join(message) for message in messages])
    return made_of(segments_of(texts, range(len(messages)), separators or Separators(), "Europe/Berlin"))


def resources(kind: str, *segments: str, separators: Separators | None = None) -> list[dict[str, Any]]:
    """The resources of a type that one message gives, as FHIR JSON without `resourceType` and `meta`."""
    found = []
    for rows in made(segments, separators=separators):
        if rows.resource_type == kind:
            found += [json.loads(line) for line in fhir_lines(rows, "Europe/Berlin")]
    for resource in found:
        assert resource.pop("resourceType") == kind
        resource.pop("meta", None)
    return found


def only(kind: str, *segments: str, separators: Separators | None = None) -> dict[str, Any]:
    """The only resource of a type."""
    (resource,) = resources(kind, *segments, separators=separators)
    return resource


def observation(*fields: str) -> dict[str, Any]:
    """The Observation of one OBX with these fields, from OBX-2 on."""
    return only("Observation", msh(), PID, OBR, "|".join(["OBX", "1", *fields]))
