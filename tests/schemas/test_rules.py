"""Rules over several columns: each holds, is broken, and is held where there is nothing to compare."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from schemas.dtypes import polars_dtype
from schemas.records import Chunk, ChunkKind
from schemas.rules import period_rule
from schemas.tables import all_tables, table_of, tables_by_type
from transforms.check import check
from transforms.decode.fhir import Decoder
from transforms.partition import Tools, transform

_TOOLS = Tools(Decoder(tables_by_type()))
_AS_OF = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
_ENCOUNTER = {
    "resourceType": "Encounter",
    "status": "finished",
    "class": {"system": _TERMINOLOGY + "v3-ActCode", "code": "AMB"},
}
_ALLERGY = {"resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/p"}}
_CONDITION = {"resourceType": "Condition", "subject": {"reference": "Patient/p"}}


def refused(*resources: Mapping[str, Any]) -> list[tuple[int, str | None]]:
    """The positions of the resources that a load refuses, and by which check; all go in one chunk."""
    lines = [json.dumps({**r, "id": f"r{i}"}, separators=(",", ":")).encode() for i, r in enumerate(resources)]
    data = b"".join(line + b"\n" for line in lines)
    chunk = Chunk(uri="file:///x.ndjson", offset=0, line=1, kind=ChunkKind.RESOURCE, data=data)
    result = transform(chunk, _TOOLS, _AS_OF)
    return [(r.line - 1, r.check) for r in result.rejections]


@pytest.mark.parametrize(
    ("start", "end", "holds"),
    [
        ("2024-01-01T10:00:00Z", "2024-01-01T11:00:00Z", True),
        ("2024-01-01T10:00:00Z", "2024-01-01T10:00:00Z", True),
        ("2024-01-01T10:00:01Z", "2024-01-01T10:00:00Z", False),
        ("2024-01-01T10:00:00.001Z", "2024-01-01T10:00:00Z", False),
        # the clock runs backwards, time does not
        ("2024-03-31T23:30:00+10:00", "2024-03-31T14:00:00Z", True),
        ("2024-01-02T00:30:00+02:00", "2024-01-01T23:30:00Z", True),
        ("2024-01-01T23:00:00-05:00", "2024-01-02T01:00:00Z", False),
        ("2024-01-02", "2024-01-02", True),
        ("2024-01-03", "2024-01-02", False),
        ("2024-01-02T10:00:00Z", "2024-01-02", True),
        ("2024-01-03T10:00:00Z", "2024-01-02", False),
        ("2024-05-17", "2024-05", True),
        ("2024-06-01", "2024-05", False),
        ("2024-05", "2024-05-17", True),
        ("2024-05", "2024", True),
        ("2025-01-01", "2024", False),
        ("2024", "2024-01", True),
        ("2023-12", "2024-01", True),
        ("2024-01", "2023-12", False),
        ("2024-01-01", None, True),
        (None, "2024-01-01", True),
    ],
)
def test_period_ends_after_it_starts(start: str | None, end: str | None, holds: bool) -> None:
    """per-1 compares instants, else calendar dates as far as both are precise; an open side holds."""
    period = {name: value for name, value in (("start", start), ("end", end)) if value}
    assert refused({**_ENCOUNTER, "period": period}) == ([] if holds else [(0, "per-1 period")])


def test_period_of_a_choice() -> None:
    """The Period of a choice element is held to per-1 too, and a dateTime there is not."""
    wrong = {**_CONDITION, "onsetPeriod": {"start": "2024-02-01", "end": "2024-01-01"}}
    right = {**_CONDITION, "onsetPeriod": {"start": "2024-01-01", "end": "2024-02-01"}}
    single = {**_CONDITION, "onsetDateTime": "2024-02-01"}
    assert refused(right, wrong, single) == [(1, "per-1 onset")]


def test_period_without_any_columns() -> None:
    """The rule is null, and so held, where all that it reads is null."""
    rule = period_rule("period")
    dtypes = {"_at": "TIMESTAMP WITH TIME ZONE", "_date": "DATE", "_precision": "VARCHAR"}
    nulls = [pl.Series(name, [None], polars_dtype(dtypes["_" + name.rsplit("_", 1)[1]])) for name in rule.columns]
    assert pl.DataFrame(nulls).select(rule.holds).item() is None


def test_every_period_of_a_row_has_the_rule() -> None:
    """A table has per-1 for each pair of a start and an end among its columns."""
    for table in all_tables():
        ends = {n.removesuffix("_end_at") for n in table.column_names() if n.endswith("_end_at")}
        assert {r.name.removeprefix("per-1 ") for r in table.rules if r.name.startswith("per-1 ")} == ends


def test_rules_read_columns_that_are_there() -> None:
    """A rule names columns of its table, all of those that its expression reads, and has a name of its own."""
    for table in all_tables():
        names = [r.name for r in table.rules]
        assert len(names) == len(set(names))
        for rule in table.rules:
            assert {rule.column, *rule.columns} <= set(table.column_names())
            assert set(rule.holds.meta.root_names()) - {""} <= set(rule.columns)


def _concept(system: str, code: str | None = None, text: str | None = None) -> dict[str, Any]:
    concept: dict[str, Any] = {"coding": [{"system": _TERMINOLOGY + system, "code": code}]} if code else {}
    return concept | ({"text": text} if text else {})


_ACTIVE = {"clinicalStatus": _concept("allergyintolerance-clinical", "active")}
_WRONG = {"verificationStatus": _concept("allergyintolerance-verification", "entered-in-error")}
_SURE = {"verificationStatus": _concept("allergyintolerance-verification", "confirmed")}


@pytest.mark.parametrize(
    ("more", "broken"),
    [
        (_ACTIVE, None),
        (_ACTIVE | _SURE, None),
        (_WRONG, None),
        ({"clinicalStatus": {"text": "active, says the patient"}}, None),
        (_SURE, "ait-1"),
        ({}, "ait-1"),
        ({"verificationStatus": _concept("other", "entered-in-error")}, "ait-1"),
        (_ACTIVE | _WRONG, "ait-2"),
        ({"clinicalStatus": {"text": "active"}} | _WRONG, "ait-2"),
        (_ACTIVE | {"verificationStatus": _concept("other", "entered-in-error")}, None),
    ],
)
def test_clinical_status_of_an_allergy(more: Mapping[str, Any], broken: str | None) -> None:
    """ait-1 wants a clinical status unless the row was entered in error, ait-2 wants none then."""
    assert refused({**_ALLERGY, **more}) == ([(0, broken)] if broken else [])


def test_what_others_send_does_not_matter() -> None:
    """A row without any status is refused alone as it is beside others: batches may be cut anywhere."""
    bare, good = _ALLERGY, {**_ALLERGY, **_ACTIVE}
    assert refused(bare) == [(0, "ait-1")]
    assert refused(good, bare) == [(1, "ait-1")]


_OVER = {"clinicalStatus": _concept("condition-clinical", "resolved")}
_RUNS = {"clinicalStatus": _concept("condition-clinical", "active")}
_ABATED = {"abatementDateTime": "2024-01-01"}
_MISTAKE = {"verificationStatus": _concept("condition-ver-status", "entered-in-error")}


@pytest.mark.parametrize(
    ("more", "broken"),
    [
        ({}, None),
        (_RUNS, None),
        (_OVER | _ABATED, None),
        ({"clinicalStatus": _concept("condition-clinical", "remission")} | _ABATED, None),
        ({"clinicalStatus": _concept("condition-clinical", "inactive"), "abatementString": "long ago"}, None),
        (_ABATED, "con-4"),
        (_RUNS | _ABATED, "con-4"),
        ({"clinicalStatus": _concept("other", "resolved")} | _ABATED, "con-4"),
        (_MISTAKE, None),
        (_MISTAKE | _RUNS, "con-5"),
        (_RUNS | {"verificationStatus": _concept("condition-ver-status", "confirmed")}, None),
    ],
)
def test_clinical_status_of_a_condition(more: Mapping[str, Any], broken: str | None) -> None:
    """con-4 wants what has abated to be over, con-5 wants no clinical status on what was entered in error."""
    assert refused({**_CONDITION, **more}) == ([(0, broken)] if broken else [])


@pytest.mark.parametrize(
    ("more", "broken"),
    [
        ({"valueString": "x"}, None),
        ({"dataAbsentReason": {"text": "lost"}}, None),
        ({"dataAbsentReason": _concept("data-absent-reason", "unknown")}, None),
        ({"dataAbsentReason": _concept("data-absent-reason", "unknown"), "valueString": "x"}, "obs-6"),
        ({"dataAbsentReason": {"text": "lost"}, "valueString": "x"}, "obs-6"),
    ],
)
def test_absent_data_of_an_observation(more: Mapping[str, Any], broken: str | None) -> None:
    """obs-6 wants no reason for absent data where there is a value, be the reason a code or a text."""
    observation = {"resourceType": "Observation", "status": "final", "code": {"text": "Hb"}}
    assert refused({**observation, **more}) == ([(0, broken)] if broken else [])


def test_required_times_and_booleans_may_be_absent_from_a_whole_batch() -> None:
    """A required column of any type that no row of a batch has refuses the rows, as it would refuse one of them."""
    recorded, actual = table_of("Provenance"), table_of("Group")
    assert recorded is not None
    assert actual is not None
    present = {name: [True, True] for name in ("?target", "?agent")}
    found = check(pl.DataFrame({"id": ["a", "b"], **present}), recorded)
    assert [(f.row, f.check) for f in found] == [(0, "required_missing"), (1, "required_missing")]
    found = check(pl.DataFrame({"id": ["a"], "type": ["person"]}), actual)
    assert [(f.row, f.check) for f in found] == [(0, "required_missing")]
