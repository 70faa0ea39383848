"""What is being made of one document: its rows, what is kept of it as it stands, and what its entries share."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec
from lxml import etree

from transforms.decode.ccda.datatypes import Json, made
from transforms.decode.ccda.ids import first_id, row_id
from transforms.decode.ccda.narrative import Narrative
from transforms.decode.ccda.node import Node

FRAGMENT = "fragment"


class Kept(StrEnum):
    """Why a part of a document stands in `document_section`."""

    NARRATIVE = "narrative_only"  # a section without an entry that became a row
    UNMAPPED = "unmapped"  # no map reads entries of this kind
    NEGATED = "negated"  # it says that something is not so, and its table has no way to say that
    NONE_KNOWN = "none_known"  # it says that nothing of the kind is known
    NULL = "null"  # it, or what it is about, has a nullFlavor
    NOTE = "note"  # the text of a note, whose other elements are in `document_reference`
    HEADER = "header"  # a part of the header that no map reads


@dataclass(frozen=True, slots=True)
class Row:
    """A FHIR resource as JSON (UTF-8, its times still the text of a TS, without `meta`), and its 1-based line."""

    resource_type: str
    id: str
    data: bytes
    line: int


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a document that is kept as it stands; ``xml`` is whole."""

    ordinal: int
    reason: Kept
    line: int
    section_code: str | None
    section_title: str | None
    template_id: str | None
    element: str
    text: str | None
    xml: str


@dataclass(slots=True)
class Section:
    """The section that is read: its LOINC code, its templates, and how many entries of it became rows."""

    code: str | None = None
    title: str | None = None
    templates: tuple[str, ...] = ()
    entries: int = 0
    mapped: int = 0


@dataclass(slots=True)
class Draft:
    """``kind`` is the LOINC code of the document, ``told_at`` its time as sent, ``version`` its versionNumber.

    ``origin`` names the document in ids of entries that have none: its setId, else its id, else its content's hash.
    """

    origin: str
    sha256: bytes
    size: int
    kind: str = FRAGMENT
    told_at: str | None = None
    version: str | None = None
    document_id: str | None = None
    patient: str | None = None  # id of the row
    encounter: str | None = None
    mended: bool = False
    rows: list[Row] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    narrative: Narrative = field(default_factory=Narrative)
    section: Section = field(default_factory=Section)
    place: str = ""  # of the entry in the document
    why: Kept = Kept.UNMAPPED  # why the entry at hand is no row
    _seen: dict[tuple[str, str], dict[bytes, str]] = field(default_factory=dict)
    _parties: dict[tuple[str, str], tuple[Json, int]] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict)

    def at(self, place: str) -> None:
        """An entry begins at this place of the document."""
        self.place, self._numbers, self.why = place, {}, Kept.UNMAPPED

    def subject(self) -> Json | None:
        """A reference to the patient."""
        return None if self.patient is None else {"reference": f"Patient/{self.patient}"}

    def add(self, kind: str, node: Node, fields: Mapping[str, object], *about: str | None) -> str:
        """A row of an entry, named by its first id within its patient; the reference to it.

        An id that means something else already gets the number of its place, for senders use ids of templates and
        panels again. ``about`` tells apart what is made of one entry.
        """
        body = msgspec.json.encode(made(fields))
        told = first_id(node)
        if told is None:
            number = self._numbers[kind] = self._numbers.get(kind, 0) + 1
            name = row_id(f"{kind} at", self.origin, self.patient, self.place, str(number))
        else:
            name = row_id(kind, self.patient, *told, *about)
        bodies = self._seen.setdefault((kind, name), {})
        digest = hashlib.sha256(body).digest()
        known = bodies.get(digest)
        if known is None:
            known = bodies[digest] = name if not bodies else row_id(f"{kind} again", name, str(len(bodies) + 1))
            head = f'{{"resourceType":"{kind}","id":"{known}"'.encode()
            self.rows.append(Row(kind, known, head + (b"," + body[1:] if len(body) > 2 else b"}"), node.line))
        return f"{kind}/{known}"

    def keep(self, node: Node, reason: Kept | None = None, text: str | None = None) -> None:
        """Keep an element whole, for the reason given or the one that the last map had."""
        templates = node.templates
        xml = etree.tostring(node.element, encoding="unicode", with_tail=False)
        section = self.section
        self.parts.append(
            Part(
                len(self.parts) + 1,
                reason or self.why,
                node.line,
                section.code,
                section.title,
                templates[0] if templates else None,
                node.name,
                text,
                xml,
            )
        )

    def party(self, kind: str, key: tuple[str | None, ...], fields: Mapping[str, object], line: int) -> str:
        """A row of someone or something that several elements may tell of; each adds what the others lack."""
        name = row_id(kind, *key)
        known = self._parties.get((kind, name))
        if known is None:
            self._parties[kind, name] = made(fields), line
        else:
            for element, value in made(fields).items():
                known[0].setdefault(element, value)
        return f"{kind}/{name}"

    def finish(self) -> None:
        """Write the rows of parties: those of which more is told than an identifier."""
        for (kind, name), (fields, line) in self._parties.items():
            if fields.keys() - {"identifier"}:
                data = msgspec.json.encode({"resourceType": kind, "id": name, **fields})
                self.rows.append(Row(kind, name, data, line))
