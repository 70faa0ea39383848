"""The figures of a mart, as plain records. Shares are between 0 and 1, times are in UTC, counts are of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from schemas.records import DISPOSITIONS


@dataclass(frozen=True, slots=True)
class Loaded:
    """One load; ``counts`` by disposition over all types, ``read`` their sum."""

    load_id: str
    source: str
    kind: str
    status: str
    started_at: datetime
    seconds: float | None
    bytes: int
    read: int
    counts: dict[str, int]

    @property
    def adds_up(self) -> bool:
        """Whether every line that was read has a disposition."""
        return self.read == sum(self.counts[name] for name in DISPOSITIONS)


@dataclass(frozen=True, slots=True)
class Arrival:
    """What all loads of one day brought, by disposition."""

    day: date
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Months:
    """Rows of a table by the month of the time ``column``; ``counts`` has no gaps, ``outside`` are rows before and
    after it."""

    table: str
    column: str
    first: date
    counts: Sequence[int]
    undated: int
    outside: int


@dataclass(frozen=True, slots=True)
class CodeMix:
    """The codes of a column, most frequent first, and the rows of all ``others``."""

    codes: Sequence[tuple[str, int]]
    others: int
    distinct: int


@dataclass(frozen=True, slots=True)
class ColumnFigures:
    """One column: how many of the table's rows have it."""

    name: str
    dtype: str
    description: str
    phi: bool
    filled: int
    mix: CodeMix | None = None


@dataclass(frozen=True, slots=True)
class TableFigures:
    """One table of ``main``."""

    name: str
    rows: int
    earlier_versions: int
    columns: Sequence[ColumnFigures] = ()

    @property
    def empty_columns(self) -> int:
        """Columns that no row has."""
        return sum(not column.filled for column in self.columns)


@dataclass(frozen=True, slots=True)
class SentUnit:
    """A unit as it was sent with a result, and the median of the numbers with it; None of too few rows to be told."""

    unit: str | None
    rows: int
    median: float | None
    status: str | None


@dataclass(frozen=True, slots=True)
class Result:
    """Numeric results of one code in one harmonised unit.

    ``quantiles`` are those of 1, 5, 25, 50, 75, 95 and 99 % of the harmonised values, ``bins`` their rows in equal
    steps between the first and the last of them. Results of too few rows are left out.
    """

    code: str
    system: str | None
    display: str | None
    unit: str | None
    rows: int
    patients: int
    quantiles: Sequence[float]
    bins: Sequence[int]
    sent: Sequence[SentUnit]


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a source is, by type; see ``etl.watermark``."""

    source: str
    resource_type: str
    newest: datetime | None
    read_cursor: datetime | None
    late_before: datetime | None


@dataclass(frozen=True, slots=True)
class Drift:
    """What differs between the rows that a source's last load brought and those of its loads before.

    ``measure`` is ``filled`` (share of rows with the column) or ``median`` (of the harmonised values of the code
    ``what``). ``strength`` orders them: for shares the difference in units of its standard error, for medians in units
    of the interquartile range before.
    """

    source: str
    table: str
    column: str
    measure: str
    what: str | None
    before: float
    now: float
    rows_before: int
    rows_now: int
    strength: float


@dataclass(frozen=True, slots=True)
class Refused:
    """Lines of the quarantine that no row was made of yet."""

    reason: str
    resource_type: str
    column: str | None
    check: str | None
    lines: int
    dead: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that deserves to be looked at first: a file, a check or a unit, and how many rows it cost."""

    kind: str
    what: str
    where: str
    rows: int
    of: int | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """All of it."""

    made_at: datetime
    loads: Sequence[Loaded] = ()
    loads_in_all: int = 0
    arrivals: Sequence[Arrival] = ()
    months: Sequence[Months] = ()
    tables: Sequence[TableFigures] = ()
    deleted: int = 0
    results: Sequence[Result] = ()
    results_in_all: int = 0
    lags: Sequence[Lag] = ()
    drift: Sequence[Drift] = ()
    refused: Sequence[Refused] = ()
    trouble: Sequence[Trouble] = field(default=())
