"""From raw columns to the columns of the mart: times, references and codings, also inside lists of structs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import polars as pl
import pyarrow as pa

from schemas.arrow import series_of
from schemas.choice import MANY_MARK
from schemas.systems import LOINC
from schemas.table import INVALID, LITERAL_MARK, NOTE, NUMBER_MARK, PRESENT, Element, Kind
from transforms.codes.coder import Coder
from transforms.references import reference_columns
from transforms.times import fhir_clocks, fhir_times, raised
from transforms.units.harmonise import Harmoniser, harmonise

TIME_PARTS = ("at", "date", "precision", "offset")
FLAG_MARKS = (PRESENT, INVALID, MANY_MARK)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What tells how values are meant: what makes the columns of codes, and may know a crosswalk; the plans for units;
    what the rows measure (LOINC codes, String), where that is said outside of them; whether they are findings; and how
    times are written.
    """

    coder: Coder = field(default_factory=Coder)
    harmoniser: Harmoniser = field(default_factory=Harmoniser)
    loinc: pl.Series | None = None
    observed: bool = False
    times: Callable[[pl.Series, str], pl.DataFrame] = fhir_times  # reads texts that are of a type of FHIR

    def about(self, code: list[pl.Series]) -> Meaning:
        """The same for rows whose `code` has these columns."""
        made = {column.name: column for column in code}
        if not {"code", "code_system"} <= made.keys():
            return replace(self, loinc=None)
        told = pl.when(made["code_system"] == LOINC).then(made["code"]).alias("loinc")
        return replace(self, loinc=pl.select(told).to_series())

    def inside(self, name: str, rows: pl.Series) -> Meaning:
        """The same for the items of the list ``name``, each of which stands in one of ``rows``."""
        return replace(
            self, coder=self.coder.inside(name, rows), loinc=None if self.loinc is None else self.loinc.gather(rows)
        )


def normalise(raw: pl.DataFrame, elements: tuple[Element, ...], meaning: Meaning | None = None) -> pl.DataFrame:
    """The mart columns of ``elements`` in their order, then the flags that the checks look at, and the notes.

    ``raw`` has a column for each read of the elements, except those that nothing was sent for: a column of the mart
    that would
    only be null is left out of the result too, and so are fields inside structs. Flags are Boolean columns whose names
    start with ``?`` (is the required element there), ``!`` (text that is no time) and ``#`` (more than one type of a
    choice); a
    flag from inside a list is true when any item has it, and is left out when none has. Notes are Boolean columns named
    like ``*effective:leap_second``; those that no row has are left out.
    """
    meant = meaning or Meaning()
    code = next((e for e in elements if e.name == "code" and e.kind is Kind.CODING), None)
    coded = [] if code is None else meant.coder.columns(raw, code)  # first, for quantities are about it
    if code is not None:
        meant = meant.about(coded)
    columns: list[pl.Series] = []
    flags: list[pl.Series] = []
    for element in elements:
        there = [r.name for r in element.reads if r.name in raw.columns]
        if not there:
            continue
        made, raised = (coded, []) if element is code else _element(raw, element, set(there), meant)
        columns += made
        flags += raised
        flags += [raw[name] for name in there if name.startswith((PRESENT, MANY_MARK))]
    return pl.DataFrame(columns + flags)


def _element(
    raw: pl.DataFrame, element: Element, there: set[str], meant: Meaning
) -> tuple[list[pl.Series], list[pl.Series]]:
    if element.kind is Kind.TIME:
        return _time(raw, element, meant)
    if element.kind is Kind.CLOCK:
        return _clock(raw, element)
    if element.kind is Kind.REFERENCE:
        return reference_columns(raw, element), []
    if element.kind is Kind.ITEMS and element.needs_work():
        return _items(raw[element.name], element, meant)
    if element.kind is Kind.CODING:
        return meant.coder.columns(raw, element), []
    literal = [c.name for c in element.columns if c.name.endswith(LITERAL_MARK)]
    plain = [_digits(raw, c.name) if c.name in literal else raw[c.name] for c in element.columns if c.name in there]
    if element.quantity:
        plain += harmonise(raw, element.quantity, meant.loinc, meant.harmoniser, observed=meant.observed)
    return plain, []


