"""``observation``: measurements and simple assertions (FHIR R4 10.1)."""

from __future__ import annotations

import polars as pl

from schemas.declare import declare
from schemas.elements import field
from schemas.invariants import each_has, row_is, same_code_no_value
from schemas.systems import LOINC, OBSERVATION_CATEGORY, SNOMED

_VALUE = (field("value", prefer=(LOINC, SNOMED)), "dataAbsentReason", "interpretation")
_RANGE = ("low", "high", "type", "appliesTo", "age", "text")

OBSERVATION = declare(
    "Observation",
    "Measurements and simple assertions: laboratory results, vital signs, social history.",
    "identifier",
    field("basedOn", table="observation_based_on"),
    "partOf",
    "status",
    field("category", prefer=(OBSERVATION_CATEGORY,)),
    field("code", prefer=(LOINC,)),
    "subject",
    "focus",
    "encounter",
    "effective",
    "issued",
    field("performer", table="observation_performer"),
    *_VALUE,
    "note",
    field("bodySite", prefer=(SNOMED,)),
    "method",
    "specimen",
    "device",
    field("referenceRange.low", name="reference_range_low"),
    field("referenceRange.high", name="reference_range_high"),
    field("referenceRange.text", name="reference_range_text"),
    field("referenceRange", *_RANGE, table="observation_reference_range"),
    field("hasMember", table="observation_has_member"),
    field("derivedFrom", table="observation_derived_from"),
    field(
        "component",
        field("code", prefer=(LOINC,)),
        *_VALUE,
        field("referenceRange", *_RANGE),
        table="observation_component",
    ),
    rules=(
        each_has("obs-3", "reference_ranges", "low", "high", "text"),
        row_is(
            "obs-6",
            "A reason for absent data stands only where there is no value.",
            (pl.col("data_absent_reason_codings").is_null() & pl.col("data_absent_reason_text").is_null())
            | pl.col("value_type").is_null(),
            "data_absent_reason_codings",
            "data_absent_reason_text",
            "value_type",
        ),
        same_code_no_value("obs-7", "components"),
    ),
)
