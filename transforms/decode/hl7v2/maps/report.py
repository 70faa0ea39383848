"""OBR of a result: DiagnosticReport."""

from __future__ import annotations

import polars as pl

from transforms.decode.hl7v2.maps import tables
from transforms.decode.hl7v2.maps.coded import concept, translated
from transforms.decode.hl7v2.maps.context import Context
from transforms.decode.hl7v2.maps.orders import Orders
from transforms.decode.hl7v2.maps.parts import moment
from transforms.decode.hl7v2.maps.rows import Made, Rows, first_of
from transforms.decode.hl7v2.maps.segment import Segment

_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
ASSUMED = {"status": "unknown", "code": {"coding": [{"system": _ABSENT, "code": "unknown"}]}}


def reports(context: Context, orders: Orders) -> list[Made]:
    """A DiagnosticReport of each OBR of a message with results."""
    if not context.has("OBR") or not orders.reporting.any():
        return []
    obr = context.segment("OBR").only(orders.reporting)
    rows = Rows("DiagnosticReport", obr)
    rows.put("identifier", orders.identifiers)
    rows.put("basedOn", orders.requests_of("OBR"))
    rows.take("status", 25, translated(tables.REPORT_STATUS))
    rows.put("category", obr.every(concept("0074"), 24), obr.cleared(24))
    rows.take("code", 4, concept())
    rows.put("subject", context.patient("OBR"))
    rows.put("encounter", context.encounter("OBR"))
    put_effective(rows, obr)
    issued = obr.one(22, moment)
    rows.put("issued", issued, obr.cleared(22))
    rows.put("resultsInterpreter", context.parties.staff(obr, 32), obr.cleared(32))
    rows.put("specimen", orders.specimen_lists("OBR"))
    rows.put("result", _results(context, orders))
    updated = context.updated("OBR")
    ids = pl.select(pl.when(orders.reporting).then(orders.report_ids)).to_series()
    made = rows.made(ids, updated if issued is None else first_of(issued, updated))
    return [Made(made.resource_type, made.frame, ASSUMED)]


def put_effective(rows: Rows, obr: Segment) -> None:
    """When it was observed: from OBR-7 to OBR-8, or at OBR-7 where no end was sent."""
    begun, ended = obr.one(7, moment), obr.one(8, moment)
    if ended is None:
        rows.put("effectiveDateTime", begun, obr.cleared(7))
        return
    rows.put("effectivePeriod.start", None if begun is None else _where(ended.is_not_null(), begun), obr.cleared(7))
    rows.put("effectivePeriod.end", ended, obr.cleared(8))
    rows.put("effectiveDateTime", None if begun is None else _where(ended.is_null(), begun))


def _where(mask: pl.Series, column: pl.Series) -> pl.Series:
    return pl.select(pl.when(mask).then(column)).to_series()


def _results(context: Context, orders: Orders) -> pl.Series | None:
    """For each OBR the references to its observations."""
    if not context.has("OBX"):
        return None
    owner = context.owned("OBX", "OBR")
    frame = pl.DataFrame([owner.alias("obr"), orders.observation_ids.alias("id")]).drop_nulls()
    lists = frame.select("obr", pl.struct(reference="Observation/" + pl.col("id")).alias("result"))
    lists = lists.group_by("obr", maintain_order=True).agg("result")
    rows = pl.DataFrame({"obr": pl.Series(range(context.segment("OBR").height), dtype=pl.UInt32)})
    return rows.join(lists, on="obr", how="left", maintain_order="left")["result"]
