"""Bundles of any size as a stream of their entries (FHIR R4 2.36), with memory for the largest entry only.

Two passes: :func:`survey` finds out whether the document is a Bundle, whether it is whole, and what its
``urn:`` URLs stand for; :func:`bundle_pieces` hands the entries on, exactly as received but for their line
breaks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from schemas.records import Chunk, ChunkKind, OversizedLine
from sources.entries import Element, EntrySlicer
from sources.lines import Piece
from sources.skeleton import Skeleton, malformed, on_one_line
from sources.source import ReadLimits

_URN_PREFIXES = ("urn:uuid:", "urn:oid:")


@dataclass(frozen=True, slots=True)
class Outline:
    """What a first pass learned of a document.

    ``envelope`` is the Bundle without its entries, as one line, when it has an id of its own and is more than a
    carrier of deletes. ``updated`` is its `meta.lastUpdated`.
    ``references`` maps ``urn:uuid:`` and ``urn:oid:`` full URLs to ``Type/id``.
    """

    is_bundle: bool
    envelope: bytes | None = None
    envelope_offset: int = 0
    references: Mapping[str, str] = field(default_factory=dict)
    updated: str | None = None


def survey(blocks: Iterable[bytes], uri: str, limits: ReadLimits, *, offset: int = 0) -> Outline:
    """Read a JSON document through. Raises :class:`IntegrityError`, with the byte, when it is cut or is not
    JSON.

    An entry that is malformed in itself but closed is no reason to refuse the others: it is handed on as it
    is. A document that is no Bundle, or whose Bundle without entries is above ``line_bytes``, is not
    ``is_bundle``.
    """
    skeleton = Skeleton(limits.line_bytes, offset)
    slicer = EntrySlicer(uri, limits, skeleton, offset)
    references = _References()
    for element in slicer.slices(blocks):
        if isinstance(element, Element):
            references.learn(element.data)
    if skeleton.overflowed:
        return Outline(is_bundle=False)
    try:
        members = skeleton.members(uri)
    except RecursionError:
        if skeleton.arrays:
            raise malformed(uri, offset, "nested too deeply to tell the entries from the rest") from None
        return Outline(is_bundle=False)
    if not members or members.get("resourceType") != "Bundle":
        return Outline(is_bundle=False)
    if skeleton.arrays > 1 or members.get("entry", []) != []:
        raise malformed(uri, offset, "the Bundle has more than one `entry`, or one that is not a plain array")
    updated = _updated(members.get("meta"))
    if "id" not in members or references.only_deletes:
        return Outline(is_bundle=True, references=references.found, updated=updated)
    envelope, at = skeleton.envelope()
    return Outline(True, envelope, at, references.found, updated)


def _updated(meta: object) -> str | None:
    found = meta.get("lastUpdated") if isinstance(meta, dict) else None
    return found if isinstance(found, str) else None


def bundle_pieces(
    blocks: Iterable[bytes], uri: str, limits: ReadLimits, outline: Outline, *, offset: int = 0
) -> Iterator[Piece]:
    """Chunks of entries, numbered from 1, then the envelope as a resource when it has an id."""
    slicer = EntrySlicer(uri, limits, Skeleton(limits.line_bytes, offset), offset)
    batch = _Batch(uri, outline)
    for element in slicer.slices(blocks):
        if isinstance(element, OversizedLine):
            yield from batch.flush()
            yield element, 1
        else:
            if batch.size + len(element.data) >= limits.chunk_bytes:
                yield from batch.flush()
            batch.add(element)
    yield from batch.flush()
    if outline.envelope is not None:
        data = outline.envelope + b"\n"
        at = outline.envelope_offset
        line = slicer.count + 1
        yield (
            Chunk(uri, at, line, data, ChunkKind.RESOURCE, (at,), outline.references),
            1,
        )


class _FullUrlResource(msgspec.Struct):
    resourceType: str = ""
    id: str | None = None


class _FullUrlEntry(msgspec.Struct):
    fullUrl: str = ""
    resource: _FullUrlResource | None = None


class _Request(msgspec.Struct):
    method: str = ""


class _RequestEntry(msgspec.Struct):
    request: _Request | None = None


class _References:
    """What each ``urn:`` full URL of the Bundle stands for (FHIR R4 2.36.4.1)."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self._ambiguous: set[str] = set()
        self._decoder = msgspec.json.Decoder(_FullUrlEntry)
        self._requests = msgspec.json.Decoder(_RequestEntry)
        self._entries = self._deletes = 0

    @property
    def only_deletes(self) -> bool:
        """True when there are entries and all are deletes, so that the Bundle is no more than their carrier."""
        return 0 < self._entries == self._deletes

    def learn(self, entry: bytes) -> None:
        """Note the entry's full URL; one that stands for two different resources is left out, not guessed."""
        self._entries += 1
        self._deletes += b'"DELETE"' in entry and self._is_delete(entry)
        try:
            read = self._decoder.decode(entry)
        except (ValueError, RecursionError):  # for the decoder to judge, which keeps it with its reason
            return
        url = read.fullUrl
        if read.resource is None or not read.resource.resourceType or not url.startswith(_URN_PREFIXES):
            return
        identity = read.resource.id or url.split(":", 2)[2]
        target = f"{read.resource.resourceType}/{identity}"
        if url in self._ambiguous or self.found.setdefault(url, target) != target:
            self._ambiguous.add(url)
            self.found.pop(url, None)

    def _is_delete(self, entry: bytes) -> bool:
        try:
            request = self._requests.decode(entry).request
        except (ValueError, RecursionError):
            return False
        return request is not None and request.method == "DELETE"


class _Batch:
    """Entries that wait to become a chunk."""

    def __init__(self, uri: str, outline: Outline) -> None:
        self.size = 0
        self._uri = uri
        self._outline = outline
        self._elements: list[Element] = []

    def add(self, element: Element) -> None:
        self._elements.append(element)
        self.size += len(element.data) + 1

    def flush(self) -> Iterator[Piece]:
        if not self._elements:
            return
        data = b"".join([part for each in self._elements for part in (on_one_line(each.data), b"\n")])
        offsets = tuple(each.offset for each in self._elements)
        line = self._elements[0].line
        of_bundle = self._outline.references, self._outline.updated
        chunk = Chunk(self._uri, offsets[0], line, data, ChunkKind.ENTRY, offsets, *of_bundle)
        self._elements, self.size = [], 0
        yield chunk, len(offsets)
