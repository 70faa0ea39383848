"""The same made-up records as files that hospitals hand out: a lab's CSV, tables of OMOP CDM, one as in Clarity.

They are written as such files often are: local times without offset, thousands separators, a Windows character set,
texts that stand for nothing, numbers of the system's own in place of ids.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sources.synth.plan import SynthPlan
from sources.synth.records import batches
from sources.synth.write import empty_folder

ZONE = "America/New_York"  # of the hospital, and so of all local times
_TYPES = frozenset({"Patient", "Encounter", "Observation"})
_FLAGS = {"final": "F", "preliminary": "P", "corrected": "C", "amended": "A", "cancelled": "X"}
_CLASSES = {"IMP": "101", "OBSENC": "102", "EMER": "103", "AMB": "104", "VR": "105"}
_GENDERS = {"male": 8507, "female": 8532}  # concepts of OMOP's vocabulary

_GREEK_MU, _MICRO = "\u03bc", "\u00b5"  # Windows has only the second

_Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Table:
    """How a file is written."""

    name: str
    columns: tuple[str, ...]
    delimiter: str = ","
    encoding: str = "utf-8"
    null: str = ""


LAB = _Table(
    "lab_results.csv",
    ("ACCESSION", "LINE", "MRN", "PATIENT", "LOINC", "TEST", "RESULT", "UNITS", "REF_LOW", "REF_HIGH", "STATUS",
     "COLLECTED", "REPORTED"),
    encoding="cp1252",
)  # fmt: skip
PERSON = _Table(
    "person.csv",
    ("person_id", "gender_concept_id", "year_of_birth", "month_of_birth", "day_of_birth", "birth_datetime",
     "race_concept_id", "ethnicity_concept_id", "person_source_value", "gender_source_value"),
)  # fmt: skip
MEASUREMENT = _Table(
    "measurement.csv",
    ("measurement_id", "person_id", "measurement_concept_id", "measurement_date", "measurement_datetime",
     "measurement_type_concept_id", "value_as_number", "unit_concept_id", "range_low", "range_high",
     "visit_occurrence_id", "measurement_source_value", "unit_source_value", "value_source_value"),
)  # fmt: skip
ENCOUNTER = _Table(
    "clarity_pat_enc.tsv",
    ("PAT_ENC_CSN_ID", "PAT_ID", "CONTACT_DATE", "HOSP_ADMSN_TIME", "HOSP_DISCHRG_TIME", "ADT_PAT_CLASS_C",
     "ENC_TYPE", "REASON", "UPDATE_DATE"),
    delimiter="\t",
    null="NULL",
)  # fmt: skip


def write_extracts(plan: SynthPlan, folder: Path) -> dict[str, int]:
    """Write the plan's patients, encounters and observations as extracts into ``folder``; rows by file.

    ``plan.dirty``, ``versions`` and ``compress`` are passed over. Raises :class:`schemas.errors.UsageError` when
    ``folder`` holds anything already.
    """
    empty_folder(folder)
    plan = replace(plan, dirty=0.0, versions=0.0, types=_TYPES)
    with ExitStack() as stack:
        files = {table: _File(table, folder, stack) for table in (LAB, PERSON, MEASUREMENT, ENCOUNTER)}
        for batch in batches(plan, lambda index: index >= plan.patients):
            if batch.index is None:
                continue
            whole = {kind: [json.loads(line, parse_float=str) for line in lines] for kind, lines in batch.lines.items()}
            for table, rows in _rows(batch.index + 1, whole):
                files[table].write(rows)
        return {table.name: file.rows for table, file in files.items()}


class _File:
    def __init__(self, table: _Table, folder: Path, stack: ExitStack) -> None:
        path = folder / table.name
        text = stack.enter_context(path.open("w", encoding=table.encoding, errors="replace", newline=""))
        self._table = table
        self._writer = csv.writer(text, delimiter=table.delimiter, lineterminator="\r\n")
        self._writer.writerow(table.columns)
        self.rows = 0

    def write(self, rows: Iterator[_Row]) -> None:
        null = self._table.null
        for row in rows:
            self.rows += 1
            values = (row.get(name) for name in self._table.columns)
            self._writer.writerow([null if value is None else value for value in values])


def _rows(number: int, whole: Mapping[str, list[dict[str, Any]]]) -> Iterator[tuple[_Table, Iterator[_Row]]]:
    """The rows of a person by table."""
    (person,) = whole["Patient"]
    encounters = whole.get("Encounter", [])
    visits = {encounter["id"]: number * 1000 + at for at, encounter in enumerate(encounters)}
    labs = [one for one in whole.get("Observation", []) if _is_lab(one)]
    yield PERSON, iter([_person(number, person)])
    yield ENCOUNTER, (_encounter(number, visits[one["id"]], one) for one in encounters)
    yield LAB, (_lab(number, at, person, one) for at, one in enumerate(labs))
    yield MEASUREMENT, (_measurement(number, at, visits, one) for at, one in enumerate(labs) if "valueQuantity" in one)


def _person(number: int, person: Mapping[str, Any]) -> _Row:
    year, month, day = (*person["birthDate"].split("-"), None, None)[:3]
    whole = f"{person['birthDate']} 00:00:00" if day else None
    return {
        "person_id": number,
        "gender_concept_id": _GENDERS.get(person.get("gender", ""), 0),
        "year_of_birth": year,
        "month_of_birth": None if month is None else int(month),
        "day_of_birth": None if day is None else int(day),
        "birth_datetime": whole,
        "race_concept_id": 0,
        "ethnicity_concept_id": 0,
        "person_source_value": _mrn(person),
        "gender_source_value": person.get("gender"),
    }


def _lab(number: int, at: int, person: Mapping[str, Any], one: Mapping[str, Any]) -> _Row:
    low, high = _range(one)
    coding = _loinc(one) or {}
    name = person.get("name", [{}])[0]
    return {
        "ACCESSION": f"L{number:06d}-{at // 10:03d}",
        "LINE": at % 10 + 1,
        "MRN": _mrn(person),
        "PATIENT": ", ".join([name.get("family", ""), *name.get("given", [])[:1]]),
        "LOINC": coding["code"],
        "TEST": coding.get("display"),
        "RESULT": _result(one),
        "UNITS": (one.get("valueQuantity", {}).get("unit") or "").replace(_GREEK_MU, _MICRO) or None,
        "REF_LOW": low,
        "REF_HIGH": high,
        "STATUS": _FLAGS.get(one["status"], "F"),
        "COLLECTED": _local(_taken(one), "%m/%d/%Y %H:%M"),
        "REPORTED": _local(one.get("issued"), "%m/%d/%Y %H:%M:%S"),
    }


def _measurement(number: int, at: int, visits: Mapping[str, int], one: Mapping[str, Any]) -> _Row:
    low, high = _range(one)
    visit = one.get("encounter", {}).get("reference", "").removeprefix("Encounter/")
    quantity = one["valueQuantity"]
    return {
        "measurement_id": number * 10_000 + at,
        "person_id": number,
        "measurement_concept_id": 0,
        "measurement_date": _local(_taken(one), "%Y-%m-%d"),
        "measurement_datetime": _local(_taken(one), "%Y-%m-%d %H:%M:%S", dates=False),
        "measurement_type_concept_id": 32_856,  # "Lab"
        "value_as_number": quantity.get("value"),
        "unit_concept_id": 0,
        "range_low": low,
        "range_high": high,
        "visit_occurrence_id": visits.get(visit),
        "measurement_source_value": (_loinc(one) or {}).get("code"),
        "unit_source_value": quantity.get("unit"),
        "value_source_value": quantity.get("value"),
    }


def _encounter(number: int, visit: int, one: Mapping[str, Any]) -> _Row:
    period = one.get("period", {})
    return {
        "PAT_ENC_CSN_ID": visit,
        "PAT_ID": f"Z{number:07d}",
        "CONTACT_DATE": _local(period.get("start"), "%Y-%m-%d 00:00:00"),
        "HOSP_ADMSN_TIME": _local(period.get("start"), "%Y-%m-%d %H:%M:%S"),
        "HOSP_DISCHRG_TIME": _local(period.get("end"), "%Y-%m-%d %H:%M:%S"),
        "ADT_PAT_CLASS_C": _CLASSES.get(one["class"].get("code", "")),
        "ENC_TYPE": one.get("type", [{}])[0].get("text"),
        "REASON": one.get("reasonCode", [{}])[0].get("text"),
        "UPDATE_DATE": _local(one.get("meta", {}).get("lastUpdated"), "%Y-%m-%d %H:%M:%S"),
    }


def _is_lab(one: Mapping[str, Any]) -> bool:
    """A single result of a laboratory, of a test that LOINC has."""
    coding = one.get("category", [{}])[0].get("coding", [{}])[0]
    return coding.get("code") == "laboratory" and "component" not in one and _loinc(one) is not None


def _loinc(one: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return next((c for c in one["code"].get("coding", ()) if c.get("system") == "http://loinc.org"), None)


def _taken(one: Mapping[str, Any]) -> str | None:
    """When a specimen was taken, or began to be."""
    moment = one.get("effectiveDateTime") or one.get("effectiveInstant") or one.get("effectivePeriod", {}).get("start")
    return moment if isinstance(moment, str) else None


def _result(one: Mapping[str, Any]) -> str | None:
    """A result as a lab prints it, with its thousands apart."""
    quantity = one.get("valueQuantity")
    if quantity is not None:
        whole, point, rest = str(quantity["value"]).partition(".")
        digits = f"{int(whole):,}" if whole.isdigit() else whole
        return f"{quantity.get('comparator', '')}{digits}{point}{rest}"
    concept = one.get("valueCodeableConcept", {})
    texts: tuple[Callable[[], object], ...] = (
        lambda: one.get("valueString"),
        lambda: concept.get("text"),
        lambda: concept.get("coding", [{}])[0].get("display"),
    )
    return next((str(found) for text in texts if (found := text())), None)


def _range(one: Mapping[str, Any]) -> tuple[object, object]:
    first = one.get("referenceRange", [{}])[0]
    return first.get("low", {}).get("value"), first.get("high", {}).get("value")


def _mrn(person: Mapping[str, Any]) -> str | None:
    return next((one.get("value") for one in person.get("identifier", ()) if "mrn" in one.get("system", "")), None)


def _local(moment: str | None, layout: str, *, dates: bool = True) -> str | None:
    """An instant as clocks of the hospital show it; of a date the date (``dates``), of less nothing."""
    if moment is None or len(moment) < len("2024-01-01"):
        return None
    if "T" not in moment:
        return date.fromisoformat(moment).strftime(layout.partition(" ")[0]) if dates else None
    return datetime.fromisoformat(moment.replace("Z", "+00:00")).astimezone(ZoneInfo(ZONE)).strftime(layout)
