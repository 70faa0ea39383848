"""Values at their places in a resource: FHIR-shaped columns of structs and lists, null where nothing is said."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl
import pyarrow as pa

from schemas.arrow import series_of
from schemas.mapping.targets import Steps


@dataclass(slots=True)
class _Node:
    """Either a value, or what stands below: by JSON key, and for each by the name of the list item ("" for no list)."""

    value: pl.Series | None = None
    children: dict[str, dict[str, _Node]] = field(default_factory=dict)


class Assembly:
    """Takes values one by one and makes the columns of them."""

    def __init__(self) -> None:
        self._root = _Node()

    def put(self, steps: Steps, value: pl.Series) -> None:
        """Put a value where the steps lead; of two in one place the first that is there counts."""
        node = self._root
        for key, item in steps:
            node = node.children.setdefault(key, {}).setdefault(item, _Node())
        node.value = value if node.value is None else pl.select(pl.coalesce(node.value, value)).to_series()

    def columns(self) -> list[pl.Series]:
        """A column for each element of the resource that has a value in any row."""
        made = (_column(key, items) for key, items in self._root.children.items())
        return [column for column in made if column is not None]


def _column(key: str, items: dict[str, _Node]) -> pl.Series | None:
    values = [value for node in items.values() if (value := _value(node)) is not None]
    if not values:
        return None
    if "" in items:
        return values[0].alias(key)
    if len(values) == 1:
        return _each_listed(values[0]).alias(key)
    return _listed(_alike(values)).alias(key)


def _value(node: _Node) -> pl.Series | None:
    """The value of a node as one series; None where it has none in any row."""
    if node.value is not None:
        return None if node.value.null_count() == len(node.value) else node.value
    fields = [made for key, items in node.children.items() if (made := _column(key, items)) is not None]
    if not fields:
        return None
    frame = pl.DataFrame(fields)
    there = pl.any_horizontal(pl.all().is_not_null())
    return frame.select(pl.when(there).then(pl.struct(pl.all())).alias("item")).to_series()


def _alike(values: list[pl.Series]) -> list[pl.Series]:
    """Structs with the fields of all of them."""
    fields = {f.name: f.dtype for value in values if isinstance(value.dtype, pl.Struct) for f in value.dtype.fields}
    if not fields:
        return values
    made = []
    for value in values:
        assert isinstance(value.dtype, pl.Struct)
        own = {f.name for f in value.dtype.fields}
        parts = [
            value.struct.field(name) if name in own else pl.Series(name, [None], dtype).new_from_index(0, len(value))
            for name, dtype in fields.items()
        ]
        there = pl.lit(value.is_not_null())
        made.append(pl.DataFrame(parts).select(pl.when(there).then(pl.struct(pl.all())).alias("item")).to_series())
    return made


def _each_listed(value: pl.Series) -> pl.Series:
    """Each value as a list of its own, without a look at the values; null for null."""
    there = value.is_not_null()
    ends = there.cum_sum().cast(pl.Int64)
    starts = pl.select(pl.when(there).then(ends - 1)).to_series()
    offsets = pl.concat([starts, pl.Series([ends[-1] if len(ends) else 0], dtype=pl.Int64)]).to_arrow()
    values = value.drop_nulls() if value.null_count() else value
    closed = pa.LargeListArray.from_arrays(offsets, values.to_arrow(compat_level=pl.CompatLevel.oldest()))
    return series_of(closed)


def _listed(values: list[pl.Series]) -> pl.Series:
    """Lists of the values that are there; null where none is."""
    frame = pl.DataFrame([value.alias(str(number)) for number, value in enumerate(values)])
    there = pl.any_horizontal(pl.all().is_not_null())
    return frame.select(pl.when(there).then(pl.concat_list(pl.all()).list.drop_nulls()).alias("list")).to_series()
