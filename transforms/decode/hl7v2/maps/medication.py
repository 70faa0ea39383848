"""RXO and RXE: MedicationRequest. RXA of a RAS: MedicationAdministration."""

from __future__ import annotations

import polars as pl

from transforms.decode.hl7v2.maps import tables
from transforms.decode.hl7v2.maps.coded import concept
from transforms.decode.hl7v2.maps.context import Context
from transforms.decode.hl7v2.maps.ids import hashed, key_of
from transforms.decode.hl7v2.maps.immunization import administration_ids, dose, is_immunization
from transforms.decode.hl7v2.maps.numbers import count, digits, quantity, units
from transforms.decode.hl7v2.maps.orders import Orders, order_identifiers
from transforms.decode.hl7v2.maps.parties import PRACTITIONER
from transforms.decode.hl7v2.maps.parts import Parts, moment, whole
from transforms.decode.hl7v2.maps.request import authored, put_status
from transforms.decode.hl7v2.maps.rows import Made, Rows
from transforms.decode.hl7v2.maps.segment import Segment

_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_UNKNOWN_DRUG = {"coding": [{"system": _ABSENT, "code": "unknown"}]}
ASSUMED = {"status": "unknown", "medicationCodeableConcept": _UNKNOWN_DRUG}
_REQUEST_STATUS = {"revoked": "cancelled"}  # what ServiceRequest calls revoked, MedicationRequest calls cancelled
_ADMINISTRATION_STATUS = {"CP": "completed", "RE": "not-done", "NA": "not-done", "PA": "completed"}  # table 0322


def medication_requests(context: Context, orders: Orders) -> list[Made]:
    """A MedicationRequest of each RXE (as encoded by the pharmacy), and of each RXO of an order without one."""
    made = []
    if context.has("RXE"):
        made.append(_of_encoded(context, orders))
    if context.has("RXO"):
        made.append(_of_ordered(context, orders))
    return made


def medication_administrations(context: Context, orders: Orders) -> list[Made]:
    """A MedicationAdministration of each RXA that is no immunization."""
    if not context.has("RXA") or (immunizations := is_immunization(context)).all():
        return []
    rxa, orc = context.segment("RXA").only(~immunizations), orders.segment_of("RXA", "ORC")
    rows = Rows("MedicationAdministration", rxa)
    rows.put("identifier", order_identifiers(None, orc))
    completion, action = rxa.one(20, whole), rxa.one(21, whole)
    if completion is not None:
        rows.put("status", completion.replace_strict(_ADMINISTRATION_STATUS, default=None))
    if action is not None and (action == "D").any():
        wrong = pl.select(pl.when(action == "D").then(pl.lit("entered-in-error"))).to_series()
        told = rows.get("status")
        rows.replace("status", wrong if told is None else pl.select(pl.coalesce(wrong, told)).to_series())
    rows.take_every("statusReason", concept(), 18)
    rows.take("medicationCodeableConcept", 5, concept())
    rows.put("subject", context.patient("RXA"))
    rows.put("context", context.encounter("RXA"))
    _given(rows, rxa)
    people = context.parties.every(PRACTITIONER, rxa, 10)
    if people is not None:
        actors = people.alias("people").to_frame().select(pl.col("people").list.eval(pl.struct(actor=pl.element())))
        rows.put("performer", actors.to_series())
    rows.take_every("reasonCode", concept(), 19)
    if context.has("RXR"):
        rxr = context.segment("RXR").for_rows(context.following("RXA", "RXR"))
        rows.put("dosage.site", rxr.one(2, concept("0163")))
        rows.put("dosage.route", rxr.one(1, concept(translation=tables.ROUTE)))
        rows.put("dosage.method", rxr.one(4, concept("0165")))
    rows.put("dosage.dose", dose(rxa, 6, 7))
    ids = administration_ids(context, orders, "MedicationAdministration")
    made = rows.made(pl.select(pl.when(~immunizations).then(ids)).to_series(), context.updated("RXA"))
    return [Made(made.resource_type, made.frame, ASSUMED)]


def _given(rows: Rows, rxa: Segment) -> None:
    """From RXA-3 to RXA-4; at RXA-3 where both are the same or no end was sent."""
    begun, ended = rxa.one(3, moment), rxa.one(4, moment)
    if begun is None:
        return
    if ended is None:
        rows.put("effectiveDateTime", begun)
        return
    span = (ended.is_not_null() & (ended != begun)).fill_null(False)
    rows.put("effectivePeriod", pl.select(pl.when(span).then(pl.struct(start=begun, end=ended))).to_series())
    rows.put("effectiveDateTime", pl.select(pl.when(~span).then(begun)).to_series())


def _of_encoded(context: Context, orders: Orders) -> Made:
    rxe = context.segment("RXE")
    rows = _common(context, orders, "RXE")
    rows.take("medicationCodeableConcept", 2, concept())
    _dosage(rows, context, "RXE", low=3, high=4, unit=5)
    _instructions(rows, rxe, 7)
    rows.put("dispenseRequest.quantity", dose(rxe, 10, 11))
    rows.take("dispenseRequest.numberOfRepeatsAllowed", 12, _refills)
    rows.take("substitution.allowedCodeableConcept", 9, concept("0167"))
    return _finished(context, orders, rows, "RXE", None)


