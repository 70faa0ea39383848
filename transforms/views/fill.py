"""The rows that the views of a mart make of the resources of a chunk."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import polars as pl

from schemas.model import ID_PATTERN, RowCheck
from schemas.reasons import Reason, reason_of
from schemas.view_definition import parse_view
from schemas.view_table import ViewTable
from transforms.check import broken
from transforms.decode.careful import Fault, Refused
from transforms.decode.lines import Lines
from transforms.decode.reading import Asked, LineReader
from transforms.ndjson import ndjson_source
from transforms.times import fhir_times
from transforms.views.compile import CompiledView, ViewColumn, compile_view
from transforms.views.output import is_instant, stored_sql

# FHIR R4 2.24.0.1
_FORMS = {
    "id": ID_PATTERN,
    "code": r"^[^\s]+(\s[^\s]+)*$",
    "uri": r"^\S*$",
    "url": r"^\S*$",
    "canonical": r"^\S*$",
    "oid": r"^urn:oid:[0-2](\.(0|[1-9][0-9]*))+$",
    "uuid": r"^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
    "time": r"^([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?$",
}
ROW_NUMBER = "~line"  # the number of the line that a row is made of
_LEAST = {"integer": -(2**31), "positiveInt": 1, "unsignedInt": 0}
_MOST = 2**31 - 1
_TIMES = ("date", "dateTime", "instant")


@dataclass(frozen=True, slots=True)
class Filled:
    """``frame`` has the view's columns and ``~line`` (UInt32), the row of ``Lines.frame`` that a row was made of; the
    rows of one resource stand together, in their order.
    """

    name: str
    frame: pl.DataFrame
    refused: list[Refused]


class Filler:
    """Makes the rows of one view of a mart. Raises ViewError for a view that is none."""

    def __init__(self, table: ViewTable) -> None:
        self.name = table.name
        self._view = compile_view(parse_view(table.definition))
        self._asked = _asked(self._view)
        self._checks = [check for column in self._view.columns for check in _checks(column)]

    def fill(self, reader: LineReader, lines: Lines, rows: pl.Series, text: pl.Series) -> Filled:
        """The view's rows of the lines ``rows``, whose texts are ``text``.

        A resource is refused whole when a value of its rows is not of its column's type, or the view cannot be made.
        """
        found = reader.read(self._asked, lines, rows, text)
        frame = found.raw.with_columns(found.rows.gather(found.raw[ROW_NUMBER] - 1).alias(ROW_NUMBER))
        bad = {refused.row: self._named(refused) for refused in found.refused}
        if self._checks and frame.height:
            for row, column, reason in self._broken(frame):
                fault = Fault(reason_of(reason), f"{self.name}.{column}", reason_of(reason).meaning)
                bad.setdefault(row, Refused(row, self._asked.resource_type, fault))
        if bad:
            frame = frame.filter(~pl.col(ROW_NUMBER).is_in(list(bad)))
        instants = [_instant(column) for column in self._view.columns if is_instant(column)]
        return Filled(self.name, frame.with_columns(instants), list(bad.values()))

    def _named(self, refused: Refused) -> Refused:
        fault = refused.fault
        if fault.reason is Reason.UNDECODABLE:  # the line was decoded before, for its table
            fault = Fault(Reason.VIEW_VIOLATED, None, Reason.VIEW_VIOLATED.meaning)
        return Refused(refused.row, refused.resource_type, Fault(fault.reason, fault.place or self.name, fault.message))

    def _broken(self, frame: pl.DataFrame) -> list[tuple[int, str, str]]:
        """Row of ``Lines.frame``, column and reason of each value that is refused."""
        import pandera.polars as pa  # noqa: PLC0415 - a load without views need not wait for it

        made: dict[str, pa.Column] = {}
        for check in self._checks:
            made[check.column] = pa.Column(checks=[check.as_pandera()], nullable=True)
        names = [check.column for check in self._checks]
        places = frame[ROW_NUMBER]
        return [
            (places[row], column, name) for row, column, name in broken(pa.DataFrameSchema(made), frame.select(names))
        ]


def _asked(view: CompiledView) -> Asked:
    read = {"resourceType": "VARCHAR"} | view.shape.columns()

    def numbered(file: str) -> str:
        rows = f'SELECT *, row_number() OVER () AS "{ROW_NUMBER}" FROM {ndjson_source(file, read)}'
        return f'({rows} WHERE "resourceType" IS NOT NULL)'

    return Asked(
        view.resource,
        lambda file: stored_sql(view, numbered(file), ROW_NUMBER),
        view.shape,
        view.shape.literals(),
        row_each=False,
        own_errors=view.own_errors(),
        unmakeable=lambda file: view.unmakeable(numbered(file), ROW_NUMBER),
    )


def _instant(column: ViewColumn) -> pl.Expr:
    """A column of instants as sent, all of them valid, as times."""
    kind = pl.Datetime("us", "UTC")

    def parsed(one: pl.Expr) -> pl.Expr:
        return one.map_batches(lambda texts: fhir_times(texts, "instant")["at"], kind)

    value = pl.col(column.name)
    return value.list.eval(parsed(pl.element())) if column.collection else parsed(value)


def _checks(column: ViewColumn) -> list[RowCheck]:
    """What FHIR R4 asks of the values of a primitive type; of a collection each value is asked."""
    one = pl.element() if column.collection else pl.col(column.name)
    kind = column.fhir_type
    if column.duckdb_type.removesuffix("[]") == "VARCHAR":
        if kind in _FORMS:
            reason, holds = Reason.INVALID_FORMAT, one.str.contains(_FORMS[kind])
        elif kind in _TIMES:
            reason, holds = Reason.INVALID_TIME, one.map_batches(partial(_are_times, fhir_type=kind), pl.Boolean)
        else:
            return []
    elif kind in _LEAST and not column.hinted:
        reason, holds = Reason.OUT_OF_RANGE, one.is_between(_LEAST[kind], _MOST)
    else:
        return []
    asked = pl.col(column.name).list.eval(holds).list.all() if column.collection else holds
    return [RowCheck(reason, column.name, asked, (column.name,))]


def _are_times(texts: pl.Series, fhir_type: str) -> pl.Series:
    return ~fhir_times(texts, fhir_type)["invalid"]
