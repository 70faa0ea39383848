"""SPM, or OBR-15 of orders without one: Specimen."""

from __future__ import annotations

import polars as pl

from transforms.decode.hl7v2.maps.coded import concept, translated
from transforms.decode.hl7v2.maps.context import Context
from transforms.decode.hl7v2.maps.identifiers import cx, eip
from transforms.decode.hl7v2.maps.numbers import cq
from transforms.decode.hl7v2.maps.orders import Orders
from transforms.decode.hl7v2.maps.parties import PRACTITIONER
from transforms.decode.hl7v2.maps.parts import Parts, moment, whole
from transforms.decode.hl7v2.maps.rows import Made, Rows
from transforms.decode.hl7v2.maps.segment import Segment
from transforms.decode.hl7v2.maps.shape import joined, struct
from transforms.decode.hl7v2.maps.tables import SPECIMEN_STATUS


def specimens(context: Context, orders: Orders) -> list[Made]:
    """A Specimen of each SPM, and of each OBR that tells of one in an order without SPM."""
    made = []
    if context.has("SPM"):
        made.append(_of_spm(context, orders))
    if (bare := orders.bare_specimen_ids) is not None:
        made.append(_of_obr(context, orders, bare))
    return made


def _of_spm(context: Context, orders: Orders) -> Made:
    spm = context.segment("SPM")
    rows = Rows("Specimen", spm)
    found = [spm.every(eip(1, "PLAC"), 2), spm.every(eip(2, "FILL"), 2), spm.every(cx(), 31)]
    lists = [column for column in found if column is not None]
    rows.put("identifier", joined(*lists) if lists else None, spm.cleared(2, 31))
    rows.take("accessionIdentifier", 30, cx())
    rows.take("status", 20, translated(SPECIMEN_STATUS))
    rows.take("type", 4, concept("0487"))
    rows.put("subject", context.patient("SPM"))
    rows.take("receivedTime", 18, moment)
    if (request := orders.requests_of("SPM")) is not None:
        rows.put("request", request)
    rows.take("collection.method", 7, concept("0488"))
    rows.take("collection.bodySite", 8, concept())
    rows.take("collection.quantity", 12, cq())
    _collected(rows, spm)
    rows.take_every("condition", concept("0493"), 24)
    rows.put("note", spm.every(_note, 14), spm.cleared(14))
    rows.put("container", spm.every(_container, 27), spm.cleared(27))
    return rows.made(orders.specimen_ids, context.updated("SPM"))


def _collected(rows: Rows, spm: Segment) -> None:
    """SPM-17 is a range of time: one moment where it has no end."""
    rows.take("collection.collectedPeriod", 17, _period)
    rows.put("collection.collectedDateTime", spm.one(17, _moment))


def _period(parts: Parts) -> pl.Expr:
    return pl.when(parts(2).is_not_null()).then(pl.struct(start=parts(1), end=parts(2)))


def _moment(parts: Parts) -> pl.Expr:
    return pl.when(parts(2).is_null()).then(parts(1))


def _note(parts: Parts) -> pl.Expr:
    return struct(text=whole(parts))


def _container(parts: Parts) -> pl.Expr:
    return struct(type=concept()(parts))


def _of_obr(context: Context, orders: Orders, ids: pl.Series) -> Made:
    obr = context.segment("OBR").only(ids.is_not_null())
    rows = Rows("Specimen", obr)
    rows.take("type", 15, concept("0070", first=1, sub=True))
    rows.put("subject", context.patient("OBR"))
    rows.take("receivedTime", 14, moment)
    rows.put("request", orders.requests_of("OBR"))
    rows.put("collection.collector", context.parties.one(PRACTITIONER, obr, 10))
    rows.put("collection.bodySite", obr.one(15, concept("0163", first=4, sub=True)))
    rows.put("collection.quantity", obr.one(9, cq()))
    begun, ended = obr.one(7, moment), obr.one(8, moment)
    if ended is not None and begun is not None:
        rows.put("collection.collectedPeriod", _where(ended.is_not_null(), pl.struct(start=begun, end=ended)))
        begun = _where(ended.is_null(), pl.lit(begun))
    rows.put("collection.collectedDateTime", begun)
    return rows.made(ids, context.updated("OBR"))


def _where(mask: pl.Series, value: pl.Expr) -> pl.Series:
    return pl.select(pl.when(mask).then(value)).to_series()
