"""Observation: the half of an export, made to be quick; ``forms`` holds what is rendered once."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from sources.synth.clock import DAY, HOUR, Zone, day_text, local_day, moment
from sources.synth.draws import pick, uuid
from sources.synth.forms import Form, forms
from sources.synth.ink import Ink
from sources.synth.life import Life, Run, Visit
from sources.synth.region import LABORATORY
from sources.synth.render import concept, quoted

Span = tuple[float, float]

_SYSTOLIC, _DIASTOLIC = (
    f'"code":{concept("http://loinc.org", code, display)}'
    for code, display in (("8480-6", "Systolic blood pressure"), ("8462-4", "Diastolic blood pressure"))
)
_ABSENT_SYSTEM = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_ABSENT = tuple(
    f'"dataAbsentReason":{concept(_ABSENT_SYSTEM, code, display)}'
    for code, display in (("unknown", "Unknown"), ("not-performed", "Not Performed"), ("error", "Error"))
)
_STATUSES = ("amended", "corrected", "preliminary", "preliminary", "entered-in-error")
_VERSIONS = ("1", "1", "1", "1", "2", "3")
_NOTES = (
    "Hemolyzed specimen",
    "Repeated and confirmed",
    "Patient fasting > 8 h",
    "Préliminaire — à contrôler",
)
_FRACTIONS = ("", "", "", ".5", ".139", ".250", ".123456")


def observations(life: Life, ink: Ink) -> list[str]:
    """All Observations of a life, in the order of their numbers."""
    rng, table, spans = ink.rng, forms(), _spans(life, ink.rng)
    base = life.bases["Observation"]
    lines: list[str] = []
    for run in life.runs:
        context, meta = _context(life, ink, run)
        habit = (rng.random() - 0.55) / 0.45
        own = spans[run.visit]
        number = run.first
        for analyte in run.analytes:
            choices = table[analyte.loinc]
            form = choices[min(1 + int(habit * (len(choices) - 1)), len(choices) - 1)] if habit > 0 else choices[0]
            odd = rng.random()
            status, note = "final", ""
            if odd < 0.02:
                status = _STATUSES[int(odd * 250)]
            elif odd < 0.03:
                note = f',"note":[{{"text":{quoted(pick(rng, _NOTES))}}}]'
            if odd > 0.992 and analyte.kind != "pressure":
                value = pick(rng, _ABSENT)
            elif analyte.kind == "quantity":
                value = _quantity(form, rng, own.get(analyte.loinc) or analyte.span)
            else:
                value = _other(form, rng, own, run.at)
            stamp = f'{meta}{number % 1000:03d}Z"}},' if ink.on else ""
            lines.append(
                f'{{"resourceType":"Observation","id":"{uuid(base, number)}",{stamp}"status":"{status}",'
                f"{form.head}{context}{value}{note}}}"
            )
            number += 1
    return lines


def _quantity(form: Form, rng: Random, span: Span) -> str:
    """A valueQuantity about the middle of ``span``, with its interpretation and reference range."""
    bottom, top = span
    value = bottom + (top - bottom) * (rng.random() + rng.random() + rng.random()) / 3
    analyte = form.analyte
    if analyte.least is not None and value < analyte.least:
        digits, comparator = form.written(analyte.least), ',"comparator":"<"'
    elif analyte.most is not None and value > analyte.most:
        digits, comparator = form.written(analyte.most), ',"comparator":">"'
    else:
        digits, comparator = form.written(value), ""
    tails = form.tails
    if tails[0]:
        written = float(digits)
        tail = tails[0] if written < form.low else tails[2] if written > form.high else tails[1]
        return f'"valueQuantity":{{"value":{digits}{comparator}{form.unit}}}{tail}'
    return f'"valueQuantity":{{"value":{digits}{comparator}{form.unit}}}'


def _context(life: Life, ink: Ink, run: Run) -> tuple[str, str]:
    """What the Observations of a run share, and their ``meta`` up to the fraction of the second."""
    rng, visit = ink.rng, life.visits[run.visit]
    laboratory = run.report is not None
    zone = visit.place.zone
    chance = rng.random()
    if chance < 0.06:
        effective = f'"effectiveDateTime":"{local_day(run.at, zone)}"'
    elif chance < 0.09:
        effective = f'"effectiveInstant":"{moment(run.at, Zone.UTC, ".000")}"'
    elif chance < 0.12:
        until = moment(min(run.at + 900, visit.end), zone)
        effective = f'"effectivePeriod":{{"start":"{moment(run.at, zone)}","end":"{until}"}}'
    else:
        effective = f'"effectiveDateTime":"{moment(run.at, zone, pick(rng, _FRACTIONS))}"'
    delay = 2 * HOUR + int(rng.random() * 16 * HOUR) if laboratory else 60
    if laboratory:
        performer = life.region.ref("Organization", LABORATORY)
    else:
        performer = life.region.ref("Practitioner", visit.practitioner)
    asked = ""
    if run.report is not None and run.report % 2 == 0:
        order, specimen = life.ref("ServiceRequest", run.report), life.ref("Specimen", run.report)
        asked = f'"basedOn":[{order}],"specimen":{specimen},'
    context = (
        f'"subject":{life.ref("Patient")},"encounter":{life.ref("Encounter", run.visit)},{effective},'
        f'"issued":"{moment(run.at + delay, zone, ".139")}","performer":[{performer}],{asked}'
    )
    updated = moment(run.at + delay + 240, Zone.UTC)[:-1]
    return context, f'"meta":{{"versionId":"{pick(rng, _VERSIONS)}","lastUpdated":"{updated}.'


def _spans(life: Life, rng: Random) -> list[Mapping[str, Span]]:
    """For each visit the spans that differ from the usual: by age, build and disease."""
    height = 152 + 14 * rng.random() + 12 * rng.random() + (0 if life.female else 12)
    mass = 19 + 9 * rng.random() + 7 * rng.random()
    return [_span(life, visit, height, mass) for visit in life.visits]


def _span(life: Life, visit: Visit, height: float, mass: float) -> dict[str, Span]:
    age = life.age(visit.start)
    grown = min(age / 17, 1.0)
    tall = 52 + (height - 52) * grown
    index = 16 + (mass - 16) * grown
    weight = index * (tall / 100) * (tall / 100)
    spans = {
        "8302-2": (tall * 0.998, tall * 1.002),
        "39156-5": (index * 0.995, index * 1.005),
        "29463-7": (weight * 0.995, weight * 1.005),
        "8480-6": (78 + 24 * grown, 104 + 38 * grown),
        "8462-4": (46 + 14 * grown, 64 + 26 * grown),
        "8867-4": (112 - 60 * grown, 156 - 50 * grown),
        "9279-1": (24 - 13 * grown, 40 - 17 * grown),
        "9843-4": (34 + 6 * min(age, 2.0), 38 + 6 * min(age, 2.0)),
    }
    for problem in life.problems:
        begun = problem.onset * DAY <= visit.end
        over = problem.ended is not None and problem.ended * DAY < visit.start
        if begun and not over and (problem.diagnosis.chronic or problem.number == visit.problem):
            spans.update(problem.diagnosis.labs)
    return spans


def _other(form: Form, rng: Random, spans: Mapping[str, Span], at: int) -> str:
    """A value that is no quantity."""
    answers = form.analyte.answers
    match form.analyte.kind:
        case "pressure":
            return _pressure(form, rng, spans)
        case "coded":
            answer = answers[int(rng.random() * rng.random() * len(answers))]
            return f'"valueCodeableConcept":{concept(answer.system, answer.code, answer.display)}'
        case "text":
            return f'"valueString":{quoted(answers[int(rng.random() * rng.random() * len(answers))].display)}'
        case "ratio":
            titer = pick(rng, answers).code
            return f'"valueRatio":{{"numerator":{{"value":1}},"denominator":{{"value":{titer}}}}}'
        case "integer":
            bottom, top = spans.get(form.analyte.loinc) or form.analyte.span
            return f'"valueInteger":{int(bottom + (top - bottom) * rng.random())}'
        case _:
            day = at // DAY - int(3 + 38 * rng.random())
            return f'"valueDateTime":"{day_text(day, 10 if rng.random() < 0.8 else 7)}"'


def _pressure(form: Form, rng: Random, spans: Mapping[str, Span]) -> str:
    """Systolic and diastolic blood pressure as components."""
    parts = []
    for code, loinc in ((_SYSTOLIC, "8480-6"), (_DIASTOLIC, "8462-4")):
        bottom, top = spans[loinc]
        value = bottom + (top - bottom) * (rng.random() + rng.random() + rng.random()) / 3
        parts.append(f'{{{code},"valueQuantity":{{"value":{value:.0f}{form.unit}}}}}')
    if rng.random() < 0.01:
        parts[1] = f"{{{_DIASTOLIC},{_ABSENT[1]}}}"
    return f'"component":[{",".join(parts)}]'
