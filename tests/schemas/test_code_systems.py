"""Names of code systems: what is known to be the same system has one name, and nothing else is changed."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from schemas import systems
from schemas.code_systems import aliases, canonical, renamed, system_of_value_set
from schemas.tables import all_tables, preferred

V2, V3 = "http://terminology.hl7.org/CodeSystem/v2-", "http://terminology.hl7.org/CodeSystem/v3-"
LISTED = Path(schemas.__file__).with_name("code_systems.csv")


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("2.16.840.1.113883.6.1", systems.LOINC),
        ("urn:oid:2.16.840.1.113883.6.1", systems.LOINC),
        ("http://loinc.org/", systems.LOINC),
        ("LN", systems.LOINC),
        ("SCT", systems.SNOMED),
        ("http://snomed.info/sct/900000000000207008", systems.SNOMED),
        ("http://snomed.info/sct/900000000000207008/version/20220131", systems.SNOMED),
        ("urn:oid:2.16.840.1.113883.6.90", systems.ICD10CM),
        ("http://hl7.org/fhir/v2/0203", V2 + "0203"),
        ("HL70001", V2 + "0001"),
        ("2.16.840.1.113883.12.1", V2 + "0001"),
        ("urn:oid:2.16.840.1.113883.12.292", systems.CVX),  # the table of vaccines is CVX itself
        ("HL70292", systems.CVX),
        ("http://hl7.org/fhir/v3/ActCode", V3 + "ActCode"),
        ("2.16.840.1.113883.5.1", V3 + "AdministrativeGender"),
        ("http://hl7.org/fhir/observation-category", systems.OBSERVATION_CATEGORY),
        ("2.16.840.1.113883.6.238", "urn:oid:2.16.840.1.113883.6.238"),  # its URI has no other form
    ],
)
def test_known_names(sent: str, name: str) -> None:
    """Each spelling gives the URI that FHIR R4 and HL7 Terminology give the system."""
    assert canonical(sent) == name


@pytest.mark.parametrize(
    "sent",
    [
        "L", "99LAB", "ln", " LN", "HL7", "HL712345", "http://LOINC.org", "http://loinc.org|2.72", "1.2.3",
        "2.16.840.1.113883.06.1", "URN:OID:2.16.840.1.113883.6.1", "http://snomed.info/scti",
        "http://snomed.info/sct/version/20220131", "http://hl7.org/fhir/v3/", "http://laboratory.example.org/codes", "",
    ],
)  # fmt: skip
def test_what_is_not_known_stays(sent: str) -> None:
    """No folding of case, no trimming, no guess; local codes stay local."""
    assert canonical(sent) == sent


def test_a_canonical_name_has_no_other() -> None:
    """To normalise twice changes nothing, so the names can be joined on; aliases are listed once."""
    assert all(canonical(name) == name for name in aliases().values())
    with LISTED.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(row["alias"] and row["canonical"] and row["evidence"] for row in rows)
    assert len({row["alias"] for row in rows}) == len(rows)


@given(
    st.from_regex(r"(urn:oid:)?2\.16\.840\.1\.113883\.[0-9]{1,2}\.[0-9]{1,4}", fullmatch=True) | st.text(max_size=30)
)
def test_normalising_twice_is_normalising_once(sent: str) -> None:
    """Also of names that follow a rule."""
    assert canonical(canonical(sent)) == canonical(sent)


def test_preferred_systems_are_canonical() -> None:
    """A preference for an alias would never be met."""
    named = {read.prefer for table in all_tables() for element in table.elements for read in element.reads}
    assert all(canonical(system) == system for systems_ in named for system in systems_)
    assert canonical(preferred.DRUG[1]) == preferred.DRUG[1]


def test_renamed() -> None:
    """Only what is called otherwise is told, and null is no name."""
    assert renamed([None, "http://loinc.org", "LN", "L"]) == {"LN": "http://loinc.org"}


def test_value_sets() -> None:
    """Those that are known to be of one system, with or without a version."""
    assert system_of_value_set("http://hl7.org/fhir/us/core/ValueSet/us-core-cvx|1.1.0") == systems.CVX
    assert system_of_value_set("http://hl7.org/fhir/ValueSet/observation-codes") is None
