"""Rows of people who were erased: which of a frame they are, and which of others mention them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from schemas.compartment import SHARED_TYPES, SUBJECTS, TARGETS, Link, links
from schemas.payload_names import named_identifiers, named_patients
from schemas.suppression import IDENTIFIER, PERSON, Suppression
from schemas.table import Table

_ROW = "~row"
# A relative or absolute reference (FHIR R4 2.3.0.1), as type and id.
_REFERENCE = r"(?:^|/)([A-Z][A-Za-z]{1,63})/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?$"
_IN_JSON = r'"reference"\s*:\s*"([^"\\]+)"'
_SCHEMA = {_ROW: pl.UInt32, "kind": pl.String, "id": pl.String, "subject": pl.Boolean, "target": pl.Boolean}


@dataclass(frozen=True, slots=True)
class Theirs:
    """Of a frame: the rows that belong to an erased person, in order, and by row of somebody else's what of erased
    people it mentions, as pairs of type and id.
    """

    rows: list[int] = field(default_factory=list)
    mentions: Mapping[int, frozenset[tuple[str, str]]] = field(default_factory=dict)


def theirs(suppression: Suppression | None, kind: str, table: Table | None, frame: pl.DataFrame) -> Theirs:
    """What of rows of one type, with the columns of the mart, is an erased person's; nothing when nobody was erased.

    ``table`` is None for types without one, whose rows have ``json``.
    """
    if suppression is None or not frame.height:
        return Theirs()
    told = references_of(table, frame) if table is not None else _references_in_json(frame)
    return _judged(suppression, kind, frame["id"], told)


def references_of(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """All references of the rows of a table: ``~row``, ``kind`` and ``id`` of the resource, whether it is the row's
    ``subject`` or a ``target`` of it. ``kind`` is ``identifier`` where a text only may be the value of one.
    """
    parts = [part for link in links(table) if link.names[0] in frame.columns or not link.lists
             for part in _told(link, frame)]  # fmt: skip
    return pl.concat(parts) if parts else pl.DataFrame(schema=_SCHEMA)


def _told(link: Link, frame: pl.DataFrame) -> list[pl.DataFrame]:
    """What one reference of the rows says, by id and by text."""
    rows = frame.select(pl.int_range(pl.len(), dtype=pl.UInt32).alias(_ROW), *(n for n in link.names if n in frame))
    for depth, name in enumerate(link.lists):
        column = pl.col(name) if not depth else pl.col("~item").struct.field(name)
        if depth and name not in _fields(rows["~item"].dtype):
            return []
        rows = rows.select(_ROW, column.alias("~item")).drop_nulls("~item").explode("~item").drop_nulls("~item")
    if link.lists:
        there = _fields(rows["~item"].dtype)
        names = [name for name in (link.id, link.type, link.text) if name in there]
        rows = rows.select(_ROW, *(pl.col("~item").struct.field(name) for name in names))
    made = []
    flags = (pl.lit(link.subject).alias("subject"), pl.lit(link.element == TARGETS).alias("target"))
    if link.id in rows.columns:
        kind = pl.col(link.type) if link.type in rows.columns else pl.lit(link.fixed, pl.String)
        made.append(rows.drop_nulls(link.id).select(_ROW, kind.alias("kind"), pl.col(link.id).alias("id"), *flags))
    if link.text in rows.columns and rows[link.text].null_count() < rows.height:
        texts = rows.drop_nulls(link.text)
        parts = pl.col(link.text).str.extract_groups(_REFERENCE)
        kind, ident = parts.struct.field("1"), parts.struct.field("2")
        made.append(
            texts.select(
                _ROW,
                kind.fill_null(IDENTIFIER).alias("kind"),
                pl.when(kind.is_null()).then(pl.col(link.text)).otherwise(ident).alias("id"),
                *flags,
            )
        )
    return made


def _references_in_json(frame: pl.DataFrame) -> pl.DataFrame:
    """The references of resources that are kept whole; which is the subject is looked up only where it must be."""
    found = frame.select(
        pl.int_range(pl.len(), dtype=pl.UInt32).alias(_ROW), pl.col("json").str.extract_all(_IN_JSON).alias("~text")
    ).explode("~text").drop_nulls("~text")  # fmt: skip
    text = pl.col("~text").str.extract(_IN_JSON, 1)
    parts = text.str.extract_groups(_REFERENCE)
    kind = parts.struct.field("1")
    urn = text.str.strip_prefix("urn:uuid:")
    told = found.select(
        _ROW,
        pl.when(kind.is_not_null()).then(kind).when(text.str.starts_with("urn:uuid:")).then(pl.lit(PERSON)).alias("kind"),
        pl.when(kind.is_not_null()).then(parts.struct.field("2")).otherwise(urn).alias("id"),
        pl.lit(None, pl.String).alias("~"),
    ).drop_nulls("kind")  # fmt: skip
    subjects = _subjects_in_json(frame, told.filter(pl.col("kind") == PERSON)[_ROW].unique().to_list())
    return told.join(subjects, on=[_ROW, "kind", "id"], how="left", maintain_order="left").select(
        _ROW, "kind", "id", pl.col("subject").fill_null(False), pl.lit(False).alias("target")
    )


def _subjects_in_json(frame: pl.DataFrame, rows: Sequence[int]) -> pl.DataFrame:
    """Of these rows the references in the elements that say whose a resource is."""
    found: set[tuple[int, str, str, bool]] = set()
    for row in rows:
        try:
            resource = json.loads(frame["json"][row])
        except (ValueError, RecursionError):
            continue
        for name in SUBJECTS:
            told = resource.get(name)
            text = told.get("reference") if isinstance(told, dict) else None
            if isinstance(text, str) and (PERSON + "/" in text or text.startswith("urn:uuid:")):
                ident = text.removeprefix("urn:uuid:").partition("/_history/")[0].rpartition("/")[2]
                found.add((row, PERSON, ident, True))
    schema = {_ROW: pl.UInt32, "kind": pl.String, "id": pl.String, "subject": pl.Boolean}
    return pl.DataFrame(sorted(found), schema=schema, orient="row")


def _judged(suppression: Suppression, kind: str, ids: pl.Series, told: pl.DataFrame) -> Theirs:
    """Whose rows are: by their subject, else by their own id and by what they refer to."""
    rows, people = pl.int_range(len(ids), dtype=pl.UInt32, eager=True), told["kind"] == PERSON
    subjects = told.filter(people & told["subject"])
    gone = set(subjects.filter(suppression.among(subjects["kind"], subjects["id"]))[_ROW].to_list())
    owned = set(subjects[_ROW].to_list())
    if kind == PERSON:
        gone |= set(rows.filter(suppression.among(_lit(kind, ids), ids)).to_list())
        owned = set(range(len(ids)))
    has_owner = told[_ROW].is_in(list(owned)) if owned else pl.repeat(False, told.height, eager=True, dtype=pl.Boolean)
    rest = told.filter(people | (told["kind"] == IDENTIFIER) | ~has_owner)
    rest = rest.with_columns(suppression.among(rest["kind"], rest["id"]).alias("hit"))
    hits = rest.filter("hit").group_by(_ROW).agg(pl.struct("kind", "id").alias("of"))
    found = {row: frozenset((one["kind"], one["id"]) for one in of) for row, of in hits.iter_rows()}
    if kind not in SHARED_TYPES and len(owned) < len(ids):
        free = rows.filter(~rows.is_in(list(owned))) if owned else rows
        own = suppression.among(_lit(kind, ids.gather(free)), ids.gather(free))
        gone |= set(free.filter(own).to_list())
        others = rest.filter(~pl.col("hit") & ((pl.col("kind") == PERSON) | pl.col("target")))
        shared = set(others[_ROW].to_list())
        gone |= {row for row in found if row not in owned and row not in shared}
    return Theirs(sorted(gone), {row: of for row, of in sorted(found.items()) if row not in gone})


def is_theirs(suppression: Suppression | None, payload: bytes, *, fields: bool = False) -> bool:
    """True when a payload that is to be refused names somebody who was erased; ``fields``: it is a line of separated
    values.
    """
    return suppression is not None and (
        suppression.has_any(PERSON, named_patients(payload))
        or suppression.has_any(IDENTIFIER, named_identifiers(payload, fields=fields))
    )


def _lit(kind: str, like: pl.Series) -> pl.Series:
    return pl.repeat(kind, len(like), dtype=pl.String, eager=True)


def _fields(dtype: pl.DataType) -> set[str]:
    return {one.name for one in dtype.fields} if isinstance(dtype, pl.Struct) else set()
