"""The lines of one resource type through one DuckDB query; bad lines are told apart first.

Tables and views are read alike: what differs is what they ask (:class:`Asked`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import duckdb
import polars as pl

from schemas.arrow import frame_of
from schemas.errors import UsageError
from schemas.reasons import Reason
from transforms.decode import careful
from transforms.decode.careful import Fault, Refused
from transforms.decode.digits import keep_digits
from transforms.decode.lines import LINES_SCHEMA, Lines
from transforms.decode.memory_file import MemoryFile
from transforms.decode.suspects import generic_suspicion, matching, needs_strictness, suspicion
from transforms.fhirpath.shape import Shape


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of the lines of one type.

    ``query`` renders the SQL over a file, rows in the order of its lines. ``shape`` is all that it may read (None:
    no more than ``id`` and ``meta``); it must be one object for all chunks, as patterns and types are kept by it.
    ``literals`` names the decimals whose digits are kept. ``row_each``: every line gives exactly one row.
    ``own_errors`` are the texts with which the query itself may fail, through no fault of a line's form.
    ``unmakeable`` renders the query for the numbers (from 1) of the lines that it then fails for, so that only these
    are refused.
    """

    resource_type: str
    query: Callable[[str], str]
    shape: Shape | None
    literals: frozenset[str]
    row_each: bool = True
    own_errors: frozenset[str] = frozenset()
    unmakeable: Callable[[str], str] | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """``raw`` has the columns of the query, ``rows`` (UInt32) the rows of ``Lines.frame`` that were read."""

    raw: pl.DataFrame
    rows: pl.Series
    refused: list[Refused]


class LineReader:
    """Reads lines on one thread; holds that thread's DuckDB connection, and the memory it reads from."""

    def __init__(self) -> None:
        self._connection = duckdb.connect(":memory:", config={"threads": 1})
        self._connection.execute(
            "SET TimeZone = 'UTC'; SET preserve_insertion_order = true; SET enable_progress_bar = false"
        )
        self._file = MemoryFile()
        self._relations: dict[str, duckdb.DuckDBPyRelation] = {}  # bound once, run for every chunk
        self._complaint = ""  # what DuckDB said last; never shown, for it may hold values

    def close(self) -> None:
        """Release the connection and the memory."""
        self._relations.clear()
        self._connection.close()
        self._file.close()

    def read(
        self, asked: Asked, lines: Lines, rows: pl.Series, text: pl.Series, suspects: pl.Series | None = None
    ) -> Found:
        """Read the lines ``rows``, whose texts are ``text``; on any doubt find the bad ones and read the others.

        ``suspects`` are the indexes of the texts that match the suspicion of ``asked.shape``, where they are known.
        Raises UsageError with one of ``asked.own_errors``.
        """
        if suspects is None:
            suspects = matching(text, generic_suspicion() if asked.shape is None else suspicion(asked.shape))
        bad = _suspected(asked, lines, rows, text, suspects) if len(suspects) else []
        searches = (self._all_typed, self._complained_of, self._all_strictly)
        for search in searches if asked.unmakeable is None else (self._unmakeable, *searches, self._unmakeable):
            keep, good = _without(text, rows, bad)
            raw = self._try(asked, lines, keep, good)
            if raw is not None:
                return Found(raw, keep, bad)
            bad = bad + search(asked, lines, keep, good)
        keep, good = _without(text, rows, bad)
        raw, undecodable = self._bisect(asked, lines, good, keep)
        fault = Fault(Reason.UNDECODABLE, None, Reason.UNDECODABLE.meaning)
        bad = bad + [Refused(row, asked.resource_type, fault) for row in undecodable]
        return Found(raw, keep.filter(~keep.is_in(undecodable)), bad)

    def nothing(self, asked: Asked) -> pl.DataFrame:
        """The columns of the query without a row."""
        nothing = Lines(b"", pl.DataFrame(schema=LINES_SCHEMA), utf8=True)
        empty = self._try(asked, nothing, pl.Series([], dtype=pl.UInt32), pl.Series([], dtype=pl.String))
        assert empty is not None
        return empty

    def _unmakeable(self, asked: Asked, lines: Lines, rows: pl.Series, text: pl.Series) -> list[Refused]:
        """The lines for which the query itself fails, when it said that it does."""
        if asked.unmakeable is None or (why := _own_error(self._complaint, asked)) is None:
            return []
        with self._file.holding(lines.pieces(rows, *keep_digits(text, asked.literals))) as path:
            try:
                numbers = self._connection.sql(asked.unmakeable(path)).fetchall()
            except (duckdb.InvalidInputException, duckdb.DataError):
                return []  # a line is bad in itself
        fault = Fault(Reason.VIEW_VIOLATED, None, why if len(asked.own_errors) == 1 else Reason.VIEW_VIOLATED.meaning)
        return [Refused(rows[number - 1], asked.resource_type, fault) for (number,) in numbers]

    def _all_typed(self, asked: Asked, lines: Lines, rows: pl.Series, _: pl.Series) -> list[Refused]:
        return _judged(asked, lines, rows, strictly=False)

    def _all_strictly(self, asked: Asked, lines: Lines, rows: pl.Series, _: pl.Series) -> list[Refused]:
        return _judged(asked, lines, rows, strictly=True)

    def _complained_of(self, asked: Asked, lines: Lines, rows: pl.Series, text: pl.Series) -> list[Refused]:
        """The lines that DuckDB itself names, found in about one pass: it stops at each, and goes on behind it.

        What is left when the types are right are doubled keys, and few; a full parse of all lines would cost far more.
        """
        bad: list[Refused] = []
        begin = 0
        while begin < len(text):
            if self._try(asked, lines, rows[begin:], text[begin:]) is not None:
                break
            near = _named_line(self._complaint)
            around = [] if near is None else [begin + near + step for step in (-1, -2, 0)]
            named = rows.gather([i for i in around if begin <= i < len(rows)]) if around else rows.clear()
            found = _judged(asked, lines, named, strictly=True)
            if not found:
                break
            bad += found[:1]
            begin = int(rows.search_sorted(found[0].row)) + 1
        return bad

    def _try(self, asked: Asked, lines: Lines, rows: pl.Series, text: pl.Series) -> pl.DataFrame | None:
        """The columns of the query, or None when DuckDB refuses any of the lines."""
        with self._file.holding(lines.pieces(rows, *keep_digits(text, asked.literals))) as path:
            try:
                result = self._relation(asked.query(path)).to_arrow_table()
            except (duckdb.InvalidInputException, duckdb.DataError) as error:
                self._complaint = str(error)
                own = _own_error(self._complaint, asked)
                if own is not None and asked.unmakeable is None:
                    raise UsageError(own) from None
                return None
        if asked.row_each and result.num_rows != len(text):
            return None
        return frame_of(result)

    def _relation(self, query: str) -> duckdb.DuckDBPyRelation:
        """The query as a relation; to bind one takes about as long as to run it over a megabyte."""
        relation = self._relations.get(query)
        if relation is None:
            if len(self._relations) >= _RELATIONS:
                self._relations.clear()
            relation = self._relations[query] = self._connection.sql(query)
        return relation

    def _bisect(self, asked: Asked, lines: Lines, text: pl.Series, rows: pl.Series) -> tuple[pl.DataFrame, list[int]]:
        """Read what can be read and name the rows that cannot, by halving. The last resort."""
        raw = self._try(asked, lines, rows, text)
        if raw is not None:
            return raw, []
        if len(text) == 1:
            return self.nothing(asked), rows.to_list()
        half = len(text) // 2
        first, bad_first = self._bisect(asked, lines, text[:half], rows[:half])
        second, bad_second = self._bisect(asked, lines, text[half:], rows[half:])
        return pl.concat([first, second], how="vertical"), bad_first + bad_second


