"""What is asked of an export: the address of the operation and its parameters (Bulk Data Access 2.0, "Kick-off")."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from schemas.errors import UsageError

OPERATION = "$export"
_ID = re.compile(r"[A-Za-z0-9.\-]{1,64}")  # FHIR R4 2.24.0.1, id
_TYPE = re.compile(r"[A-Z][A-Za-z]{0,63}")
_SINCE = "_since"


class Level(StrEnum):
    """What is exported: all of the server, its patients, or a group of them."""

    SYSTEM = "system"
    PATIENT = "patient"
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """``endpoint`` is the address of the operation without parameters, ``base`` that of the FHIR server."""

    base: str
    endpoint: str
    types: tuple[str, ...] = ()
    type_filters: tuple[str, ...] = ()
    elements: tuple[str, ...] = ()
    organize_by: str | None = None
    since: datetime | None = None
    more: tuple[tuple[str, str], ...] = ()  # parameters that the given address had

    @property
    def url(self) -> str:
        """The address of the kick-off request."""
        since = [(_SINCE, _instant(self.since))] if self.since is not None else []
        return self._with([*since, *self._parameters()])

    @property
    def scope(self) -> str:
        """What is asked for, whatever the time since when: equal for exports that go on from one another."""
        return self._with(sorted(self._parameters()))

    def since_when(self, since: datetime | None) -> ExportRequest:
        """The same, of what changed since."""
        return replace(self, since=since)

    def _parameters(self) -> list[tuple[str, str]]:
        told = [("_type", ",".join(sorted(self.types))), ("_elements", ",".join(sorted(self.elements)))]
        told += [("_typeFilter", query) for query in self.type_filters]
        told += [("organizeOutputBy", self.organize_by or "")]
        return [("_outputFormat", "application/fhir+ndjson"), *(each for each in told if each[1]), *self.more]

    def _with(self, parameters: Sequence[tuple[str, str]]) -> str:
        return f"{self.endpoint}?{urlencode(parameters, quote_via=quote)}"


def export_request(
    url: str,
    *,
    level: Level | None = None,
    group: str | None = None,
    types: Sequence[str] = (),
    type_filters: Sequence[str] = (),
    elements: Sequence[str] = (),
    organize_by: str | None = None,
    since: datetime | None = None,
) -> ExportRequest:
    """The request for ``url``: a FHIR server, or the operation itself with any parameters.

    ``.../fhir``, ``.../fhir/Patient`` and ``.../fhir/Group/G`` mean the operation below them. ``types`` and
    ``elements`` may hold several with commas. Raises UsageError that names the option that is wrong.
    """
    parts = urlsplit(url)
    if parts.fragment:
        raise UsageError(f"{parts.hostname}: the address has a part after #; give it without")
    path = parts.path.rstrip("/").removesuffix(f"/{OPERATION}").removesuffix("/%24export")
    base, found, its_group = _level(path)
    if group is not None and level not in (None, Level.GROUP):
        raise UsageError(f"--group is for exports of a group, not --level {level}")
    level = Level.GROUP if group is not None else level or found
    group = group or its_group
    if found is not Level.SYSTEM and (level is not found or (its_group and group != its_group)):
        raise UsageError(f"the address is that of an export of level {found}; leave --level and --group out")
    if level is Level.GROUP and (group is None or not _ID.fullmatch(group)):
        raise UsageError("an export of a group needs the id of the group: --group ID")
    below = {Level.SYSTEM: "", Level.PATIENT: "/Patient", Level.GROUP: f"/Group/{group}"}[level]
    given = parse_qsl(parts.query, keep_blank_values=True)
    if since is not None and any(name == _SINCE for name, _ in given):
        raise UsageError("the address has _since, and so has the command; give it once")
    root = urlunsplit((parts.scheme, parts.netloc, base, "", ""))
    return ExportRequest(
        base=root,
        endpoint=f"{root}{below}/{OPERATION}",
        types=_types(_several(types) + [one for name, value in given if name == "_type" for one in _several([value])]),
        type_filters=tuple(type_filters),
        elements=tuple(dict.fromkeys(_several(elements))),
        organize_by=organize_by,
        since=since or _told_since(given),
        more=tuple((n, v) for n, v in given if n not in (_SINCE, "_type", "_outputFormat")),
    )


def _level(path: str) -> tuple[str, Level, str | None]:
    """The path of the server, and the level and group that the path below it means."""
    if path.endswith("/Patient"):
        return path.removesuffix("/Patient"), Level.PATIENT, None
    before, _, group = path.rpartition("/")
    if before.endswith("/Group"):
        return before.removesuffix("/Group"), Level.GROUP, group
    return path, Level.SYSTEM, None


def _several(values: Sequence[str]) -> list[str]:
    return [one.strip() for value in values for one in value.split(",") if one.strip()]


def _types(named: Sequence[str]) -> tuple[str, ...]:
    for name in named:
        if not _TYPE.fullmatch(name):
            raise UsageError(f"--type {name[:64]!a} is no resource type; give names such as Patient,Observation")
    return tuple(dict.fromkeys(named))


def _told_since(given: Sequence[tuple[str, str]]) -> datetime | None:
    told = [value for name, value in given if name == _SINCE]
    if not told:
        return None
    try:
        since = datetime.fromisoformat(told[-1].replace(" ", "+"))
    except ValueError:
        since = None
    if since is None or since.tzinfo is None:
        raise UsageError("_since in the address is no instant with a zone, such as 2026-01-31T00:00:00Z")
    return since


def _instant(at: datetime) -> str:
    at = at.astimezone(UTC)
    return at.replace(tzinfo=None).isoformat(timespec="microseconds" if at.microsecond % 1000 else "milliseconds") + "Z"
