"""The shared C-CDA documents against XPath over the same files, and against FHIR that other converters made of them."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from tests.conformance.ccda_facts import Fact, facts_of
from transforms.decode.ccda.document import read_document
from transforms.decode.ccda.draft import Draft
from transforms.decode.hl7v2.fhir_json import resource_lines

pytestmark = pytest.mark.conformance

SHARED = Path(os.environ.get("CLINMART_SHARED", Path(__file__).parents[3] / "shared"))
FOLDER = SHARED / "data" / "ccda"
DOCS = Path(__file__).parents[2] / "docs" / "ccda.md"
FILES = sorted(FOLDER.rglob("*.xml")) if FOLDER.exists() else []
MISSING = f"SKIPPED LOUDLY: no C-CDA documents in {FOLDER}; set CLINMART_SHARED"
V3 = {"v": "urn:hl7-org:v3"}
T = "2.16.840.1.113883.10.20.22.4."
# A code that says something: one of its own, a translation's, or a text.
_SAYS = "(@code!='' or v:translation/@code or normalize-space(v:originalText)!='' or @displayName or v:originalText/*)"
_POSITIVE = "not(@nullFlavor) and not(@negationInd='true')"
# By section: the resource that its entries become, and the XPath of what becomes one, from the section on.
_SECTIONS = {
    "30954-2": ("Observation", f".//v:observation[v:templateId/@root='{T}2' and {_POSITIVE} and v:code[{_SAYS}]]"),
    "8716-3": ("Observation", f".//v:observation[v:templateId/@root='{T}27' and {_POSITIVE} and v:code[{_SAYS}]]"),
    "11450-4": (
        "Condition",
        f".//v:observation[v:templateId/@root='{T}4' and not(@nullFlavor) and v:value[{_SAYS}]"
        "[not(@code='55607006' and ../@negationInd='true') and not(@code='160245001')]]",
    ),
    "10160-0": (
        "MedicationRequest",
        f"v:entry/v:substanceAdministration[v:templateId/@root='{T}16' and "
        f"v:consumable/v:manufacturedProduct/v:manufacturedMaterial[v:code[{_SAYS}] or v:name!='']]",
    ),
    "11369-6": (
        "Immunization",
        f"v:entry/v:substanceAdministration[v:templateId/@root='{T}52' and not(@moodCode='INT') and "
        f"not(@nullFlavor) and v:consumable/v:manufacturedProduct/v:manufacturedMaterial/v:code[{_SAYS}]]",
    ),
    "47519-4": (
        "Procedure",
        f"v:entry/*[v:templateId[@root='{T}12' or @root='{T}13' or @root='{T}14'] and not(@nullFlavor) and "
        f"v:code[{_SAYS}]]",
    ),
    "48765-2": (
        "AllergyIntolerance",
        f".//v:observation[v:templateId/@root='{T}7' and not(@nullFlavor) and "
        f"(@negationInd='true' or v:participant//v:playingEntity[v:code[{_SAYS}] or v:name])]",
    ),
    "46240-8": ("Encounter", f"v:entry/v:encounter[v:templateId/@root='{T}49' and not(@nullFlavor)]"),
    "29762-2": (
        "Observation",
        f"v:entry/v:observation[v:templateId[@root='{T}38' or @root='{T}78' or @root='{T}85'] and {_POSITIVE} and "
        f"v:code[{_SAYS}]]",
    ),
    "18776-5": (
        "ServiceRequest",
        f"v:entry/*[v:templateId[@root='{T}39' or @root='{T}40' or @root='{T}41' or @root='{T}44'] and {_POSITIVE} and "
        f"not(@moodCode='GOL' or @moodCode='EVN') and v:code[{_SAYS}]]",
    ),
}


@pytest.fixture(autouse=True)
def _there() -> None:
    if not FILES:
        pytest.skip(MISSING)


@cache
def _wholes() -> list[tuple[Path, Draft, etree._Element]]:
    """The whole documents that are XML as they stand."""
    found = []
    for path in FILES:
        data = path.read_bytes()
        try:
            root = etree.fromstring(data)
        except etree.XMLSyntaxError:
            continue
        if root.tag == f"{{{V3['v']}}}ClinicalDocument":
            # A line for each element, for rows and elements are matched by lines.
            plain = etree.fromstring(data, etree.XMLParser(remove_blank_text=True))
            data = etree.tostring(plain, pretty_print=True)
            found.append((path, read_document(data), etree.fromstring(data)))
    return found


def test_every_file_is_read() -> None:
    """None of them is refused whole, and every one of them leaves a row or a kept part."""
    empty = [path.name for path in FILES if not ((draft := read_document(path.read_bytes())).rows or draft.parts)]
    assert len(FILES) >= 284
    assert empty == []


def _section_of(root: etree._Element, code: str) -> Iterator[etree._Element]:
    yield from (
        root.iterfind(".//v:section", V3)
        if not code
        else root.xpath(f".//v:section[v:code/@code='{code}']", namespaces=V3)
    )


def _lines(element: etree._Element) -> range:
    """The lines that begin an element within this one."""
    lines = [one.sourceline for one in element.iter(etree.Element)]
    return range(min(lines), max(lines) + 1)


@pytest.mark.parametrize("code", _SECTIONS)
def test_counts_by_section(code: str) -> None:
    """As many rows as the independent count finds entries, but for entries that are told twice alike."""
    kind, path = _SECTIONS[code]
    total = 0
    for file, draft, root in _wholes():
        lines = Counter(row.line for row in draft.rows if row.resource_type == kind)
        for section in _section_of(root, code):
            elements = section.xpath(path, namespaces=V3)
            texts = {re.sub(rb"\s+", b" ", etree.tostring(one, with_tail=False)) for one in elements}
            made = sum(1 for one in {e.sourceline for e in elements} if lines[one])
            assert made == len(texts), (file.name, code, len(elements))
            total += made
    assert total >= {"46240-8": 2}.get(code, 10)  # few documents tell encounters in a section


def test_no_entry_is_lost() -> None:
    """Within the lines of every entry something became a row or was kept."""
    entries = 0
    for file, draft, root in _wholes():
        told = sorted({row.line for row in draft.rows} | {part.line for part in draft.parts})
        for entry in root.iterfind(".//v:entry", V3):
            entries += 1
            lines = _lines(entry)
            assert any(line in lines for line in told), (file.name, lines)
    assert entries >= 290


def test_nothing_negated_is_a_positive_row() -> None:
    """Rows that begin where a negated or null statement does say that it is not so."""
    looked_at = 0
    for file in FILES:
        draft = read_document(file.read_bytes())
        parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True)
        root = etree.fromstring(b"<x>" + re.sub(rb"<\?xml[^>]*\?>", b"", file.read_bytes()) + b"</x>", parser)
        negated = root.xpath(".//*[@negationInd='true' or @nullFlavor]")
        lines = {one.sourceline: one for one in negated if "}" not in str(one.tag) or V3["v"] in str(one.tag)}
        for row in draft.rows:
            element = lines.get(row.line)
            if element is None or etree.QName(element).localname not in _STATEMENTS:
                continue
            looked_at += 1
            assert not element.get("nullFlavor"), (file.name, row.resource_type)
            assert _says_not(json.loads(row.data)), (file.name, row.resource_type, row.line)
    assert looked_at >= 10


_STATEMENTS = ("act", "observation", "organizer", "substanceAdministration", "supply", "procedure", "encounter")
_NONE_KNOWN = {"716186003", "409137002", "429625007"}


def _says_not(resource: dict[str, Any]) -> bool:
    codes = {one["code"] for one in resource.get("code", {}).get("coding", ())}
    return (
        resource.get("doNotPerform") is True
        or resource.get("status") == "not-done"
        or "refuted" in str(resource.get("verificationStatus"))
        or bool(codes & _NONE_KNOWN)
    )


def _written(draft: Draft) -> Iterator[dict[str, Any]]:
    """The rows of a document as FHIR, nothing assumed."""
    for kind in {row.resource_type for row in draft.rows}:
        resources = [json.loads(row.data) for row in draft.rows if row.resource_type == kind]
        for one in resources:
            del one["resourceType"]
        yield from map(json.loads, resource_lines(kind, resources, {}, None))


def _expected(path: Path) -> Iterator[dict[str, Any]]:
    told = json.loads(path.read_text())
    if told["resourceType"] == "Bundle":
        yield from (entry["resource"] for entry in told["entry"])
    else:
        yield from (told, *told.get("contained", ()))


def test_other_converters() -> None:
    """Facts of 21 documents that others converted: each is ours too, or its kind is explained in the documentation."""
    total, differing = 0, Counter[str]()
    files = sorted(FOLDER.glob("*/expected/*.json"))
    for path in files:
        draft = read_document((path.parent.parent / f"{path.stem}.xml").read_bytes())
        ours = Counter[Fact](fact for one in _written(draft) for fact in facts_of(one))
        theirs = Counter[Fact](fact for one in _expected(path) for fact in facts_of(one))
        total += theirs.total()
        for (kind, element, _), count in (theirs - ours).items():
            differing[f"{kind}.{element}"] += count
    told = dict(re.findall(r"^\| `(\w+\.[\w.]+)` \| (\d+) \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE))
    assert len(files) == 21
    assert {name: int(count) for name, count in told.items()} == differing
    assert f"Of {total} facts" in DOCS.read_text(encoding="utf-8")