_RELATIONS = 100  # kept at once: about as many as there are types, and some for keys that come later
_ERROR_KIND = re.compile(r"^[A-Za-z ]+ Error: ")


def _own_error(complaint: str, asked: Asked) -> str | None:
    """The error of the query itself, None when it is DuckDB's complaint about a line."""
    text = _ERROR_KIND.sub("", complaint).split("\n", 1)[0]
    return text if text in asked.own_errors else None


_LINE = re.compile(r"in line (\d+)")


def _named_line(complaint: str) -> int | None:
    """The 1-based line that an error of DuckDB names; errors of syntax are one line late."""
    found = _LINE.search(complaint)
    return None if found is None else int(found[1])


def _suspected(asked: Asked, lines: Lines, rows: pl.Series, text: pl.Series, which: pl.Series) -> list[Refused]:
    """Those of the suspected lines that are refused; most are only of a type that the scan cannot be sure of."""
    strict = text.gather(which).str.contains(needs_strictness())
    return [
        bad
        for part, strictly in ((which.filter(strict), True), (which.filter(~strict), False))
        for bad in _judged(asked, lines, rows.gather(part), strictly=strictly)
    ]


def _judged(asked: Asked, lines: Lines, rows: pl.Series, *, strictly: bool) -> list[Refused]:
    """Those of the rows that the careful way refuses."""
    refused = []
    for row, line in zip(rows.to_list(), lines.payloads(rows), strict=True):
        fault = careful.judge(line, asked.shape, strictly=strictly)
        if fault is not None:
            refused.append(Refused(row, asked.resource_type, fault))
    return refused


def _without(text: pl.Series, rows: pl.Series, bad: list[Refused]) -> tuple[pl.Series, pl.Series]:
    """The rows and texts that are left."""
    if not bad:
        return rows, text
    keep = ~rows.is_in([r.row for r in bad])
    return rows.filter(keep), text.filter(keep)
