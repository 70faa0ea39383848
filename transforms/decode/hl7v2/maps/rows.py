"""The rows of one resource type, put together element by element."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import polars as pl

from transforms.decode.hl7v2.maps.parts import Datatype
from transforms.decode.hl7v2.maps.segment import Segment
from transforms.decode.hl7v2.maps.shape import listed, nested

FIXED = ("message", "ordinal", "cleared")


@dataclass(frozen=True, slots=True)
class Made:
    """Rows of one resource type made of messages, at most one for each (type, id) and message.

    ``frame``: ``message`` UInt32, ``ordinal`` UInt32 (the segment that made the row), ``cleared`` List(String) (the
    elements that the sender cleared by ``""``, by dotted path; null: none), then one column for each element, Struct
    and List as in FHIR JSON, null where it is absent. ``id`` and ``meta`` (``lastUpdated``) come first. Times are the
    text of a DTM. A decimal is ``value`` (Float64) and ``#value`` (String, its digits as sent).

    ``assumed``: what stands in a required element, by its dotted path, as long as no message has said anything of it.
    It is not part of the rows, for they are patches: an assumed value must not take the place of one that was sent.
    """

    resource_type: str
    frame: pl.DataFrame
    assumed: Mapping[str, object] = field(default_factory=dict)


class Rows:
    """Rows made of the rows of a segment. What is put is put for all of them; ``made`` leaves out those without id."""

    def __init__(self, resource_type: str, segment: Segment) -> None:
        self.resource_type = resource_type
        self.segment = segment
        self._columns: dict[str, pl.Series] = {}
        self._cleared: list[tuple[str, pl.Series]] = []

    def put(self, path: str, column: pl.Series | None, cleared: pl.Series | None = None) -> None:
        """An element, by dotted path; None: there is nothing. A second column for a path fills what the first leaves
        null.
        """
        if column is not None:
            known = self._columns.get(path)
            self._columns[path] = column if known is None else first_of(known, column)
        if cleared is not None:
            self._cleared.append((path, cleared))

    def replace(self, path: str, column: pl.Series) -> None:
        """An element instead of what was put for it."""
        self._columns[path] = column

    def wrap(self, path: str, element: str) -> None:
        """What was put under a path, as the one item of a list."""
        under = {name: column for name, column in self._columns.items() if name.startswith(f"{path}.")}
        if not under:
            return
        for name in under:
            del self._columns[name]
        item = nested({name.removeprefix("~"): column for name, column in under.items()})[0].alias("item")
        self._columns[element] = item.to_frame().select(listed(pl.col("item"))).to_series()

    def take(self, path: str, number: int, datatype: Datatype, segment: Segment | None = None) -> None:
        """An element made of the first repetition of a field."""
        of = segment or self.segment
        self.put(path, of.one(number, datatype), of.cleared(number))

    def take_every(self, path: str, datatype: Datatype, *numbers: int, segment: Segment | None = None) -> None:
        """A repeated element made of all repetitions of fields."""
        of = segment or self.segment
        self.put(path, of.every(datatype, *numbers), of.cleared(*numbers))

    def put_fixed(self, path: str, value: pl.Expr) -> None:
        """The same value in all rows."""
        if self.segment.height:
            self.put(path, pl.select(value.alias("value")).to_series().new_from_index(0, self.segment.height))

    def get(self, path: str) -> pl.Series | None:
        """What was put for a path."""
        return self._columns.get(path)

    def made(self, ids: pl.Series, updated: pl.Series | None, *, once: bool = False) -> Made:
        """The rows that have an id. ``updated`` is `meta.lastUpdated`. ``once``: no message has an id twice."""
        meta = {} if updated is None else {"meta.lastUpdated": updated}
        columns = nested({"id": ids} | meta | self._columns)
        place = [self.segment.column("message"), self.segment.column("ordinal")]
        frame = pl.DataFrame([*place, self._cleared_lists(), *columns])
        if ids.null_count():
            frame = frame.filter(pl.col("id").is_not_null())
        return Made(self.resource_type, frame if once else united(frame))

    def _cleared_lists(self) -> pl.Series:
        if not self._cleared:
            return pl.repeat(None, self.segment.height, dtype=pl.List(pl.String), eager=True).alias("cleared")
        flags: dict[str, pl.Series] = {}
        for path, mark in self._cleared:  # a path that another field fills is not cleared
            flags[path] = flags[path] & mark if path in flags else mark
        marks = pl.DataFrame([mark.alias(path) for path, mark in flags.items()])
        named = [
            pl.when(
                pl.col(path) & (column.is_null() if (column := self._columns.get(path)) is not None else True)
            ).then(pl.lit(path))
            for path in flags
        ]
        listed = pl.concat_list(*named).list.drop_nulls()
        return marks.select(pl.when(listed.list.len() > 0).then(listed).alias("cleared")).to_series()


def first_of(*columns: pl.Series) -> pl.Series:
    """The first of the columns that is not null, row by row."""
    return pl.select(pl.coalesce(*columns)).to_series()


def first_told(
    segments: Iterable[Segment | None], number: int, datatype: Datatype, *, every: bool = False
) -> pl.Series | None:
    """``datatype`` of a field of the first of the segments that has it, row by row; those behind it are read only where
    it leaves something open.
    """
    told: pl.Series | None = None
    for segment in segments:
        if segment is None or (told is not None and not told.null_count()):
            continue
        found = segment.every(datatype, number) if every else segment.one(number, datatype)
        if found is not None:
            told = found if told is None else first_of(told, found)
    return told


def united(frame: pl.DataFrame) -> pl.DataFrame:
    """One row for each id of a message: of each element the first that was sent; all that were cleared and not sent."""
    key = ["message", "id"]
    if frame.select(pl.struct(key).n_unique()).item() == frame.height:
        return frame
    first = pl.exclude([*key, "cleared"]).drop_nulls().first()
    cleared = pl.col("cleared").explode(empty_as_null=False, keep_nulls=False).unique(maintain_order=True)
    grouped = frame.group_by(key, maintain_order=True).agg(first, cleared)
    return grouped.select(
        pl.when(pl.col("cleared").list.len() > 0).then("cleared") if name == "cleared" else name
        for name in frame.columns
    )
