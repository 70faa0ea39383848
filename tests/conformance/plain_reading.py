"""A plain reading of the export's JSON, written without any of the project's code: what the columns must say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
CVX = "http://hl7.org/fhir/sid/cvx"
MAIDEN_NAME = "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName"
DISCHARGE = {"http://www.nubc.org/patient-discharge": "https://www.nubc.org/CodeSystem/PatDischargeStatus"}  # old: new
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"

Resource = Mapping[str, Any]
Row = dict[str, object]


class Digits(str):
    """A number of the JSON as its digits."""


def expected(resource: Resource) -> Row:
    """What the row of this resource must say, by the type's reading below."""
    return {"id": resource["id"], **READINGS[resource["resourceType"]](resource)}


def local(reference: Mapping[str, str] | None) -> str | None:
    """The id in ``Type/X`` and ``urn:uuid:X``; none of what points elsewhere."""
    text = (reference or {}).get("reference", "")
    if text.startswith("urn:uuid:"):
        return text.removeprefix("urn:uuid:")
    kind, _, ident = text.partition("/")
    return ident if kind.isalpha() and ident and "/" not in ident else None


def coded(name: str, concept: Resource | None, *preferred: str) -> Row:
    """Code, system and display: of the first preferred system that is there, else of the first coding."""
    codings = (concept or {}).get("coding", [])
    order = [c for system in preferred for c in codings if c.get("system") == system] + codings
    best = order[0] if order else {}
    return {
        name: best.get("code"),
        f"{name}_system": DISCHARGE.get(best.get("system"), best.get("system")),
        f"{name}_display": best.get("display"),
        f"{name}_text": (concept or {}).get("text"),
        f"{name}_codings": [c["code"] for c in codings] or None,
    }


def coded_list(name: str, concepts: list[Resource], *preferred: str) -> Row:
    """The same for a list of concepts: the text is that of the first, the codings are those of all."""
    together = {"coding": [c for concept in concepts for c in concept.get("coding", [])]}
    return coded(name, together, *preferred) | {f"{name}_text": concepts[0].get("text") if concepts else None}


def timed(name: str, text: str | None) -> Row:
    """The four columns of a time."""
    if text is None:
        return dict.fromkeys((f"{name}_at", f"{name}_date", f"{name}_precision", f"{name}_offset"))
    instant = datetime.fromisoformat(text) if "T" in text else None
    offset = instant.utcoffset() if instant else None
    precision = {4: "year", 7: "month", 10: "day"}.get(len(text), "fraction" if "." in text else "second")
    return {
        f"{name}_at": instant,
        f"{name}_date": datetime.fromisoformat(text[:10]).date(),
        f"{name}_precision": precision,
        f"{name}_offset": None if offset is None else offset.total_seconds() / 60,
    }


def period(name: str, value: Resource | None) -> Row:
    """Start and end of a Period."""
    return timed(f"{name}_start", (value or {}).get("start")) | timed(f"{name}_end", (value or {}).get("end"))


def number(name: str, value: Digits | None) -> Row:
    """A decimal and its digits."""
    return {f"{name}_number": None if value is None else float(value), f"{name}_literal": value and str(value)}


def money(name: str, value: Resource | None) -> Row:
    """A Money."""
    return number(name, (value or {}).get("value")) | {f"{name}_currency": (value or {}).get("currency")}


def count(resource: Resource, element: str) -> int | None:
    """The length of a list, none where it is absent."""
    return len(resource[element]) if element in resource else None


def subject(resource: Resource) -> Row:
    """Whom a resource is about, and in which encounter."""
    return {"patient_id": local(resource.get("subject")), "encounter_id": local(resource.get("encounter"))}


def first(resource: Resource, element: str) -> Any:
    """The first item of a list, None where there is none."""
    return next(iter(resource.get(element, [])), None)


def address(resource: Resource) -> Row:
    """The first address."""
    one = first(resource, "address") or {}
    return {
        "address_line": one.get("line"),
        "address_city": one.get("city"),
        "address_state": one.get("state"),
        "address_postal_code": one.get("postalCode"),
        "address_country": one.get("country"),
        "addresses": count(resource, "address"),
        "telecoms": count(resource, "telecom"),
        "identifiers": count(resource, "identifier"),
        "identifier_value": (first(resource, "identifier") or {}).get("value"),
        "identifier_system": (first(resource, "identifier") or {}).get("system"),
    }


def person(resource: Resource) -> Row:
    """The first name, and gender."""
    one = first(resource, "name") or {}
    return address(resource) | {
        "gender": resource.get("gender"),
        "name_family": one.get("family"),
        "name_given": one.get("given"),
        "names": count(resource, "name"),
    }


