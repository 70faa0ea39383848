"""Crosswalk files as one crosswalk: the form of each told by its content, and the maps that leave codes to others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from schemas.crosswalk import ENTRY_SCHEMA, Crosswalk, CrosswalkMap
from schemas.errors import UsageError
from sources.crosswalks.concept_map import read_concept_map
from sources.crosswalks.rows import ReadMap, fault, must_agree
from sources.crosswalks.table import read_table

_COMPRESSED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"PK\x03\x04": "zip"}


def read_crosswalk(paths: Sequence[Path]) -> Crosswalk | None:
    """The crosswalk of these files; None when there are none.

    UsageError, with file and place, for a file that cannot be read, is neither a ConceptMap in JSON nor CSV, is not
    right, or leaves codes to a map that was not given.
    """
    files: dict[str, _File] = {}
    for path in paths:
        one = _read(path)
        files.setdefault(one.sha256, one)  # a file given twice is one file
    if not files:
        return None
    maps = [_Map(file, number, read) for file in files.values() for number, read in enumerate(file.maps)]
    levels = _levels(maps)
    rows = [(number, *row[1:]) for number, one in enumerate(maps) for row in one.read.rows]
    entries = pl.DataFrame(rows, schema=ENTRY_SCHEMA, orient="row", infer_schema_length=None)
    told = tuple(
        CrosswalkMap(one.file.uri, one.file.sha256, one.read.url, one.read.version, level, len(one.read.rows))
        for one, level in zip(maps, levels, strict=True)
    )
    return Crosswalk(told, entries.unique(maintain_order=True))


@dataclass(frozen=True, slots=True)
class _File:
    uri: str
    sha256: str
    maps: list[ReadMap]


@dataclass(frozen=True, slots=True)
class _Map:
    file: _File
    number: int  # in its file
    read: ReadMap


def _read(path: Path) -> _File:
    uri = str(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"the crosswalk {uri} cannot be read: {error.strerror}: name a file") from None
    packed = next((name for magic, name in _COMPRESSED.items() if data.startswith(magic)), None)
    if packed:
        raise fault(uri, "start", f"is compressed ({packed}): unpack it first")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise fault(uri, f"byte {error.start}", "is no UTF-8: save it as UTF-8") from None
    maps = _json(uri, text) if text.lstrip()[:1] in ("{", "[") else _table(uri, text)
    for one in maps:
        must_agree(uri, one.rows)
    return _File(uri, hashlib.sha256(data).hexdigest(), maps)


def _table(uri: str, text: str) -> list[ReadMap]:
    if text.lstrip().startswith("<"):
        raise fault(uri, "start", "is XML: give the ConceptMap in JSON")
    if not text.strip():
        raise fault(uri, "start", "is empty: give a ConceptMap in JSON or a CSV file")
    return read_table(uri, text)


def _json(uri: str, text: str) -> list[ReadMap]:
    try:
        parsed = json.loads(text)
    except json.JSONDecodeError as error:
        raise fault(uri, f"line {error.lineno}", f"is no JSON ({error.msg}): mend or fetch it again") from None
    except RecursionError:
        raise fault(uri, "start", "is nested too deeply to be a ConceptMap: give another file") from None
    kind = parsed.get("resourceType") if isinstance(parsed, Mapping) else None
    if kind == "ConceptMap":
        return [read_concept_map(uri, "ConceptMap", parsed)]
    if kind == "Bundle":
        found = [read_concept_map(uri, at, one) for at, one in _entries(parsed) if one["resourceType"] == "ConceptMap"]
        if found:
            return found
        raise fault(uri, "Bundle", "there is no ConceptMap in it: give one that has")
    said = f"is a {kind}" if isinstance(kind, str) else "has no resourceType"
    raise fault(uri, "start", f"{said}: give a ConceptMap, or a Bundle of them")


def _entries(bundle: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The resources of a Bundle, each with its place."""
    entries = bundle.get("entry")
    found = []
    for number, entry in enumerate(entries if isinstance(entries, list) else []):
        resource = entry.get("resource") if isinstance(entry, Mapping) else None
        if isinstance(resource, Mapping) and "resourceType" in resource:
            found.append((f"Bundle.entry[{number}].resource", resource))
    return found


def _levels(maps: Sequence[_Map]) -> list[int]:
    """How many maps, at most, are asked before each one. UsageError for a map that is not given, and for a loop."""
    asks = [[_named(maps, one, url, place) for url, place in one.read.others] for one in maps]
    levels = [0] * len(maps)

    def follow(number: int, way: tuple[int, ...]) -> None:
        if number in way:
            urls = " to ".join(str(maps[one].read.url) for one in (*way[way.index(number) :], number))
            raise fault(maps[number].file.uri, "unmapped", f"maps leave codes to each other in a circle: {urls}")
        levels[number] = max(levels[number], len(way))
        for other in asks[number]:
            follow(other, (*way, number))

    for number in range(len(maps)):
        follow(number, ())
    return levels


def _named(maps: Sequence[_Map], asking: _Map, canonical: str, place: str) -> int:
    url, _, version = canonical.partition("|")
    found = [number for number, one in enumerate(maps) if one.read.url == url]
    right = [number for number in found if not version or maps[number].read.version == version]
    if right:
        return right[0]
    if found:
        there = maps[found[0]].read.version
        raise fault(asking.file.uri, place, f"leaves codes to version {version} of {url}, and version {there} was "
                    "given: give that version too")  # fmt: skip
    raise fault(asking.file.uri, place, f"leaves codes to the map {url}, which was not given: add it with --crosswalk")
