"""The course of a life: draws when a patient was born, what befell them, and what was done at each visit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from sources.synth.clock import DAY, HOUR, YEAR
from sources.synth.draws import LIFE, between, few, pick, stream
from sources.synth.life import Act, Life, Prescription, Problem, Run, Shot, Visit
from sources.synth.measures import Panel, panels
from sources.synth.region import (
    CLINICS,
    EMERGENCY,
    INSURERS,
    PRACTITIONERS,
    REMOTE,
    WARD,
    Place,
    Region,
    bases,
)
from sources.synth.vocabulary import Diagnosis, allergens, diagnoses, names, operations, vaccines

_LOOK_BACK = 12 * YEAR  # days of records that a hospital still has
_CHECKUPS = ("cbc", "bmp", "lipids", "liver", "thyroid", "vitamins", "urinalysis", "a1c")
_BY_VISIT = 14  # observations, about
_SETTLED = 3 * DAY  # before the export: nothing new, so that later versions have their time


@dataclass(slots=True)
class _Course:
    """The facts of one life while they are gathered."""

    rng: Random
    female: bool
    born: int
    end: int
    quota: int | None
    problems: list[Problem] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    prescriptions: list[Prescription] = field(default_factory=list)
    shots: list[Shot] = field(default_factory=list)
    observations: int = 0
    reports: int = 0
    doses: int = 0


def live(seed: int, index: int, region: Region, now: int, quota: int | None = None) -> Life:
    """The life of the ``index``-th patient of a seed up to the moment ``now``.

    With ``quota`` the life holds exactly so many observations, else as many as its visits bring.
    """
    rng = stream(seed, LIFE, index)
    identifiers = bases(rng)
    female = rng.random() < 0.52
    years = 0.4 + 17 * rng.random() if rng.random() < 0.14 else 18 + 74 * rng.random()
    born = now // DAY - int(years * YEAR)
    died = now - between(rng, 5, 900) * DAY - between(rng, 0, DAY) if years > 58 and rng.random() < 0.2 else None
    course = _Course(rng, female, born, now - _SETTLED if died is None else died, quota)
    _visits(course)
    return Life(
        index=index,
        seed=seed,
        now=now,
        region=region,
        bases=identifiers,
        female=female,
        given=pick(rng, names("female" if female else "male")),
        family=pick(rng, names("family")),
        born=born,
        died=died,
        insurer=INSURERS[2] if years >= 65 else pick(rng, INSURERS[:2]),
        problems=tuple(course.problems),
        visits=tuple(course.visits),
        runs=tuple(course.runs),
        acts=tuple(course.acts),
        prescriptions=tuple(course.prescriptions),
        shots=tuple(course.shots),
        allergies=tuple(few(rng, allergens(), (0, 0, 0, 1, 1, 2)[int(rng.random() * 6)])),
    )


def _visits(course: _Course) -> None:
    """Draw the visits, one in each of as many equal stretches of time, and what each brings."""
    rng, end = course.rng, course.end
    begin = max((course.born + 3) * DAY, end - int(_LOOK_BACK * DAY))
    count = between(rng, 2, 7)
    if course.quota is not None:
        count = max(count, course.quota // _BY_VISIT + 1)
    stretch = (end - DAY - begin) // count
    for number in range(count):
        start = begin + number * stretch + int(rng.random() * 0.3 * stretch)
        if stretch > 4 * DAY:  # in the morning or afternoon, not at any second of the day
            start = start // DAY * DAY + 13 * HOUR + between(rng, 0, 34) * 900 + between(rng, 0, 59)
        _visit(course, number, start, stretch // 2)
    if course.quota is not None:
        _fill(course, course.quota)


def _visit(course: _Course, number: int, start: int, longest: int) -> None:
    """One visit: its kind and reason, and then what is measured, done, prescribed and given."""
    rng = course.rng
    age = (start / DAY - course.born) / YEAR
    problem = _reason(course, number, start, age)
    kind, place, length = _setting(rng, problem.diagnosis if problem else None)
    visit = Visit(
        number,
        kind,
        start,
        start + max(min(length, longest), 300),
        place,
        between(rng, 0, PRACTITIONERS - 1),
        None if problem is None else problem.number,
    )
    course.visits.append(visit)
    _measure(course, visit, problem.diagnosis if problem else None, age)
    _treat(course, visit, problem)
    if kind == "AMB" and rng.random() < 0.5:
        fitting = [v for v in vaccines() if v.youngest <= age <= v.oldest]
        for vaccine in few(rng, fitting, between(rng, 1, 2)):
            course.shots.append(Shot(len(course.shots), vaccine, start + 600, number))


def _reason(course: _Course, number: int, start: int, age: float) -> Problem | None:
    """Why the patient comes: a check-up, something new, or a chronic disease known already."""
    rng = course.rng
    known = [p for p in course.problems if p.diagnosis.chronic]
    chance = rng.random()
    if chance < 0.2:
        return None
    if known and chance < 0.55:
        return pick(rng, known)
    names_known = {p.diagnosis.name for p in known}
    fitting = [
        d
        for d in diagnoses()
        if d.youngest <= age <= d.oldest
        and d.sex in ("", "female" if course.female else "male")
        and d.name not in names_known
        and (not d.chronic or len(known) < 4)
    ]
    if not fitting:
        return None
    problem = _problem(course, pick(rng, fitting), number, start // DAY)
    course.problems.append(problem)
    return problem


def _problem(course: _Course, diagnosis: Diagnosis, visit: int, today: int) -> Problem:
    rng = course.rng
    earliest = course.born + int(diagnosis.youngest * YEAR)
    before = between(rng, 20, 1200) if diagnosis.chronic else between(rng, 0, 9)
    onset = max(today - before, min(earliest, today))
    ended = None if diagnosis.chronic and rng.random() < 0.9 else today + between(rng, 4, 21)
    if ended is not None and ended * DAY >= course.end:
        ended = None
    digits = 10 if not diagnosis.chronic else (10, 10, 7, 4)[int(rng.random() * 4)]
    return Problem(len(course.problems), diagnosis, onset, digits, ended, visit)


def _setting(rng: Random, diagnosis: Diagnosis | None) -> tuple[str, Place, int]:
    """The class of the encounter, its place, and its length in seconds."""
    chance = rng.random()
    if diagnosis is None or chance < 0.62:
        return "AMB", CLINICS[0] if chance < 0.3 else pick(rng, CLINICS), between(rng, 15, 60) * 60
    if chance < 0.72:
        return "VR", REMOTE, between(rng, 10, 30) * 60
    if chance < 0.86:
        return "EMER", EMERGENCY, between(rng, 60, 480) * 60
    return "IMP", WARD, between(rng, 20, 190) * HOUR


def _measure(course: _Course, visit: Visit, diagnosis: Diagnosis | None, age: float) -> None:
    """Vital signs, questions and laboratory panels of a visit; a stay has them once a day."""
    rng, named = course.rng, panels()
    at = visit.start + 300
    if visit.kind == "VR":
        _run(course, visit, named["pain"], at)
        return
    _run(course, visit, named["body"], at)
    for day in range(min(4, 1 + (visit.end - visit.start) // DAY)):
        _run(course, visit, named["vitals"], at + day * DAY)
    if age < 2:
        _run(course, visit, named["head"], at)
    elif age >= 14:
        _run(course, visit, named["smoking"], at)
        for name, chance in (
            ("pain", 0.4),
            ("mood", 0.2),
            ("cycle", 0.15 if course.female and age < 50 else 0.0),
        ):
            if rng.random() < chance:
                _run(course, visit, named[name], at)
    wanted = list(diagnosis.panels) if diagnosis else []
    wanted += [named[name] for name in few(rng, _CHECKUPS, between(rng, 0, 2)) if named[name] not in wanted]
    drawn = visit.start + (visit.end - visit.start) // 3
    for day in range(min(3, 1 + (visit.end - visit.start) // (2 * DAY))):
        for panel in wanted:
            _run(course, visit, panel, drawn + day * DAY // 2)


def _run(course: _Course, visit: Visit, panel: Panel, at: int) -> None:
    """Measure a panel, or as much of it as the quota leaves."""
    left = len(panel.analytes) if course.quota is None else course.quota - course.observations
    analytes = panel.analytes[:left]
    if not analytes:
        return
    report = None
    if panel.category == "laboratory":
        report = course.reports
        course.reports += 1
    moment = min(at, visit.end)
    course.runs.append(Run(panel, analytes, moment, visit.number, course.observations, report))
    course.observations += len(analytes)


def _fill(course: _Course, quota: int) -> None:
    """Measure vital signs through the last visit until the quota is reached."""
    visit = course.visits[-1]
    vitals = panels()["vitals"]
    missing = -(-(quota - course.observations) // len(vitals.analytes))
    for step in range(missing):
        _run(course, visit, vitals, visit.start + (visit.end - visit.start) * step // missing)


def _treat(course: _Course, visit: Visit, problem: Problem | None) -> None:
    """Procedures, prescriptions and doses of a visit."""
    rng = course.rng
    done = [] if problem is None else [o for o in problem.diagnosis.operations if rng.random() < 0.75]
    if rng.random() < 0.35:
        done.append(operations()["reconciliation"])
    start = visit.start + 900
    for operation in done if visit.kind != "VR" else ():
        end = min(start + operation.minutes * 60, visit.end)
        number = None if problem is None else problem.number
        course.acts.append(Act(len(course.acts), operation, min(start, end), end, visit.number, number))
        start = end
    if problem is None:
        return
    for drug in few(rng, problem.diagnosis.drugs, between(rng, 1, 2)):
        doses: Sequence[int] = ()
        if visit.kind == "IMP" or (drug.injected and visit.kind == "EMER"):
            count = between(rng, 1, 5)
            doses = [visit.start + (visit.end - visit.start) * (i + 1) // (count + 1) for i in range(count)]
        at = min(visit.start + 1200, visit.end)
        course.prescriptions.append(
            Prescription(len(course.prescriptions), drug, at, visit.number, problem.number, tuple(doses), course.doses)
        )
        course.doses += len(doses)
