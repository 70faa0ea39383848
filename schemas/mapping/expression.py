"""What the value of a column is made of: a small set of forms, none of which runs code.

A value is text, or missing. First what it is taken from (:class:`Column`, :class:`Constant`, :class:`Concat`,
:class:`First`, :class:`KeyOf`), then a part of it (:class:`Split`), then what that means (:class:`Lookup`). How the
text of a time or number is written is said by ``formats``, ``zone``, ``decimal`` and ``thousands``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Column:
    """The value of a column of the file."""

    name: str


@dataclass(frozen=True, slots=True)
class Constant:
    """The same text in each row."""

    text: str


@dataclass(frozen=True, slots=True)
class Concat:
    """Values one after the other with ``separator`` between them; missing when any is, or, with ``skip_missing``, when
    all are.
    """

    parts: tuple[Expression, ...]
    separator: str = ""
    skip_missing: bool = False


@dataclass(frozen=True, slots=True)
class First:
    """The first value that is not missing."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class KeyOf:
    """The id that a table has whose ``keys`` are these columns; missing when any of them is."""

    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Split:
    """The part with this number, from 1 on, of a text that ``by`` separates; missing where there are fewer parts."""

    by: str
    part: int


@dataclass(frozen=True, slots=True)
class Lookup:
    """What values mean, as pairs; one that is not listed means ``otherwise``, and without that the row is refused."""

    entries: tuple[tuple[str, str], ...]
    otherwise: str | None = None


Origin: TypeAlias = Column | Constant | Concat | First | KeyOf


@dataclass(frozen=True, slots=True)
class Expression:
    """A value, how it is written, and whether a row without it is refused (``required``).

    ``formats`` are layouts of times as ``strptime`` knows them; none: as ISO 8601 writes them. ``years_from`` is the
    first of the hundred years that two digits mean. ``unit`` is that of a number. ``line`` is where it stands in its
    file.
    """

    origin: Origin
    split: Split | None = None
    lookup: Lookup | None = None
    formats: tuple[str, ...] = ()
    years_from: int | None = None
    zone: str | None = None
    decimal: str = "."
    thousands: str = ""
    unit: Expression | None = None
    required: bool = False
    line: int = field(default=0, compare=False, repr=False)

    def columns(self) -> Iterator[tuple[str, int]]:
        """The columns of the file that it reads, each with the line that names it."""
        origin = self.origin
        if isinstance(origin, Column):
            yield origin.name, self.line
        elif isinstance(origin, Concat | First):
            for part in origin.parts:
                yield from part.columns()
        elif isinstance(origin, KeyOf):
            yield from ((name, self.line) for name in origin.columns)
        if self.unit is not None:
            yield from self.unit.columns()
