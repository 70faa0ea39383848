"""NK1: RelatedPerson."""

from __future__ import annotations

import polars as pl

from transforms.decode.hl7v2.maps import tables
from transforms.decode.hl7v2.maps.coded import concept, translated
from transforms.decode.hl7v2.maps.context import Context
from transforms.decode.hl7v2.maps.identifiers import cx, cx_key, numbered
from transforms.decode.hl7v2.maps.ids import hashed, key_of
from transforms.decode.hl7v2.maps.parts import Parts, moment, whole
from transforms.decode.hl7v2.maps.patient import birth_date
from transforms.decode.hl7v2.maps.people import xpn, xtn
from transforms.decode.hl7v2.maps.places import xad
from transforms.decode.hl7v2.maps.rows import Made, Rows, first_of
from transforms.decode.hl7v2.maps.shape import joined, struct

_SSN = "http://hl7.org/fhir/sid/us-ssn"


def related_people(context: Context) -> list[Made]:
    """A RelatedPerson of each NK1 that names somebody."""
    if not context.has("NK1"):
        return []
    nk1 = context.segment("NK1")
    rows = Rows("RelatedPerson", nk1)
    numbers = [nk1.every(cx(), 12, 33), nk1.every(numbered(_SSN, "SS"), 37)]
    known = [column for column in numbers if column is not None]
    rows.put("identifier", joined(*known) if known else None, nk1.cleared(12, 33, 37))
    rows.put("patient", context.patient("NK1"))
    relations = [nk1.every(concept(translation=tables.RELATIONSHIP), 3), nk1.every(concept("0131"), 7)]
    told = [column for column in relations if column is not None]
    rows.put("relationship", joined(*told) if told else None, nk1.cleared(3, 7))
    rows.take_every("name", xpn, 2, 30)
    calls = [nk1.every(xtn(), 5), nk1.every(xtn("work"), 6), nk1.every(xtn(), 31, 40, 41)]
    dialled = [column for column in calls if column is not None]
    rows.put("telecom", joined(*dialled) if dialled else None, nk1.cleared(5, 6, 31, 40, 41))
    rows.take("gender", 15, translated(tables.GENDER))
    rows.take("birthDate", 16, birth_date)
    rows.take_every("address", xad, 4, 32)
    rows.take("period.start", 8, moment)
    rows.take("period.end", 9, moment)
    rows.take_every("communication", _language, 20)
    return [rows.made(_ids(context), context.updated("NK1"))]


def _language(parts: Parts) -> pl.Expr:
    return struct(language=concept("0296")(parts))


def _ids(context: Context) -> pl.Series:
    """By the patient, the person's identifier (NK1-33), the name and the relation: hospitals give one number to several
    people, and one name to several. By the segment as sent where it tells of none of the three.
    """
    nk1 = context.segment("NK1")
    patient = context.patient("NK1")
    control = context.of_message("NK1", context.control)
    of = control if patient is None else first_of(patient.struct.field("reference"), control)
    none = pl.repeat(None, nk1.height, dtype=pl.String, eager=True)
    told = [nk1.one(33, cx_key("RelatedPerson")), nk1.one(2, whole), nk1.one(3, moment)]
    parts = [none if column is None else column for column in told]
    there = pl.any_horizontal(*(pl.lit(part.is_not_null()) for part in parts))
    named = key_of("RelatedPerson of", of, *parts)
    nameless = key_of("RelatedPerson by segment", of, nk1.column("text"))
    return hashed(pl.select(pl.when(there).then(named).otherwise(nameless)).to_series())
