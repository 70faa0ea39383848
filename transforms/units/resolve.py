"""What a unit as sent means: a UCUM expression and how sure that is.

=============  =====================================================================================
`ucum`         sent as UCUM, and meant as such
`mapped`       another spelling that can only mean this
`ambiguous`    several meanings; a LOINC code may decide (:mod:`transforms.units.harmonise`)
`not_a_unit`   a word in the unit's place (`N/A`, `Score`)
`unknown`      not understood
`absent`       nothing was sent
`incompatible` understood, but no unit of what the code measures
=============  =====================================================================================
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from enum import StrEnum

from transforms.units.spelling import canonical, cleaned, known_text, misread, understood
from transforms.units.ucum import is_valid


class UnitStatus(StrEnum):
    """The values of the mart's ``unit_status`` columns."""

    UCUM = "ucum"
    MAPPED = "mapped"
    AMBIGUOUS = "ambiguous"
    NOT_A_UNIT = "not_a_unit"
    UNKNOWN = "unknown"
    ABSENT = "absent"
    INCOMPATIBLE = "incompatible"


@dataclass(frozen=True, slots=True)
class Resolved:
    """``ucum`` is empty unless the status is `ucum` or `mapped`; ``candidates`` are the meanings a code may decide."""

    ucum: str
    status: UnitStatus
    candidates: tuple[str, ...] = ()


@functools.lru_cache(maxsize=50_000)
def resolve(unit: str | None) -> Resolved:
    """The meaning of one unit as sent."""
    text = (unit or "").strip()
    if not text:
        return Resolved("", UnitStatus.ABSENT)
    alias = known_text(text)
    if alias is not None:
        if alias.status == UnitStatus.MAPPED:
            ucum = alias.ucum[0]
            return Resolved(ucum, UnitStatus.UCUM if canonical(text) == ucum else UnitStatus.MAPPED)
        return Resolved("", UnitStatus(alias.status), alias.ucum)
    if "|" in text and not is_valid(text):
        return _alternatives(text)
    valid = is_valid(text)
    if valid and not misread(text) and not _is_count(text):
        return Resolved(canonical(text), UnitStatus.UCUM)
    made = understood(text)
    if made is not None:
        made = canonical(made)
        return Resolved(made, UnitStatus.UCUM if made == canonical(text) else UnitStatus.MAPPED)
    return Resolved("", UnitStatus.AMBIGUOUS if valid else UnitStatus.UNKNOWN)


def _is_count(text: str) -> bool:
    """`K/uL`, `m/uL`: valid UCUM (kelvin, metre), but always thousands and millions."""
    made = understood(text)
    return made is not None and made.startswith("10*") and not cleaned(text).startswith("10")


def _alternatives(text: str) -> Resolved:
    """`a|b` is one unit only when both mean the same."""
    meant = {resolve(part) for part in text.split("|")}
    if len({one.ucum for one in meant}) == 1:
        one = next(iter(meant))
        return Resolved(one.ucum, UnitStatus.MAPPED if one.ucum else one.status, one.candidates)
    return Resolved("", UnitStatus.AMBIGUOUS)
