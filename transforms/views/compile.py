"""ViewDefinition to DuckDB SQL: the face of this package.

view = compile_view(parse_view(text))
source = f"read_ndjson('observations.ndjson', columns={view.shape.columns()})"
duckdb.sql(view.sql(source))
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from schemas.view_definition import ViewDefinition
from transforms.fhirpath.shape import Shape, identifier
from transforms.views.plan import Plan, plan_view
from transforms.views.rows import RowMaker


@dataclass(frozen=True, slots=True)
class ViewColumn:
    """A column of the result. ``duckdb_type`` has [] for collections; complex FHIR types are JSON text.

    ``hinted``: a tag of the view asked for that type.
    """

    name: str
    fhir_type: str
    collection: bool
    duckdb_type: str
    hinted: bool = False


@dataclass(frozen=True, slots=True)
class CompiledView:
    """A view that can be run over any relation with the columns of its shape and rows of its resource type.

    ``shape.literals()`` are the decimals for which the relation should have the digits as sent.
    """

    resource: str
    columns: tuple[ViewColumn, ...]
    shape: Shape
    _select: str
    _where: str
    _row: str  # all that the query works out for a resource, as one value

    def sql(self, source: str, carried: str | None = None) -> str:
        """The query over ``source``: a table, a table function or a subquery in parentheses.

        ``carried`` is a column of the source that every row made of it has as its last.
        """
        also = "" if carried is None else f", {identifier(carried)}"
        return self._select.replace(_CARRIED, also).replace(_SOURCE, f"{source}{self._where}")

    def own_errors(self) -> frozenset[str]:
        """The texts of the errors that the query raises for a resource it cannot make rows of."""
        return frozenset(text.replace("''", "'") for text in re.findall(_ERROR, self._select + self._where))

    def unmakeable(self, source: str, number: str) -> str:
        """The query for the column ``number`` of the rows of ``source`` that :meth:`sql` cannot make rows of."""
        # TRY takes nothing volatile, and error() is: a cast that cannot succeed takes its place.
        where = self._where.removeprefix(" WHERE ") or "true"
        fails = rf"CASE WHEN CAST('\1 ' || {identifier(number)} AS BOOLEAN) THEN NULL END"
        row = re.sub(_ERROR, fails, f"CASE WHEN {where} THEN hash({self._row}) ELSE 0 END")
        return f"SELECT {identifier(number)} FROM {source} WHERE TRY({row}) IS NULL"


_ERROR = r"error\('((?:[^']|'')*)'\)"

# Stand where the source and the column that is carried along go; no path can contain them, as FHIRPath has no controls.
_SOURCE = "\0"
_CARRIED = "\1"


def compile_view(view: ViewDefinition) -> CompiledView:
    """Compile a view to one query.

    A resource makes a row for every combination of the rows of its selections. Dates and decimals are text
    as sent, integers BIGINT, unless a tag ``ansi/type`` asks for another type. At run time it is an error,
    which does not show the value, if a column that is no collection has several values.
    Raises ViewError when a path does not fit the resource or a type is not what is declared.
    """
    plan = plan_view(view)
    output = {column.key: column for column in plan.block.all_columns()}
    columns = tuple(
        ViewColumn(column.name, column.fhir_type, column.collection, column.duckdb_type, column.hinted)
        for column in output.values()
    )
    names = {key: column.name for key, column in output.items()}
    where = " AND ".join(f"({condition.sql})" for condition in plan.conditions)
    select, row = _select(plan, names)
    return CompiledView(view.resource, columns, plan.scope.shape, select, f" WHERE {where}" if where else "", row)


def _select(plan: Plan, names: Mapping[str, str]) -> tuple[str, str]:
    """The query without its conditions (lists of rows are crossed and unnested once), and all its values as one."""
    maker = RowMaker()
    parts = maker.parts(plan.block)
    single = {key: sql for part in parts if part.one is not None for key, sql in part.one.items()}
    lists = [part for part in parts if part.one is None]
    if not lists:
        fields = ", ".join(f"{single[key]} AS {identifier(name)}" for key, name in names.items())
        return f"SELECT {fields}{_CARRIED} FROM {_SOURCE}", f"[{', '.join(f'hash({sql})' for sql in single.values())}]"
    inner = "".join(f"{sql} AS {key}, " for key, sql in single.items())
    outer = ", ".join(f"{key if key in single else f'r.{key}'} AS {identifier(name)}" for key, name in names.items())
    many = maker.cross(lists).many
    rows = f"SELECT {inner}unnest({many}) AS r{_CARRIED} FROM {_SOURCE}"
    values = ", ".join(f"hash({sql})" for sql in (*single.values(), many))
    return f"SELECT {outer}{_CARRIED} FROM ({rows})", f"[{values}]"
