"""IN1: Coverage."""

from __future__ import annotations

import polars as pl

from transforms.decode.hl7v2.maps import tables
from transforms.decode.hl7v2.maps.coded import code_key, concept
from transforms.decode.hl7v2.maps.context import Context
from transforms.decode.hl7v2.maps.identifiers import policy
from transforms.decode.hl7v2.maps.ids import hashed, key_of
from transforms.decode.hl7v2.maps.parties import ORGANIZATION
from transforms.decode.hl7v2.maps.parts import Parts, moment, whole
from transforms.decode.hl7v2.maps.places import xon_key
from transforms.decode.hl7v2.maps.rows import Made, Rows
from transforms.decode.hl7v2.maps.segment import Segment
from transforms.decode.hl7v2.maps.shape import listed

_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
ASSUMED = {"status": "active", "payor": [{"extension": [{"url": _ABSENT, "valueCode": "unknown"}]}]}
_SELF = "SEL"  # table 0063


def coverages(context: Context) -> list[Made]:
    """A Coverage of each IN1."""
    if not context.has("IN1"):
        return []
    in1 = context.segment("IN1")
    rows = Rows("Coverage", in1)
    rows.take_every("identifier", policy, 2)
    rows.take("type", 15, concept("0086"))
    rows.put("subscriber", _subscriber(context, in1))
    rows.take("subscriberId", 36, whole)
    rows.put("beneficiary", context.patient("IN1"))
    rows.take("dependent", 49, _value)
    rows.take("relationship", 17, concept(translation=tables.RELATIONSHIP))
    rows.take("period.start", 12, moment)
    rows.take("period.end", 13, moment)
    rows.put("payor", context.parties.every(ORGANIZATION, in1, 4), in1.cleared(4))
    rows.put("class", _classes(in1), in1.cleared(8, 2))
    made = rows.made(_ids(context, in1), context.updated("IN1"))
    return [Made(made.resource_type, made.frame, ASSUMED)]


def _value(parts: Parts) -> pl.Expr:
    return parts(1)


def _subscriber(context: Context, in1: Segment) -> pl.Series | None:
    """The patient, where IN1-17 says that the patient is the insured."""
    related, patient = in1.one(17, moment), context.patient("IN1")
    if related is None or patient is None:
        return None
    return pl.select(pl.when(related.str.to_uppercase().is_in([_SELF, "SELF"])).then(patient)).to_series()


def _classes(in1: Segment) -> pl.Series | None:
    """The group (IN1-8, 9) and the plan (IN1-2) as classes of the coverage."""
    system = "http://terminology.hl7.org/CodeSystem/coverage-class"
    made = []
    columns = {
        "group": in1.one(8, moment), "group name": in1.one(9, moment), "plan": in1.one(2, moment),
        "plan name": in1.one(2, _second),
    }  # fmt: skip
    told = {name: column for name, column in columns.items() if column is not None}
    for code in ("group", "plan"):
        if code in told:
            kind = pl.struct(coding=pl.concat_list(pl.struct(system=pl.lit(system), code=pl.lit(code))))
            name = pl.col(f"{code} name") if f"{code} name" in told else pl.lit(None, dtype=pl.String)
            made.append(pl.when(pl.col(code).is_not_null()).then(pl.struct(type=kind, value=pl.col(code), name=name)))
    if not made:
        return None
    return pl.DataFrame([column.alias(name) for name, column in told.items()]).select(listed(*made)).to_series()


def _second(parts: Parts) -> pl.Expr:
    return parts(2)


def _ids(context: Context, in1: Segment) -> pl.Series:
    """By the patient, the plan (IN1-2), who pays (IN1-3, else IN1-4) and the policy (IN1-36); a card's number (IN1-49)
    tells two of them apart too.
    """
    none = pl.lit(None, dtype=pl.String)
    patient = context.patient("IN1")
    of = none if patient is None else pl.lit(patient.struct.field("reference"))
    told = (in1.one(2, code_key()), in1.one(3, moment), in1.one(4, xon_key), in1.one(36, whole), in1.one(49, moment))
    parts = [none if column is None else pl.lit(column) for column in told]
    if patient is None:
        of = pl.lit(context.of_message("IN1", context.control))
    made = pl.select(key_of("Coverage", of, *parts)).to_series()
    return hashed(made.new_from_index(0, in1.height) if len(made) != in1.height else made)
