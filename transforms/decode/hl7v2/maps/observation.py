"""OBX: Observation."""

from __future__ import annotations

import polars as pl

from transforms.decode.hl7v2.maps import tables
from transforms.decode.hl7v2.maps.coded import concept, fixed, translated
from transforms.decode.hl7v2.maps.context import Context
from transforms.decode.hl7v2.maps.extensions import Extensions
from transforms.decode.hl7v2.maps.identifiers import ei
from transforms.decode.hl7v2.maps.orders import Orders
from transforms.decode.hl7v2.maps.parties import ORGANIZATION, PRACTITIONER
from transforms.decode.hl7v2.maps.parts import Parts, moment, whole
from transforms.decode.hl7v2.maps.ranges import reference_ranges
from transforms.decode.hl7v2.maps.rows import Made, Rows, first_of
from transforms.decode.hl7v2.maps.segment import Segment
from transforms.decode.hl7v2.maps.shape import joined, struct
from transforms.decode.hl7v2.maps.values import put_values

_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
_ANALYSED = "http://hl7.org/fhir/StructureDefinition/observation-analysisDateTime"
_ATTACHMENT = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Observation.valueAttachment"
_NOT_ASKED = "N"  # table 0085
DOCUMENTS = "MDM"  # messages whose OBX are the text of a document
ASSUMED = {"status": "unknown", "code": {"coding": [{"system": _ABSENT, "code": "unknown"}]}}


def observations(context: Context, orders: Orders) -> list[Made]:
    """An Observation of each OBX, but for those of documents."""
    if not context.has("OBX"):
        return []
    obx, obr = context.segment("OBX"), orders.segment_of("OBX", "OBR")
    rows = Rows("Observation", obx)
    rows.put("identifier", obx.every(ei("FILL"), 21), obx.cleared(21))
    rows.put("basedOn", orders.requests_of("OBX"))
    rows.take("status", 11, translated(tables.RESULT_STATUS))
    rows.put("category", obx.every(_category, 29))
    rows.take("code", 3, concept())
    rows.put("subject", context.patient("OBX"))
    rows.put("encounter", context.encounter("OBX"))
    _times(rows, obx, obr)
    _performers(rows, context, obx)
    more = Extensions()
    more.add(_ANALYSED, "valueDateTime", obx.one(19, moment))
    more.add(_ATTACHMENT, "valueAttachment", put_values(rows, obx))
    rows.put("extension", more.column())
    rows.put("dataAbsentReason", _absent(obx))
    rows.take_every("interpretation", concept(translation=tables.INTERPRETATION), 8)
    rows.put("note", orders.notes_of("OBX"))
    rows.take("bodySite", 20, concept())
    rows.take("method", 17, concept())
    rows.put("specimen", orders.specimens_of("OBX"))
    rows.put("device.identifier", obx.one(18, ei()), obx.cleared(18))
    reference_ranges(rows, obx)
    issued = None if obr is None else obr.one(22, moment)
    updated = context.updated("OBX")
    rows.put("issued", issued)
    documents = (context.of_message("OBX", context.kind) == DOCUMENTS).fill_null(False)
    ids = orders.observation_ids
    if documents.any():
        ids = pl.select(pl.when(~documents).then(ids)).to_series()
    made = rows.made(ids, updated if issued is None else first_of(issued, updated), once=True)
    return [Made(made.resource_type, made.frame, ASSUMED)]


def _times(rows: Rows, obx: Segment, obr: Segment | None) -> None:
    """When it was observed: OBX-14, else when the specimen was taken or the observation begun and ended (OBR-7, 8)."""
    own = obx.one(14, moment)
    begun = None if obr is None else obr.one(7, moment)
    ended = None if obr is None or begun is None else obr.one(8, moment)
    if begun is not None and ended is not None:
        at = pl.struct(start=begun, end=ended)
        spans = ended.is_not_null() if own is None else ended.is_not_null() & own.is_null()
        rows.put("effectivePeriod", pl.select(pl.when(spans).then(at)).to_series())
        begun = pl.select(pl.when(~spans).then(begun)).to_series()
    times = [column for column in (own, begun) if column is not None]
    rows.put("effectiveDateTime", first_of(*times) if times else None, obx.cleared(14))


def _performers(rows: Rows, context: Context, obx: Segment) -> None:
    parties = context.parties
    found = [
        parties.every(PRACTITIONER, obx, 16, 25),
        parties.every(ORGANIZATION, obx, 23),
    ]
    lists = [column for column in found if column is not None]
    rows.put("performer", joined(*lists) if lists else None, obx.cleared(16, 23, 25))


def _category(parts: Parts) -> pl.Expr:
    """The category that OBX-29 (table 0936, observation type) names; no category where it has no such code."""
    code = parts(1).replace_strict({"RSLT": "laboratory", "SCI": "survey"}, default=None, return_dtype=pl.String)
    coding = pl.struct(system=pl.lit(_CATEGORY), code=code)
    return struct(coding=pl.when(code.is_not_null()).then(pl.concat_list(coding)))


def _absent(obx: Segment) -> pl.Series | None:
    status = obx.one(11, whole)
    if status is None or not (status == _NOT_ASKED).any():
        return None
    return pl.select(pl.when(status == _NOT_ASKED).then(fixed(_ABSENT, "not-asked"))).to_series()
