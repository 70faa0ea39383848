"""Which map reads an entry: by the root of its templateIds, else by its section's LOINC code and its element."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from transforms.decode.ccda.draft import Draft, Kept
from transforms.decode.ccda.maps import (
    allergies,
    encounters,
    immunizations,
    medications,
    notes,
    observations,
    plans,
    problems,
    procedures,
)
from transforms.decode.ccda.maps.parts import CCDA, STATEMENTS
from transforms.decode.ccda.node import Node

Map = Callable[[Draft, Node], bool]  # whether the entry became a row; Draft.why says why not

# Templates of C-CDA R1.1 to R4: a later version of one has the same root.
_TEMPLATES: Mapping[str, Map] = {
    CCDA + number: of
    for of, numbers in (
        (allergies.concern, "30"),
        (allergies.allergy, "7"),
        (problems.concern, "3 33 34 65 51 80 29 132 136"),
        (problems.problem, "4 68 73"),
        (medications.medication, "16 42"),
        (medications.wrapped, "35 36"),
        (medications.dispense, "18"),
        (immunizations.immunization, "52"),
        (observations.results, "1"),
        (observations.result, "2"),
        (observations.vital_signs, "26"),
        (observations.vital_sign, "27"),
        (observations.social_history, "38 78 85 200 281 501 502 503 504 111 109 45.1"),
        (observations.survey, "69"),
        (observations.findings, "66 75"),
        (observations.finding, "67 74 124 127 128 114 133 134 138 144 113 505 506 507"),
        (procedures.procedure, "12 13 14"),
        (encounters.encounter, "49"),
        (plans.planned, "39 40 41 44 130 140"),
        (plans.goal, "121"),
        (notes.note, "202"),
    )
    for number in numbers.split()
} | {
    "2.16.840.1.113883.10.20.15.3.8": observations.social_history,  # pregnancy
    "2.16.840.1.113883.10.20.34.3.45": observations.social_history,  # gender identity
}
# LOINC codes of sections, and what entries without a known template are in them. Order matters only within a section.
_SECTIONS: Mapping[str, Mapping[str, Map]] = {
    code: maps
    for codes, maps in (
        ("48765-2", {"act": allergies.concern, "observation": allergies.allergy}),
        ("11450-4 11535-2 46241-6 10219-4 10218-6", {"act": problems.concern, "observation": problems.problem}),
        (
            "10160-0 10183-2 42346-7 29549-3",
            {"substanceAdministration": medications.medication, "act": medications.wrapped},
        ),
        ("11369-6", {"substanceAdministration": immunizations.immunization}),
        ("30954-2", {"organizer": observations.results, "observation": observations.result}),
        ("8716-3", {"organizer": observations.vital_signs, "observation": observations.vital_sign}),
        ("29762-2", {"observation": observations.social_history}),
        ("47519-4", dict.fromkeys(("procedure", "act", "observation"), procedures.procedure)),
        ("46240-8", {"encounter": encounters.encounter}),
        ("18776-5", dict.fromkeys(("procedure", "act", "observation", "encounter"), plans.planned)),
    )
    for code in codes.split()
}
_ELEMENTS: Mapping[str, Map] = {"observationMedia": notes.media, "encounter": encounters.encounter}


def read_entry(draft: Draft, entry: Node) -> None:
    """The rows of an entry; what no map takes is kept as it stands, with the reason."""
    draft.section.entries += 1
    found = list(_statements(entry))
    mapped = [_read(draft, one, entry) for one in found]
    if any(mapped):
        draft.section.mapped += 1
    if not found:
        draft.keep(entry, Kept.NULL if entry.null else Kept.UNMAPPED)


def _statements(entry: Node) -> Iterator[Node]:
    for name in STATEMENTS:
        yield from entry.all(name)


def _read(draft: Draft, statement: Node, entry: Node) -> bool:
    of = _map(draft, statement)
    draft.why = Kept.UNMAPPED
    if entry.null:
        draft.why = Kept.NULL
    elif of is not None and of(draft, statement):
        return True
    draft.keep(statement)
    return False


def _map(draft: Draft, statement: Node) -> Map | None:
    for root in statement.templates:
        if root in _TEMPLATES:
            return _TEMPLATES[root]
    if any(root.startswith(CCDA) for root in statement.templates):
        return None  # C-CDA knows what it is, and it is none of these
    section = _SECTIONS.get(draft.section.code or "", {})
    return section.get(statement.name) or _ELEMENTS.get(statement.name)
