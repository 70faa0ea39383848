"""Rows as FHIR JSON: times, digits, and what stands where nothing was sent."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from transforms.decode.hl7v2.fhir_json import fhir_lines
from transforms.decode.hl7v2.maps.rows import Made


def rendered(kind: str, elements: dict[str, Any], zone: str | None = None, **assumed: object) -> str:
    """The line of one row."""
    frame = pl.DataFrame([{"message": 0, "ordinal": 1, "cleared": None} | elements])
    (line,) = fhir_lines(Made(kind, frame, assumed), zone)
    return line.decode()


@pytest.mark.parametrize(
    ("sent", "zone", "date_time", "instant"),
    [
        ("2024", None, "2024", None),
        ("202402", None, "2024-02", None),
        ("20240229", "Europe/Berlin", "2024-02-29", None),
        ("2024022915", "Europe/Berlin", "2024-02-29", None),
        ("202402291530", "Europe/Berlin", "2024-02-29T15:30:00+01:00", "2024-02-29T15:30:00+01:00"),
        ("202402291530", None, "2024-02-29", None),
        ("20240729153001", "Europe/Berlin", "2024-07-29T15:30:01+02:00", "2024-07-29T15:30:01+02:00"),
        ("20240229153001.12-0330", None, "2024-02-29T15:30:01.12-03:30", "2024-02-29T15:30:01.12-03:30"),
        ("20240230", None, None, None),
        ("soon", None, None, None),
    ],
)
def test_times(sent: str, zone: str | None, date_time: str | None, instant: str | None) -> None:
    """No hour without minute, no time of day without offset, no instant that is not one."""
    told = json.loads(rendered("DiagnosticReport", {"effectiveDateTime": sent, "issued": sent}, zone))
    assert (told.get("effectiveDateTime"), told.get("issued")) == (date_time, instant)


def test_times_inside_of_lists_and_extensions() -> None:
    """Wherever they stand."""
    told = json.loads(
        rendered(
            "Patient",
            {
                "identifier": [{"value": "1", "period": {"start": "20240101", "end": None}}],
                "_birthDate": {"extension": [{"url": "u", "valueDateTime": "202401010203"}]},
            },
            "UTC",
        )
    )
    assert told["identifier"] == [{"value": "1", "period": {"start": "2024-01-01"}}]
    assert told["_birthDate"]["extension"][0]["valueDateTime"] == "2024-01-01T02:03:00+00:00"


def test_digits_are_written_as_sent() -> None:
    """1.10 is not 1.1."""
    line = rendered("Observation", {"valueQuantity": {"value": 1.1, "#value": "1.10", "unit": "mg"}})
    assert '"valueQuantity":{"value":1.10,"unit":"mg"}' in line


def test_nothing_empty_is_written() -> None:
    """Nulls, and structs and lists that have nothing in them."""
    line = rendered("Patient", {"id": "1", "gender": None, "maritalStatus": {"text": None}, "name": [{"family": None}]})
    assert json.loads(line) == {"resourceType": "Patient", "id": "1"}


def test_what_is_assumed_stands_only_where_nothing_was_sent() -> None:
    """Any type of a choice counts as sent."""
    assumed: dict[str, object] = {"occurrenceString": "unknown", "status": "completed"}
    told = json.loads(rendered("Immunization", {"occurrenceDateTime": "2024", "status": "not-done"}, **assumed))
    assert told == {"resourceType": "Immunization", "occurrenceDateTime": "2024", "status": "not-done"}
    assert json.loads(rendered("Immunization", {"id": "1"}, **assumed))["occurrenceString"] == "unknown"


def test_many_rows_keep_their_order() -> None:
    """A line for each row."""
    frame = pl.DataFrame({"message": [0, 1], "ordinal": [1, 1], "cleared": [None, None], "id": ["b", "a"]})
    assert [json.loads(line)["id"] for line in fhir_lines(Made("Patient", frame), None)] == ["b", "a"]
