"""PID, PD1 and what else tells of the patient: Patient."""

from __future__ import annotations

import polars as pl

from transforms.decode.hl7v2.maps.coded import concept, translated
from transforms.decode.hl7v2.maps.context import Context
from transforms.decode.hl7v2.maps.ethnicity import ETHNICITY, RACE, clear, ethnicities, races
from transforms.decode.hl7v2.maps.extensions import Extensions
from transforms.decode.hl7v2.maps.identifiers import cx, licence, numbered
from transforms.decode.hl7v2.maps.merge import links_of_survivors
from transforms.decode.hl7v2.maps.numbers import count
from transforms.decode.hl7v2.maps.parties import ORGANIZATION, PRACTITIONER
from transforms.decode.hl7v2.maps.parts import Parts, moment
from transforms.decode.hl7v2.maps.people import called, xpn, xtn
from transforms.decode.hl7v2.maps.places import county, xad
from transforms.decode.hl7v2.maps.rows import Made, Rows
from transforms.decode.hl7v2.maps.segment import Segment
from transforms.decode.hl7v2.maps.shape import joined, struct
from transforms.decode.hl7v2.maps.tables import GENDER, MARITAL_STATUS, YES_NO

_FHIR = "http://hl7.org/fhir/StructureDefinition/"
_MAIDEN_NAME = _FHIR + "patient-mothersMaidenName"
_DATE_LENGTH = 8  # YYYYMMDD
_SSN = "http://hl7.org/fhir/sid/us-ssn"


def patients(context: Context) -> list[Made]:
    """A Patient of each PID, with what the PD1 and PV1 behind it tell of the patient."""
    if not context.has("PID"):
        return []
    pid = context.segment("PID")
    rows = Rows("Patient", pid)
    _identifiers(rows, pid)
    _names(rows, pid)
    _telecom(rows, pid)
    rows.take("gender", 8, translated(GENDER))
    rows.take("birthDate", 7, birth_date)
    _addresses(rows, pid)
    rows.take("maritalStatus", 16, concept(translation=MARITAL_STATUS))
    rows.take("multipleBirthInteger", 25, count)
    _boolean_unless(rows, pid, "multipleBirthBoolean", 24, "multipleBirthInteger")
    rows.take("deceasedDateTime", 29, moment)
    _boolean_unless(rows, pid, "deceasedBoolean", 30, "deceasedDateTime")
    rows.take_every("communication", _language, 15)
    _doctors(rows, context)
    rows.put("link", links_of_survivors(context))
    _extensions(rows, pid)
    return [rows.made(context.patient_ids, context.updated("PID"))]


def birth_date(parts: Parts) -> pl.Expr:
    """The date of a time of birth (DT): the first eight digits of it."""
    return parts(1).str.head(_DATE_LENGTH)


def _names(rows: Rows, pid: Segment) -> None:
    found = [pid.every(xpn, 5, 9), pid.every(called, 5)]
    lists = [column for column in found if column is not None and column.null_count() < len(column)]
    rows.put("name", joined(*lists) if lists else None, pid.cleared(5, 9))


def _identifiers(rows: Rows, pid: Segment) -> None:
    found = [
        pid.every(cx(), 3, 2, 4),
        pid.every(numbered(_SSN, "SS"), 19),
        pid.every(licence, 20),
    ]
    lists = [column for column in found if column is not None]
    rows.put("identifier", joined(*lists) if lists else None, pid.cleared(3, 2, 4, 19, 20))


def _telecom(rows: Rows, pid: Segment) -> None:
    found = [pid.every(xtn("home"), 13), pid.every(xtn("work"), 14), pid.every(xtn(), 40)]
    lists = [column for column in found if column is not None]
    rows.put("telecom", joined(*lists) if lists else None, pid.cleared(13, 14, 40))


def _addresses(rows: Rows, pid: Segment) -> None:
    """PID-11, and the county of PID-12 where no address tells of one."""
    sent, counties = pid.every(xad, 11), pid.every(county, 12)
    cleared = pid.cleared(11, 12)
    if sent is None or counties is None:
        rows.put("address", counties if sent is None else sent, cleared)
        return
    first = pl.col("sent").list.first()
    district = pl.col("county").list.first().struct["district"]
    own = first.struct["district"]
    lone = (pl.col("sent").list.len() == 1) & (own.is_null() | (own == district))
    completed = pl.concat_list(first.struct.with_fields(district.alias("district")))
    column = pl.DataFrame([sent.alias("sent"), counties.alias("county"), joined(sent, counties).alias("both")]).select(
        pl.when(pl.col("county").is_null()).then("sent").when(lone).then(completed).otherwise("both")
    )
    rows.put("address", column.to_series(), cleared)


def _boolean_unless(rows: Rows, pid: Segment, path: str, number: int, other: str) -> None:
    """A yes or no that only counts where the other choice of the element was not sent."""
    sent = pid.one(number, translated(YES_NO))
    if sent is None:
        return
    told = rows.get(other)
    flag = sent == "true"
    if told is not None:
        flag = pl.select(pl.when(told.is_null()).then(flag)).to_series()
    rows.put(path, flag, pid.cleared(number))


def _language(parts: Parts) -> pl.Expr:
    return struct(language=concept("0296")(parts))


def _doctors(rows: Rows, context: Context) -> None:
    if not context.has("PD1"):
        return
    pd1 = context.segment("PD1").for_rows(context.following("PID", "PD1"))
    parties = context.parties
    found = [parties.every(ORGANIZATION, pd1, 3), parties.every(PRACTITIONER, pd1, 4)]
    lists = [column for column in found if column is not None]
    rows.put("generalPractitioner", joined(*lists) if lists else None, pd1.cleared(3, 4))


def _extensions(rows: Rows, pid: Segment) -> None:
    more = Extensions()
    more.add(_MAIDEN_NAME, "valueString", pid.one(6, _family))
    more.add(_FHIR + "patient-religion", "valueCodeableConcept", pid.one(17, concept("0006")))
    more.add(_FHIR + "patient-birthPlace", "valueAddress", pid.one(23, _place_text))
    more.add(RACE, "extension", races(pid))
    more.add(ETHNICITY, "extension", ethnicities(pid))
    rows.put("extension", more.column())
    clear(rows, pid)
    rows.put(f"extension('{_MAIDEN_NAME}')", None, pid.cleared(6))
    born = Extensions()
    born.add(_FHIR + "patient-birthTime", "valueDateTime", pid.one(7, _birth_time))
    rows.put("_birthDate.extension", born.column())


def _family(parts: Parts) -> pl.Expr:
    return parts(1)


def _place_text(parts: Parts) -> pl.Expr:
    return struct(text=parts.whole)


def _birth_time(parts: Parts) -> pl.Expr:
    return pl.when(parts(1).str.len_bytes() > _DATE_LENGTH).then(parts(1))
