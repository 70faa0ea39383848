"""Segments of HL7 v2 messages to rows of FHIR resources: all maps together."""

from __future__ import annotations

import polars as pl

from transforms.decode.hl7v2.maps.allergy import allergies
from transforms.decode.hl7v2.maps.appointment import appointments
from transforms.decode.hl7v2.maps.context import Context
from transforms.decode.hl7v2.maps.coverage import coverages
from transforms.decode.hl7v2.maps.diagnosis import conditions
from transforms.decode.hl7v2.maps.document import documents
from transforms.decode.hl7v2.maps.encounter import encounters
from transforms.decode.hl7v2.maps.immunization import immunizations
from transforms.decode.hl7v2.maps.medication import medication_administrations, medication_requests
from transforms.decode.hl7v2.maps.merge import merged_patients
from transforms.decode.hl7v2.maps.observation import observations
from transforms.decode.hl7v2.maps.orders import Orders
from transforms.decode.hl7v2.maps.patient import patients
from transforms.decode.hl7v2.maps.procedure import procedures
from transforms.decode.hl7v2.maps.related_person import related_people
from transforms.decode.hl7v2.maps.report import reports
from transforms.decode.hl7v2.maps.request import requests
from transforms.decode.hl7v2.maps.rows import Made, united
from transforms.decode.hl7v2.maps.specimen import specimens
from transforms.decode.hl7v2.segments import Segments

_OF_MESSAGES = (
    patients,
    merged_patients,
    encounters,
    conditions,
    allergies,
    procedures,
    coverages,
    related_people,
    appointments,
    documents,
)
_OF_ORDERS = (
    requests,
    reports,
    specimens,
    observations,
    immunizations,
    medication_requests,
    medication_administrations,
)


def made_of(segments: Segments) -> list[Made]:
    """The rows that the messages tell of, one :class:`Made` for each type that has any."""
    context = Context(segments)
    orders = Orders(context)
    made = [rows for of in _OF_MESSAGES for rows in of(context)]
    made += [rows for of in _OF_ORDERS for rows in of(context, orders)]
    times = pl.DataFrame([segments.messages["message"], context.sent_at.alias("lastUpdated")])
    return _by_type([rows for rows in (*made, *context.parties.made(times)) if rows.frame.height])


def _by_type(made: list[Made]) -> list[Made]:
    """Two maps of one type as one, so that a message has no id of it twice."""
    by_type: dict[str, list[Made]] = {}
    for rows in made:
        by_type.setdefault(rows.resource_type, []).append(rows)
    return [_together(several) if len(several) > 1 else several[0] for several in by_type.values()]


def _together(several: list[Made]) -> Made:
    frame = pl.concat([rows.frame for rows in several], how="diagonal_relaxed").sort("message", "ordinal")
    return Made(several[0].resource_type, united(frame), several[0].assumed)
