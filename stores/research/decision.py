"""What becomes of a column, and why; the SQL that makes it so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from schemas.research import Treatment
from schemas.table import Column

Place = Callable[[str], str]  # the SQL that reads a column of the row, or a field of the item


@dataclass(frozen=True, slots=True)
class Made:
    """A column of the copy; ``sql`` renders it from the columns of the mart."""

    name: str
    sql: Callable[[Place], str]


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of ``columns``, which are of one element; ``made`` is empty where they are dropped.

    Of a list ``inner`` says what becomes of the fields of its items; then ``made`` is rendered from those.
    """

    columns: tuple[Column, ...]
    treatment: Treatment
    why: str
    made: tuple[Made, ...] = ()
    inner: tuple[Decision, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """A line of the documentation: one column, or one field of a list (`list[].field`)."""

    column: str
    path: str
    treatment: Treatment
    became: str
    why: str


def told(decisions: tuple[Decision, ...], inside: str = "") -> Iterator[Told]:
    """The decisions column by column, the fields of lists after their list."""
    for decision in decisions:
        became = ", ".join(f"{inside}{made.name}" for made in decision.made)
        for column in decision.columns:
            yield Told(f"{inside}{column.name}", column.path, decision.treatment, became, decision.why)
        if decision.made:
            yield from told(decision.inner, f"{inside}{decision.columns[0].name}[].")


def dropped(columns: tuple[Column, ...], why: str) -> Decision:
    """The columns do not come into the copy."""
    return Decision(columns, Treatment.DROPPED, why)


def kept(columns: tuple[Column, ...], why: str) -> Decision:
    """The columns come as they are."""
    return Decision(columns, Treatment.KEPT, why, tuple(Made(c.name, _same(c.name)) for c in columns))


def through(column: Column, macro: str, treatment: Treatment, why: str, *before: str, name: str = "") -> Decision:
    """The column comes as an SQL macro makes it of the columns ``before`` it and itself."""
    names = (*before, column.name)
    made = Made(name or column.name, lambda at: f"{macro}({', '.join(map(at, names))})")
    return Decision((column,), treatment, why, (made,))


def _same(name: str) -> Callable[[Place], str]:
    return lambda at: at(name)
