"""What a copy for analysts shall be, and what may become of a column in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

MOST_DAYS = 365  # to shift a patient's dates by, unless told otherwise


class Method(StrEnum):
    """What becomes of dates; each is named for what it is."""

    SAFE_HARBOR = "safe-harbor"  # years only, 45 CFR 164.514(b)(2)(i)(C)
    SHIFTED_DATES = "shifted-dates"  # days moved by a number of each patient's own: no Safe Harbor

    @property
    def statement(self) -> str:
        """What the copy is, and what it is not."""
        return _STATEMENTS[self]


_STATEMENTS = {
    Method.SAFE_HARBOR: (
        "Columns are taken out or made general by the list of 45 CFR 164.514(b)(2)(i). Safe Harbor also asks that who "
        "gives the copy away knows of nothing in it that could identify a person (164.514(b)(2)(ii)): no program can "
        "say that."
    ),
    Method.SHIFTED_DATES: (
        "Dates are shifted, not taken out, so this is NOT a Safe Harbor de-identification (45 CFR "
        "164.514(b)(2)(i)(C)): to give it away needs an expert's determination (164.514(b)(1)) or a data use agreement "
        "(164.514(e))."
    ),
}
OVERRULED = " The policy keeps columns that the rules would take out, so it is not Safe Harbor either way."


class Ids(StrEnum):
    """How long a pseudonymous id stays the same."""

    STABLE = "stable"  # by the mart's key: the same in every copy
    ONCE = "once"  # by a key that is thrown away with the end of the command


class Treatment(StrEnum):
    """What became of a column."""

    KEPT = "kept"
    PSEUDONYM = "pseudonym"
    SHIFTED = "shifted"
    GENERALISED = "generalised"
    FILTERED = "filtered"  # values that are of a public vocabulary are kept, others are null
    DROPPED = "dropped"


class Wish(StrEnum):
    """What a policy may say of a column."""

    KEEP = "keep"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class ResearchPolicy:
    """What a user decides; without a file the defaults."""

    method: Method = Method.SAFE_HARBOR
    ids: Ids = Ids.STABLE
    most_days: int = MOST_DAYS
    weekdays: bool = False  # shift by whole weeks
    code_systems: Sequence[str] = ()  # whose codes are kept besides the public ones
    columns: Mapping[str, Wish] = field(default_factory=dict)  # `table.column`
    quasi_identifiers: Mapping[str, Sequence[str]] = field(default_factory=dict)  # columns of the copy by table


@dataclass(frozen=True, slots=True)
class Asked:
    """A policy with what only this copy has: the day on which ages are told."""

    policy: ResearchPolicy
    today: date
