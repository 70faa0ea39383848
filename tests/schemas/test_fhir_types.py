"""The snapshot of FHIR R4 against ``fhir.resources`` (R4B) and the specification."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from schemas import fhir_types
from schemas.errors import UsageError

# Types whose elements R4B (4.3.0) changed, as its change list says.
REMADE = {"Evidence", "EvidenceVariable", "EvidenceVariable.characteristic"}
# R4 elements that fhir.resources' R4B lacks: its parts of data types take no modifierExtension, and it has no
# Meta among the choices.
LACKING = re.compile(r"modifierExtension|(value|fixed|pattern|defaultValue)Meta")


def _model(type_name: str) -> Any:
    try:
        return get_fhir_model_class("".join(part[0].upper() + part[1:] for part in type_name.split(".")))
    except (KeyError, ValueError):
        return None


def _type_names() -> list[str]:
    """Every resource and all that is reached from it."""
    seen: dict[str, None] = dict.fromkeys(sorted(fhir_types.resource_types()))
    todo = list(seen)
    while todo:
        for element in fhir_types.elements(todo.pop()).values():
            if element.type not in seen and not fhir_types.is_primitive(element.type):
                seen[element.type] = None
                todo.append(element.type)
    return list(seen)


def test_elements_agree_with_the_models_of_fhir_resources() -> None:
    """Every element of every type that both know has the same cardinality, choice, type and targets."""
    compared = 0
    for type_name in _type_names():
        model = _model(type_name)
        if model is None or type_name in REMADE:
            continue
        fields = {field.alias or key: field for key, field in model.model_fields.items()}
        for name, element in fhir_types.elements(type_name).items():
            if name not in fields:
                assert LACKING.fullmatch(name), f"{type_name}.{name}"
                continue
            extra = fields[name].json_schema_extra or {}
            annotation = str(fields[name].annotation)
            where = f"{type_name}.{name}: {annotation}"
            assert element.many == ("List[" in annotation), where
            assert element.base == extra.get("one_of_many"), where
            if found := re.search(r"abc\.(\w+)Type\b", annotation):
                spelled = "".join(part[0].upper() + part[1:] for part in element.type.split("."))
                assert found[1] in (spelled, "FHIRPrimitiveExtension"), where
            else:
                assert fhir_types.is_primitive(element.type), where
            if element.targets:
                assert set(element.targets) <= set(extra["enum_reference_types"]), where
            compared += 1
    assert compared > 6500


def test_primitive_types_agree_with_the_annotations_of_fhir_resources() -> None:
    """Decimals, integers, booleans and times are told apart as R4B tells them."""
    kinds = {
        "Decimal": "decimal", "UnsignedInt": "unsignedInt", "PositiveInt": "positiveInt",
        "Integer": "integer", "DateTime": "dateTime", "Instant": "instant", "Date": "date", "Time": "time",
        "Uri": "uri", "Url": "url", "Canonical": "canonical", "Markdown": "markdown",
        "Base64Binary": "base64Binary", "Xhtml": "xhtml",
    }  # fmt: skip
    compared = 0
    for type_name in _type_names():
        model = _model(type_name)
        if model is None or type_name in REMADE:
            continue
        fields = {field.alias or key: str(field.annotation) for key, field in model.model_fields.items()}
        for name, element in fhir_types.elements(type_name).items():
            found = re.search(r"(\w+)\([^)]*\)\]", fields.get(name, ""))
            if found and found[1] in kinds:
                assert element.type == kinds[found[1]], f"{type_name}.{name}"
                compared += 1
    assert compared > 1000


@pytest.mark.parametrize(
    ("type_name", "name", "expected"),
    [
        ("Observation", "valueQuantity", ("Quantity", False, "value")),
        ("Observation", "effectiveInstant", ("instant", False, "effective")),
        ("Observation", "component", ("Observation.component", True, None)),
        ("Observation.component", "valueDateTime", ("dateTime", False, "value")),
        ("Observation.component", "referenceRange", ("Observation.referenceRange", True, None)),
        ("Task", "instantiatesUri", ("uri", False, None)),
        ("Claim", "billablePeriod", ("Period", False, None)),
        ("Timing.repeat", "boundsDuration", ("Duration", False, "bounds")),
        ("Questionnaire.item", "item", ("Questionnaire.item", True, None)),
        ("Patient", "contained", ("Resource", True, None)),
        ("Extension", "valueMeta", ("Meta", False, "value")),
        ("MedicinalProductIngredient.substance", "code", ("CodeableConcept", False, None)),
        ("EffectEvidenceSynthesis", "population", ("Reference", False, None)),
        ("string", "extension", ("Extension", True, None)),
    ],
)
def test_elements_that_are_easily_mistaken(type_name: str, name: str, expected: tuple[str, bool, str | None]) -> None:
    """Choices, backbones, recursion and names that only look like a choice."""
    element = fhir_types.element(type_name, name)
    assert element is not None
    assert (element.type, element.many, element.base) == expected


def test_required_elements_codes_and_targets() -> None:
    """What the JSON schema leaves out of a primitive is known too."""
    elements = fhir_types.elements("Observation")
    assert elements["status"].required
    assert "entered-in-error" in elements["status"].codes
    assert elements["code"].required
    assert not elements["valueString"].required
    assert elements["encounter"].targets == ("Encounter",)
    assert elements["focus"].targets == ()
    assert not elements["subject"].required


def test_choices_of_a_base_in_order() -> None:
    """A choice lists its elements; a name that is no choice lists none."""
    assert [e.name for e in fhir_types.choices("Patient", "deceased")] == [
        "deceasedBoolean",
        "deceasedDateTime",
    ]
    assert fhir_types.choices("Patient", "name") == ()


def test_resource_types_are_those_of_r4() -> None:
    """146 types, those that R4B dropped among them, and none of R4B's own."""
    types = fhir_types.resource_types()
    assert len(types) == 146
    assert "EffectEvidenceSynthesis" in types
    assert "SubstanceDefinition" not in types


def test_json_types_of_primitives() -> None:
    """Numbers, integers and booleans are JSON's own, all else is text."""
    found = {name: fhir_types.json_type(name) for name in fhir_types.primitive_types()}
    assert {n for n, t in found.items() if t == "integer"} == {"integer", "positiveInt", "unsignedInt"}
    assert {n for n, t in found.items() if t == "number"} == {"decimal"}
    assert {n for n, t in found.items() if t == "boolean"} == {"boolean"}
    assert found["instant"] == "string"


def test_unknown_type_is_a_usage_error_that_helps() -> None:
    """A misspelled type names the nearest one."""
    with pytest.raises(UsageError, match=r"no type 'Patiant'.*Patient"):
        fhir_types.elements("Patiant")
    with pytest.raises(UsageError, match="not a primitive"):
        fhir_types.json_type("Patient")
