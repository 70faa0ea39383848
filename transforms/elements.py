"""Elements to the columns of the mart, each worked out once for all rows that have the same."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import replace

import polars as pl

from schemas.table import Element, Kind, Table
from transforms.alike import Alike, Kinds
from transforms.decode.frames import FrameReader, present_in
from transforms.normalise import Meaning, normalise
from transforms.project import Present, sources

_Group = tuple[tuple[Element, ...], tuple[str, ...]]  # elements, and the columns of the frame that they are made of


def columns_of_elements(
    alike: Alike,
    table: Table,
    reader: FrameReader,
    meaning: Meaning,
    mended: Callable[[pl.DataFrame], pl.DataFrame] = lambda raw: raw,
) -> list[pl.Series]:
    """What :func:`transforms.normalise.normalise` makes of the elements of a frame, for each of its rows.

    Elements that are not made of the same columns do not depend on each other, so the distinct rows of their columns
    are put side by side and projected at once, whichever rows they came from. ``mended`` sees the raw columns before
    the normaliser does.
    """
    frame = alike.frame
    groups = [
        (elements, alike.columns(names)) for elements, names in _groups(table, present_in(frame), tuple(frame.columns))
    ]
    made: list[pl.Series] = []
    for same in (True, False):
        some = [(elements, kinds) for elements, kinds in groups if (kinds.places is not None) is same]
        if some:
            raw = mended(reader.read(_side_by_side([kinds for _, kinds in some]), table))
            for elements, kinds in some:
                made += _normalised(raw.head(kinds.distinct.height), elements, kinds, meaning)
    return made


def _normalised(raw: pl.DataFrame, elements: tuple[Element, ...], kinds: Kinds, meaning: Meaning) -> list[pl.Series]:
    own = replace(meaning, coder=meaning.coder.weighted(kinds.weights))
    return kinds.spread(normalise(raw, elements, own)).get_columns()


def _side_by_side(groups: list[Kinds]) -> pl.DataFrame:
    """The distinct rows of groups as columns of one frame; the shorter ones end in nulls."""
    return pl.concat([kinds.distinct for kinds in groups], how="horizontal_extend")


@functools.cache
def _groups(table: Table, present: Present, columns: tuple[str, ...]) -> tuple[_Group, ...]:
    """Elements that are made of the same columns, be it by way of others; what a quantity is of is said by the code."""
    parts = [(element, names & set(columns)) for element, names in sources(table, present)]
    parts = [(element, names) for element, names in parts if names]
    coded = next((names for element, names in parts if element.name == "code" and element.kind is Kind.CODING), None)
    groups: list[tuple[list[Element], set[str]]] = []
    for element, names in parts:
        needed = set(names)
        if coded is not None and any(one.quantity for one in _all(element)):
            needed |= coded
        shared = [group for group in groups if group[1] & needed]
        groups = [group for group in groups if not group[1] & needed]
        elements = [one for group in shared for one in group[0]]
        groups.append(([*elements, element], needed.union(*(group[1] for group in shared))))
    return tuple((tuple(elements), tuple(sorted(names))) for elements, names in groups)


def _all(element: Element) -> Iterator[Element]:
    yield element
    for child in element.children:
        yield from _all(child)
