"""Rows of others rid of what they say of people who were erased."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

import polars as pl

from schemas.compartment import links
from schemas.table import Table

_ROW = "~row"


def without_mentions(
    frame: pl.DataFrame, table: Table | None, mentions: Mapping[int, Collection[tuple[str, str]]]
) -> pl.DataFrame:
    """The frame, where some rows (by index) no longer mention these resources: items of lists that refer to one are
    left out, single references are emptied, and so are elements kept as JSON that name one.
    """
    if not mentions:
        return frame
    at = sorted(mentions)
    mended = [_mended(row, table, mentions[n]) for n, row in zip(at, frame[at].to_dicts(), strict=True)]
    fresh = pl.DataFrame(mended, schema=frame.schema, orient="row").with_columns(pl.Series(_ROW, at, dtype=pl.UInt32))
    kept = frame.with_row_index(_ROW).filter(~pl.col(_ROW).is_in(at))
    return pl.concat([kept.select(_ROW, *frame.columns), fresh.select(_ROW, *frame.columns)]).sort(_ROW).drop(_ROW)


def _mended(row: dict[str, Any], table: Table | None, of: Collection[tuple[str, str]]) -> dict[str, Any]:
    if table is None:
        return row | {"json": json.dumps(_without(json.loads(row["json"]), of), ensure_ascii=False)}
    ids = {ident for _, ident in of}
    for link in links(table):
        if not link.lists and (row.get(link.id) in ids or _names(row.get(link.text), of)):
            row |= dict.fromkeys(name for name in link.columns if name in row)
        elif link.lists and row.get(link.lists[0]):
            column = link.lists[0]
            row[column] = [item for item in row[column] if not _item_names(item, of)]
    for name in table.json_columns():
        if isinstance(row.get(name), str) and any(f'"{kind}/{ident}"' in row[name] for kind, ident in of):
            row[name] = None
    return row


def _item_names(item: object, of: Collection[tuple[str, str]]) -> bool:
    """True for an item of a list with a reference to one of these, however deep."""
    if isinstance(item, list):
        return any(_item_names(one, of) for one in item)
    if not isinstance(item, dict):
        return False
    ids = {ident for _, ident in of}
    return any(
        _item_names(value, of)
        or (name.endswith("_id") and value in ids)
        or (name.endswith("_reference") and _names(value, of))
        for name, value in item.items()
    )


def _names(text: object, of: Collection[tuple[str, str]]) -> bool:
    """True for the text of a reference to one of these."""
    if not isinstance(text, str):
        return False
    return any(text == ident or text.partition("/_history/")[0].endswith(f"{kind}/{ident}") for kind, ident in of)


def _without(value: Any, of: Collection[tuple[str, str]]) -> Any:
    """JSON without the objects that are references to one of these."""
    if isinstance(value, dict):
        return {name: _without(one, of) for name, one in value.items() if not _refers(one, of)}
    if isinstance(value, list):
        return [_without(one, of) for one in value if not _refers(one, of) and not _holds(one, of)]
    return value


def _refers(value: Any, of: Collection[tuple[str, str]]) -> bool:
    text = value.get("reference") if isinstance(value, dict) else None
    plain = text.removeprefix("urn:uuid:") if isinstance(text, str) else None
    return _names(text, of) or any(plain == ident for _, ident in of)


def _holds(value: Any, of: Collection[tuple[str, str]]) -> bool:
    """True for an item of a list that is about one of these: an element of it is the reference."""
    return isinstance(value, dict) and any(_refers(one, of) for one in value.values())
