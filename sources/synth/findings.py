"""Condition and AllergyIntolerance: what ails the patient."""

from __future__ import annotations

from sources.synth.clock import DAY, day_text, local_day, moment
from sources.synth.draws import between, pick
from sources.synth.ink import Ink
from sources.synth.life import Life, Problem
from sources.synth.render import coding, concept, quoted, template
from sources.synth.vocabulary import Allergen, Diagnosis

_SNOMED = "http://snomed.info/sct"
_ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
_HL7 = "http://terminology.hl7.org/CodeSystem"

_CONDITION = template("""
    {"resourceType":"Condition","id":"$id",$meta$modifier$clinical"verificationStatus":$verification,
    "category":[$category],$severity"code":{"coding":[$codings],"text":$text},"subject":$patient,
    "encounter":$encounter,"onsetDateTime":"$onset",$abated"recordedDate":"$recorded","recorder":$doctor$note}
""")
_ALLERGY = template("""
    {"resourceType":"AllergyIntolerance","id":"$id",$meta"clinicalStatus":$clinical,
    "verificationStatus":$verification,"type":"$type","category":["$category"],"criticality":"$criticality",
    "code":$code,"patient":$patient,"encounter":$encounter,"onsetDateTime":"$onset","recordedDate":"$recorded",
    "recorder":$doctor,"reaction":[{"substance":$code,"manifestation":[$reaction],"severity":"$severity"}]}
""")
_MODIFIER = (
    '"modifierExtension":[{"url":"http://hospital.example.org/fhir/suspected-by-algorithm","valueBoolean":true}],'
)
_SEVERITIES = (("24484000", "Severe"), ("6736007", "Moderate"), ("255604002", "Mild"))


def conditions(life: Life, ink: Ink) -> list[str]:
    """The problems; some are refuted, some were recorded by mistake."""
    return [_condition(life, ink, problem) for problem in life.problems]


def _condition(life: Life, ink: Ink, problem: Problem) -> str:
    rng, visit, diagnosis = ink.rng, life.visits[problem.visit], problem.diagnosis
    status = _verification(rng.random())
    wrong = status[0] == "entered-in-error"  # con-4, con-5: then neither abatement nor clinical status
    ended = None if wrong else problem.ended
    zone = visit.place.zone
    day_only = rng.random() < 0.4
    return _CONDITION % {
        "id": life.uid("Condition", problem.number),
        "meta": ink.meta(visit.end),
        "modifier": _MODIFIER if rng.random() < 0.01 else "",
        "clinical": "" if wrong else _clinical(diagnosis, ended),
        "verification": concept(f"{_HL7}/condition-ver-status", *status),
        "category": _category(diagnosis),
        "severity": _severity(ink),
        "codings": _codings(diagnosis, rng.random() < 0.3),
        "text": quoted(diagnosis.display),
        "patient": life.ref("Patient"),
        "encounter": life.ref("Encounter", problem.visit),
        "onset": day_text(problem.onset, problem.digits),
        "abated": "" if ended is None else f'"abatementDateTime":"{day_text(ended)}",',
        "recorded": local_day(visit.start, zone) if day_only else moment(visit.start + 300, zone),
        "doctor": life.region.ref("Practitioner", visit.practitioner),
        "note": ',"note":[{"text":"Patient informed.\\nFollow-up \\"as needed\\"."}]' if rng.random() < 0.1 else "",
    }


def _verification(chance: float) -> tuple[str, str]:
    if chance < 0.02:
        return "entered-in-error", "Entered in Error"
    if chance < 0.04:
        return "refuted", "Refuted"
    return ("provisional", "Provisional") if chance < 0.12 else ("confirmed", "Confirmed")


def _clinical(diagnosis: Diagnosis, ended: int | None) -> str:
    if ended is None:
        status = ("active", "Active")
    else:
        status = ("remission", "Remission") if diagnosis.chronic else ("resolved", "Resolved")
    return f'"clinicalStatus":{concept(f"{_HL7}/condition-clinical", *status)},'


def _category(diagnosis: Diagnosis) -> str:
    if diagnosis.chronic:
        return concept(f"{_HL7}/condition-category", "problem-list-item", "Problem List Item")
    return concept(f"{_HL7}/condition-category", "encounter-diagnosis", "Encounter Diagnosis")


def _severity(ink: Ink) -> str:
    if ink.rng.random() < 0.7:
        return ""
    return f'"severity":{concept(_SNOMED, *pick(ink.rng, _SEVERITIES))},'


def _codings(diagnosis: Diagnosis, turned: bool) -> str:
    """SNOMED CT and ICD-10-CM; of some systems the latter comes first."""
    snomed = coding(_SNOMED, diagnosis.snomed, diagnosis.display)
    icd10 = coding(_ICD10, diagnosis.icd10, diagnosis.icd10_display)
    return f"{icd10},{snomed}" if turned else f"{snomed},{icd10}"


def allergies(life: Life, ink: Ink) -> list[str]:
    """The allergies, known since the first visit recorded."""
    return [_allergy(life, ink, number, allergen) for number, allergen in enumerate(life.allergies)]


def _allergy(life: Life, ink: Ink, number: int, allergen: Allergen) -> str:
    rng, visit = ink.rng, life.visits[0]
    onset = between(rng, life.born, visit.start // DAY)
    return _ALLERGY % {
        "id": life.uid("AllergyIntolerance", number),
        "meta": ink.meta(visit.end),
        "clinical": concept(f"{_HL7}/allergyintolerance-clinical", "active", "Active"),
        "verification": concept(f"{_HL7}/allergyintolerance-verification", "confirmed", "Confirmed"),
        "type": allergen.kind,
        "category": allergen.category,
        "criticality": pick(rng, ("low", "high", "unable-to-assess")),
        "code": concept(allergen.system, allergen.code, allergen.display),
        "patient": life.ref("Patient"),
        "encounter": life.ref("Encounter", 0),
        "onset": day_text(onset, pick(rng, (4, 7, 10))),
        "recorded": moment(visit.start + 300, visit.place.zone),
        "doctor": life.region.ref("Practitioner", visit.practitioner),
        "reaction": concept(_SNOMED, allergen.reaction, allergen.reaction_display),
        "severity": pick(rng, ("mild", "moderate", "severe")),
    }
