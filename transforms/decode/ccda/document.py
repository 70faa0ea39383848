"""A document from its bytes to rows: header, then entry by entry as they are parsed, each freed when it is read."""

from __future__ import annotations

import hashlib

from lxml import etree

from schemas.reasons import Reason
from transforms.decode.ccda.draft import Draft, Kept, Section
from transforms.decode.ccda.entries import read_entry
from transforms.decode.ccda.maps import header
from transforms.decode.ccda.maps.parts import STATEMENTS
from transforms.decode.ccda.maps.people import organization, practitioner
from transforms.decode.ccda.narrative import plain_text
from transforms.decode.ccda.node import V3, DocumentFault, Node, name_of, node_of
from transforms.decode.ccda.reading import ROOT, WRAPPER, NamespaceFault, root_of, stream

# Elements that a fragment of a document may begin with (CDA R2).
_HEADER_PARTS = {
    "author": ("assignedAuthor",),
    "performer": ("assignedEntity",),
    "informant": ("assignedEntity",),
    "authenticator": ("assignedEntity",),
    "legalAuthenticator": ("assignedEntity",),
    "dataEnterer": ("assignedEntity",),
}
_FRAGMENTS = frozenset(STATEMENTS) | _HEADER_PARTS.keys() | {"section", "entry", "component", "recordTarget"}
_FRAGMENTS |= {"custodian", "participant", "informationRecipient", "relatedDocument", "relatedSubject", "subject"}
_FRAGMENTS |= {"documentationOf", "componentOf", "inFulfillmentOf", "manufacturedProduct", "authorization", "guardian"}
_FRAGMENTS |= {
    "structuredBody",
    "entryRelationship",
    "precondition",
    "specimen",
    "reference",
    "consumable",
    "criterion",
}


def read_document(data: bytes) -> Draft:
    """What a document says. Raises :class:`DocumentFault` when it is none, or cannot be read safely or to its end.

    Fragments, and documents whose namespaces are not declared, are read as if the usual ones were; ``mended`` says so.
    """
    root = root_of(data)
    if root.name == ROOT and root.cda:
        try:
            return _Reading(data, mended=False).draft
        except NamespaceFault:
            return _Reading(data, mended=True).draft
    if root.name != ROOT and root.name not in _FRAGMENTS:
        raise DocumentFault(Reason.NO_DOCUMENT)
    return _Reading(data, mended=True).draft


class _Reading:
    """One pass over a document."""

    def __init__(self, data: bytes, *, mended: bool) -> None:
        digest = hashlib.sha256(data).digest()
        self.draft = Draft(digest.hex(), digest, len(data), mended=mended)
        self._root: etree._Element | None = None
        self._begun = False  # the header was read
        self._sections: list[tuple[Section, int]] = []  # those that are open, with their numbers
        self._number = 0  # of sections and entries
        self._last: etree._Element | None = None  # an entry that was read and can be freed
        for event, element in stream(data, wrapped=mended):
            name = name_of(element.tag)
            if event == "start":
                self._start(name, element)
            else:
                self._end(name, element)
        self.draft.finish()

    def _start(self, name: str, element: etree._Element) -> None:
        if name == ROOT:
            self._root = element
        elif name == "structuredBody":
            self._header()
        elif name == "section":
            self._sections.append((self.draft.section, self._number))
            self.draft.section = Section()
            self.draft.narrative.begin()

    def _end(self, name: str, element: etree._Element) -> None:
        if name == "entry":
            self._entry(element)
        elif name == "section":
            self._section(element)
        elif name == ROOT:
            self._header()
        elif name == WRAPPER:
            self._fragment(element)

    def _header(self) -> None:
        if self._begun or self._root is None:
            return
        self._begun = True
        root = Node(ROOT, {}, "", self._root)
        for child in self._root:
            name = name_of(child.tag)
            body = child.find(f"{{{V3}}}structuredBody") if name == "component" else None
            if body is None:
                read = name in header.READ or name in header.PARTLY_READ
                node = node_of(child) if read else Node(name, {}, "", child)
                root.children.setdefault(name, []).append(node)
        header.begin(self.draft, root)
        for part in root.every():
            if part.name not in header.READ:
                self.draft.keep(part, Kept.HEADER)

    def _learn(self, section: etree._Element) -> None:
        """What stands in the section before its entries."""
        known = self.draft.section
        if known.code is None and known.title is None:
            for child in section:
                name = name_of(child.tag)
                if name == "code":
                    known.code = child.get("code")
                elif name == "title":
                    known.title = " ".join("".join(child.itertext()).split()) or None
                elif name == "text":
                    self.draft.narrative.learn(child)

    def _entry(self, element: etree._Element) -> None:
        parent = element.getparent()
        if parent is not None and name_of(parent.tag) == "section":
            self._learn(parent)
        self._number += 1
        self.draft.at(f"{self.draft.section.code or ''}/{self._number}")
        read_entry(self.draft, node_of(element))
        self._free(element)

    def _section(self, element: etree._Element) -> None:
        self._learn(element)
        draft = self.draft
        if not draft.section.mapped:
            texts = [child for child in element if name_of(child.tag) == "text"]
            if draft.section.entries == 0 or texts:
                text = "\n".join(plain_text(one) for one in texts) or None
                bare = [child for child in element if name_of(child.tag) not in ("component", "entry")]
                node = Node("section", {}, "", element)
                node.children["templateId"] = [node_of(one) for one in bare if name_of(one.tag) == "templateId"]
                draft.keep(node, Kept.NARRATIVE, text)
        draft.narrative.end()
        draft.section, _ = self._sections.pop()
        self._free(element)

    def _free(self, element: etree._Element) -> None:
        """Free an element that was read; it leaves the tree when the next one is read, for the parser may still be at
        its end.
        """
        element.clear(keep_tail=True)
        if self._last is not None and (parent := self._last.getparent()) is not None:
            parent.remove(self._last)
        self._last = element

    def _fragment(self, wrapper: etree._Element) -> None:
        """What stands outside of sections and entries."""
        for element in wrapper:
            name = name_of(element.tag)
            if name not in (ROOT, "section", "entry"):
                self._number += 1
                self.draft.at(f"/{self._number}")
                self._part(node_of(element))

    def _part(self, node: Node) -> None:
        draft = self.draft
        if node.name in STATEMENTS:
            entry = Node("entry", {}, "", node.element)
            entry.children[node.name] = [node]
            read_entry(draft, entry)
        elif node.name == "component" and any(node.all(name) for name in STATEMENTS):
            read_entry(draft, node)
        elif node.name == "recordTarget":
            header.patient(draft, node.one("patientRole"))
        else:
            if node.name == "custodian":
                organization(draft, node.one("assignedCustodian", "representedCustodianOrganization"))
            elif node.name in _HEADER_PARTS:
                practitioner(draft, node.one(*_HEADER_PARTS[node.name]))
            draft.keep(node, Kept.HEADER)
