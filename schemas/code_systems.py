"""One canonical URI for each code system, whatever it was called: OIDs, `urn:oid:`, old URLs, names of HL7 v2 tables.

Only spellings that a source names (``code_systems.csv``: alias, canonical, evidence) or that follow a rule of HL7's own
are changed. FHIR compares URIs letter by letter (R4 2.24.0.1), and so does this module: nothing is folded or trimmed.
"""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from schemas.systems import CVX, SNOMED

_OID = "urn:oid:"
_V2 = "http://terminology.hl7.org/CodeSystem/v2-"
_V3 = "http://terminology.hl7.org/CodeSystem/v3-"
_DISTINCT = 65_536  # spellings remembered; a column that has more of them holds no code systems

# HL7's own rules of naming, each with where it says so.
_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    # SNOMED CT: an edition or a version of it is no system of its own ("Using SNOMED CT with HL7 Standards")
    (re.compile(r"http://snomed\.info/sct/[0-9]{6,18}(?:/version/[0-9]{8})?"), lambda _: SNOMED),
    # HL7 v2 table 0396: "HL7nnnn" names table nnnn; DSTU2 and STU3 called it http://hl7.org/fhir/v2/nnnn
    (re.compile(r"(?:HL7|http://hl7\.org/fhir/v2/)([0-9]{4})"), lambda m: _V2 + m[1]),
    # HL7 gave its v2 table n the OID 2.16.840.1.113883.12.n
    (re.compile(r"(?:urn:oid:)?2\.16\.840\.1\.113883\.12\.([1-9][0-9]{0,3})"), lambda m: f"{_V2}{int(m[1]):04d}"),
    # DSTU2 and STU3 called the v3 code systems http://hl7.org/fhir/v3/NAME; R4 moved them
    (re.compile(r"http://hl7\.org/fhir/v3/([A-Za-z][A-Za-z0-9]*)"), lambda m: _V3 + m[1]),
    # An OID on its own is a URI only with its scheme (R4 2.24.0.1: oid)
    (re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]*)){3,}"), lambda m: _OID + m[0]),
)

# Value sets that draw on one code system each, for maps that name them and no system (R4 ConceptMap.group.source is
# "not needed" then). Both: US Core 1.1.0, `compose.include.system`.
_SYSTEM_OF_VALUE_SET = {
    "http://hl7.org/fhir/us/core/ValueSet/us-core-cvx": CVX,
    "http://hl7.org/fhir/us/core/ValueSet/us-core-ndc-vaccine-codes": "http://hl7.org/fhir/sid/ndc",
}


@functools.cache
def aliases() -> Mapping[str, str]:
    """The listed spellings and the canonical URI of each; OIDs with and without `urn:oid:`."""
    with Path(__file__).with_name("code_systems.csv").open(encoding="utf-8", newline="") as file:
        listed = {row["alias"]: row["canonical"] for row in csv.DictReader(file)}
    listed |= {_OID + alias: system for alias, system in listed.items() if alias[0].isdigit()}
    return MappingProxyType(listed)


@functools.lru_cache(maxsize=_DISTINCT)
def canonical(system: str) -> str:
    """The canonical URI of a code system; the text itself where no other is known."""
    listed = aliases().get(system)
    if listed is not None:
        return listed
    for pattern, name in _RULES:
        if found := pattern.fullmatch(system):
            made = name(found)
            return aliases().get(made, made)
    return system


def renamed(systems: Iterable[str | None]) -> dict[str, str]:
    """Those of the systems that are called otherwise than by their canonical URI, with that URI."""
    return {s: made for s in systems if s is not None and (made := canonical(s)) != s}


def system_of_value_set(url: str) -> str | None:
    """The code system that a value set draws all its codes from, where it is known to be one; a version is left out."""
    return _SYSTEM_OF_VALUE_SET.get(url.partition("|")[0])
