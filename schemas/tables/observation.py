"""``observation``: measurements and simple assertions (FHIR R4 10.1)."""

from __future__ import annotations

import polars as pl

from schemas.elements import build, field
from schemas.rules import Rule
from schemas.standard import STANDARD
from schemas.systems import LOINC, OBSERVATION_CATEGORY
from schemas.table import Table

_VALUE = (field("value", prefer=(LOINC,)), "dataAbsentReason", "interpretation")
_RANGES = field("referenceRange", "low", "high", "type", "appliesTo", "age", "text")

OBSERVATION = Table(
    name="observation",
    resource_type="Observation",
    description="Measurements and simple assertions: laboratory results, vital signs, social history.",
    elements=build(
        "Observation",
        (
            *STANDARD,
            "identifier",
            "basedOn",
            "partOf",
            "status",
            field("category", prefer=(OBSERVATION_CATEGORY,)),
            field("code", prefer=(LOINC,)),
            "subject",
            "focus",
            "encounter",
            "effective",
            "issued",
            "performer",
            *_VALUE,
            "note",
            "bodySite",
            "method",
            "specimen",
            "device",
            field("referenceRange.low", name="reference_range_low"),
            field("referenceRange.high", name="reference_range_high"),
            field("referenceRange.text", name="reference_range_text"),
            _RANGES,
            "hasMember",
            "derivedFrom",
            field("component", field("code", prefer=(LOINC,)), *_VALUE, _RANGES, table="observation_component"),
        ),
    ),
    rules=(
        Rule(
            "obs-6",
            "data_absent_reason",
            "A reason for absent data stands only where there is no value.",
            (pl.col("data_absent_reason_codings").is_null() & pl.col("data_absent_reason_text").is_null())
            | pl.col("value_type").is_null(),
            ("data_absent_reason_codings", "data_absent_reason_text", "value_type"),
        ),
    ),
)
