"""Encounter."""

from __future__ import annotations

from sources.synth.clock import moment
from sources.synth.draws import pick
from sources.synth.ink import Ink
from sources.synth.life import Life, Visit
from sources.synth.region import PRACTITIONERS
from sources.synth.render import coding, concept, reference, template

_SNOMED = "http://snomed.info/sct"
_HL7 = "http://terminology.hl7.org/CodeSystem"
_PARTICIPATION = f"{_HL7}/v3-ParticipationType"

_ENCOUNTER = template("""
    {"resourceType":"Encounter","id":"$id",$meta"status":"$status","identifier":[{"use":"official",
    "system":"http://hospital.example.org/visits","value":"$visit"}],"class":$class,"type":[$type],
    "subject":$patient,"participant":[{"type":[$primary],"period":$period,"individual":$doctor}$second],
    "period":$period,"length":{"value":$minutes,"unit":"min","system":"http://unitsofmeasure.org","code":"min"},
    $reason$stay"location":[{"location":$location,"status":"completed","period":$period}],
    "serviceProvider":$organization}
""")
PROBLEM = ("185347001", "Encounter for problem")
_CLASSES = {
    "AMB": ("ambulatory", ("185349003", "Encounter for check up")),
    "VR": ("virtual", ("448337001", "Telemedicine consultation with patient")),
    "EMER": ("emergency", ("50849002", "Emergency room admission")),
    "IMP": ("inpatient encounter", ("183452005", "Emergency hospital admission")),
}
_SOURCES = (("emd", "From accident/emergency department"), ("gp", "General Practitioner referral"))
_DISPOSITIONS = (("home", "Home"), ("home", "Home"), ("rehab", "Rehabilitation"))


def encounters(life: Life, ink: Ink) -> list[str]:
    """The visits."""
    return [_encounter(life, ink, visit) for visit in life.visits]


def period(visit: Visit) -> str:
    """The Period of a visit, in the time of its place."""
    zone = visit.place.zone
    return f'{{"start":"{moment(visit.start, zone)}","end":"{moment(visit.end, zone)}"}}'


def _encounter(life: Life, ink: Ink, visit: Visit) -> str:
    display, (code, kind) = _CLASSES[visit.kind]
    if visit.kind == "AMB" and visit.problem is not None:
        code, kind = PROBLEM
    return _ENCOUNTER % {
        "id": life.uid("Encounter", visit.number),
        "meta": ink.meta(visit.end),
        "status": "finished" if ink.rng.random() < 0.98 else "unknown",
        "visit": f"V{life.index:07d}-{visit.number:03d}",
        "class": coding(f"{_HL7}/v3-ActCode", visit.kind, display),
        "type": concept(_SNOMED, code, kind),
        "patient": life.ref("Patient", 0, life.name),
        "primary": concept(_PARTICIPATION, "PPRF", "primary performer"),
        "doctor": life.region.ref("Practitioner", visit.practitioner),
        "second": _second(life, visit),
        "period": period(visit),
        "minutes": (visit.end - visit.start) // 60,
        "reason": _reason(life, visit),
        "stay": _stay(ink) if visit.kind == "IMP" else "",
        "location": reference("Location", life.region.uid("Location", visit.place.location)),
        "organization": life.region.ref("Organization", visit.place.organization),
    }


def _second(life: Life, visit: Visit) -> str:
    """A second participant, when the patient stays or comes as an emergency."""
    if visit.kind not in ("IMP", "EMER"):
        return ""
    other = life.region.ref("Practitioner", (visit.practitioner + 3) % PRACTITIONERS)
    return f',{{"type":[{concept(_PARTICIPATION, "ATND", "attender")}],"individual":{other}}}'


def _reason(life: Life, visit: Visit) -> str:
    if visit.problem is None:
        return ""
    diagnosis = life.problems[visit.problem].diagnosis
    code = concept(_SNOMED, diagnosis.snomed, diagnosis.display)
    use = concept(f"{_HL7}/diagnosis-role", "CC", "Chief complaint")
    condition = life.ref("Condition", visit.problem)
    return f'"reasonCode":[{code}],"diagnosis":[{{"condition":{condition},"use":{use},"rank":1}}],'


def _stay(ink: Ink) -> str:
    """The hospitalization: whence and whither."""
    source = concept(f"{_HL7}/admit-source", *pick(ink.rng, _SOURCES))
    home = concept(f"{_HL7}/discharge-disposition", *pick(ink.rng, _DISPOSITIONS))
    return f'"hospitalization":{{"admitSource":{source},"dischargeDisposition":{home}}},'
