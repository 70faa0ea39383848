"""The segments of one name as rows of a resource see them: fields made into FHIR types, each distinct text once."""

from __future__ import annotations

import polars as pl

from transforms.decode.hl7v2.fields import CLEARED
from transforms.decode.hl7v2.maps.parts import Datatype, work_out
from transforms.decode.hl7v2.maps.shape import joined, listed
from transforms.decode.hl7v2.separators import Separators

_WORTH = 0.7  # share of distinct texts above which it costs more to find them than they save


class Distinct:
    """The distinct texts of a field and, where that is worth while, for each row which of them it has."""

    def __init__(self, field: pl.Series, separators: Separators) -> None:
        self._separators = separators
        self._rows: pl.Series | None = None
        texts = field.unique(maintain_order=True)
        if len(texts) > _WORTH * len(field):
            self.texts = field
            return
        self.texts = texts
        known = pl.DataFrame([texts.alias("text")]).with_row_index("at")
        sent = pl.DataFrame([field.alias("text")])
        self._rows = sent.join(known, on="text", how="left", maintain_order="left", nulls_equal=True)["at"]

    @property
    def is_cleared(self) -> bool:
        """True when some row has ``""``."""
        return bool((self.texts == CLEARED).any())

    def one(self, datatype: Datatype, rows: pl.Series | None = None) -> pl.Series:
        """``datatype`` of the first repetition, for each row, or for those at the places ``rows``."""
        return self._spread(work_out(self._first(), datatype, self._separators), rows)

    def every(self, datatype: Datatype, rows: pl.Series | None = None) -> pl.Series:
        """``datatype`` of all repetitions, for the same rows: a List without nulls, null where there is none."""
        mark = self._separators.repetition
        if mark and self.texts.str.contains(mark, literal=True).any():
            return self._repeated(datatype, mark, rows)
        # Lists of structs with lists in them are slow to gather: what is in them is gathered, then put into lists.
        made = self._spread(work_out(self.texts, datatype, self._separators), rows).alias("made").to_frame()
        return made.select(listed(pl.col("made"))).to_series()

    def _repeated(self, datatype: Datatype, mark: str, rows: pl.Series | None) -> pl.Series:
        pieces = self.texts.alias("text").to_frame().with_row_index("at").with_columns(pl.col("text").str.split(mark))
        pieces = pieces.explode("text", empty_as_null=True)
        filled = pieces.select(pl.when(pl.col("text") != "").then("text")).to_series()
        made = work_out(filled, datatype, self._separators)
        there = pieces.select("at").with_row_index("piece").filter(made.is_not_null())
        ends = there.group_by("at", maintain_order=True).agg("piece")
        texts = pl.DataFrame({"at": pl.Series(range(len(self.texts)), dtype=pl.UInt32)})
        places = self._spread(texts.join(ends, on="at", how="left", maintain_order="left")["piece"], rows)
        own = pl.DataFrame([places.alias("piece")]).with_row_index("row")
        flat = own.explode("piece", empty_as_null=False, keep_nulls=False)
        lists = flat.with_columns(made.gather(flat["piece"]).alias("made"))
        lists = lists.group_by("row", maintain_order=True).agg("made")
        return own.select("row").join(lists, on="row", how="left", maintain_order="left")["made"]

    def _spread(self, made: pl.Series, rows: pl.Series | None) -> pl.Series:
        """What was made of the texts, row by row."""
        if rows is None:
            return made if self._rows is None else made.gather(self._rows)
        return made.gather(rows if self._rows is None else self._rows.gather(rows))

    def _first(self) -> pl.Series:
        mark = self._separators.repetition
        if not mark or not self.texts.str.contains(mark, literal=True).any():
            return self.texts
        head = pl.col("text").str.split(mark).list.first()
        frame = self.texts.alias("text").to_frame()
        return frame.select(pl.when(head != "").then(head)).to_series()


class Segment:
    """The segments of one name, or for each row of something else the segment that belongs to it, null where none."""

    def __init__(
        self,
        frame: pl.DataFrame,
        separators: Separators,
        rows: pl.Series | None = None,
        known: dict[int, Distinct | None] | None = None,
    ) -> None:
        self.frame = frame
        self.separators = separators
        self._rows = rows
        self._known: dict[int, Distinct | None] = {} if known is None else known

    def for_rows(self, rows: pl.Series) -> Segment:
        """The segments at these places (UInt32, null: none) as rows of something else."""
        at = rows if self._rows is None else self._rows.gather(rows)
        return Segment(self.frame, self.separators, at, self._known)

    def only(self, where: pl.Series) -> Segment:
        """The same rows, but nothing in those where ``where`` (Boolean) does not hold."""
        if where.all():
            return self
        places = pl.Series(range(len(where)), dtype=pl.UInt32)
        return self.for_rows(pl.select(pl.when(where).then(places)).to_series())

    @property
    def height(self) -> int:
        """How many rows it has."""
        return self.frame.height if self._rows is None else len(self._rows)

    def column(self, name: str) -> pl.Series:
        """``message`` or ``ordinal`` of the rows."""
        return self._at(self.frame[name])

    def sent(self, number: int) -> pl.Series | None:
        """A field as sent (String); None when no segment has it."""
        distinct = self.distinct(number)
        return None if distinct is None else self._at(self.frame[f"f{number}"])

    def one(self, number: int, datatype: Datatype) -> pl.Series | None:
        """``datatype`` of a field's first repetition; None when no segment has the field."""
        distinct = self.distinct(number)
        return None if distinct is None else distinct.one(datatype, self._rows)

    def every(self, datatype: Datatype, *numbers: int) -> pl.Series | None:
        """``datatype`` of all repetitions of fields, one field after another, as a List; None when none is there."""
        found = [distinct for number in numbers if (distinct := self.distinct(number)) is not None]
        if not found:
            return None
        return joined(*(distinct.every(datatype, self._rows) for distinct in found))

    def cleared(self, *numbers: int) -> pl.Series | None:
        """Boolean: all of these fields that are there are ``""``, and one is; None when no segment has such a field."""
        found = [(n, d) for number in numbers if (d := self.distinct(number)) is not None for n in [number]]
        if not any(distinct.is_cleared for _, distinct in found):
            return None
        marks = [self.frame[f"f{number}"] == CLEARED for number, _ in found]
        frame = pl.DataFrame([mark.alias(str(at)) for at, mark in enumerate(marks)])
        whole = frame.select(pl.all_horizontal(pl.all().fill_null(True)) & pl.any_horizontal(pl.all().fill_null(False)))
        return self._at(whole.to_series()).fill_null(False)

    def distinct(self, number: int) -> Distinct | None:
        """The distinct texts of a field; None when no segment has it."""
        if number not in self._known:
            name = f"f{number}"
            there = name in self.frame.columns and self.frame[name].null_count() < self.frame.height
            self._known[number] = Distinct(self.frame[name], self.separators) if there else None
        return self._known[number]

    def _at(self, column: pl.Series) -> pl.Series:
        return column if self._rows is None else column.gather(self._rows)
