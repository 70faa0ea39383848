"""What says that a resource was deleted: an entry of a Bundle with the request DELETE, or a line of a table."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from schemas.fhir_types import resource_types
from schemas.reasons import Reason
from schemas.records import UNKNOWN_TYPE
from transforms.decode.careful import Fault

DELETE_COLUMNS = ("resource_type", "id", "last_updated")  # of a table of deletes; the last may be left out
_ID = r"[A-Za-z0-9\-.]{1,64}"
_TYPE = "[A-Za-z]{1,64}"
# Relative to the server or absolute (FHIR R4 3.1.0.7); a version at the end is the one that the delete made.
_URL = re.compile(rf"(?:https?://[^/?#\s]+/(?:[^?#\s]*/)?|/)?({_TYPE})/({_ID})(?:/_history/({_ID}))?/?")
_CONDITIONAL = re.compile(rf"(?:https?://[^/?#\s]+/(?:[^?#\s]*/)?|/)?({_TYPE})?/?\?.*", re.DOTALL)
_ETAG = re.compile(rf'(?:W/)?"({_ID})"')  # FHIR R4 3.1.0.1.3: the versionId as a weak ETag


@dataclass(frozen=True, slots=True)
class Delete:
    """A delete as it was read: its line and place, and what it says, or why it is refused.

    ``updated`` is the text of the time that it was told with; None: it was told without one.
    """

    payload: bytes
    place: tuple[int, int]  # line and byte offset in the file
    resource_type: str = UNKNOWN_TYPE
    id: str | None = None
    version_id: str | None = None
    updated: str | None = None
    fault: Fault | None = None


class _Request(msgspec.Struct):
    method: str = ""
    url: str | None = None


class _Response(msgspec.Struct):
    lastModified: str | None = None
    etag: str | None = None


class _Entry(msgspec.Struct):
    request: msgspec.Raw = msgspec.Raw()
    response: msgspec.Raw = msgspec.Raw()


_ENTRY = msgspec.json.Decoder(_Entry)
_METHOD = msgspec.json.Decoder(dict[str, msgspec.Raw])
_REQUEST = msgspec.json.Decoder(_Request)
_RESPONSE = msgspec.json.Decoder(_Response | None)


def delete_of(entry: bytes, place: tuple[int, int], bundle_updated: str | None) -> Delete | None:
    """The delete that an entry of a Bundle asks for or tells of; None when it does neither.

    Its time is `response.lastModified`, else the Bundle's `meta.lastUpdated`.
    """
    if b'"DELETE"' not in entry:
        return None
    try:
        raw = _ENTRY.decode(entry)
        if bytes(_METHOD.decode(raw.request).get("method", b"")) != b'"DELETE"':
            return None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None  # for the decoder of resources to judge
    try:
        url = _REQUEST.decode(raw.request).url
        response = (_RESPONSE.decode(raw.response) if raw.response else None) or _Response()
    except msgspec.DecodeError:
        return Delete(entry, place, fault=_fault(Reason.INVALID_DELETE, "request"))
    named = _URL.fullmatch(url or "")
    if named is None:
        return _unnamed(entry, place, url or "")
    etag = _ETAG.fullmatch(response.etag or "")
    version = named[3] or (etag[1] if etag else None)
    updated = response.lastModified or bundle_updated
    return _checked(Delete(entry, place, named[1], named[2], version, updated), "request.url")


def delete_of_line(line: bytes, place: tuple[int, int]) -> Delete | None:
    """The delete that a line of a table tells of; None for the line of the columns' names."""
    try:
        fields = [field.strip() for field in next(csv.reader([line.decode().strip()], skipinitialspace=True))]
    except (UnicodeDecodeError, csv.Error, StopIteration):
        return Delete(line, place, fault=_fault(Reason.INVALID_DELETE, None))
    if place[0] == 1 and _is_head(fields):
        return None
    if not 2 <= len(fields) <= len(DELETE_COLUMNS):
        return Delete(line, place, fault=_fault(Reason.INVALID_DELETE, None))
    kind, identity, updated = (*fields, "")[:3]
    if re.fullmatch(_ID, identity) is None:
        return Delete(line, place, fault=_fault(Reason.INVALID_ID, "id"))
    return _checked(Delete(line, place, kind, identity, None, updated or None), "resource_type")


def _is_head(fields: Sequence[str]) -> bool:
    return tuple(field.lower() for field in fields) in (DELETE_COLUMNS, DELETE_COLUMNS[:2])


def _checked(found: Delete, column: str) -> Delete:
    if found.resource_type in resource_types():
        return found
    return Delete(found.payload, found.place, fault=_fault(Reason.UNKNOWN_RESOURCE_TYPE, column))


def _unnamed(entry: bytes, place: tuple[int, int], url: str) -> Delete:
    conditional = _CONDITIONAL.fullmatch(url)
    if conditional is None:
        return Delete(entry, place, fault=_fault(Reason.INVALID_DELETE, "request.url"))
    kind = conditional[1] if conditional[1] in resource_types() else UNKNOWN_TYPE
    return Delete(entry, place, kind, fault=_fault(Reason.CONDITIONAL_DELETE, "request.url"))


def _fault(reason: Reason, column: str | None) -> Fault:
    return Fault(reason, column, reason.meaning)
