"""TXA and the OBX behind it: DocumentReference."""

from __future__ import annotations

import base64

import polars as pl

from transforms.decode.hl7v2.maps import tables
from transforms.decode.hl7v2.maps.coded import concept, translated
from transforms.decode.hl7v2.maps.context import Context
from transforms.decode.hl7v2.maps.identifiers import ei, ei_key
from transforms.decode.hl7v2.maps.ids import hashed, key_of, reference
from transforms.decode.hl7v2.maps.parties import PRACTITIONER
from transforms.decode.hl7v2.maps.parts import Parts, moment, whole, work_out
from transforms.decode.hl7v2.maps.rows import Made, Rows, first_of
from transforms.decode.hl7v2.maps.shape import struct
from transforms.decode.hl7v2.maps.values import embedded, pointed_at

_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
ASSUMED = {
    "status": "current",
    "content": [{"attachment": {"extension": [{"url": _ABSENT, "valueCode": "unknown"}]}}],
}
_ATTACHED = ("ED", "RP")
_TEXT_TYPE = "text/plain"


def documents(context: Context) -> list[Made]:
    """A DocumentReference of each TXA, its contents those of the OBX of the message."""
    if not context.has("TXA"):
        return []
    txa = context.segment("TXA")
    rows = Rows("DocumentReference", txa)
    rows.take("masterIdentifier", 12, ei())
    rows.put("status", _status(rows, context))
    rows.take("docStatus", 17, translated(tables.COMPOSITION_STATUS))
    rows.take("type", 2, concept("0270"))
    rows.put("subject", context.patient("TXA"))
    times = [txa.one(7, moment), txa.one(6, moment)]
    rows.put("date", first_of(*(t for t in times if t is not None)) if any(t is not None for t in times) else None)
    rows.put("author", context.parties.every(PRACTITIONER, txa, 9), txa.cleared(9))
    rows.put("authenticator", context.parties.one(PRACTITIONER, txa, 10))
    rows.take("description", 25, whole)
    rows.put("relatesTo", _replaced(rows))
    rows.put("content", _contents(context))
    if (visit := context.encounter("TXA")) is not None:
        rows.put("context.encounter", pl.select(pl.when(visit.is_not_null()).then(pl.concat_list(visit))).to_series())
    rows.put("context.period.start", txa.one(4, moment))
    made = rows.made(_ids(context), context.updated("TXA"))
    return [Made(made.resource_type, made.frame, ASSUMED)]


def _status(rows: Rows, context: Context) -> pl.Series | None:
    """By TXA-19; a cancelled document (T11) was entered in error."""
    event = context.of_message("TXA", context.event)
    told = rows.segment.one(19, translated(tables.DOCUMENT_STATUS))
    cancelled = pl.when(event == "T11").then(pl.lit("entered-in-error"))
    column = pl.select(cancelled if told is None else cancelled.otherwise(told)).to_series()
    return column if column.null_count() < len(column) else None


def _replaced(rows: Rows) -> pl.Series | None:
    """TXA-13 names the document that this one stands in for or adds to."""
    keys = rows.segment.one(13, ei_key("DocumentReference"))
    if keys is None:
        return None
    target = reference("DocumentReference", pl.col("id"))
    made = pl.when(pl.col("id").is_not_null()).then(pl.concat_list(pl.struct(code=pl.lit("appends"), target=target)))
    return hashed(keys).alias("id").to_frame().select(made).to_series()


def _contents(context: Context) -> pl.Series | None:
    """For each TXA its contents: each ED and RP is one, and all other values together are a text, one line each."""
    if not context.has("OBX"):
        return None
    obx = context.segment("OBX")
    sent, kinds = obx.sent(5), obx.one(2, whole)
    if sent is None:
        return None
    frame = pl.DataFrame(
        [
            context.before("OBX", "TXA").alias("txa"),
            (pl.repeat("TX", obx.height, dtype=pl.String, eager=True) if kinds is None else kinds).alias("type"),
            sent.alias("sent"),
        ]
    ).drop_nulls(["txa", "sent"])
    attached = frame.filter(pl.col("type").is_in(_ATTACHED))
    words = frame.filter(~pl.col("type").is_in(_ATTACHED).fill_null(False))
    parts = []
    if words.height:
        parts.append(_text(words, obx.separators.repetition))
    if attached.height:
        made = work_out(attached["sent"], _attachment, obx.separators).struct.unnest()
        ed = attached["type"] == "ED"
        parts.append(
            attached.select("txa").with_columns(
                pl.select(pl.when(ed).then(made["ed"]).otherwise(made["rp"])).to_series().alias("attachment")
            )
        )
    every = pl.concat(parts).drop_nulls("attachment")
    lists = every.group_by("txa", maintain_order=True).agg(pl.struct("attachment").alias("content"))
    rows = pl.DataFrame({"txa": pl.Series(range(context.segment("TXA").height), dtype=pl.UInt32)})
    return rows.join(lists, on="txa", how="left", maintain_order="left")["content"]


def _attachment(parts: Parts) -> pl.Expr:
    return pl.struct(ed=embedded(parts), rp=pointed_at(parts))


def _text(words: pl.DataFrame, repetition: str) -> pl.DataFrame:
    lines = words.with_columns(pl.col("sent").str.replace_all(repetition, "\n", literal=True) if repetition else "sent")
    joined = lines.group_by("txa", maintain_order=True).agg(pl.col("sent").str.join("\n"))
    data = pl.Series([base64.b64encode(text.encode()).decode() for text in joined["sent"]], dtype=pl.String)
    nothing = pl.lit(None, dtype=pl.String)
    attachment = struct(contentType=pl.lit(_TEXT_TYPE), data=pl.lit(data), url=nothing, title=nothing)
    return joined.select("txa", attachment.alias("attachment"))


def _ids(context: Context) -> pl.Series:
    """By the document's number (TXA-12), else by the message."""
    numbered = context.segment("TXA").one(12, ei_key("DocumentReference"))
    control = pl.select(key_of("DocumentReference of message", context.of_message("TXA", context.control))).to_series()
    return hashed(control if numbered is None else first_of(numbered, control))
