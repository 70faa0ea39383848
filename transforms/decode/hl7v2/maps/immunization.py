"""ORC, RXA and RXR of a VXU: Immunization."""

from __future__ import annotations

import polars as pl

from transforms.decode.hl7v2.maps import tables
from transforms.decode.hl7v2.maps.coded import code_key, concept, fixed
from transforms.decode.hl7v2.maps.context import Context
from transforms.decode.hl7v2.maps.ids import hashed, key_of
from transforms.decode.hl7v2.maps.numbers import digits, quantity, units
from transforms.decode.hl7v2.maps.orders import Orders, order_identifiers
from transforms.decode.hl7v2.maps.parties import LOCATION, ORGANIZATION, PRACTITIONER
from transforms.decode.hl7v2.maps.parts import moment, whole
from transforms.decode.hl7v2.maps.rows import Made, Rows
from transforms.decode.hl7v2.maps.segment import Segment
from transforms.decode.hl7v2.maps.shape import joined

_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_FUNCTION = "http://terminology.hl7.org/CodeSystem/v2-0443"
_PERFORMERS = (("rxa", 10, "AP"), ("orc", 12, "OP"))
ASSUMED = {
    "status": "completed",
    "vaccineCode": {"coding": [{"system": _ABSENT, "code": "unknown"}]},
    "occurrenceString": "unknown",
}
_MESSAGES = ["VXU", "VXR", "VXX"]
_NO_DOSE = ("999", "999.0")  # CDC's guide: the amount is not known


def is_immunization(context: Context) -> pl.Series:
    """Boolean for each RXA: it is one of a message about immunizations."""
    return context.of_message("RXA", context.kind).is_in(_MESSAGES).fill_null(False)


def immunizations(context: Context, orders: Orders) -> list[Made]:
    """An Immunization of each RXA of a VXU."""
    if not context.has("RXA") or not (these := is_immunization(context)).any():
        return []
    rxa, orc = context.segment("RXA").only(these), orders.segment_of("RXA", "ORC")
    orc = None if orc is None else orc.only(these)
    rows = Rows("Immunization", rxa)
    rows.put("identifier", order_identifiers(None, orc))
    rows.put("status", _status(rxa))
    rows.take("statusReason", 18, concept())
    rows.take("vaccineCode", 5, concept())
    rows.put("patient", context.patient("RXA"))
    rows.put("encounter", context.encounter("RXA"))
    rows.take("occurrenceDateTime", 3, moment)
    rows.take("recorded", 22, moment)
    rows.put("manufacturer", context.parties.one(ORGANIZATION, _as_organization(rxa), 17), rxa.cleared(17))
    rows.take("lotNumber", 15, whole)
    rows.take("expirationDate", 16, moment)
    if context.has("RXR"):
        rxr = context.segment("RXR").for_rows(context.following("RXA", "RXR"))
        rows.put("route", rxr.one(1, concept(translation=tables.ROUTE)))
        rows.put("site", rxr.one(2, concept("0163")))
    rows.put("doseQuantity", dose(rxa, 6, 7))
    rows.put("performer", _performers(context, rxa, orc))
    rows.put("location", context.parties.one(LOCATION, rxa, 27), rxa.cleared(27))
    rows.take_every("reasonCode", concept(), 19)
    ids = pl.select(pl.when(these).then(administration_ids(context, orders, "Immunization"))).to_series()
    made = rows.made(ids, context.updated("RXA"))
    return [Made(made.resource_type, made.frame, ASSUMED)]


def administration_ids(context: Context, orders: Orders, label: str) -> pl.Series:
    """The id of each RXA: by its order and what was given; without order, by the patient, what was given and when."""
    rxa = context.segment("RXA")
    code, given, number = rxa.one(5, code_key()), rxa.one(3, moment), rxa.one(2, whole)
    none = pl.lit(None, dtype=pl.String)
    return hashed(
        pl.select(
            key_of(
                label,
                orders.keys("RXA"),
                none if code is None else code,
                none if number is None or label == "Immunization" else number,
                none if given is None or label == "Immunization" else given,
            )
        ).to_series()
    )


def dose(segment: Segment, amount: int, unit: int) -> pl.Series | None:
    """Quantity of two fields, a number and its units; an amount that is told not to be known is none."""
    number, of = segment.one(amount, digits), segment.one(unit, units)
    if number is None:
        return None
    frame = pl.DataFrame([number.alias("number")] + ([] if of is None else [of.alias("unit")]))
    parts = {} if of is None else {name: pl.col("unit").struct[name] for name in ("unit", "system", "code")}
    known = pl.when(~pl.col("number").is_in(_NO_DOSE)).then("number")
    return frame.select(quantity(known, parts)).to_series()


def _as_organization(rxa: Segment) -> Segment:
    """RXA-17, a coded manufacturer, as XON: its words are the name, its code the identifier (CWE[Organization])."""
    sent = rxa.sent(17)
    columns = [rxa.column("message"), rxa.column("ordinal")]
    if sent is None:
        return Segment(pl.DataFrame(columns), rxa.separators)
    mark = rxa.separators.component
    pieces = sent.str.split(mark).list
    code, name, system = (pieces.get(at, null_on_oob=True).fill_null("") for at in range(3))
    text = pl.select(
        pl.concat_str(name.replace("", None).fill_null(code), pl.lit(mark * 5), system, pl.lit(mark * 4), code)
    )
    made = pl.select(pl.when(sent.is_not_null()).then(text.to_series())).to_series()
    return Segment(pl.DataFrame([*columns, made.alias("f17")]), rxa.separators)


def _status(rxa: Segment) -> pl.Series | None:
    """RXA-20, unless RXA-21 deletes."""
    completion, action = rxa.one(20, whole), rxa.one(21, whole)
    told = None if completion is None else completion.replace_strict(tables.COMPLETION, default=None)
    if action is None:
        return told
    wrong = pl.when(action == "D").then(pl.lit("entered-in-error"))
    column = pl.select(wrong if told is None else wrong.otherwise(told)).to_series()
    return column if column.null_count() < len(column) else None


def _performers(context: Context, rxa: Segment, orc: Segment | None) -> pl.Series | None:
    lists = []
    for source, number, code in _PERFORMERS:
        segment = rxa if source == "rxa" else orc
        people = None if segment is None else context.parties.every(PRACTITIONER, segment, number)
        if people is not None:
            part = pl.struct(function=fixed(_FUNCTION, code), actor=pl.element())
            lists.append(people.alias("people").to_frame().select(pl.col("people").list.eval(part)).to_series())
    return joined(*lists) if lists else None
