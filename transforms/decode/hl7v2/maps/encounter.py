"""PV1 and PV2: Encounter."""

from __future__ import annotations

import polars as pl

from transforms.decode.hl7v2.maps.coded import CODING_FIELDS, class_coding, concept, fixed
from transforms.decode.hl7v2.maps.context import Context
from transforms.decode.hl7v2.maps.diagnosis import diagnoses_of_visits
from transforms.decode.hl7v2.maps.identifiers import cx
from transforms.decode.hl7v2.maps.numbers import decimal, number
from transforms.decode.hl7v2.maps.parties import LOCATION, ORGANIZATION, PRACTITIONER
from transforms.decode.hl7v2.maps.parts import Parts, moment
from transforms.decode.hl7v2.maps.rows import Made, Rows, first_of
from transforms.decode.hl7v2.maps.segment import Segment
from transforms.decode.hl7v2.maps.shape import fields, joined, listed, struct
from transforms.decode.hl7v2.maps.tables import (
    ENCOUNTER_PRIORITY,
    ENCOUNTER_STATUS,
    PATIENT_CLASS,
)

_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_PARTICIPANTS = (
    (7, "ATND", "attender"),
    (8, "REF", "referrer"),
    (9, "CON", "consultant"),
    (17, "ADM", "admitter"),
    (52, "PART", "Participation"),
)
_PLACES = ((3, "active"), (6, "completed"), (11, "active"), (42, "reserved"))
_CANCELLATIONS = ("A11", "A13", "A25", "A27", "A38")  # the visit is not over, whatever PV1-45 still says
_DISCHARGE_CANCELLED = "A13"
ASSUMED = {
    "status": "unknown",
    "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "code": "UNK", "display": "unknown"},
}


def encounters(context: Context) -> list[Made]:
    """An Encounter of each PV1, with the PV2 behind it."""
    if not context.has("PV1"):
        return []
    pv1 = context.segment("PV1")
    rows = Rows("Encounter", pv1)
    rows.take_every("identifier", cx("VN"), 19, 50)
    _status(rows, context)
    rows.take("class", 2, class_coding(PATIENT_CLASS))
    rows.take_every("type", concept("0007"), 4)
    rows.take("serviceType", 10, concept("0069"))
    rows.put("subject", context.patient("PV1"))
    _participants(rows, context, pv1)
    rows.take("period.start", 44, moment)
    _locations(rows, context, pv1)
    _hospitalization(rows, context, pv1)
    _second(rows, context)
    rows.put("serviceProvider", _provider(context, pv1))
    rows.put("diagnosis", diagnoses_of_visits(context))
    made = rows.made(context.encounter_ids, context.updated("PV1"))
    return [Made(made.resource_type, made.frame, ASSUMED)]


def _status(rows: Rows, context: Context) -> None:
    """The status by the trigger event; a visit that has an end is finished, unless the event takes the end back."""
    event = context.of_message("PV1", context.event)
    status = event.replace_strict(ENCOUNTER_STATUS, default=None, return_dtype=pl.String)
    end = rows.segment.one(45, moment)
    undone = event.is_in(_CANCELLATIONS).fill_null(False)
    taken_back = (event == _DISCHARGE_CANCELLED).fill_null(False)
    cleared = rows.segment.cleared(45)
    if end is not None:
        over = end.is_not_null() & ~undone
        status = pl.select(pl.when(over).then(pl.lit("finished")).otherwise(status)).to_series()
        rows.put("period.end", pl.select(pl.when(over).then(end)).to_series())
    if taken_back.any():
        cleared = taken_back if cleared is None else cleared | taken_back
        rows.put("hospitalization.dischargeDisposition", None, taken_back)
    rows.put("period.end", None, cleared)
    if status.null_count() < len(status):
        rows.put("status", status)


def _participants(rows: Rows, context: Context, pv1: Segment) -> None:
    lists = []
    for number_, code, display in _PARTICIPANTS:
        people = context.parties.every(PRACTITIONER, pv1, number_)
        if people is not None:
            lists.append(participants(people, code, display))
    rows.put("participant", joined(*lists) if lists else None, pv1.cleared(*(n for n, _, _ in _PARTICIPANTS)))