def _time(raw: pl.DataFrame, element: Element, meant: Meaning) -> tuple[list[pl.Series], list[pl.Series]]:
    times = meant.times(raw[element.name], element.time_type)
    columns = [times[part].alias(f"{element.name}_{part}") for part in TIME_PARTS]
    return columns, [times["invalid"].alias(INVALID + element.name), *notes_of(element.name, times["flags"])]


def notes_of(name: str, flags: pl.Series) -> list[pl.Series]:
    """The notes on a column of times, from its flags."""
    return [rows.alias(f"{NOTE}{name}:{note}") for note, rows in raised(flags)]


def _clock(raw: pl.DataFrame, element: Element) -> tuple[list[pl.Series], list[pl.Series]]:
    sent = raw[element.reads[0].name]
    many = isinstance(sent.dtype, pl.List)
    clocks = fhir_clocks(sent.explode(empty_as_null=False, keep_nulls=False) if many else sent)
    flags = [clocks["invalid"].alias(INVALID + element.name), *notes_of(element.name, clocks["flags"])]
    if many:
        flags = [_lifted(sent, flag, flag.name) for flag in flags]
    return [sent] if element.columns else [], flags


def _digits(raw: pl.DataFrame, name: str) -> pl.Series:
    """The digits of a number as sent: where nothing else was kept, those that the number itself prints."""
    number, sent = pl.col(name.removesuffix(LITERAL_MARK) + NUMBER_MARK), pl.col(name)
    if name.removesuffix(LITERAL_MARK) + NUMBER_MARK not in raw.columns:
        number = pl.col(name.removesuffix(LITERAL_MARK))
    whole = number.cast(pl.Int64, strict=False)
    printed = pl.when(whole == number).then(whole.cast(pl.String)).otherwise(number.cast(pl.String))
    return raw.select(pl.coalesce(sent, printed).alias(name)).to_series()


def _items(lists: pl.Series, element: Element, meant: Meaning) -> tuple[list[pl.Series], list[pl.Series]]:
    """Open a list of structs, normalise its items as one frame and close it again, with the flags of its items."""
    name = element.columns[0].name
    inner = lists.explode(empty_as_null=False, keep_nulls=False)
    done = normalise(inner.struct.unnest(), element.children, meant.inside(name, _parents(lists)))
    flags = [c for c in done.columns if c.startswith((*FLAG_MARKS, NOTE))]
    if len(flags) == done.width:
        return [], []  # items that hold nothing a column is made of
    struct = done.drop(flags).to_struct(name)
    closed = pa.LargeListArray.from_arrays(_offsets(lists), struct.to_arrow(compat_level=pl.CompatLevel.newest()))
    made = series_of(closed)
    bad = [f for f in flags if not f.startswith(PRESENT) and done[f].any()]
    return [made.alias(name)], [_lifted(lists, done[flag], f"{flag[0]}{name}.{flag[1:]}") for flag in bad]


def _lifted(lists: pl.Series, flag: pl.Series, name: str) -> pl.Series:
    """A flag of items as a flag of the rows that hold them."""
    index = pl.Series(range(len(lists)), dtype=pl.UInt32)
    rows = _parents(lists).filter(flag)
    return index.is_in(rows.unique().implode()).alias(name)


def _parents(lists: pl.Series) -> pl.Series:
    """The row (UInt32) that each item of a list column stands in."""
    index = pl.Series(range(len(lists)), dtype=pl.UInt32)
    parents = pl.select(pl.lit(index).repeat_by(lists.list.len().fill_null(0))).to_series()
    return parents.explode(empty_as_null=False)


def _offsets(lists: pl.Series) -> pa.Array:
    """Arrow offsets of a list column whose values are flattened; a null list has a null offset."""
    if lists.is_empty():  # Arrow wants one offset even of no lists
        return pa.array([0], pa.int64())
    lengths = lists.list.len()
    ends = lengths.fill_null(0).cum_sum().cast(pl.Int64)
    starts = ends - lengths.fill_null(0).cast(pl.Int64)
    starts = pl.select(pl.when(lengths.is_not_null()).then(starts)).to_series()
    return pl.concat([starts, ends.tail(1)]).to_arrow()