def allergy(r: Resource) -> Row:
    return {
        "type": r.get("type"),
        "categories": r.get("category"),
        "criticality": r.get("criticality"),
        "patient_id": local(r["patient"]),
        **coded("clinical_status", r.get("clinicalStatus")),
        **coded("verification_status", r.get("verificationStatus")),
        **coded("code", r.get("code"), SNOMED, RXNORM),
        **timed("recorded", r.get("recordedDate")),
    }


def care_plan(r: Resource) -> Row:
    all_of = [c for concept in r.get("category", []) for c in concept.get("coding", [])]
    return {
        "status": r["status"],
        "intent": r["intent"],
        "category": all_of[0]["code"],
        "category_codings": [c["code"] for c in all_of],
        "care_team_id": local(first(r, "careTeam")),
        "activities": count(r, "activity"),
        **subject(r),
        **period("period", r.get("period")),
    }


def care_team(r: Resource) -> Row:
    return {
        "status": r.get("status"),
        "participants": count(r, "participant"),
        "managing_organization_id": local(first(r, "managingOrganization")),
        "managing_organizations": count(r, "managingOrganization"),
        **coded_list("reason_code", r.get("reasonCode", []), SNOMED),
        **subject(r),
        **period("period", r.get("period")),
    }


def claim(r: Resource) -> Row:
    return {
        "status": r["status"],
        "claim_use": r["use"],
        "patient_id": local(r["patient"]),
        "provider_id": local(r["provider"]),
        "prescription_id": local(r.get("prescription")),
        "supporting_info": count(r, "supportingInfo"),
        "diagnoses": count(r, "diagnosis"),
        "procedures": count(r, "procedure"),
        "insurance": count(r, "insurance"),
        "items": count(r, "item"),
        **coded("type", r["type"]),
        **coded("priority", r["priority"]),
        **period("billable_period", r.get("billablePeriod")),
        **timed("created", r["created"]),
        **money("total", r.get("total")),
    }


def condition(r: Resource) -> Row:
    return {
        **subject(r),
        **coded("clinical_status", r.get("clinicalStatus")),
        **coded("verification_status", r.get("verificationStatus")),
        **coded("code", r.get("code"), SNOMED),
        "onset_type": "dateTime" if "onsetDateTime" in r else None,
        **timed("onset", r.get("onsetDateTime")),
        "abatement_type": "dateTime" if "abatementDateTime" in r else None,
        **timed("abatement", r.get("abatementDateTime")),
        **timed("recorded", r.get("recordedDate")),
    }


def device(r: Resource) -> Row:
    return {
        "status": r.get("status"),
        "patient_id": local(r.get("patient")),
        "distinct_identifier": r.get("distinctIdentifier"),
        "lot_number": r.get("lotNumber"),
        "serial_number": r.get("serialNumber"),
        "udi_carriers": count(r, "udiCarrier"),
        "device_names": count(r, "deviceName"),
        **coded("type", r.get("type"), SNOMED),
        **timed("manufacture", r.get("manufactureDate")),
        **timed("expiration", r.get("expirationDate")),
    }


def diagnostic_report(r: Resource) -> Row:
    return {
        "status": r["status"],
        "category": r["category"][0]["coding"][0]["code"],
        "result_id": local(first(r, "result")),
        "results": count(r, "result"),
        "effective_type": "dateTime" if "effectiveDateTime" in r else None,
        **coded("code", r["code"], LOINC),
        **subject(r),
        **timed("effective", r.get("effectiveDateTime")),
        **timed("issued", r.get("issued")),
    }


def document_reference(r: Resource) -> Row:
    return {
        "status": r["status"],
        "patient_id": local(r.get("subject")),
        "author_id": local(first(r, "author")),
        "authors": count(r, "author"),
        "contents": count(r, "content"),
        "description": r.get("description"),
        "version_id": r.get("meta", {}).get("versionId"),
        "last_updated": datetime.fromisoformat(r["meta"]["lastUpdated"]),
        **coded("type", r.get("type"), LOINC),
    }


def encounter(r: Resource) -> Row:
    return {
        "status": r["status"],
        "encounter_class": r["class"]["code"],
        "encounter_class_system": r["class"]["system"],
        "patient_id": local(r.get("subject")),
        "participants": count(r, "participant"),
        "service_provider_id": local(r.get("serviceProvider")),
        **coded_list("type", r.get("type", []), SNOMED),
        **coded_list("reason_code", r.get("reasonCode", []), SNOMED),
        **period("period", r.get("period")),
    }


def explanation_of_benefit(r: Resource) -> Row:
    return {
        "status": r["status"],
        "outcome": r["outcome"],
        "claim_use": r["use"],
        "patient_id": local(r["patient"]),
        "provider_id": local(r["provider"]),
        "claim_id": local(r.get("claim")),
        "referral_reference": (r.get("referral") or {}).get("reference"),  # '#1': contained, and so no id
        "care_team": count(r, "careTeam"),
        "diagnoses": count(r, "diagnosis"),
        "items": count(r, "item"),
        **coded("type", r["type"]),
        **period("billable_period", r.get("billablePeriod")),
        **timed("created", r["created"]),
        **money("payment_amount", (r.get("payment") or {}).get("amount")),
    }


