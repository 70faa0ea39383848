"""MedicationRequest and MedicationAdministration."""

from __future__ import annotations

from sources.synth.clock import DAY, day_text, local_day, moment
from sources.synth.draws import between
from sources.synth.ink import Ink
from sources.synth.life import Life, Prescription
from sources.synth.region import PRACTITIONERS
from sources.synth.render import coding, concept, quoted, reference, template
from sources.synth.vocabulary import Drug, drugs

_RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
_SNOMED = "http://snomed.info/sct"
_UCUM = "http://unitsofmeasure.org"
_HL7 = "http://terminology.hl7.org/CodeSystem"

_REQUEST = template("""
    {"resourceType":"MedicationRequest","id":"$id",$meta"status":"$status",$contained"intent":"order",
    "category":[$category],$medication,"subject":$patient,"encounter":$encounter,"authoredOn":"$at",
    "requester":$doctor,"reasonReference":[$condition],"dosageInstruction":[{"sequence":1,"text":$text,
    "timing":{"repeat":{"frequency":$times,"period":$period,"periodUnit":"$unit"}},"asNeededBoolean":$needed,
    "route":$route,"doseAndRate":[{"type":$ordered,"doseQuantity":$dose}]}],
    "dispenseRequest":{"validityPeriod":{"start":"$begin","end":"$end"},"numberOfRepeatsAllowed":$repeats,
    "quantity":{"value":$quantity,"unit":"$each"},"expectedSupplyDuration":{"value":$days,"unit":"days",
    "system":"http://unitsofmeasure.org","code":"d"}},"substitution":{"allowedBoolean":true}}
""")
_ADMINISTRATION = template("""
    {"resourceType":"MedicationAdministration","id":"$id",$meta"status":"$status",$medication,"subject":$patient,
    "context":$encounter,$effective,"performer":[{"actor":$doctor}],"reasonReference":[$condition],
    "request":$request,"dosage":{"text":$text,"route":$route,"dose":$dose}}
""")
_ROUTES = {
    "oral": "26643006",
    "subcutaneous": "34206005",
    "respiratory tract": "447694001",
    "intravenous": "47625008",
}


def requests(life: Life, ink: Ink) -> list[str]:
    """The orders: most code the drug, some refer to the formulary, some contain it."""
    return [_request(life, ink, item) for item in life.prescriptions]


def _request(life: Life, ink: Ink, item: Prescription) -> str:
    rng, visit, drug = ink.rng, life.visits[item.visit], item.drug
    chance, zone = rng.random(), visit.place.zone
    contained, medication = "", _medication(life, drug, chance)
    if chance > 0.96:
        code = concept(_RXNORM, drug.rxnorm, drug.display)
        contained = f'"contained":[{{"resourceType":"Medication","id":"med","code":{code}}}],'
        medication = '"medicationReference":{"reference":"#med"}'
    inpatient = visit.kind == "IMP"
    place = ("inpatient", "Inpatient") if inpatient else ("outpatient", "Outpatient")
    each = drug.times * (24 // drug.period if drug.period_unit == "h" else 1)
    return _REQUEST % {
        "id": life.uid("MedicationRequest", item.number),
        "meta": ink.meta(item.at),
        "status": _status(life, item, rng.random()),
        "contained": contained,
        "category": concept(f"{_HL7}/medicationrequest-category", *place),
        "medication": medication,
        "patient": life.ref("Patient"),
        "encounter": life.ref("Encounter", item.visit),
        "at": local_day(item.at, zone) if rng.random() < 0.08 else moment(item.at, zone),
        "doctor": life.region.ref("Practitioner", visit.practitioner),
        "condition": life.ref("Condition", item.problem),
        "text": quoted(f"{drug.dose} {drug.unit} {drug.frequency}"),
        "times": drug.times,
        "period": drug.period if rng.random() < 0.8 else f"{drug.period}.0",
        "unit": drug.period_unit,
        "needed": "true" if "needed" in drug.frequency else "false",
        "route": concept(_SNOMED, _ROUTES[drug.route], f"{drug.route.capitalize()} route"),
        "ordered": concept(f"{_HL7}/dose-rate-type", "ordered", "Ordered"),
        "dose": _dose(drug),
        "begin": day_text(item.at // DAY),
        "end": day_text(item.at // DAY + drug.days),
        "repeats": between(rng, 0, 5),
        "quantity": each * drug.days,
        "each": drug.form.split()[-1].lower(),
        "days": drug.days,
    }


def _status(life: Life, item: Prescription, chance: float) -> str:
    if chance < 0.01:
        return "entered-in-error"
    if chance < 0.06:
        return "stopped"
    end = item.at // DAY + item.drug.days
    return "active" if life.died is None and end * DAY > life.now else "completed"


def _medication(life: Life, drug: Drug, chance: float) -> str:
    """The drug: coded, or a reference to the region's Medication."""
    if chance < 0.85:
        text = drug.display if chance < 0.6 else drug.name.capitalize()
        coded = coding(_RXNORM, drug.rxnorm, drug.display)
        return f'"medicationCodeableConcept":{{"coding":[{coded}],"text":{quoted(text)}}}'
    identifier = life.region.uid("Medication", tuple(drugs()).index(drug.name))
    return f'"medicationReference":{reference("Medication", identifier, drug.display)}'


def _dose(drug: Drug) -> str:
    return f'{{"value":{drug.dose},"unit":"{drug.unit}","system":"{_UCUM}","code":"{drug.ucum}"}}'


def administrations(life: Life, ink: Ink) -> list[str]:
    """The doses given on the spot."""
    return [
        _administration(life, ink, item, number, at)
        for item in life.prescriptions
        for number, at in enumerate(item.doses, item.first)
    ]


def _administration(life: Life, ink: Ink, item: Prescription, number: int, at: int) -> str:
    rng, visit, drug = ink.rng, life.visits[item.visit], item.drug
    zone = visit.place.zone
    effective = f'"effectiveDateTime":"{moment(at, zone)}"'
    if drug.route == "intravenous" and rng.random() < 0.6:
        until = moment(min(at + 1800, visit.end), zone)
        effective = f'"effectivePeriod":{{"start":"{moment(at, zone)}","end":"{until}"}}'
    return _ADMINISTRATION % {
        "id": life.uid("MedicationAdministration", number),
        "meta": ink.meta(at),
        "status": "completed" if rng.random() < 0.96 else "stopped",
        "medication": _medication(life, drug, rng.random()),
        "patient": life.ref("Patient"),
        "encounter": life.ref("Encounter", item.visit),
        "effective": effective,
        "doctor": life.region.ref("Practitioner", (visit.practitioner + 1) % PRACTITIONERS),
        "condition": life.ref("Condition", item.problem),
        "request": life.ref("MedicationRequest", item.number),
        "text": quoted(f"{drug.dose} {drug.unit}"),
        "route": concept(_SNOMED, _ROUTES[drug.route], f"{drug.route.capitalize()} route"),
        "dose": _dose(drug),
    }