def _of_ordered(context: Context, orders: Orders) -> Made:
    rxo = context.segment("RXO")
    rows = _common(context, orders, "RXO")
    rows.take("medicationCodeableConcept", 1, concept())
    _dosage(rows, context, "RXO", low=2, high=3, unit=4)
    _instructions(rows, rxo, 7)
    rows.put("dispenseRequest.quantity", dose(rxo, 11, 12))
    rows.take("dispenseRequest.numberOfRepeatsAllowed", 13, _refills)
    rows.take("substitution.allowedCodeableConcept", 9, concept("0161"))
    rows.put("requester", context.parties.one(PRACTITIONER, rxo, 14))
    encoded = None
    if context.has("RXE"):
        groups = context.segments.groups
        with_rxe = groups.filter(pl.col("name") == "RXE").select("message", "order").unique().with_columns(rxe=True)
        own = groups.filter(pl.col("name") == "RXO").select("message", "order")
        found = own.join(with_rxe, on=["message", "order"], how="left", maintain_order="left", nulls_equal=True)
        encoded = found["rxe"].fill_null(False)
    return _finished(context, orders, rows, "RXO", encoded)


def _common(context: Context, orders: Orders, name: str) -> Rows:
    segment, orc = context.segment(name), orders.segment_of(name, "ORC")
    rows = Rows("MedicationRequest", segment)
    rows.put("identifier", order_identifiers(None, orc))
    put_status(rows, orc)
    if (status := rows.get("status")) is not None:
        rows.replace("status", status.replace(_REQUEST_STATUS))
    rows.put_fixed("intent", pl.lit("original-order" if name == "RXO" else "order"))
    rows.put("subject", context.patient(name))
    rows.put("encounter", context.encounter(name))
    if orc is not None:
        rows.put("authoredOn", authored(orc))
        rows.put("requester", context.parties.one(PRACTITIONER, orc, 12))
    return rows


def _dosage(rows: Rows, context: Context, name: str, *, low: int, high: int, unit: int) -> None:
    """One dosage: how much (a range, or one dose where it has no upper limit), by which route and where."""
    segment = context.segment(name)
    least, most, of = segment.one(low, digits), segment.one(high, digits), segment.one(unit, units)
    if least is not None:
        columns = [least.alias("low")]
        if most is not None:
            columns.append(most.alias("high"))
        if of is not None:
            columns.append(of.alias("unit"))
        frame = pl.DataFrame(columns)
        parts = {} if of is None else {field: pl.col("unit").struct[field] for field in ("unit", "system", "code")}
        upto = pl.col("high") if most is not None else pl.lit(None, dtype=pl.String)
        ranged = upto.is_not_null() & pl.col("low").is_not_null()
        dosed = pl.struct(
            doseRange=pl.when(ranged).then(pl.struct(low=quantity(pl.col("low"), parts), high=quantity(upto, parts))),
            doseQuantity=pl.when(~ranged).then(quantity(pl.col("low"), parts)),
        )
        made = pl.when(pl.col("low").is_not_null()).then(pl.concat_list(dosed))
        rows.put("~dosage.doseAndRate", frame.select(made).to_series())
    if context.has("RXR"):
        rxr = context.segment("RXR").for_rows(context.following(name, "RXR"))
        rows.put("~dosage.route", rxr.one(1, concept(translation=tables.ROUTE)))
        rows.put("~dosage.site", rxr.one(2, concept("0163")))
        rows.put("~dosage.method", rxr.one(4, concept("0165")))


def _instructions(rows: Rows, segment: Segment, number: int) -> None:
    """The instructions, their repetitions as lines, as the text of the dosage."""
    words = segment.every(_words, number)
    if words is not None:
        rows.put("~dosage.text", words.list.join("\n"))


def _words(parts: Parts) -> pl.Expr:
    return pl.coalesce(parts(9), parts(2), parts(1))


def _refills(parts: Parts) -> pl.Expr:
    """A whole number of repeats, 0 too (Int32)."""
    return pl.coalesce(count(parts), pl.when(parts(1).str.contains(r"^\s*0+\s*$")).then(pl.lit(0, dtype=pl.Int32)))


def _finished(context: Context, orders: Orders, rows: Rows, name: str, encoded: pl.Series | None) -> Made:
    """Id: by the placer's number, else the filler's, else the message and the place of the order in it."""
    rows.wrap("~dosage", "dosageInstruction")
    ids = hashed(pl.select(key_of("MedicationRequest", orders.keys(name, "placer"))).to_series())
    if encoded is not None:
        ids = pl.select(pl.when(~encoded).then(ids)).to_series()
    made = rows.made(ids, context.updated(name))
    return Made(made.resource_type, made.frame, ASSUMED)
