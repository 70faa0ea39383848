"""What a declared element becomes: names, columns, flags, codes and marks, by its FHIR type."""

from __future__ import annotations

import pytest
from fhir.resources.R4B import get_fhir_model_class

from schemas import fhir_types
from schemas.choice import REQUIRED
from schemas.elements import Field, at, build, extension, field
from schemas.errors import UsageError
from schemas.table import PRESENT, Column, Element, Kind, Mode
from schemas.tables import all_tables


def made(type_name: str, *fields: str | Field) -> dict[str, Column]:
    """The columns of elements by name."""
    return {c.name: c for e in build(type_name, fields) for c in e.columns}


def inside(type_name: str, declared: str | Field) -> list[str]:
    """The names of the fields of the list that a declaration makes."""
    (element,) = (e for e in build(type_name, (declared,)) if e.kind is Kind.ITEMS)
    return [c.name for child in element.children for c in child.columns]


def test_references_follow_the_contract() -> None:
    """Ids of a Patient and an Encounter have their own columns; of one type no type column; else type and id."""
    assert list(made("Observation", "subject"))[:3] == ["patient_id", "subject_type", "subject_id"]
    assert list(made("Observation", "encounter")) == ["encounter_id", "encounter_reference", "encounter_display"]
    assert list(made("Observation", "specimen")) == ["specimen_id", "specimen_reference", "specimen_display"]
    assert "encounter_id" in made("MedicationDispense", "context")
    assert next(iter(made("Coverage", field("beneficiary", name="patient")))) == "patient_id"


def test_a_reference_is_not_called_reference() -> None:
    """reasonReference gives reason_id, beside reason_code; the list keeps the whole name."""
    names = made("Encounter", "reasonReference", "reasonCode")
    assert {"reason_type", "reason_id", "reason_reference", "reason_references", "reason_code"} <= set(names)
    assert inside("Encounter", "reasonReference")[:2] == ["reason_type", "reason_id"]


def test_fields_of_a_list_of_references_are_called_after_it() -> None:
    """The view of a list of references has the names of the row, and none of the identity's."""
    assert inside("DiagnosticReport", "result") == ["result_id", "result_reference", "result_display"]


@pytest.mark.parametrize(
    ("type_name", "declared", "several"),
    [
        ("Observation", "basedOn", "based_on_list"),
        ("Observation", "focus", "focuses"),
        ("Encounter", field("diagnosis", "use"), "diagnoses"),
        ("Encounter", field("statusHistory", "status", plural="status_history"), "status_history"),
        ("Patient", field("name"), "names"),
        ("CarePlan", field("addresses", plural="addresses_list"), "addresses_list"),
        ("MedicationRequest", field("dosageInstruction", name="dosage"), "dosages"),
    ],
)
def test_plurals(type_name: str, declared: str | Field, several: str) -> None:
    """The list of all items has a plural of its own, or the one that is declared."""
    assert [e.name for e in build(type_name, (declared,)) if e.kind is Kind.ITEMS] == [several]


def test_all_codings_of_a_list_of_codings() -> None:
    """A repeated Coding keeps all of its codings, as a concept does; a single one has only itself."""
    assert list(made("ImagingStudy", "modality")) == [
        "modality", "modality_system", "modality_display", "modality_mapped", "modality_mapped_system",
        "modality_codings",
    ]  # fmt: skip
    assert "laterality_codings" not in inside("ImagingStudy", field("series", "laterality"))


def test_a_choice_of_quantity_and_money_keeps_both() -> None:
    """The number is that of either, the currency the money's, the unit the quantity's."""
    (element,) = (e for e in build("Coverage.costToBeneficiary", ("value",)) if e.fhir_type == "number")
    number = next(r for r in element.reads if r.name == "value_number")
    assert number.paths == ("valueQuantity.value", "valueMoney.value")
    assert [c.name for c in element.columns][-1] == "value_currency"


def test_a_reference_in_a_choice_has_a_type_of_its_own() -> None:
    """value_type says which type of the choice was sent, value_reference_type what the reference points at."""
    assert {"reported_type", "reported_reference_type", "reported_id"} <= set(made("MedicationRequest", "reported"))


