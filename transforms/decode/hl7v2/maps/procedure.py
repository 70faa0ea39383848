"""PR1: Procedure."""

from __future__ import annotations

import polars as pl

from transforms.decode.hl7v2.maps.coded import code_key, concept, fixed
from transforms.decode.hl7v2.maps.context import Context
from transforms.decode.hl7v2.maps.diagnosis import put_words, visit_or_patient
from transforms.decode.hl7v2.maps.identifiers import ei, ei_key
from transforms.decode.hl7v2.maps.ids import hashed, key_of, reference
from transforms.decode.hl7v2.maps.parties import LOCATION, PRACTITIONER
from transforms.decode.hl7v2.maps.parts import moment, whole
from transforms.decode.hl7v2.maps.rows import Made, Rows, first_of
from transforms.decode.hl7v2.maps.segment import Segment
from transforms.decode.hl7v2.maps.shape import joined, listed

_SNOMED = "http://snomed.info/sct"
_PERFORMERS = ((8, "88189002"), (11, "304292004"), (12, None))  # anesthesiologist, surgeon, whoever else
ASSUMED = {"status": "unknown"}
_DELETED = "D"  # table 0206


def procedures(context: Context) -> list[Made]:
    """A Procedure of each PR1."""
    if not context.has("PR1"):
        return []
    pr1 = context.segment("PR1")
    rows = Rows("Procedure", pr1)
    rows.take_every("identifier", ei(), 19)
    if (action := pr1.one(20, whole)) is not None:
        wrong = pl.select(pl.when(action == _DELETED).then(pl.lit("entered-in-error"))).to_series()
        rows.put("status", wrong if wrong.null_count() < len(wrong) else None)
    rows.take("category", 6, concept("0230"))
    rows.take("code", 3, concept())
    put_words(rows, pr1.one(4, whole))
    rows.put("subject", context.patient("PR1"))
    rows.put("encounter", context.encounter("PR1"))
    rows.take("performedDateTime", 5, moment)
    rows.put("performer", _performers(context, pr1), pr1.cleared(8, 11, 12))
    rows.take_every("reasonCode", concept(), 15)
    rows.put("location", context.parties.one(LOCATION, pr1, 23), pr1.cleared(23))
    if (parent := pr1.one(25, ei_key("Procedure"))) is not None:
        of = reference("Procedure", hashed(parent))
        rows.put("partOf", pl.select(of.alias("of")).select(listed(pl.col("of"))).to_series())
    made = rows.made(_ids(context, pr1), context.updated("PR1"))
    return [Made(made.resource_type, made.frame, ASSUMED)]


def _performers(context: Context, pr1: Segment) -> pl.Series | None:
    lists = []
    for number, code in _PERFORMERS:
        people = context.parties.every(PRACTITIONER, pr1, number)
        if people is None:
            continue
        function = fixed(_SNOMED, code or "")
        part = pl.struct(
            function=function if code else pl.when(pl.lit(False)).then(function),
            actor=pl.element(),
        )
        lists.append(people.alias("people").to_frame().select(pl.col("people").list.eval(part)).to_series())
    return joined(*lists) if lists else None


def _ids(context: Context, pr1: Segment) -> pl.Series:
    """By PR1-19, else by the visit (else the patient), the code and when it was done."""
    named, code, words, done = (
        pr1.one(19, ei_key("Procedure")), pr1.one(3, code_key()), pr1.one(4, whole), pr1.one(5, moment),
    )  # fmt: skip
    told = [column for column in (code, words) if column is not None]
    if not told:
        return pl.repeat(None, pr1.height, dtype=pl.String, eager=True) if named is None else hashed(named)
    what = first_of(*told)
    at = pl.lit(None, dtype=pl.String) if done is None else done
    key = key_of("Procedure of", visit_or_patient(context, "PR1"), what, at)
    made = pl.select(pl.when(what.is_not_null()).then(key)).to_series()
    return hashed(made if named is None else first_of(named, made))
