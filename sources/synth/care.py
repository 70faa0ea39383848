"""CareTeam, Goal, CarePlan and Provenance: how the care of chronic diseases is kept together."""

from __future__ import annotations

from sources.synth.clock import DAY, Zone, day_text, moment
from sources.synth.ink import Ink
from sources.synth.life import Life, Problem, Visit
from sources.synth.region import PRACTITIONERS
from sources.synth.render import concept, joined, quoted, template

_SNOMED = "http://snomed.info/sct"
_HL7 = "http://terminology.hl7.org/CodeSystem"

_TEAM = template("""
    {"resourceType":"CareTeam","id":"$id",$meta"status":"$status","name":$name,"subject":$patient,
    "encounter":$encounter,"period":{"start":"$since"$until},"participant":[{"role":[$self],"member":$patient},
    {"role":[$professional],"member":$doctor,"onBehalfOf":$organization},{"role":[$professional],
    "member":$colleague}],"reasonCode":[$reason],"managingOrganization":[$organization]}
""")
_GOAL = template("""
    {"resourceType":"Goal","id":"$id",$meta"lifecycleStatus":"$status","achievementStatus":$achieved,
    "priority":$priority,"description":{"text":$text},"subject":$patient,"startDate":"$since",
    "target":[{"measure":$measure,"detailQuantity":{"value":$value,"comparator":"<","unit":"$unit",
    "system":"http://unitsofmeasure.org","code":"$ucum"},"dueDate":"$due"}],"addresses":[$condition]}
""")
_PLAN = template("""
    {"resourceType":"CarePlan","id":"$id",$meta"status":"$status","intent":"plan",
    "text":{"status":"generated","div":$div},"category":[$category],"title":$title,"subject":$patient,
    "encounter":$encounter,"period":{"start":"$since"$until},"author":$doctor,"careTeam":[$team],
    "addresses":[$condition],"goal":[$goal],"activity":[{"detail":{"kind":"ServiceRequest","code":$exercise,
    "status":"in-progress","scheduledString":"three times a week"}},{"detail":{"code":$diet,
    "status":"scheduled"}}]}
""")
_PROVENANCE = template("""
    {"resourceType":"Provenance","id":"$id",$meta"target":[$targets],"recorded":"$recorded","activity":$activity,
    "agent":[{"type":$author,"who":$doctor,"onBehalfOf":$organization},{"type":$sender,"who":$organization}]}
""")
_SELF = concept(_SNOMED, "116153009", "Patient")
_PROFESSIONAL = concept(_SNOMED, "223366009", "Healthcare professional")
_DIET = {"diabetes": ("160670007", "Diabetic diet"), "hypertension": ("183063000", "Low salt diet education")}
_TARGETS = {
    "diabetes": ("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "7.0", "%", "%"),
    "lipidemia": ("2093-3", "Cholesterol [Mass/volume] in Serum or Plasma", "200", "mg/dL", "mg/dL"),
    "hypertension": ("8480-6", "Systolic blood pressure", "140", "mmHg", "mm[Hg]"),
}
_WEIGHT = ("29463-7", "Body weight", "80.0", "kg", "kg")


def _chronic(life: Life) -> list[tuple[int, Problem]]:
    """The chronic problems with the number of their plan, goal and team."""
    return list(enumerate(p for p in life.problems if p.diagnosis.chronic))


def _facts(life: Life, number: int, problem: Problem) -> dict[str, str]:
    """What team, goal and plan of a problem have in common."""
    visit, diagnosis = life.visits[problem.visit], problem.diagnosis
    return {
        "patient": life.ref("Patient", 0, life.name),
        "encounter": life.ref("Encounter", visit.number),
        "condition": life.ref("Condition", problem.number),
        "doctor": life.region.ref("Practitioner", visit.practitioner),
        "organization": life.region.ref("Organization", visit.place.organization),
        "team": life.ref("CareTeam", number),
        "goal": life.ref("Goal", number),
        "since": day_text(visit.start // DAY),
        "until": f',"end":"{day_text(problem.ended)}"' if problem.ended else "",
        "reason": concept(_SNOMED, diagnosis.snomed, diagnosis.display),
    }


def teams(life: Life, ink: Ink) -> list[str]:
    """The team for each chronic problem."""
    lines = []
    for number, problem in _chronic(life):
        visit = life.visits[problem.visit]
        facts = {
            "id": life.uid("CareTeam", number),
            "meta": ink.meta(visit.end),
            "status": "inactive" if problem.ended else "active",
            "name": quoted(f"Care team of {life.name}"),
            "self": _SELF,
            "professional": _PROFESSIONAL,
            "colleague": life.region.ref("Practitioner", (visit.practitioner + 2) % PRACTITIONERS),
        }
        lines.append(_TEAM % (facts | _facts(life, number, problem)))
    return lines


def goals(life: Life, ink: Ink) -> list[str]:
    """What is to be reached: a measured target by a date."""
    lines = []
    for number, problem in _chronic(life):
        loinc, measure, value, unit, ucum = _TARGETS.get(problem.diagnosis.name, _WEIGHT)
        visit = life.visits[problem.visit]
        achieved = ("achieved", "Achieved") if problem.ended else ("in-progress", "In Progress")
        facts = {
            "id": life.uid("Goal", number),
            "meta": ink.meta(visit.end),
            "status": "completed" if problem.ended else "active",
            "achieved": concept(f"{_HL7}/goal-achievement", *achieved),
            "priority": concept(f"{_HL7}/goal-priority", "medium-priority", "Medium Priority"),
            "text": quoted(f"{measure} below {value} {unit}"),
            "measure": concept("http://loinc.org", loinc, measure),
            "value": value,
            "unit": unit,
            "ucum": ucum,
            "due": day_text(visit.start // DAY + 180 + int(ink.rng.random() * 180)),
        }
        lines.append(_GOAL % (facts | _facts(life, number, problem)))
    return lines


def plans(life: Life, ink: Ink) -> list[str]:
    """The plan for each chronic problem."""
    lines = []
    for number, problem in _chronic(life):
        title = f"Care plan for {problem.diagnosis.display}"
        div = f'<div xmlns="http://www.w3.org/1999/xhtml">{title}.<br/>See the goal.</div>'
        facts = {
            "id": life.uid("CarePlan", number),
            "meta": ink.meta(life.visits[problem.visit].end),
            "status": "completed" if problem.ended else "active",
            "div": quoted(div),
            "category": concept(_SNOMED, "734163000", "Care plan"),
            "title": quoted(title),
            "exercise": concept(_SNOMED, "229065009", "Exercise therapy"),
            "diet": concept(_SNOMED, *_DIET.get(problem.diagnosis.name, ("409063005", "Counseling"))),
        }
        lines.append(_PLAN % (facts | _facts(life, number, problem)))
    return lines


def provenances(life: Life, ink: Ink) -> list[str]:
    """Who recorded every third visit and the problems found then."""
    return [_provenance(life, ink, visit) for visit in life.visits if visit.number % 3 == 0]


def _provenance(life: Life, ink: Ink, visit: Visit) -> str:
    found = [life.ref("Condition", p.number) for p in life.problems if p.visit == visit.number]
    kinds = f"{_HL7}/provenance-participant-type"
    return _PROVENANCE % {
        "id": life.uid("Provenance", visit.number),
        "meta": ink.meta(visit.end),
        "targets": joined([life.ref("Encounter", visit.number), *found]),
        "recorded": moment(visit.end + 60, Zone.UTC, ".000"),
        "activity": concept(f"{_HL7}/v3-DataOperation", "CREATE", "create"),
        "author": concept(kinds, "author", "Author"),
        "sender": concept(kinds, "transmitter", "Transmitter"),
        "doctor": life.region.ref("Practitioner", visit.practitioner),
        "organization": life.region.ref("Organization", visit.place.organization),
    }
