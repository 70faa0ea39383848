"""SCH, AIS, AIG, AIL and AIP: Appointment."""

from __future__ import annotations

import polars as pl

from transforms.decode.hl7v2.maps import tables
from transforms.decode.hl7v2.maps.coded import concept, translated
from transforms.decode.hl7v2.maps.context import Context
from transforms.decode.hl7v2.maps.identifiers import ei, ei_key
from transforms.decode.hl7v2.maps.ids import hashed, key_of
from transforms.decode.hl7v2.maps.numbers import digits
from transforms.decode.hl7v2.maps.parties import LOCATION, PRACTITIONER
from transforms.decode.hl7v2.maps.parts import Datatype, Parts, moment, whole
from transforms.decode.hl7v2.maps.rows import Made, Rows, first_of
from transforms.decode.hl7v2.maps.segment import Segment
from transforms.decode.hl7v2.maps.shape import joined, struct

ASSUMED = {"status": "proposed", "participant": [{"status": "needs-action"}]}
# Who or what takes part: segment, field, kind of party, field of its filler status (table 0278)
_RESOURCES = (("AIP", 3, PRACTITIONER, 12), ("AIL", 3, LOCATION, 12))
_TAKES_PART = {"Booked": "accepted", "Pending": "tentative", "Waitlist": "tentative", "Cancelled": "declined"}
_MINUTES = {"min": 1, "m": 1, "minutes": 1, "hr": 60, "h": 60, "hours": 60, "s": None}


def appointments(context: Context) -> list[Made]:
    """An Appointment of each SCH."""
    if not context.has("SCH"):
        return []
    sch = context.segment("SCH")
    rows = Rows("Appointment", sch)
    numbers = [sch.every(ei("PLAC"), 1), sch.every(ei("FILL"), 2)]
    known = [column for column in numbers if column is not None]
    rows.put("identifier", joined(*known) if known else None)
    _status(rows, context)
    rows.take("appointmentType", 8, concept("0277"))
    services = _of_first(context, "AIS", 3, concept(), listed=True)
    rows.put("serviceType", services)
    reasons = [sch.every(concept("0276"), 7)]
    rows.put("reasonCode", reasons[0], sch.cleared(7))
    rows.put("start", _start(context, sch))
    rows.put("end", _end(context, sch))
    _duration(rows, sch)
    if (notes := _comments(context)) is not None:
        rows.put("comment", notes)
    rows.put("participant", _participants(context, sch))
    made = rows.made(_ids(context, sch), context.updated("SCH"))
    return [Made(made.resource_type, made.frame, ASSUMED)]


def _status(rows: Rows, context: Context) -> None:
    """The filler's status (SCH-25), else what the event says: a cancellation is one whatever the status still says."""
    event = context.of_message("SCH", context.event)
    of_event = event.replace_strict(tables.APPOINTMENT_EVENT, default=None, return_dtype=pl.String)
    final = of_event.is_in(["cancelled", "entered-in-error", "noshow"]).fill_null(False)
    told = rows.segment.one(25, translated(tables.APPOINTMENT_STATUS))
    if told is None:
        rows.put("status", of_event)
        return
    rows.put("status", pl.select(pl.when(final).then(of_event).otherwise(pl.coalesce(told, of_event))).to_series())


def _first_of_message(context: Context, name: str, owner: str = "SCH") -> Segment | None:
    """The first segment of a name in the message of each SCH; None when no message has one."""
    if not context.has(name):
        return None
    places = context.segment(name).frame.select("message").with_row_index("at").unique("message", keep="first")
    own = context.segment(owner).frame.select("message")
    return context.segment(name).for_rows(own.join(places, on="message", how="left", maintain_order="left")["at"])


def _of_first(context: Context, name: str, number: int, datatype: Datatype, *, listed: bool) -> pl.Series | None:
    segment = _first_of_message(context, name)
    if segment is None:
        return None
    return segment.every(datatype, number) if listed else segment.one(number, datatype)


def _times(context: Context, sch: Segment, component: int, timing: int) -> list[pl.Series]:
    def of_sch(parts: Parts) -> pl.Expr:
        return parts(component)

    found = [_of_first(context, "TQ1", timing, moment, listed=False), sch.one(11, of_sch)]
    return [column for column in found if column is not None]