def group(r: Resource) -> Row:
    return {
        "active": r.get("active"),
        "type": r["type"],
        "actual": r["actual"],
        "group_name": r.get("name"),
        "quantity": int(r["quantity"]),
        "members": count(r, "member"),
        "managing_entity_id": local(r.get("managingEntity")),
        "code": None,
    }


def imaging_study(r: Resource) -> Row:
    return {
        "status": r["status"],
        "identifier_value": r["identifier"][0]["value"],
        "identifiers": count(r, "identifier"),
        "number_of_series": int(r["numberOfSeries"]),
        "number_of_instances": int(r["numberOfInstances"]),
        "series": count(r, "series"),
        **subject(r),
        **timed("started", r.get("started")),
    }


def immunization(r: Resource) -> Row:
    return {
        "status": r["status"],
        "patient_id": local(r["patient"]),
        "encounter_id": local(r.get("encounter")),
        "primary_source": r.get("primarySource"),
        "occurrence_type": "dateTime",
        **coded("vaccine_code", r["vaccineCode"], CVX),
        **timed("occurrence", r["occurrenceDateTime"]),
    }


def medication_request(r: Resource) -> Row:
    concept = r.get("medicationCodeableConcept")
    drug = coded("medication_code", concept, RXNORM)
    return {
        "status": r["status"],
        "intent": r["intent"],
        "requester_id": local(r.get("requester")),
        "medication_code": drug["medication_code"],
        "medication_code_system": drug["medication_code_system"],
        "medication_code_display": drug["medication_code_display"],
        "medication_type": "CodeableConcept" if concept else "Reference",
        "dosages": count(r, "dosageInstruction"),
        **subject(r),
        **timed("authored", r.get("authoredOn")),
    }


def observation(r: Resource) -> Row:
    quantity, concept = r.get("valueQuantity") or {}, coded("value_code", r.get("valueCodeableConcept"), LOINC)
    kinds = [k.removeprefix("value") for k in r if k.startswith("value")]
    return {
        "status": r["status"],
        "category": r["category"][0]["coding"][0]["code"],
        "components": count(r, "component"),
        "value_type": kinds[0].replace("String", "string") if kinds else None,
        "value_unit": quantity.get("unit"),
        "value_unit_code": quantity.get("code"),
        "value_unit_system": quantity.get("system"),
        "value_code": concept["value_code"],
        "value_code_system": concept["value_code_system"],
        "effective_type": "dateTime" if "effectiveDateTime" in r else None,
        **number("value", quantity.get("value")),
        **coded("code", r["code"], LOINC),
        **subject(r),
        **timed("effective", r.get("effectiveDateTime")),
        **timed("issued", r.get("issued")),
    }


def organization(r: Resource) -> Row:
    return {
        "active": r.get("active"),
        "organization_name": r.get("name"),
        "type": r["type"][0]["coding"][0]["code"],
        **address(r),
    }


def patient(r: Resource) -> Row:
    maiden = [e["valueString"] for e in r["extension"] if e["url"] == MAIDEN_NAME]
    births = r.get("multipleBirthInteger")
    return {
        "birth_date": datetime.fromisoformat(r["birthDate"]).date(),
        "communications": count(r, "communication"),
        "multiple_birth_boolean": r.get("multipleBirthBoolean"),
        "multiple_birth_number": None if births is None else float(births),
        "mothers_maiden_name": maiden[0] if maiden else None,
        **timed("deceased", r.get("deceasedDateTime")),
        **coded("marital_status", r.get("maritalStatus")),
        **person(r),
    }


def practitioner(r: Resource) -> Row:
    return {"active": r.get("active"), **person(r)}


def procedure(r: Resource) -> Row:
    span = r.get("performedPeriod") or {}
    return {
        "status": r["status"],
        "performed_type": "Period" if span else "dateTime" if "performedDateTime" in r else None,
        **coded("code", r.get("code"), SNOMED),
        **subject(r),
        **timed("performed", span.get("start") or r.get("performedDateTime")),
        **timed("performed_end", span.get("end")),
    }


READINGS: dict[str, Callable[[Resource], Row]] = {
    "AllergyIntolerance": allergy,
    "CarePlan": care_plan,
    "CareTeam": care_team,
    "Claim": claim,
    "Condition": condition,
    "Device": device,
    "DiagnosticReport": diagnostic_report,
    "DocumentReference": document_reference,
    "Encounter": encounter,
    "ExplanationOfBenefit": explanation_of_benefit,
    "Group": group,
    "ImagingStudy": imaging_study,
    "Immunization": immunization,
    "MedicationRequest": medication_request,
    "Observation": observation,
    "Organization": organization,
    "Patient": patient,
    "Practitioner": practitioner,
    "Procedure": procedure,
}
