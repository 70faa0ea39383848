"""Elements of type `time`, and lists of times, in a table: checked, and closed into lists again."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from tests.transforms.one_chunk import observation, rows, run, written


def request(ident: str, **timing: Any) -> dict[str, Any]:
    """A MedicationRequest with one dosage of such a timing."""
    return {
        "resourceType": "MedicationRequest",
        "id": ident,
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"text": "x"},
        "subject": {"reference": "Patient/p"},
        "dosageInstruction": [{"text": "first"}, {"timing": timing}],
    }


def valued(ident: str, text: str) -> dict[str, Any]:
    """An Observation whose value is a time of day."""
    return {key: value for key, value in observation(ident, valueTime=text).items() if key != "valueQuantity"}


BAD_CLOCKS = ["8:05:00", "08:05", "24:00:00", "08:60:00", "08:05:61", "08:05:00Z", "08:05:00.", "T08:05:00", "noon"]


@pytest.mark.parametrize("text", BAD_CLOCKS)
def test_what_is_no_time_of_day(text: str) -> None:
    """A value, a component's value, an item of a list in a list and a field of an item are refused."""
    hours = {"resourceType": "Location", "id": "l", "hoursOfOperation": [{}, {"openingTime": text}]}
    lines = {
        "value_text": valued("a", text),
        "components.value_text": observation("b", component=[{"code": {"text": "c"}, "valueTime": text}]),
        "dosages.timing_time_of_day": request("c", repeat={"timeOfDay": ["08:00:00", text]}),
        "hours_of_operation.opening_time": hours,
    }
    result = run([written(line) for line in lines.values()])
    assert sorted((bad.column or "", bad.code) for bad in result.rejections) == [
        (column, "invalid_time") for column in sorted(lines)
    ]
    assert result.tables == {}


@pytest.mark.parametrize("text", ["00:00:00", "08:05:00", "23:59:59.123456789012", "23:59:60"])
def test_times_of_day_are_kept_as_sent(text: str) -> None:
    """As text: they have no date."""
    component = [{"code": {"text": "c"}, "valueTime": text}, {"code": {"text": "d"}, "valueString": "noon"}]
    lines = [valued("a", text), observation("b", component=component), request("c", repeat={"timeOfDay": [text]})]
    result = run([written(line) for line in lines])
    first, second = rows(result)
    assert (result.rejections, first["value_text"], first["value_type"]) == ([], text, "time")
    assert [one["value_text"] for one in second["components"]] == [text, "noon"]
    (order,) = rows(result, "medication_request")
    assert [dosage["timing_time_of_day"] for dosage in order["dosages"]] == [None, [text]]


def test_other_texts_are_no_times_of_day() -> None:
    """A string that looks like a bad time is a string."""
    text = {key: value for key, value in observation("a", valueString="08:05").items() if key != "valueQuantity"}
    assert [row["value_text"] for row in rows(run([written(text), written(valued("b", "08:05:00"))]))] == [
        "08:05",
        "08:05:00",
    ]


def test_events_of_a_timing() -> None:
    """Each event has the four columns of a time; dosages without any stay in their place."""
    events = ["2024", "2024-05", "2024-05-06T07:08:09.5+02:00"]
    result = run([written(request("a", event=events)), written(request("b", event=[])), written(request("c"))])
    assert result.rejections == []
    found = [row["dosages"][1]["timing_events"] for row in rows(result, "medication_request")]
    assert found[1:] == [[], None]
    assert [tuple(event.values()) for event in found[0]] == [
        (None, date(2024, 1, 1), "year", None),
        (None, date(2024, 5, 1), "month", None),
        (datetime(2024, 5, 6, 5, 8, 9, 500_000, tzinfo=UTC), date(2024, 5, 6), "fraction", 120),
    ]


@pytest.mark.parametrize("text", ["2024-13", "2024-05-06T07:08:09", "x"])
def test_an_event_that_is_no_time(text: str) -> None:
    """It refuses its row, wherever the timing stands, and no other."""
    effective = {key: value for key, value in observation("b").items() if key != "effectiveDateTime"}
    lines = [
        request("a", event=["2024", text]),
        effective | {"effectiveTiming": {"event": [text]}},
        request("ok", event=["2024"]),
    ]
    result = run([written(line) for line in lines])
    assert sorted((bad.column, bad.code) for bad in result.rejections) == [
        ("dosages.timing_events.event", "invalid_time"),
        ("effective_events.event", "invalid_time"),
    ]
    assert [row["id"] for row in rows(result, "medication_request")] == ["ok"]


def test_a_timing_as_a_choice() -> None:
    """Whole as JSON, and its events as times."""
    timing = {"event": ["2024-05-06T07:08:09Z"], "code": {"text": "BID"}}
    effective = {key: value for key, value in observation("b").items() if key != "effectiveDateTime"}
    (row,) = rows(run([written(effective | {"effectiveTiming": timing})]))
    assert (row["effective_type"], row["effective_json"]) == (
        "Timing",
        '{"event":["2024-05-06T07:08:09Z"],"code":{"text":"BID"}}',
    )
    assert [event["event_at"] for event in row["effective_events"]] == [datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)]
