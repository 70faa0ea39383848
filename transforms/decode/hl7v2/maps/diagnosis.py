"""DG1, and PRB of a problem list: Condition, and the diagnoses of a visit."""

from __future__ import annotations

import polars as pl

from transforms.decode.hl7v2.maps.coded import code_key, concept, fixed
from transforms.decode.hl7v2.maps.context import Context
from transforms.decode.hl7v2.maps.identifiers import ei, ei_key
from transforms.decode.hl7v2.maps.ids import hashed, key_of, told_apart
from transforms.decode.hl7v2.maps.numbers import count
from transforms.decode.hl7v2.maps.parties import PRACTITIONER
from transforms.decode.hl7v2.maps.parts import Parts, moment, whole
from transforms.decode.hl7v2.maps.rows import Made, Rows, first_of
from transforms.decode.hl7v2.maps.tables import DIAGNOSIS_TYPE

_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


def conditions(context: Context) -> list[Made]:
    """A Condition of each DG1 and of each PRB."""
    return [*_diagnoses(context), *_problems(context)]


def diagnoses_of_visits(context: Context) -> pl.Series | None:
    """For each PV1 its diagnoses: List(Struct of ``condition``, ``use`` and ``rank``); None when there are none."""
    if not context.has("DG1"):
        return None
    dg1 = context.segment("DG1")
    visits = context.before("DG1", "PV1")
    columns = {"visit": visits, "id": condition_ids(context)}
    use, rank = dg1.one(6, concept(translation=DIAGNOSIS_TYPE)), dg1.one(15, count)
    parts = [pl.struct(reference="Condition/" + pl.col("id")).alias("condition")]
    for name, column in (("use", use), ("rank", rank)):
        if column is not None:
            columns[name] = column
            parts.append(pl.col(name))
    frame = pl.DataFrame([column.alias(name) for name, column in columns.items()]).drop_nulls(["visit", "id"])
    lists = frame.group_by("visit", maintain_order=True).agg(pl.struct(parts).alias("diagnosis"))
    rows = pl.DataFrame({"visit": pl.Series(range(context.segment("PV1").height), dtype=pl.UInt32)})
    return rows.join(lists, on="visit", how="left", maintain_order="left")["diagnosis"]


def condition_ids(context: Context) -> pl.Series:
    """The id of each DG1: by DG1-20, else by the visit (else the patient), the code and its type, the second of the
    same in a message by its number too; null for a DG1 that names no diagnosis.
    """
    dg1 = context.segment("DG1")
    named = dg1.one(20, ei_key("Condition"))
    what = [dg1.one(3, code_key()), dg1.one(4, whole)]
    told = [column for column in what if column is not None]
    if not told:
        return hashed(named) if named is not None else pl.repeat(None, dg1.height, dtype=pl.String, eager=True)
    kind = dg1.one(6, whole)
    of = visit_or_patient(context, "DG1")
    code = first_of(*told)
    key = key_of("Condition of", of, code, kind if kind is not None else pl.lit(None, dtype=pl.String))
    apart = told_apart(dg1.column("message"), pl.select(key).to_series())
    made = pl.select(pl.when(code.is_not_null()).then(apart)).to_series()
    return hashed(made if named is None else first_of(named, made))


def visit_or_patient(context: Context, name: str) -> pl.Series:
    """The reference, as text, to what a segment is said of: the visit, else the patient, else the message."""
    found = [context.encounter(name), context.patient(name)]
    texts = [column.struct.field("reference") for column in found if column is not None]
    return first_of(*texts, context.of_message(name, context.control))


def _diagnoses(context: Context) -> list[Made]:
    if not context.has("DG1"):
        return []
    dg1 = context.segment("DG1")
    rows = Rows("Condition", dg1)
    rows.take_every("identifier", ei(), 20)
    _deleted(rows, dg1.one(21, whole))
    rows.put_fixed("category", pl.concat_list(fixed(_CATEGORY, "encounter-diagnosis")))
    rows.take("code", 3, concept())
    put_words(rows, dg1.one(4, whole))
    rows.put("subject", context.patient("DG1"))
    rows.put("encounter", context.encounter("DG1"))
    rows.take("onsetDateTime", 5, moment)
    rows.take("recordedDate", 19, moment)
    rows.put("asserter", context.parties.one(PRACTITIONER, dg1, 16), dg1.cleared(16))
    return [rows.made(condition_ids(context), context.updated("DG1"))]


def put_words(rows: Rows, words: pl.Series | None) -> None:
    """Words as the text of `code` where it has none."""
    code = rows.get("code")
    if words is None:
        return
    if code is None:
        rows.put("code.text", words)
        return
    frame = pl.DataFrame([code.alias("code"), words.alias("words")])
    text = pl.coalesce(pl.col("code").struct["text"], "words").alias("text")
    there = pl.col("code").is_not_null() | pl.col("words").is_not_null()
    made = pl.when(there).then(pl.struct(pl.col("code").struct["coding"], text))
    rows.replace("code", frame.select(made).to_series())


def _deleted(rows: Rows, action: pl.Series | None) -> None:
    """A segment whose action code (table 0206) is D takes the diagnosis back."""
    if action is None:
        return
    wrong = fixed(_VERIFICATION, "entered-in-error")
    column = action.alias("a").to_frame().select(pl.when(pl.col("a") == "D").then(wrong)).to_series()
    rows.put("verificationStatus", column if column.null_count() < len(column) else None)


def _problems(context: Context) -> list[Made]:
    if not context.has("PRB"):
        return []
    prb = context.segment("PRB")
    rows = Rows("Condition", prb)
    rows.take_every("identifier", ei(), 4)
    _deleted(rows, prb.one(1, _deletes))
    rows.put_fixed("category", pl.concat_list(fixed(_CATEGORY, "problem-list-item")))
    rows.take("code", 3, concept())
    rows.put("subject", context.patient("PRB"))
    rows.put("encounter", context.encounter("PRB"))
    rows.take("onsetDateTime", 16, moment)
    rows.take("abatementDateTime", 9, moment)
    rows.take("recordedDate", 7, moment)
    named, code = prb.one(4, ei_key("Condition")), prb.one(3, code_key())
    control = context.of_message("PRB", context.control)
    by_code = None
    if code is not None:
        of = context.patient("PRB")
        patient = control if of is None else first_of(of.struct.field("reference"), control)
        by_code = pl.select(pl.when(code.is_not_null()).then(key_of("Condition of", patient, code))).to_series()
    keys = [key for key in (named, by_code) if key is not None]
    return [rows.made(hashed(first_of(*keys)), context.updated("PRB"))] if keys else []


def _deletes(parts: Parts) -> pl.Expr:
    """``D`` for an action code that deletes (table 0287: DE)."""
    return pl.when(parts(1).is_in(["DE", "D"])).then(pl.lit("D"))
