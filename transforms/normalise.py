"""From raw columns to the columns of the mart: times, references and codings, also inside lists of structs."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from schemas.choice import MANY_MARK
from schemas.dtypes import polars_dtype
from schemas.table import INVALID, PRESENT, Element, Kind
from transforms.references import reference_columns
from transforms.times import fhir_times

FLAG_MARKS = (PRESENT, INVALID, MANY_MARK)


def normalise(raw: pl.DataFrame, elements: tuple[Element, ...]) -> pl.DataFrame:
    """The mart columns of ``elements`` in their order, then the flags that the checks look at.

    ``raw`` has one column per read of the elements. Flags are Boolean columns whose names start with ``?`` (is the required
    element there), ``!`` (text that is no time) and ``#`` (more than one type of a choice); a flag from inside a list is
    true when any item has it.
    """
    columns: list[pl.Series] = []
    flags: list[pl.Series] = []
    for element in elements:
        made, raised = _element(raw, element)
        columns += made
        flags += raised
        flags += [raw[r.name] for r in element.reads if r.name.startswith((PRESENT, MANY_MARK))]
    return pl.DataFrame(columns + flags)


def _element(raw: pl.DataFrame, element: Element) -> tuple[list[pl.Series], list[pl.Series]]:
    if element.kind is Kind.TIME:
        return _time(raw, element)
    if element.kind is Kind.REFERENCE:
        return reference_columns(raw, element), []
    if element.kind is Kind.CODING:
        return _coding(raw, element), []
    if element.kind is Kind.ITEMS and element.needs_work():
        return _items(raw[element.name], element)
    return [raw[c.name] for c in element.columns], []


def _time(raw: pl.DataFrame, element: Element) -> tuple[list[pl.Series], list[pl.Series]]:
    text = raw[element.name]
    times = fhir_times(text, element.time_type)
    columns = [
        times[part].alias(f"{element.name}_{part}") for part in ("at", "date", "precision", "offset")
    ]
    return columns, [times["invalid"].alias(INVALID + element.name)]


def _coding(raw: pl.DataFrame, element: Element) -> list[pl.Series]:
    coding = raw[f"{element.name}~coding"].struct
    names = [c.name for c in element.columns]
    parts = [coding.field(f).alias(n) for f, n in zip(("code", "system", "display"), names[:3], strict=True)]
    return parts + [raw[n] for n in names[3:]]


def _items(lists: pl.Series, element: Element) -> tuple[list[pl.Series], list[pl.Series]]:
    """Open a list of structs, normalise its items as one frame and close it again, with the flags of its items."""
    column = element.columns[0]
    dtype = polars_dtype(column.dtype)
    if lists.null_count() == len(lists):
        return [pl.Series(column.name, [None], dtype=dtype).new_from_index(0, len(lists))], []
    array = lists.to_arrow(compat_level=pl.CompatLevel.oldest())
    inner = pl.from_arrow(array.flatten())
    assert isinstance(inner, pl.Series)
    done = normalise(inner.struct.unnest(), element.children)
    flags = [c for c in done.columns if c.startswith(FLAG_MARKS)]
    struct = done.drop(flags).to_struct(column.name)
    closed = pa.LargeListArray.from_arrays(_offsets(lists), struct.to_arrow(compat_level=pl.CompatLevel.oldest()))
    made = pl.from_arrow(closed)
    assert isinstance(made, pl.Series)
    raised = []
    bad = [f for f in flags if not f.startswith(PRESENT) and done[f].any()]
    if bad:
        parent = pl.arange(0, len(lists), eager=True).repeat_by(lists.list.len().fill_null(0)).explode(empty_as_null=False)
        for flag in bad:
            rows = parent.filter(done[flag])
            raised.append(
                pl.arange(0, len(lists), eager=True).is_in(rows.unique()).alias(f"{flag[0]}{element.name}.{flag[1:]}")
            )
    return [made.alias(column.name).cast(dtype)], raised


def _offsets(lists: pl.Series) -> pa.Array:
    """Arrow offsets of a list column whose values are flattened; a null list has a null offset."""
    lengths = lists.list.len()
    ends = lengths.fill_null(0).cum_sum().cast(pl.Int64)
    starts = ends - lengths.fill_null(0).cast(pl.Int64)
    starts = pl.select(pl.when(lengths.is_not_null()).then(starts)).to_series()
    return pl.concat([starts, ends.tail(1)]).to_arrow()
