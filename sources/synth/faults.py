"""Faults to plant in good lines, each with the reason for which a loader must refuse the line."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from schemas.reasons import Reason

Plant = Callable[[bytes], bytes | None]

_DEPTH = 3000
_LONGEST_ID = 64  # FHIR R4 2.24.0.1
_HEAD = rb'^\{"resourceType":"\w+","id":"[^"]+",(?:"meta":\{[^{}]*\},)?'
_STATUS = re.compile(rb"(" + _HEAD + rb')"status":("[^"]+"),')
_STATUS_REQUIRED = re.compile(
    rb'^\{"resourceType":"(?:Observation|Encounter|Procedure|MedicationRequest|MedicationAdministration|'
    rb"Immunization|DiagnosticReport|DocumentReference|CarePlan|ServiceRequest|Coverage|Claim|ImagingStudy|"
    rb'ExplanationOfBenefit)"'
)
_TYPE = re.compile(rb'^\{"resourceType":"(\w+)",')
_ID = re.compile(rb'^(\{"resourceType":"\w+",)"id":"([^"]+)",')
_CODE = re.compile(rb'"code":(\{"coding":\[[^\]]*\],"text":"[^"]*"\}),')
_CODE_REQUIRED = re.compile(rb'^\{"resourceType":"(?:Observation|DiagnosticReport)"')
_CODED = re.compile(
    rb'^\{"resourceType":"(?:Observation|DiagnosticReport|Condition|Procedure|ServiceRequest|AllergyIntolerance)"'
)
_CATEGORY = re.compile(rb'"category":\[(\{"coding":\[[^\]]*\],"text":"[^"]*"\})\],')
_VALUE = re.compile(rb'("valueQuantity":\{"value":)-?[0-9.eE+-]+')
_ONE_VALUE = re.compile(rb'^(?!.*"component":\[)')
_TIME = re.compile(rb'("(?:effectiveDateTime|occurrenceDateTime|authoredOn|created)":)"[^"]+"')
_DATE = re.compile(rb'("(?:effectiveDateTime|occurrenceDateTime|authoredOn|created|birthDate)":)"[^"]+"')
_TEXT = re.compile(rb'("text":")([A-Za-z])')


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: ``plant`` gives the spoiled line, or None where the line has nothing that it could spoil."""

    name: str
    reason: Reason
    plant: Plant


def _whole(text: bytes) -> Plant:
    """Another line altogether."""
    return lambda _: text


def _swap(pattern: re.Pattern[bytes], new: bytes, only: re.Pattern[bytes] | None = None) -> Plant:
    """The first match replaced by ``new`` (a template), in lines of the types that ``only`` finds."""

    def plant(line: bytes) -> bytes | None:
        found = pattern.search(line)
        if found is None or (only is not None and only.match(line) is None):
            return None
        return line[: found.start()] + found.expand(new) + line[found.end() :]

    return plant


def _truncated(line: bytes) -> bytes:
    """Cut at two thirds, never within a character: that would be another fault."""
    end = len(line) * 2 // 3
    while line[end] & 0xC0 == 0x80:
        end -= 1
    return line[:end]


def _long_id(line: bytes) -> bytes | None:
    found = _ID.match(line)
    if found is None:
        return None
    return line[: found.start(2)] + found[2].ljust(_LONGEST_ID + 1, b"x") + line[found.end(2) :]


def _misnamed(line: bytes) -> bytes | None:
    """A resourceType with its third letter forgotten, as typing errors are."""
    found = _TYPE.match(line)
    if found is None:
        return None
    return line[: found.start(1)] + found[1][:2] + found[1][3:] + line[found.end(1) :]


def _nested(line: bytes) -> bytes | None:
    if b'"extension":' in line:
        return None
    return line[:-1] + b',"extension":' + b"[" * _DEPTH + b"]" * _DEPTH + b"}"


