"""Structs and lists as FHIR JSON has them: what has nothing in it is absent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl


def struct(**parts: pl.Expr | None) -> pl.Expr:
    """A Struct of the parts that are not None, null where all of them are null."""
    told = {name: part for name, part in parts.items() if part is not None}
    there = pl.any_horizontal(*(part.is_not_null() for part in told.values()))
    return pl.when(there).then(fields(told))


def fields(parts: Mapping[str, pl.Expr]) -> pl.Expr:
    """A Struct of parts by name."""
    return pl.struct([part.alias(name) for name, part in parts.items()])


def listed(*items: pl.Expr) -> pl.Expr:
    """A List of the items that are not null, null where there is none."""
    if len(items) == 1:
        return pl.when(items[0].is_not_null()).then(pl.concat_list(items[0]))
    # `concat_list` and `drop_nulls` of structs take a hundred times as long
    found = pl.concat_arr(*items).arr.to_list().list.filter(pl.element().is_not_null())
    return pl.when(found.list.len() > 0).then(found)


def joined(*lists: pl.Series) -> pl.Series:
    """Lists of the same items put after one another, row by row; null where all are null."""
    if len(lists) == 1:
        return lists[0]
    rows = pl.Series("row", range(len(lists[0])), dtype=pl.UInt32)
    items = [
        pl.DataFrame([rows, column.alias("item")]).explode("item", empty_as_null=False, keep_nulls=False)
        for column in lists
    ]
    grouped = pl.concat(items).sort("row", maintain_order=True).group_by("row", maintain_order=True).agg("item")
    return rows.to_frame().join(grouped, on="row", how="left", maintain_order="left")["item"]


def nested(columns: Mapping[str, pl.Series]) -> list[pl.Series]:
    """Columns by dotted path (``hospitalization.origin``) as one column for each element, in order of first mention."""
    flat = pl.DataFrame([column.alias(path) for path, column in columns.items()])
    return flat.select(_exprs(columns.keys(), "")).get_columns() if columns else []


def _exprs(paths: Iterable[str], before: str) -> list[pl.Expr]:
    under: dict[str, list[str]] = {}
    for path in paths:
        name, _, rest = path.partition(".")
        under.setdefault(name, []).append(rest)
    made = []
    for name, rests in under.items():
        if rests == [""]:
            made.append(pl.col(before + name).alias(name))
        else:
            made.append(struct(**{e.meta.output_name(): e for e in _exprs(rests, f"{before}{name}.")}).alias(name))
    return made
