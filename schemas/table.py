"""What a table is: elements of a FHIR type, the reads they need and the columns they become.

A table is declared once, as a list of elements (:mod:`schemas.elements`). Rendered from it are the columns to read and
the DuckDB SQL (:mod:`transforms.project`), the pandera model (:mod:`schemas.model`), the DDL and the MERGE
(:mod:`stores`), the msgspec types of the careful path, the ViewDefinition and the data dictionary.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from schemas.rules import Rule, period_rules

RULE_PREFIX = "rule:"
PRESENT = "?"  # "?code": a raw boolean, true where the element `code` is there at all
CODING_MARK = "~coding"  # "code~coding": a raw struct, the coding that fills `code`, `code_system`, `code_display`
MAPPED, MAPPED_SYSTEM = "_mapped", "_mapped_system"  # ends of the columns that a crosswalk fills
NUMBER_MARK, LITERAL_MARK = "_number", "_literal"  # ends of the columns of a decimal and of its digits
INVALID = "!"  # "!effective": a boolean, true where the time as sent is none
NOTE = "*"  # "*effective:leap_second": a boolean, true where a row has this note (schemas.notes) on an element
TIMELESS = "~timeless"  # true or null: the version came with a number, but its time is only when it was seen


class Kind(StrEnum):
    """How the raw columns of an element become columns of the mart."""

    PLAIN = "plain"  # as read
    TIME = "time"  # one text -> _at, _date, _precision, _offset
    CLOCK = "clock"  # as read, and checked: a time of day or a list of them
    REFERENCE = "reference"  # one text (and type) -> ids
    CODING = "coding"  # one struct -> code, system, display
    ITEMS = "items"  # a list of structs whose fields are elements themselves


class Mode(StrEnum):
    """How a raw column is read."""

    VALUE = "value"  # the first non-null of the paths
    LITERAL = "literal"  # digits of a decimal as sent
    JSON = "json"  # the element whole, as JSON text
    PRESENT = "present"  # boolean: is any of the paths there
    TYPE = "type"  # name of the first path that is there (choice elements)
    MANY = "many"  # boolean: more than one of the paths is there
    CODING = "coding"  # STRUCT(system, code, display): preferred system first, else the first sent
    CODINGS = "codings"  # all codings of a concept or a list of concepts
    ITEMS = "items"  # LIST(STRUCT(fields))


@dataclass(frozen=True, slots=True)
class Read:
    """One raw column of the projection. ``paths`` are FHIRPath relative to the resource or the item."""

    name: str
    paths: tuple[str, ...]
    mode: Mode = Mode.VALUE
    dtype: str = "VARCHAR"
    prefer: tuple[str, ...] = ()  # code systems, for CODING
    labels: tuple[str, ...] = ()  # names of the paths, for TYPE
    fields: tuple[Read, ...] = ()  # for ITEMS


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table of the mart; ``dtype`` is DuckDB's name of the type."""

    name: str
    dtype: str
    description: str
    path: str = ""  # FHIRPath of the element it comes from
    required: bool = False
    codes: tuple[str, ...] = ()  # allowed codes (required binding)
    minimum: float | None = None
    pattern: str | None = None
    phi: bool = False  # identifies a person by itself


@dataclass(frozen=True, slots=True)
class Element:
    """An element with its reads and columns; ``children`` are the fields of ITEMS.

    ``present`` names a raw boolean that must be true (a required complex element).
    """

    name: str
    path: str
    fhir_type: str
    kind: Kind
    reads: tuple[Read, ...]
    columns: tuple[Column, ...]
    children: tuple[Element, ...] = ()
    child_table: str | None = None
    present: str | None = None
    patient: str | None = None  # REFERENCE: column that takes the id of a Patient
    encounter: str | None = None  # REFERENCE: column that takes the id of an Encounter
    targets: tuple[str, ...] = ()  # REFERENCE: types the standard allows
    time_type: str = ""  # TIME: date, dateTime or instant
    quantity: str = ""  # PLAIN: stem of the columns of a quantity, which is harmonised

    def needs_work(self) -> bool:
        """True when the normaliser changes this element, so that lists holding it must be opened.

        Of plain elements it changes digits, which it completes, quantities, which it harmonises, and flags, which it
        takes out.
        """
        if self.kind is Kind.ITEMS:
            return any(c.needs_work() for c in self.children)
        plain = self.kind is Kind.PLAIN and not self.quantity
        return not plain or any(r.mode in (Mode.LITERAL, Mode.PRESENT, Mode.MANY) for r in self.reads)


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table of the mart: one FHIR resource type, its elements and its rules.

    ``rules`` are those declared and, always, that no Period in the row ends before it starts.
    """

    name: str
    resource_type: str
    description: str
    elements: tuple[Element, ...]
    rules: tuple[Rule, ...] = field(default=())

    def __post_init__(self) -> None:
        declared = {rule.name for rule in self.rules}
        periods = period_rules(c.name for element in self.elements for c in element.columns)
        rules = (*self.rules, *(rule for rule in periods if rule.name not in declared))
        object.__setattr__(self, "rules", rules)

    def columns(self) -> Iterator[Column]:
        """The mart columns: identity first, then the elements' in order."""
        yield from IDENTITY
        for element in self.elements:
            yield from element.columns

    def column_names(self) -> list[str]:
        """Names of :meth:`columns`, in order."""
        return [c.name for c in self.columns()]

    def json_columns(self) -> list[str]:
        """The columns that are JSON texts: elements kept whole."""
        return [read.name for e in self.elements for read in e.reads if read.mode is Mode.JSON]

    def child_tables(self) -> Iterator[Element]:
        """The elements that also have a table of their own, one row per item."""
        return (e for e in self.elements if e.child_table)


IDENTITY: tuple[Column, ...] = (
    Column("source", "VARCHAR", "Name of the source that sent the row, as given by `--source`.", required=True),
    Column("id", "VARCHAR", "Logical id of the resource within its source and type.", "id", required=True),
    Column("version_id", "VARCHAR", "`meta.versionId` as sent; null when the source gives none.", "meta.versionId"),
    Column(
        "last_updated",
        "TIMESTAMP WITH TIME ZONE",
        "`meta.lastUpdated` in UTC; without it the time at which the row was last seen.",
        "meta.lastUpdated",
        required=True,
    ),
    Column(
        "last_updated_nanos",
        "SMALLINT",
        "Nanoseconds of `meta.lastUpdated` below the microsecond, 0 to 999.",
        "meta.lastUpdated",
        required=True,
    ),
    Column("load_id", "VARCHAR", "The load that brought this version (`etl.load`).", required=True),
    Column("content_hash", "BLOB", "SHA-256 of the resource's bytes as received.", required=True),
)
