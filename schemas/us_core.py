"""US Core extensions that have columns of their own."""

from __future__ import annotations

from schemas.elements import extension
from schemas.systems import US_CORE
from schemas.table import Element

_RACE, _ETHNICITY = US_CORE + "us-core-race", US_CORE + "us-core-ethnicity"

PATIENT: tuple[Element, ...] = (
    extension(
        _RACE, "extension('ombCategory').value.ofType(Coding)", "race", label="Race, OMB category", fhir_type="Coding"
    ),
    extension(
        _RACE, "extension('text').value.ofType(string).first()", "race_text", label="Race as text", fhir_type="string"
    ),
    extension(
        _ETHNICITY,
        "extension('ombCategory').value.ofType(Coding)",
        "ethnicity",
        label="Ethnicity, OMB category",
        fhir_type="Coding",
    ),
    extension(
        _ETHNICITY,
        "extension('text').value.ofType(string).first()",
        "ethnicity_text",
        label="Ethnicity as text",
        fhir_type="string",
    ),
    extension(
        US_CORE + "us-core-birthsex",
        "value.ofType(code).first()",
        "birth_sex",
        label="Sex assigned at birth",
        fhir_type="code",
    ),
)
