"""The narrative of sections: what `reference value="#id"` of an entry means."""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from transforms.decode.ccda.node import Node, name_of

_BREAKS = frozenset(("br", "paragraph", "item", "tr", "caption", "table", "list", "thead", "tbody"))
_CELLS = frozenset(("td", "th"))
_PLACES = ("ID", "id")


class Narrative:
    """The texts of the sections that are open, the innermost last; an id is looked for from the innermost on."""

    def __init__(self) -> None:
        self._open: list[dict[str, etree._Element] | None] = []

    def begin(self) -> None:
        """A section begins."""
        self._open.append(None)

    def learn(self, text: etree._Element) -> None:
        """The narrative of the innermost section has been read; only the first time counts."""
        if self._open and self._open[-1] is None:
            self._open[-1] = dict(_named(text))

    def end(self) -> None:
        """The innermost section ends."""
        self._open.pop()

    def of(self, node: Node | None) -> str | None:
        """The text of an ED: what it refers to in the narrative, else its own; None when there is none."""
        if node is None:
            return None
        if node.text:
            return node.text
        reference = node.one("reference")
        value = None if reference is None else reference.get("value")
        if value is None or value[0] != "#":
            return None
        for known in reversed(self._open):
            element = None if known is None else known.get(value[1:])
            if element is not None:
                return plain_text(element) or None
        return None


def plain_text(element: etree._Element) -> str:
    """The text of a narrative element: a line for each paragraph, item and row, cells apart by ``|``."""
    lines = (" ".join(line.split()).strip(" |") for line in "".join(_pieces(element)).split("\n"))
    return "\n".join(line for line in lines if line)


def _pieces(element: etree._Element) -> Iterator[str]:
    """Depth first without recursion: a narrative may be as deep as the parser allows."""
    for event, one in etree.iterwalk(element, events=("start", "end")):
        name = name_of(one.tag) if isinstance(one.tag, str) else ""
        if event == "start":
            if name in _BREAKS:
                yield "\n"
            if one.text:
                yield one.text.replace("\n", " ")
        else:
            yield "\n" if name in _BREAKS else " | " if name in _CELLS else ""
            if one is not element and one.tail:
                yield one.tail.replace("\n", " ")


def _named(text: etree._Element) -> Iterator[tuple[str, etree._Element]]:
    for element in text.iter(etree.Element):
        for place in _PLACES:
            if name := element.get(place):
                yield name, element
                break
