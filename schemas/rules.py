"""Rules over several columns of a row: FHIR's invariants that the mart holds every row to.

A rule holds where its expression is true or null; a row for which it is false is quarantined, as ``rule_violated``
unless the rule asks what a check of a column would ask.
Only invariants whose severity is *error* in FHIR R4 (4.0.1) are here; best practice and warnings refuse no row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import polars as pl

from schemas.reasons import Reason

TIME_PARTS = _AT, _DATE, _PRECISION = "_at", "_date", "_precision"  # ends of the columns that are compared
_END, _START = "_end", "_start"
_ABATED = ("resolved", "remission", "inactive")
_ERROR = "entered-in-error"


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A cross-field rule: ``holds`` is an expression over the mart columns, null counts as held."""

    name: str  # e.g. "obs-6"
    column: str
    description: str
    holds: pl.Expr
    columns: tuple[str, ...]  # what the expression reads
    reason: Reason = Reason.RULE_VIOLATED


def period_rules(columns: Iterable[str]) -> Iterator[Rule]:
    """per-1 for every Period among the columns."""
    return (period_rule(end.removesuffix(_END), start) for start, end in periods(columns))


def periods(columns: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The Periods among the columns, as stems of start and end: ``x_start`` and ``x_end``, or ``x`` and ``x_end``."""
    names = set(columns)
    for end in sorted(name.removesuffix(_AT) for name in names if name.endswith(_END + _AT)):
        stem = end.removesuffix(_END)
        for start in (stem + _START, stem):
            if {start + part for part in TIME_PARTS} <= names:
                yield start, end
                break


def period_rule(stem: str, start: str | None = None) -> Rule:
    """per-1 (FHIR R4 2.24.0.10): a Period does not end before it starts.

    Two instants are compared as such. Where either side is a date, calendar dates are, as far as both are precise: a
    period from 2020-05 to 2020 has not ended too early. ``start`` is the stem of the start, else ``<stem>_start``.
    """
    start, end = start or stem + _START, stem + _END
    description = f"{_words(stem)} does not end before it starts."
    return Rule(f"per-1 {stem}", end + _DATE, description, in_order(start, end), (*_times(start), *_times(end)))


def order_rule(name: str, first: str, second: str) -> Rule:
    """The time ``second`` is not before the time ``first``; both are stems of columns. Compared as in per-1."""
    description = f"{_words(second)} is not before {_words(first).lower()}."
    return Rule(name, second + _DATE, description, in_order(first, second), (*_times(first), *_times(second)))


def in_order(first: str, second: str) -> pl.Expr:
    """Whether one time (a stem of columns) is not after another; null where either is missing."""
    either = {
        part: (pl.col(first + _PRECISION) == part) | (pl.col(second + _PRECISION) == part) for part in ("year", "month")
    }
    start, end = pl.col(first + _DATE), pl.col(second + _DATE)
    years = end.dt.year() - start.dt.year()
    months = years * 12 + end.dt.month().cast(pl.Int32) - start.dt.month().cast(pl.Int32)
    return (
        pl.when(pl.col(first + _AT).is_not_null() & pl.col(second + _AT).is_not_null())
        .then(pl.col(first + _AT) <= pl.col(second + _AT))
        .when(either["year"])
        .then(years >= 0)
        .when(either["month"])
        .then(months >= 0)
        .otherwise(start <= end)
    )


def _times(stem: str) -> tuple[str, ...]:
    return tuple(stem + part for part in TIME_PARTS)


def clinical_status_needed(name: str, system: str) -> Rule:
    """ait-1: a clinical status is there, unless the row was entered in error (``system``: of verification codes)."""
    return Rule(
        name,
        "clinical_status",
        "The clinical status is there, unless the verification status is entered-in-error.",
        _in_error(system) | _has_clinical_status(),
        (*_VERIFICATION, *_CLINICAL),
    )


def no_clinical_status_in_error(name: str, system: str) -> Rule:
    """ait-2 and con-5: a row that was entered in error has no clinical status."""
    return Rule(
        name,
        "clinical_status",
        "The clinical status is not there when the verification status is entered-in-error.",
        ~(_in_error(system) & _has_clinical_status()),
        (*_VERIFICATION, *_CLINICAL),
    )


def abated_is_over(name: str, system: str) -> Rule:
    """con-4: a condition that has abated is inactive, in remission or resolved (``system``: of clinical codes)."""
    over = _coded("clinical_status_codings", system, _ABATED)
    return Rule(
        name,
        "clinical_status",
        "A condition that has abated is inactive, in remission or resolved.",
        pl.col("abatement_type").is_null() | over,
        ("abatement_type", "clinical_status_codings"),
    )


_VERIFICATION = ("verification_status_codings",)
_CLINICAL = ("clinical_status_codings", "clinical_status_text")


def _in_error(system: str) -> pl.Expr:
    return _coded("verification_status_codings", system, (_ERROR,))


def _has_clinical_status() -> pl.Expr:
    codings, text = _CLINICAL
    return pl.col(text).is_not_null() | (pl.col(codings).list.len() > 0).fill_null(False)


def _coded(codings: str, system: str, codes: tuple[str, ...]) -> pl.Expr:
    """Whether a list of codings holds one of these codes of this system; false where there is no list."""
    one = pl.element().struct
    found = (one.field("system") == system) & one.field("code").is_in(codes)
    return pl.col(codings).list.eval(found.fill_null(False)).list.any().fill_null(False)


def _words(stem: str) -> str:
    return stem.replace("_", " ").capitalize()
