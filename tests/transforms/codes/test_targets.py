"""Which target of a crosswalk is taken for a code, and why none is."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from schemas.crosswalk import CLOSENESS, Closeness
from tests.transforms.codes.plain import LAB, LOINC, SCT, crosswalk, entry
from transforms.codes.targets import Outcome, targets_of


def outcome(*entries: dict[str, Any], levels: tuple[int, ...] = (0,)) -> tuple[Any, ...]:
    """What becomes of code A: outcome, code, system."""
    found = targets_of(crosswalk(*entries, levels=levels)).codes
    return next(((Outcome(o), m, s) for _, c, m, s, o in found.rows() if c == "A"), (Outcome.NOT_LISTED, None, None))


TAKEN = (Outcome.MAPPED, "1", LOINC)
NOT = {reason: (reason, None, None) for reason in Outcome}


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([entry("A", "1")], TAKEN),
        ([entry("A", "1", "equal"), entry("A", "1", "equivalent", map=1)], TAKEN),  # one target, said twice
        ([entry("A", "1"), entry("A", "2")], NOT[Outcome.AMBIGUOUS]),
        ([entry("A", "1", "equal"), entry("A", "2", "equivalent")], NOT[Outcome.AMBIGUOUS]),
        ([entry("A", "1"), entry("A", "1", target_system=SCT)], NOT[Outcome.AMBIGUOUS]),  # a code without its system
        ([entry("A", "1"), entry("A", "2", "wider"), entry("A", "3", "narrower")], TAKEN),
        ([entry("A", "1", "wider"), entry("A", "3", "relatedto")], TAKEN),
        ([entry("A", "1", "source-is-narrower-than-target")], TAKEN),
        ([entry("A", "1", "wider"), entry("A", "2", "subsumes")], NOT[Outcome.AMBIGUOUS]),
        ([entry("A", "1", "narrower")], NOT[Outcome.INEXACT]),
        ([entry("A", "1", "source-is-broader-than-target")], NOT[Outcome.INEXACT]),
        ([entry("A", "1", conditional=True)], NOT[Outcome.INEXACT]),
        ([entry("A", "1"), entry("A", "2", conditional=True)], TAKEN),
        ([entry("A", None, "unmatched")], NOT[Outcome.NO_TARGET]),
        ([entry("A", "1", "disjoint")], NOT[Outcome.NO_TARGET]),
        ([entry("A", "1", "not-related-to", conditional=True)], NOT[Outcome.NO_TARGET]),
        ([entry("A", "1"), entry("A", None, "unmatched", target_system=SCT)], TAKEN),
        ([entry("A", None, None)], NOT[Outcome.NOT_LISTED]),  # listed without a word about it
        ([entry("B", "1"), entry("A", "2", source_system=SCT)], (Outcome.MAPPED, "2", LOINC)),
    ],
)
def test_the_one_best_target(entries: list[dict[str, Any]], expected: tuple[Any, ...]) -> None:
    """In every order of the entries."""
    for order in itertools.permutations(entries):
        assert outcome(*order, levels=(0, 0)) == expected


def test_every_relation_has_its_worth() -> None:
    """Each word of the standards by itself; none is left out."""
    worth = {
        Closeness.SAME: TAKEN, Closeness.BROADER: TAKEN, Closeness.OTHER: NOT[Outcome.INEXACT],
        Closeness.NONE: NOT[Outcome.NO_TARGET],
    }  # fmt: skip
    assert len(CLOSENESS) == 14
    for word, closeness in CLOSENESS.items():
        assert outcome(entry("A", "1", word)) == worth[closeness], word


def test_a_map_that_others_leave_codes_to_is_asked_last() -> None:
    """Its targets count only for codes that those before it do not list, even where those have none."""
    later = entry("A", "2", map=1)
    assert outcome(later, levels=(0, 1)) == (Outcome.MAPPED, "2", LOINC)
    assert outcome(entry("A", "1"), later, levels=(0, 1)) == TAKEN
    assert outcome(entry("A", None, "unmatched"), later, levels=(0, 1)) == NOT[Outcome.NO_TARGET]
    assert outcome(entry("A", None, None), later, levels=(0, 1)) == (Outcome.MAPPED, "2", LOINC)


def test_defaults() -> None:
    """One of a system, or an ambiguity; the code itself is a null."""
    fixed, other = entry(None, "X", "fixed"), entry(None, "Y", "fixed")
    provided = entry(None, None, "provided", source_system=SCT)
    one = targets_of(crosswalk(fixed, provided, entry("A", "1"))).defaults
    assert one.rows() == [(LAB, "X", LOINC, int(Outcome.MAPPED)), (SCT, None, LOINC, int(Outcome.MAPPED))]
    two = targets_of(crosswalk(fixed, other, entry("A", "1"))).defaults
    assert two.rows() == [(LAB, None, None, int(Outcome.AMBIGUOUS))]
    later = targets_of(crosswalk(fixed, other | {"map": 1}, levels=(0, 1)))
    assert later.defaults.rows() == [(LAB, "X", LOINC, int(Outcome.MAPPED))]
    assert later.systems == (LAB,)


def test_no_code_twice() -> None:
    """So that a join never multiplies rows."""
    made = targets_of(crosswalk(*(entry("A", str(n), map=n % 3) for n in range(9)), levels=(0, 1, 2)))
    assert made.codes.select("system", "code").is_duplicated().sum() == 0