def _start(context: Context, sch: Segment) -> pl.Series | None:
    """TQ1-7, else SCH-11.4 (whose place TQ1 took in v2.5), else the start of the first service, person or place."""
    found = _times(context, sch, 4, 7)
    for name, number in (("AIS", 4), ("AIP", 6), ("AIL", 6), ("AIG", 8)):
        if (column := _of_first(context, name, number, moment, listed=False)) is not None:
            found.append(column)
    return first_of(*found) if found else None


def _end(context: Context, sch: Segment) -> pl.Series | None:
    """TQ1-8, else SCH-11.5. It is not worked out from a duration."""
    found = _times(context, sch, 5, 8)
    return first_of(*found) if found else None


def _duration(rows: Rows, sch: Segment) -> None:
    """SCH-9 in SCH-10's units, where these are minutes or hours; seconds and others stay unsaid."""
    number, unit = sch.one(9, digits), sch.one(10, moment)
    if number is None or unit is None:
        return
    factor = unit.str.to_lowercase().replace_strict(_MINUTES, default=None, return_dtype=pl.Int32)
    minutes = number.cast(pl.Float64) * factor
    positive = pl.when((minutes > 0) & (minutes == minutes.floor())).then(minutes.cast(pl.Int32))
    rows.put("minutesDuration", pl.select(positive).to_series())


def _comments(context: Context) -> pl.Series | None:
    """The notes of the message before its first resource group, as lines."""
    if not context.has("NTE"):
        return None
    nte = context.segment("NTE")
    words = nte.one(3, whole)
    if words is None:
        return None
    first = (
        context.segments.groups.filter(pl.col("name").is_in(["PID", "RGS"]))
        .group_by("message")
        .agg(pl.col("ordinal").min().alias("until"))
    )
    frame = pl.DataFrame([nte.column("message"), nte.column("ordinal"), words.alias("words")])
    kept = frame.join(first, on="message", how="left", maintain_order="left").filter(
        pl.col("until").is_null() | (pl.col("ordinal") < pl.col("until"))
    )
    lines = kept.drop_nulls("words").group_by("message").agg(pl.col("words").str.join("\n"))
    own = context.segment("SCH").frame.select("message")
    return own.join(lines, on="message", how="left", maintain_order="left")["words"]


def _participants(context: Context, sch: Segment) -> pl.Series | None:
    """The patient, then the people and places of the message with whether they take part."""
    frames = []
    if (patient := context.patient("PID")) is not None:
        patients = context.segment("PID").frame.select("message")
        actor = patient.alias("actor").to_frame().select(_named(pl.col("actor"))).to_series()
        frames.append(patients.with_columns(actor.alias("actor"), pl.lit("accepted").alias("status")))
    for name, number, party, status in _RESOURCES:
        if not context.has(name):
            continue
        segment = context.segment(name)
        place = context.parties.one(party, segment, number)
        if place is None:
            continue
        told = segment.one(status, whole)
        state = pl.lit("needs-action")
        if told is not None:
            state = pl.lit(told.replace_strict(_TAKES_PART, default="needs-action"))
        frames.append(
            segment.frame.select("message")
            .with_columns(place.alias("actor"), state.alias("status"))
            .drop_nulls("actor")
        )
    if not frames:
        return None
    lists = pl.concat(frames).group_by("message", maintain_order=True).agg(pl.struct("actor", "status").alias("p"))
    own = sch.frame.select("message")
    return own.join(lists, on="message", how="left", maintain_order="left")["p"]


def _named(actor: pl.Expr) -> pl.Expr:
    """A reference in the shape of those of parties."""
    return struct(reference=actor.struct["reference"], display=pl.lit(None, dtype=pl.String))


def _ids(context: Context, sch: Segment) -> pl.Series:
    """By the filler's number (SCH-2), else the placer's (SCH-1), else by the message."""
    found = [sch.one(2, ei_key("Appointment")), sch.one(1, ei_key("Appointment of placer"))]
    control = pl.select(key_of("Appointment of message", context.of_message("SCH", context.control))).to_series()
    return hashed(first_of(*(column for column in found if column is not None), control))