def participants(people: pl.Series, code: str, display: str) -> pl.Series:
    """Lists of references as lists of participants who have that part in the visit."""
    kind = fixed(_PARTICIPATION, code, display)
    each = pl.struct(type=pl.concat_list(kind), individual=pl.element())
    return people.alias("people").to_frame().select(pl.col("people").list.eval(each)).to_series()


def _locations(rows: Rows, context: Context, pv1: Segment) -> None:
    places = []
    for number_, status in _PLACES:
        place = context.parties.one(LOCATION, pv1, number_)
        if place is None:
            continue
        stands = pl.repeat(status, len(place), dtype=pl.String, eager=True)
        if number_ == 3:
            planned = pv1.one(2, _is_planned)
            if planned is not None:
                stands = pl.select(
                    pl.when(planned.fill_null(False)).then(pl.lit("planned")).otherwise(stands)
                ).to_series()
        frame = pl.DataFrame([place.alias("location"), stands.alias("status")])
        made = pl.when(pl.col("location").is_not_null()).then(pl.struct("location", "status"))
        places.append(frame.select(listed(made)).to_series())
    rows.put("location", joined(*places) if places else None, pv1.cleared(*(n for n, _ in _PLACES)))


def _is_planned(parts: Parts) -> pl.Expr:
    return parts(1) == "P"


def _hospitalization(rows: Rows, context: Context, pv1: Segment) -> None:
    under = "hospitalization."
    rows.take(f"{under}preAdmissionIdentifier", 5, cx())
    rows.take(f"{under}admitSource", 14, concept("0023"))
    rows.take(f"{under}reAdmission", 13, concept("0092"))
    rows.take_every(f"{under}dietPreference", concept("0114"), 38)
    rows.take_every(f"{under}specialCourtesy", concept("0099"), 16)
    rows.take_every(f"{under}specialArrangement", concept("0009"), 15)
    rows.put(f"{under}destination", context.parties.one(LOCATION, pv1, 37), pv1.cleared(37))
    if (discharged := pv1.one(36, concept("0112"))) is not None:
        taken_back = (context.of_message("PV1", context.event) == _DISCHARGE_CANCELLED).fill_null(False)
        kept = pl.select(pl.when(~taken_back).then(discharged)).to_series()
        rows.put(f"{under}dischargeDisposition", kept, pv1.cleared(36))


def _second(rows: Rows, context: Context) -> None:
    if not context.has("PV2"):
        return
    pv2 = context.segment("PV2").for_rows(context.following("PV1", "PV2"))
    reasons = [pv2.every(concept(), 3), pv2.every(_words, 12)]
    rows.put(
        "reasonCode", first_of(*(r for r in reasons if r is not None)) if any(r is not None for r in reasons) else None
    )
    rows.take("length", 11, _days, segment=pv2)
    rows.take("priority", 25, concept(translation=ENCOUNTER_PRIORITY), segment=pv2)
    if (referrers := context.parties.every(PRACTITIONER, pv2, 13)) is not None:
        known = rows.get("participant")
        more = participants(referrers, "REF", "referrer")
        rows.replace("participant", more if known is None else joined(known, more))


def _words(parts: Parts) -> pl.Expr:
    """CodeableConcept of words alone."""
    nothing = pl.lit(None, dtype=pl.List(pl.Struct(dict.fromkeys(CODING_FIELDS, pl.String))))
    return struct(coding=nothing, text=parts.whole)


def _days(parts: Parts) -> pl.Expr:
    """Duration of a number of days: PV2-11 is told in days (HL7 v2.9 3.4.4.11)."""
    said = number(parts(1)).decimal
    days = {"unit": "d", "system": "http://unitsofmeasure.org", "code": "d"}
    made = fields(decimal(said) | {name: pl.lit(text) for name, text in days.items()})
    return pl.when(said.is_not_null()).then(made)


def _provider(context: Context, pv1: Segment) -> pl.Series | None:
    return context.parties.one(ORGANIZATION, pv1, 39)
