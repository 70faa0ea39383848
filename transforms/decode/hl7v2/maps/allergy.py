"""AL1 and IAM: AllergyIntolerance."""

from __future__ import annotations

import polars as pl

from transforms.decode.hl7v2.maps import tables
from transforms.decode.hl7v2.maps.coded import code_key, concept, fixed, translated
from transforms.decode.hl7v2.maps.context import Context
from transforms.decode.hl7v2.maps.identifiers import ei, ei_key
from transforms.decode.hl7v2.maps.ids import hashed, key_of
from transforms.decode.hl7v2.maps.parts import Datatype, Parts, moment, whole
from transforms.decode.hl7v2.maps.rows import Made, Rows, first_of
from transforms.decode.hl7v2.maps.segment import Segment
from transforms.decode.hl7v2.maps.shape import struct

_CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
_DELETED = "D"  # table 0206


def allergies(context: Context) -> list[Made]:
    """An AllergyIntolerance of each AL1 and of each IAM."""
    made = []
    if context.has("AL1"):
        al1 = context.segment("AL1")
        rows = _common(context, al1, "AL1", reactions=whole)
        rows.take("onsetDateTime", 6, moment)
        made.append(_finished(context, rows, "AL1", None))
    if context.has("IAM"):
        iam = context.segment("IAM")
        rows = _common(context, iam, "IAM", reactions=_first_words)
        rows.take_every("identifier", ei(), 7)
        rows.take("onsetDateTime", 11, moment)
        rows.take("onsetString", 12, whole)
        rows.take("recordedDate", 13, moment)
        made.append(_finished(context, rows, "IAM", iam.one(7, ei_key("AllergyIntolerance"))))
    return made


def _common(context: Context, segment: Segment, name: str, reactions: Datatype) -> Rows:
    rows = Rows("AllergyIntolerance", segment)
    deleted = segment.one(6, _is_deleted) if name == "IAM" else None
    wrong = None if deleted is None or not deleted.any() else deleted.fill_null(False)
    _status(rows, wrong)
    rows.take("type", 2, translated(tables.ALLERGY_TYPE))
    rows.put("category", segment.every(translated(tables.ALLERGY_CATEGORY), 2), segment.cleared(2))
    rows.take("criticality", 4, translated(tables.CRITICALITY))
    rows.take("code", 3, concept())
    rows.put("patient", context.patient(name))
    _reaction(rows, segment, reactions)
    return rows


def _status(rows: Rows, wrong: pl.Series | None) -> None:
    """Active, as the maps have it; an allergy that is taken back was entered in error and has no clinical status."""
    active = fixed(_CLINICAL, "active")
    if wrong is None:
        rows.put_fixed("clinicalStatus", active)
        return
    error = fixed(_VERIFICATION, "entered-in-error")
    rows.put("clinicalStatus", pl.select(pl.when(~wrong).then(active)).to_series(), wrong)
    rows.put("verificationStatus", pl.select(pl.when(wrong).then(error)).to_series())


def _reaction(rows: Rows, segment: Segment, reactions: Datatype) -> None:
    """AL1-5 or IAM-5: what happens, each repetition a manifestation of one reaction, and how badly (AL1-4, IAM-4)."""

    def manifestation(parts: Parts) -> pl.Expr:
        return struct(text=reactions(parts))

    shown = segment.every(manifestation, 5)
    if shown is None:
        return
    severity = segment.one(4, translated(tables.SEVERITY))
    columns = [shown.alias("manifestation")] + ([] if severity is None else [severity.alias("severity")])
    frame = pl.DataFrame(columns)
    made = pl.when(pl.col("manifestation").is_not_null()).then(pl.concat_list(pl.struct(pl.all())))
    rows.put("reaction", frame.select(made).to_series(), segment.cleared(5))


def _first_words(parts: Parts) -> pl.Expr:
    return pl.coalesce(parts(2), parts(1))


def _is_deleted(parts: Parts) -> pl.Expr:
    return parts(1) == _DELETED


def _finished(context: Context, rows: Rows, name: str, named: pl.Series | None) -> Made:
    segment = rows.segment
    code = segment.one(3, code_key())
    patient = context.patient(name)
    control = context.of_message(name, context.control)
    of = control if patient is None else first_of(patient.struct.field("reference"), control)
    none = pl.repeat(None, segment.height, dtype=pl.String, eager=True)
    code = none if code is None else code
    key = pl.select(pl.when(code.is_not_null()).then(key_of("AllergyIntolerance of", of, code))).to_series()
    return rows.made(hashed(key if named is None else first_of(named, key)), context.updated(name))