def test_required_lists_and_choices() -> None:
    """A list or a choice that R4 requires has a flag or a required column, but not below an optional parent."""
    assert [e.present for e in build("Provenance", ("target",)) if e.present] == [PRESENT + "target"]
    (flag,) = (e for e in build("DocumentReference", (field("content", "format"),)) if e.present)
    assert [(r.mode, r.paths) for r in flag.reads] == [(Mode.PRESENT, ("content",))]
    assert made("MedicationRequest", "medication")["medication_type"].required
    assert not made("MedicationRequest", field("substitution.allowed", name="allowed"))["allowed_type"].required
    assert not made("Observation", "value")["value_type"].required


def test_required_choices_are_those_of_fhir() -> None:
    """REQUIRED is what fhir.resources requires of the choices of our types, no more and no less."""
    found = set()
    for parent in {p for table in all_tables() for p in backbones(table.resource_type)}:
        model = get_fhir_model_class("".join(part[0].upper() + part[1:] for part in parent.split(".")))
        for info in model.model_fields.values():
            extra = info.json_schema_extra
            if isinstance(extra, dict) and extra.get("one_of_many_required"):
                found.add((parent, str(extra["one_of_many"])))
    assert found == REQUIRED


def backbones(type_name: str) -> list[str]:
    """A type and those of its backbone elements, at any depth."""
    inner = [e.type for e in fhir_types.elements(type_name).values() if e.type.startswith(type_name + ".")]
    return [type_name, *(b for name in dict.fromkeys(inner) for b in backbones(name))]


def test_codes_of_concepts_and_lists() -> None:
    """Required bindings are checked on concepts and on lists of codes too."""
    assert "refuted" in made("Condition", "verificationStatus")["verification_status"].codes
    assert made("AllergyIntolerance", "category")["category"].codes == ("food", "medication", "environment", "biologic")


def test_what_identifies_a_person_is_marked() -> None:
    """Names, contact points and the narrow parts of an address are PHI; state, country and use are not."""
    columns = made("Patient", "name", "address", "telecom", "identifier", "birthDate", "gender")
    marked = {name for name, column in columns.items() if column.phi}
    assert {"name_family", "name_given", "names", "address_line", "address_city", "address_postal_code"} <= marked
    assert {"addresses", "telecoms", "identifiers", "identifier_value", "birth_date"} <= marked
    assert marked & {"name_use", "address_state", "address_country", "identifier_system", "gender"} == set()


def test_places_and_organizations_are_no_persons() -> None:
    """The address of a hospital identifies nobody; that of a practitioner does."""
    by_name = {t.name: {c.name: c.phi for c in t.columns()} for t in all_tables()}
    assert not by_name["organization"]["addresses"]
    assert not by_name["location"]["address_city"]
    assert by_name["practitioner"]["addresses"]
    assert by_name["device"]["patient_id"]


def test_a_path_of_ones_own() -> None:
    """at() and extension() make the columns of the type that they are told."""
    assert next(c.name for c in at("born", "x", "dateTime", label="Born").columns) == "born_at"
    assert [c.dtype for c in at("high", "x", "decimal", label="High").columns] == ["DOUBLE", "VARCHAR"]
    assert at("npi", "x", "string", label="NPI", phi=True).columns[0].phi
    several = extension("u", "value.ofType(Coding)", "race", label="Race", fhir_type="Coding", many=True)
    assert several.path == "extension('u').value.ofType(Coding)"
    assert several.columns[-1].name == "race_codings"


@pytest.mark.parametrize("path", ["bogus", "name.bogus", "bogus.family", "valueQuantityX"])
def test_what_r4_does_not_have(path: str) -> None:
    """A path that leads nowhere is the table author's mistake, and the message names the type."""
    with pytest.raises(UsageError, match="has no element"):
        build("Patient", (path,))


def lists(elements: tuple[Element, ...]) -> list[Element]:
    """The lists among elements, at any depth."""
    return [e for e in elements if e.kind is Kind.ITEMS] + [i for e in elements for i in lists(e.children)]


@pytest.mark.parametrize("table", all_tables(), ids=lambda table: str(table.name))
def test_lists_that_are_left_closed_need_nothing(table: object) -> None:
    """A list whose items the normaliser does not open is read exactly as the mart keeps it."""
    elements = next(t.elements for t in all_tables() if t is table)
    for element in lists(elements):
        if not element.needs_work():
            reads = [r.name for child in element.children for r in child.reads]
            assert reads == [c.name for child in element.children for c in child.columns], element.name
            assert all(r.mode is Mode.VALUE or r.mode is Mode.JSON for c in element.children for r in c.reads)
