"""The careful way: one line at a time, with types rendered from the shape of what is read, to say what is wrong and
where.

Only lines that look suspicious or stand in a chunk that DuckDB refused come here.
"""

from __future__ import annotations

import functools
import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Any, Never

import msgspec

from schemas import fhir_types
from schemas.reasons import Reason
from transforms.fhirpath.shape import Shape

DEPTH_LIMIT = 100  # lists and objects within each other; real resources stay far below
_PLACE = re.compile(r" - at `\$?\.?(.*)`$")
_LONE_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a line is refused; ``message`` holds no value of it."""

    reason: Reason
    place: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A line of a chunk that cannot be read: its row in ``Lines.frame`` and why."""

    row: int
    resource_type: str
    fault: Fault


class _Head(msgspec.Struct):
    resourceType: str | None = None
    id: msgspec.Raw = msgspec.Raw()


class _Meta(msgspec.Struct):
    versionId: str | None = None
    lastUpdated: str | None = None


class _Whole(msgspec.Struct):
    """What is read of a type that is kept whole."""

    resourceType: str
    id: str | None = None
    meta: _Meta | None = None


_HEAD = msgspec.json.Decoder(_Head)
_WHOLE = msgspec.json.Decoder(_Whole)
_INTEGER = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_PRIMITIVES: dict[str, Any] = {"string": str, "number": float, "integer": _INTEGER, "boolean": bool}


def resource_type(line: bytes) -> str | Fault:
    """The resource type of a line, wherever its key stands; or why the line is none."""
    head = _decode(_HEAD, line)
    if isinstance(head, Fault):
        return head
    kind: str | None = head.resourceType
    return kind or Fault(Reason.NO_RESOURCE_TYPE, "resourceType", Reason.NO_RESOURCE_TYPE.meaning)


def lacks_id(line: bytes) -> bool:
    """True for an object that can be read and has no id."""
    head = _decode(_HEAD, line)
    return not isinstance(head, Fault) and not head.id


def resource_id(line: bytes) -> str | None:
    """The id of a refused line, where it can be read and is one."""
    head = _decode(_HEAD, line)
    if isinstance(head, Fault) or not head.id:
        return None
    try:
        value = json.loads(bytes(head.id))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9\-.]{1,64}", value) else None


def judge(line: bytes, shape: Shape | None, *, strictly: bool) -> Fault | None:
    """What is wrong with a line of which the shape is read (None: a type that is kept whole), or None.

    ``strictly`` also looks for what only a full parse shows: duplicate keys, U+0000, half surrogates, depth, size of
    numbers.
    """
    decoder = _WHOLE if shape is None else _decoder(shape)
    found = _decode(decoder, line)
    if isinstance(found, Fault):
        return found
    return _parse_strictly(line) if strictly else None


def _decode(decoder: msgspec.json.Decoder[Any], line: bytes) -> Any:
    try:
        return decoder.decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        return fault_of(error, line)


def fault_of(error: Exception, line: bytes) -> Fault:
    """The fault behind an error that msgspec raised for a line."""
    if isinstance(error, msgspec.ValidationError):
        return _mistyped(str(error))
    if isinstance(error, RecursionError):
        return Fault(Reason.TOO_DEEP, None, Reason.TOO_DEEP.meaning)
    return _unreadable(line)


def _mistyped(message: str) -> Fault:
    """msgspec says ``Expected `str`, got `int` - at `$.a.b[0]```: types and a place, never a value."""
    place = _PLACE.search(message)
    if place is None:
        return Fault(Reason.NOT_AN_OBJECT, None, Reason.NOT_AN_OBJECT.meaning)
    if message.startswith(
        ("Number out of range", "Integer value out of range", "Expected `int` <=", "Expected `int` >=")
    ):
        return Fault(Reason.NUMBER_OUT_OF_RANGE, place[1], Reason.NUMBER_OUT_OF_RANGE.meaning)
    return Fault(Reason.WRONG_TYPE, place[1], message.removesuffix(place[0]))


def _unreadable(line: bytes) -> Fault:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        return Fault(Reason.INVALID_UTF8, None, Reason.INVALID_UTF8.meaning)
    if _LONE_SURROGATE.search(text):
        strict = _parse_strictly(line)
        if strict is not None:
            return strict
    return Fault(Reason.MALFORMED_JSON, None, Reason.MALFORMED_JSON.meaning)


class _FaultError(Exception):
    def __init__(self, reason: Reason, place: str | None = None) -> None:
        super().__init__(reason)
        self.fault = Fault(reason, place, reason.meaning)


def _parse_strictly(line: bytes) -> Fault | None:
    try:
        value = json.loads(
            line, object_pairs_hook=_unique, parse_float=_finite, parse_constant=_no_constant, parse_int=_finite
        )
        _walk(value)
    except _FaultError as error:
        return error.fault
    except RecursionError:
        return Fault(Reason.TOO_DEEP, None, Reason.TOO_DEEP.meaning)
    except UnicodeDecodeError:
        return Fault(Reason.INVALID_UTF8, None, Reason.INVALID_UTF8.meaning)
    except ValueError:
        return Fault(Reason.MALFORMED_JSON, None, Reason.MALFORMED_JSON.meaning)
    return None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key, number in counts.items() if number > 1)
        raise _FaultError(Reason.DUPLICATE_KEY, fhir_types.told(twice))
    return made


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _FaultError(Reason.NUMBER_OUT_OF_RANGE)
    return number


def _no_constant(_: str) -> Never:
    raise _FaultError(Reason.MALFORMED_JSON)


def _walk(value: object) -> None:
    """Every string and every depth of a parsed line."""
    level: list[object] = [value]
    for _ in range(DEPTH_LIMIT):
        deeper: list[object] = []
        for one in level:
            if isinstance(one, dict):
                deeper += one.keys()
                deeper += one.values()
            elif isinstance(one, list):
                deeper += one
            elif isinstance(one, str):
                _check_text(one)
        if not deeper:
            return
        level = deeper
    raise _FaultError(Reason.TOO_DEEP)


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise _FaultError(Reason.NUL_CHARACTER)
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise _FaultError(Reason.INVALID_UNICODE)


@functools.cache
def _decoder(shape: Shape) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(_struct(shape, ("resourceType", str)))


def _struct(shape: Shape, *more: tuple[str, Any]) -> type[msgspec.Struct]:
    """A msgspec type that reads what the shape reads; JSON names are its field names."""
    fields: dict[str, Any] = dict(more)
    for (key, _, _), child in shape.children.items():
        if not key.startswith("#"):
            fields[key] = fields[key] | _type_of(child) if key in fields else _type_of(child)
    names = {f"f{number}": key for number, key in enumerate(fields)}
    declared = [(name, fields[key] | None, None) for name, key in names.items()]
    return msgspec.defstruct("Read", declared, rename=names)


def _type_of(shape: Shape) -> Any:
    if shape.reads_text():
        return object
    if shape.as_items:
        return list[object]
    one: Any = _PRIMITIVES[fhir_types.json_type(shape.type)] if shape.is_leaf() else _struct(shape)
    return list[one | None] if shape.many else one
