"""ORC, OBR and TQ1: ServiceRequest."""

from __future__ import annotations

import polars as pl

from transforms.decode.hl7v2.maps import tables
from transforms.decode.hl7v2.maps.coded import concept, translated
from transforms.decode.hl7v2.maps.context import Context
from transforms.decode.hl7v2.maps.identifiers import ei
from transforms.decode.hl7v2.maps.orders import Orders
from transforms.decode.hl7v2.maps.parties import PRACTITIONER
from transforms.decode.hl7v2.maps.parts import Datatype, Parts, moment
from transforms.decode.hl7v2.maps.rows import Made, Rows, first_of
from transforms.decode.hl7v2.maps.segment import Segment

ASSUMED = {"status": "unknown", "intent": "order"}
_NEW = "NW"  # table 0119


def requests(context: Context, orders: Orders) -> list[Made]:
    """A ServiceRequest of each OBR, with the ORC and the TQ1 of its order."""
    if not context.has("OBR"):
        return []
    obr, orc = context.segment("OBR"), orders.segment_of("OBR", "ORC")
    tq1 = _timing(context)
    rows = Rows("ServiceRequest", obr)
    rows.put("identifier", orders.identifiers)
    put_status(rows, orc)
    rows.take("intent", 11, translated(tables.REQUEST_INTENT))
    rows.take("code", 4, concept())
    _priority(rows, obr, orc, tq1)
    rows.put("subject", context.patient("OBR"))
    rows.put("encounter", context.encounter("OBR"))
    if tq1 is not None:
        begun, ended = tq1.one(7, moment), tq1.one(8, moment)
        rows.put("occurrencePeriod.start", begun)
        rows.put("occurrencePeriod.end", ended)
    if orc is not None:
        rows.put("authoredOn", authored(orc))
        rows.put("requisition", orc.one(4, ei("PGN")))
    rows.put("requester", requester(context, obr, orc))
    rows.take_every("reasonCode", concept(), 31)
    rows.put("note", orders.notes_of("OBR"))
    rows.put("specimen", orders.specimen_lists("OBR"))
    rows.take_every("orderDetail", concept(), 46, 47)
    made = rows.made(orders.request_ids, context.updated("OBR"))
    return [Made(made.resource_type, made.frame, ASSUMED)]


def put_status(rows: Rows, orc: Segment | None) -> None:
    """The status: of the order (ORC-5), else by what the ORC asks for (ORC-1)."""
    if orc is not None:
        rows.put("status", orc.one(5, translated(tables.ORDER_STATUS)), orc.cleared(5))
        rows.put("status", orc.one(1, translated(tables.ORDER_CONTROL)))


def authored(orc: Segment) -> pl.Series | None:
    """When an order was written: ORC-9 of a new one."""
    control, time = orc.one(1, moment), orc.one(9, moment)
    if control is None or time is None:
        return None
    return pl.select(pl.when(control == _NEW).then(time)).to_series()


def requester(context: Context, obr: Segment | None, orc: Segment | None) -> pl.Series | None:
    """Who ordered: ORC-12, else OBR-16."""
    sources = [(orc, 12), (obr, 16)]
    found = [context.parties.one(PRACTITIONER, segment, number) for segment, number in sources if segment is not None]
    told = [column for column in found if column is not None]
    return first_of(*told) if told else None


def _timing(context: Context) -> Segment | None:
    """The first TQ1 of each OBR's order."""
    if not context.has("TQ1"):
        return None
    groups = context.segments.groups
    places = groups.filter(pl.col("name") == "TQ1").select("message", "order").with_row_index("at")
    places = places.drop_nulls("order").unique(["message", "order"], keep="first")
    own = groups.filter(pl.col("name") == "OBR").select("message", "order")
    at = own.join(places, on=["message", "order"], how="left", maintain_order="left")["at"]
    return context.segment("TQ1").for_rows(at)


def _priority(rows: Rows, obr: Segment, orc: Segment | None, tq1: Segment | None) -> None:
    """TQ1-9, else OBR-5, else the sixth component of OBR-27 or ORC-7."""
    priority = translated(tables.PRIORITY)
    if tq1 is not None:
        rows.put("priority", tq1.one(9, priority))
    rows.take("priority", 5, priority)
    rows.put("priority", obr.one(27, _sixth(tables.PRIORITY)))
    if orc is not None:
        rows.put("priority", orc.one(7, _sixth(tables.PRIORITY)))


def _sixth(table: dict[str, str]) -> Datatype:
    def datatype(parts: Parts) -> pl.Expr:
        return parts(6).replace_strict(table, default=None, return_dtype=pl.String)

    return datatype