FAULTS = (
    Fault("truncated", Reason.MALFORMED_JSON, _truncated),
    Fault("not_json", Reason.MALFORMED_JSON, _whole(b"ERROR 503: upstream closed the connection")),
    Fault("trailing_comma", Reason.MALFORMED_JSON, lambda line: line[:-1] + b",}"),
    Fault("nan", Reason.MALFORMED_JSON, _swap(_VALUE, rb"\1NaN", _ONE_VALUE)),
    Fault("invalid_utf8", Reason.INVALID_UTF8, _swap(_TEXT, rb"\1" + b"\xff\xfe" + rb"\2")),
    Fault("lone_surrogate", Reason.INVALID_UNICODE, _swap(_TEXT, rb"\1\\ud800\2")),
    Fault("nul", Reason.NUL_CHARACTER, _swap(_TEXT, rb"\1\\u0000\2")),
    Fault("null_line", Reason.NOT_AN_OBJECT, _whole(b"null")),
    Fault("array_line", Reason.NOT_AN_OBJECT, lambda line: b"[" + line + b"]"),
    Fault("number_line", Reason.NOT_AN_OBJECT, _whole(b"5")),
    Fault("deep_nesting", Reason.TOO_DEEP, _nested),
    Fault("duplicate_key", Reason.DUPLICATE_KEY, _swap(_ID, rb'\1"id":"\2","id":"\2-2",')),
    Fault("huge_number", Reason.NUMBER_OUT_OF_RANGE, _swap(_VALUE, rb"\g<1>1e400", _ONE_VALUE)),
    Fault("wrong_resource_type", Reason.UNKNOWN_RESOURCE_TYPE, _misnamed),
    Fault("missing_resource_type", Reason.NO_RESOURCE_TYPE, _swap(_TYPE, rb"{")),
    Fault("missing_id", Reason.NO_ID, _swap(_ID, rb"\1")),
    Fault("id_with_space", Reason.INVALID_ID, _swap(_ID, rb'\1"id":"has space",')),
    Fault("id_too_long", Reason.INVALID_ID, _long_id),
    Fault("numeric_id", Reason.WRONG_TYPE, _swap(_ID, rb'\1"id":12,')),
    Fault("object_for_string", Reason.WRONG_TYPE, _swap(_STATUS, rb'\1"status":{"value":\2},')),
    Fault("object_for_list", Reason.WRONG_TYPE, _swap(_CATEGORY, rb'"category":\1,')),
    Fault("list_for_object", Reason.WRONG_TYPE, _swap(_CODE, rb'"code":[\1],', _CODED)),
    Fault("text_for_number", Reason.WRONG_TYPE, _swap(_VALUE, rb'\1"high"', _ONE_VALUE)),
    Fault("true_for_number", Reason.WRONG_TYPE, _swap(_VALUE, rb"\1true", _ONE_VALUE)),
    Fault("unknown_status", Reason.CODE_NOT_IN_VALUE_SET, _swap(_STATUS, rb'\1"status":"bogus",')),
    Fault("missing_status", Reason.REQUIRED_MISSING, _swap(_STATUS, rb"\1", _STATUS_REQUIRED)),
    Fault("missing_code", Reason.REQUIRED_MISSING, _swap(_CODE, b"", _CODE_REQUIRED)),
    Fault("impossible_date", Reason.INVALID_TIME, _swap(_DATE, rb'\1"2019-02-30"')),
    Fault("no_offset", Reason.INVALID_TIME, _swap(_TIME, rb'\1"2019-01-01T10:00:00"')),
)


class Planter:
    """Hands out the faults in turn, so that each is planted equally often as far as the lines allow."""

    def __init__(self) -> None:
        """Begin with the first fault."""
        self._waiting = deque(FAULTS)

    def spoil(self, line: bytes) -> tuple[Fault, bytes]:
        """The line with the fault that has waited longest among those it can bear."""
        for fault in self._waiting:
            spoiled = fault.plant(line)
            if spoiled is not None:
                self._waiting.remove(fault)
                self._waiting.append(fault)
                return fault, spoiled
        raise AssertionError("some faults suit every line")
