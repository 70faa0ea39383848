"""Bundles as the resources they hold: each entry becomes a line of its own, with the Bundle's own references
resolved.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec
import polars as pl

from schemas.fhir_types import resource_types
from schemas.reasons import Reason
from schemas.records import UNKNOWN_TYPE, Chunk, ChunkKind
from transforms.decode.careful import Fault, Refused, fault_of, lacks_id, resource_type
from transforms.decode.deletes import Delete, delete_of, delete_of_line
from transforms.decode.lines import LINES_SCHEMA, Lines, is_text, split_lines, type_when_first

_REFERENCE = re.compile(rb'("reference"\s*:\s*")(urn:[^"\\]+)"')
_NESTED_LIMIT = 8  # Bundles within Bundles


class _Resource(msgspec.Struct):
    resourceType: str = ""
    id: str = ""


class _Entry(msgspec.Struct):
    fullUrl: str = ""
    resource: msgspec.Raw = msgspec.Raw()


class _Meta(msgspec.Struct):
    lastUpdated: str | None = None


_META = msgspec.json.Decoder(_Meta)
_NO_DELETE = Fault(Reason.INVALID_DELETE, None, Reason.INVALID_DELETE.meaning)
_ENTRY = msgspec.json.Decoder(_Entry)
_RESOURCE = msgspec.json.Decoder(_Resource)
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ENTRIES = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Opened:
    """A chunk without its Bundles: resources, the rows that could not be taken out of theirs, and deletes."""

    lines: Lines
    refused: list[Refused]
    deletes: list[Delete]


@dataclass(slots=True)
class _Made:
    """Resources and deletes taken out of Bundles, in order. ``only_deletes``: resources are refused."""

    only_deletes: bool = False
    deletes: list[Delete] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    texts: list[bytes] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)
    faults: list[tuple[int, Fault]] = field(default_factory=list)

    def add(self, payload: bytes, text: bytes, place: tuple[int, int], fault: Fault | None = None) -> None:
        if fault is not None:
            self.faults.append((len(self.payloads), fault))
        self.payloads.append(payload)
        self.texts.append(text)
        self.places.append(place)


def resources_of(chunk: Chunk, *, hashed: bool = True) -> Opened:
    """The resources and deletes of a chunk.

    Of an ENTRY chunk every line is opened, of a DELETE chunk every line is a delete, of others only the lines that are
    Bundles are opened. Not ``hashed``: content hashes may be null.
    """
    lines = split_lines(chunk, hashed=hashed)
    made = _Made(chunk.deletes)
    if chunk.kind is ChunkKind.DELETE:
        found = (delete_of_line(lines.payload(row), _place(lines, row)) for row in range(lines.frame.height))
        return Opened(*_as_lines(made), [delete for delete in found if delete is not None])
    if chunk.kind is ChunkKind.ENTRY:
        bundle = _Bundle(chunk.references, chunk.updated)
        for row in range(lines.frame.height):
            _entry(lines.payload(row), _place(lines, row), bundle, made, 0)
        return Opened(*_as_lines(made), made.deletes)
    bundles = _bundle_rows(lines)
    for row in bundles:
        _bundle(lines.payload(row), _place(lines, row), made, 0)
    rest, refused = _joined(lines, bundles, *_as_lines(made)) if bundles else (lines, [])
    if chunk.deletes:
        refused += _no_deletes(rest, lines.frame.height - len(bundles))
    return Opened(rest, refused, made.deletes)


def _no_deletes(lines: Lines, rows: int) -> Iterator[Refused]:
    """The first ``rows`` lines, which are no Bundles, where only deletes are expected; unreadable ones are left to the
    decoder."""
    for row in range(rows):
        kind = resource_type(lines.payload(row))
        if isinstance(kind, str):
            yield Refused(row, kind if kind in resource_types() else UNKNOWN_TYPE, _NO_DELETE)


def _bundle_rows(lines: Lines) -> list[int]:
    maybe = lines.frame["text"].str.contains('"Bundle"', literal=True)
    if not maybe.any():
        return []
    candidates = lines.frame.select("text").with_row_index("row").filter(maybe)
    rows = []
    for row, kind in zip(candidates["row"], type_when_first(candidates["text"]), strict=True):
        if kind == "Bundle" or (kind is None and resource_type(lines.payload(row)) == "Bundle"):
            rows.append(row)
    return rows


def _place(lines: Lines, row: int) -> tuple[int, int]:
    return lines.frame["line"][row], lines.frame["offset"][row]


@dataclass(frozen=True, slots=True)
class _Bundle:
    """What entries take from their Bundle: what its `urn:` URLs stand for, and its `meta.lastUpdated`."""

    references: Mapping[str, str]
    updated: str | None


def _bundle(line: bytes, place: tuple[int, int], made: _Made, depth: int) -> None:
    """The entries of a whole Bundle, then the Bundle without them, when it has an id of its own and is more than a
    carrier of deletes."""
    try:
        parts = _OBJECT.decode(line)
        entries = _ENTRIES.decode(parts.pop("entry", msgspec.Raw(b"[]")))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        made.add(line, line, place, fault_of(error, line))
        return
    raw = [bytes(e) for e in entries]
    bundle = _Bundle(dict(_references(raw)), _updated(parts.get("meta")))
    before = len(made.deletes)
    for entry in raw:
        _entry(entry, place, bundle, made, depth)
    if "id" in parts and not made.only_deletes and not 0 < len(raw) == len(made.deletes) - before:
        envelope = b"{" + b",".join(msgspec.json.encode(k) + b":" + bytes(v) for k, v in parts.items()) + b"}"
        made.add(envelope, envelope, place)


def _updated(meta: msgspec.Raw | None) -> str | None:
    try:
        return _META.decode(meta).lastUpdated if meta else None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def _references(entries: list[bytes]) -> Iterator[tuple[str, str]]:
    """What the `urn:` fullUrls of a Bundle stand for, as `Type/id`."""
    for line in entries:
        try:
            entry = _ENTRY.decode(line)
            resource = _RESOURCE.decode(entry.resource) if entry.fullUrl.startswith("urn:") else None
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            continue
        if resource and resource.resourceType:
            ident = resource.id or entry.fullUrl.rsplit(":", 1)[-1]
            yield entry.fullUrl, f"{resource.resourceType}/{ident}"


def _entry(line: bytes, place: tuple[int, int], bundle: _Bundle, made: _Made, depth: int) -> None:
    delete = delete_of(line, place, bundle.updated)
    if delete is not None:
        made.deletes.append(delete)
        return
    try:
        entry = _ENTRY.decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        made.add(line, line, place, fault_of(error, line))
        return
    resource = bytes(entry.resource)
    if not resource or resource == b"null":
        if made.only_deletes:
            made.add(line, line, place, _NO_DELETE)
        return  # a search mode, a GET: no resource
    if depth < _NESTED_LIMIT and b'"Bundle"' in resource and resource_type(resource) == "Bundle":
        _bundle(resource, place, made, depth + 1)
        return
    if made.only_deletes:
        made.add(resource, resource, place, _NO_DELETE)
        return
    made.add(resource, _resolved(resource, entry.fullUrl, bundle.references), place)


def _resolved(resource: bytes, full_url: str, references: Mapping[str, str]) -> bytes:
    """The resource with references to its own Bundle as `Type/id`; without an id it takes the one of its fullUrl."""

    def target(found: re.Match[bytes]) -> bytes:
        known = references.get(found[2].decode())
        return found[1] + known.encode() + b'"' if known else found[0]

    text = _REFERENCE.sub(target, resource) if references and b'"urn:' in resource else resource
    known = references.get(full_url)
    if known and lacks_id(resource):
        text = text.rstrip()[:-1] + b',"id":' + msgspec.json.encode(known.split("/", 1)[1]) + b"}"
    return text


def _as_lines(made: _Made) -> tuple[Lines, list[Refused]]:
    data = b"\n".join(made.payloads) + b"\n"
    ends: list[int] = []
    at = 0
    for payload in made.payloads:
        ends.append(at + len(payload))
        at = ends[-1] + 1
    frame = pl.DataFrame(
        {
            "text": [t.decode("utf-8", "replace").replace("\n", " ") + "\n" for t in made.texts],
            "line": [line for line, _ in made.places],
            "offset": [offset for _, offset in made.places],
            "start": [end - len(p) for end, p in zip(ends, made.payloads, strict=True)],
            "end": ends,
            "content_hash": [hashlib.sha256(p).digest() for p in made.payloads],
        },
        schema=LINES_SCHEMA,
    )
    refused = [Refused(row, UNKNOWN_TYPE, fault) for row, fault in made.faults]
    return Lines(data, frame, all(is_text(t) for t in made.texts)), refused


def _joined(lines: Lines, opened: list[int], inner: Lines, refused: list[Refused]) -> tuple[Lines, list[Refused]]:
    """Lines without those that were opened, followed by what was in them."""
    rest = lines.frame.with_row_index("~row").filter(~pl.col("~row").is_in(opened)).drop("~row")
    shift = len(lines.data)
    moved = inner.frame.with_columns(pl.col("start") + shift, pl.col("end") + shift)
    both = Lines(lines.data + inner.data, pl.concat([rest, moved]), lines.utf8 and inner.utf8)
    return both, [Refused(r.row + rest.height, r.resource_type, r.fault) for r in refused]
