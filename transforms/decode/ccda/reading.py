"""The bytes of a document as a stream of elements: nothing is fetched, no entity is expanded, what is large is cut.

libxml2 itself refuses more than 256 levels and texts of more than 10 MB; a DOCTYPE is refused before it is read, for
with entities off their text would be missing without a word.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.parsers import expat

from lxml import etree

from schemas.reasons import Reason
from transforms.decode.ccda.node import SDTC, V3, DocumentFault

ROOT = "ClinicalDocument"
WRAPPER = "clinmart-fragment"
EVENTS = ("entry", "section", "structuredBody", "nonXMLBody", ROOT, WRAPPER)
CUT = "clinmart-cut"  # begins the text that stands for one that was cut
_BLOCK = 256 * 1024  # bytes given to the parser at once
_LONG = 1024 * 1024  # a base64 text of more bytes is cut
_RUN = re.compile(rb">([A-Za-z0-9+/=\s]{%d,})<" % _LONG)
_DECLARATION = re.compile(rb"^\s*<\?xml[^>]{0,200}\?>")
_NAMESPACE_ERROR = 201  # libxml2: XML_NS_ERR_UNDEFINED_NAMESPACE
_DEPTH = "Excessive depth"
_LIMIT = 114  # libxml2: XML_ERR_RESOURCE_LIMIT
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_PREFIXES = {"cda": V3, "sdtc": SDTC, "xsi": _XSI, "voc": f"{V3}/voc"}
_DECLARED = "".join(f' xmlns:{name}="{uri}"' for name, uri in _PREFIXES.items())
_OPEN = f'<{WRAPPER} xmlns="{V3}"{_DECLARED}>'.encode()
_CLOSE = f"</{WRAPPER}>".encode()


class NamespaceFault(DocumentFault):
    """A prefix that nothing declares; the document may be read once more as a fragment."""


@dataclass(frozen=True, slots=True)
class Root:
    """The outermost element: its local name, and whether it is of CDA's namespace."""

    name: str
    cda: bool


def root_of(data: bytes) -> Root:
    """The outermost element of a document. Raises :class:`DocumentFault` for a DOCTYPE and for what is no XML."""
    found: list[Root] = []

    def begin(name: str, attributes: dict[str, str]) -> None:
        prefix, _, local = name.rpartition(":")
        found.append(Root(local, attributes.get(f"xmlns:{prefix}" if prefix else "xmlns") == V3))
        raise _Found

    def refuse(*_: object) -> None:
        raise DocumentFault(Reason.DOCTYPE, parser.CurrentLineNumber)

    parser = expat.ParserCreate()
    parser.StartElementHandler = begin
    parser.StartDoctypeDeclHandler = refuse
    try:
        for start in range(0, len(data), _BLOCK):
            parser.Parse(data[start : start + _BLOCK], False)
    except _Found:
        return found[0]
    except (expat.ExpatError, ValueError, LookupError):
        raise DocumentFault(Reason.MALFORMED_XML, parser.ErrorLineNumber) from None
    raise DocumentFault(Reason.MALFORMED_XML)


class _Found(Exception):
    """The outermost element was met."""


def stream(data: bytes, *, wrapped: bool) -> Iterator[tuple[str, etree._Element]]:
    """``start`` and ``end`` of the elements that are looked for (``EVENTS``), as they are met.

    ``wrapped``: the content stands in an element that declares the usual namespaces, which mends fragments. Raises
    :class:`DocumentFault`.
    """
    tags = [tag for name in EVENTS for tag in (name, f"{{{V3}}}{name}")]
    parser = etree.XMLPullParser(
        events=("start", "end"),
        tag=tags,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        for block in _blocks(data, wrapped=wrapped):
            parser.feed(block)
            yield from parser.read_events()
        root = parser.close()
        yield from parser.read_events()
    except etree.XMLSyntaxError as error:
        raise _fault(error) from None
    if root.getroottree().docinfo.doctype:
        raise DocumentFault(Reason.DOCTYPE)


def _fault(error: etree.XMLSyntaxError) -> DocumentFault:
    line = error.lineno or 1
    if error.code == _NAMESPACE_ERROR:
        return NamespaceFault(Reason.UNDECLARED_PREFIX, line)
    if error.code == _LIMIT:
        return DocumentFault(Reason.XML_TOO_DEEP if _DEPTH in error.msg else Reason.XML_TEXT_TOO_LONG, line)
    return DocumentFault(Reason.MALFORMED_XML, line)


def _blocks(data: bytes, *, wrapped: bool) -> Iterator[bytes]:
    begin, end = 0, len(data)
    if wrapped:
        found = _DECLARATION.match(data)
        begin = found.end() if found else 0
        yield data[:begin] + _OPEN
    runs = _RUN.finditer(data, begin) if end > _LONG else iter(())
    for run in runs:
        yield from _cut(data, begin, run.start(1))
        yield cut_text(memoryview(data)[run.start(1) : run.end(1)])
        begin = run.end(1)
    yield from _cut(data, begin, end)
    if wrapped:
        yield _CLOSE


def _cut(data: bytes, begin: int, end: int) -> Iterator[bytes]:
    for start in range(begin, end, _BLOCK):
        yield data[start : min(start + _BLOCK, end)]


def cut_text(text: memoryview) -> bytes:
    """What stands for a long base64 text: the size and SHA-1 of what it encodes, or its length when it is none."""
    sha1, size, rest = hashlib.sha1(usedforsecurity=False), 0, b""
    try:
        for start in range(0, len(text), _BLOCK):
            part = rest + b"".join(bytes(text[start : start + _BLOCK]).split())
            whole = len(part) - len(part) % 4
            made = binascii.a2b_base64(part[:whole], strict_mode=False)
            sha1.update(made)
            size += len(made)
            rest = part[whole:]
        made = binascii.a2b_base64(rest)
    except binascii.Error:
        return f"{CUT} {len(text)}".encode()
    sha1.update(made)
    return f"{CUT} {size + len(made)} {binascii.b2a_base64(sha1.digest(), newline=False).decode()}".encode()
