"""An element of a document as a plain tree: what the maps look at instead of the parser's own elements."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from lxml import etree

from schemas.reasons import Reason

V3 = "urn:hl7-org:v3"
SDTC = "urn:hl7-org:sdtc"
_XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_DEEPEST = 100  # elements of an entry within each other; real entries stay below 40
# Elements that may have text beside elements (CDA R2: ED, ST, AD, EN); all others have one or the other.
_MIXED = frozenset(("text", "originalText", "value", "title", "addr", "name", "desc", "telecom"))
_NONE: tuple[Node, ...] = ()


class DocumentFault(Exception):
    """Why a document is refused; it holds no value of it."""

    def __init__(self, reason: Reason, line: int = 1) -> None:
        super().__init__(reason.meaning)
        self.reason = reason
        self.line = line


class Node:
    """An element: its name (``sdtc:`` before those of that namespace), attributes, children by name, and own text.

    ``xsi:type`` is an attribute of that name, without its prefix. ``element`` is what the parser made of it.
    """

    __slots__ = ("attributes", "children", "element", "name", "text")

    def __init__(self, name: str, attributes: dict[str, str], text: str, element: etree._Element) -> None:
        self.name = name
        self.element = element
        self.attributes = attributes
        self.children: dict[str, list[Node]] = {}
        self.text = text

    def get(self, attribute: str) -> str | None:
        """An attribute; None when it is not there or empty."""
        return self.attributes.get(attribute) or None

    def all(self, name: str) -> list[Node] | tuple[Node, ...]:
        """The children of that name, in order."""
        return self.children.get(name, _NONE)

    def one(self, *path: str) -> Node | None:
        """The first child, of the first child, and so on; None when there is none."""
        node = self
        for name in path:
            found = node.children.get(name)
            if found is None:
                return None
            node = found[0]
        return node

    def every(self) -> Iterator[Node]:
        """All children; those of one name keep their order."""
        for several in self.children.values():
            yield from several

    @property
    def line(self) -> int:
        """Its 1-based line."""
        return self.element.sourceline or 1

    @property
    def null(self) -> str | None:
        """Its nullFlavor."""
        return self.get("nullFlavor")

    @property
    def negated(self) -> bool:
        """True when its negationInd says so."""
        return self.attributes.get("negationInd") in ("true", "1")

    @property
    def templates(self) -> list[str]:
        """The roots of its templateIds, whatever their extension."""
        return [root for one in self.all("templateId") if (root := one.get("root"))]


def node_of(element: etree._Element, depth: int = 0) -> Node:
    """The tree of an element. Raises :class:`DocumentFault` when it is too deep."""
    if depth > _DEEPEST:
        raise DocumentFault(Reason.XML_TOO_DEEP, element.sourceline or 1)
    attributes = dict(element.items())
    if _XSI_TYPE in attributes:
        attributes["xsi:type"] = attributes.pop(_XSI_TYPE).rpartition(":")[2]
    name = name_of(element.tag)
    node = Node(name, attributes, "", element)
    children = node.children
    mixed = name in _MIXED
    for child in element:
        made = node_of(child, depth + 1)
        if made.name in children:
            children[made.name].append(made)
        else:
            children[made.name] = [made]
        if mixed and child.tail and (tail := child.tail.strip()):
            node.text = f"{node.text} {tail}" if node.text else tail
    if (mixed or not children) and (text := element.text) and (text := text.strip()):
        node.text = f"{text} {node.text}" if node.text else text
    return node


@functools.lru_cache(4096)
def name_of(tag: str) -> str:
    """A tag as the maps call it. What has no namespace is of CDA's, what is of another keeps its own."""
    if tag[0] != "{":
        return tag
    space, _, local = tag[1:].partition("}")
    if space == V3:
        return local
    return f"sdtc:{local}" if space == SDTC else tag
