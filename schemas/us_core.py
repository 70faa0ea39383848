"""US Core extensions that have columns of their own."""

from __future__ import annotations

from schemas.elements import extension
from schemas.expand import CODINGS_DTYPE
from schemas.systems import US_CORE
from schemas.table import Column, Element, Kind, Mode, Read

_RACE, _ETHNICITY = US_CORE + "us-core-race", US_CORE + "us-core-ethnicity"
_MAIDEN_NAME = "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName"
_BIRTH_PLACE = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"


def _detailed(url: str, name: str, label: str) -> Element:
    """All codings of the ``detailed`` parts of race or ethnicity (CDC Race and Ethnicity)."""
    path = f"extension('{url}').extension('detailed').value.ofType(Coding)"
    called = f"{name}_detailed_codings"
    column = Column(called, CODINGS_DTYPE, f"{label}: all detailed codes.", path)
    return Element(called, path, "Coding", Kind.PLAIN, (Read(called, (path,), Mode.CODINGS),), (column,))


PATIENT: tuple[Element, ...] = (
    extension(
        _RACE,
        "extension('ombCategory').value.ofType(Coding)",
        "race",
        label="Race, OMB category",
        fhir_type="Coding",
        many=True,
    ),
    extension(
        _RACE, "extension('text').value.ofType(string).first()", "race_text", label="Race as text", fhir_type="string"
    ),
    _detailed(_RACE, "race", "Race"),
    extension(
        _ETHNICITY,
        "extension('ombCategory').value.ofType(Coding)",
        "ethnicity",
        label="Ethnicity, OMB category",
        fhir_type="Coding",
        many=True,
    ),
    extension(
        _ETHNICITY,
        "extension('text').value.ofType(string).first()",
        "ethnicity_text",
        label="Ethnicity as text",
        fhir_type="string",
    ),
    _detailed(_ETHNICITY, "ethnicity", "Ethnicity"),
    extension(
        US_CORE + "us-core-birthsex",
        "value.ofType(code).first()",
        "birth_sex",
        label="Sex assigned at birth",
        fhir_type="code",
    ),
    extension(
        US_CORE + "us-core-genderIdentity",
        "value.ofType(CodeableConcept).first()",
        "gender_identity",
        label="Gender identity",
        fhir_type="CodeableConcept",
    ),
    extension(
        US_CORE + "us-core-tribal-affiliation",
        "extension('tribalAffiliation').value.ofType(CodeableConcept).first()",
        "tribal_affiliation",
        label="Tribal affiliation",
        fhir_type="CodeableConcept",
    ),
    extension(
        _MAIDEN_NAME,
        "value.ofType(string).first()",
        "mothers_maiden_name",
        label="Mother's maiden name",
        fhir_type="string",
        phi=True,
    ),
    *(
        extension(
            _BIRTH_PLACE,
            f"value.ofType(Address).{part}.first()",
            f"birth_place_{part}",
            label=f"Place of birth, {part}",
            fhir_type="string",
            phi=part == "city",
        )
        for part in ("city", "state", "country")
    ),
)
