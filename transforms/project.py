"""A table's elements as one DuckDB projection: what to read of the JSON and the SELECT that makes the raw columns."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

from schemas.table import Mode, Read, Table
from transforms.fhirpath.sql import Compiled, Scope, Shape, compile_json, compile_path

META_READS = (
    Read("id", ("id",)),
    Read("version_id", ("meta.versionId",)),
    Read("last_updated", ("meta.lastUpdated",)),
)


@dataclass(frozen=True, slots=True)
class Projection:
    """``read`` are the columns for ``read_ndjson(columns=...)``, ``select`` the list of expressions with their names."""

    resource_type: str
    read: dict[str, str]
    select: str
    shape: Shape

    def query(self, file: str) -> str:
        """The query over one NDJSON file; rows come in the order of its lines."""
        columns = ", ".join(f"{quoted(name)}: {text(kind)}" for name, kind in self.read.items())
        return f"SELECT {self.select} FROM read_ndjson({text(file)}, columns={{{columns}}}, maximum_object_size={_MAX_LINE})"


_MAX_LINE = 64 * 1024 * 1024  # no line is longer: the reader has its own, smaller limit


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """An SQL string literal."""
    return "'" + value.replace("'", "''") + "'"


@functools.cache
def projection(table: Table) -> Projection:
    """The projection of a table: one raw column for each read of its elements, after ``id`` and ``meta``."""
    scope = Scope.root(table.resource_type)
    reads = [*META_READS, *(r for e in table.elements for r in e.reads)]
    select = ", ".join(f"{_MODES[r.mode](r, scope)} AS {quoted(r.name)}" for r in reads)
    # The type is read too, so that a second `resourceType` in the same object is seen as a duplicate key.
    read = {"resourceType": "VARCHAR"} | scope.shape.columns()
    return Projection(table.resource_type, read, select, scope.shape)


def _first(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"coalesce({', '.join(parts)})"


def _value(read: Read, scope: Scope) -> str:
    parts = []
    for path in read.paths:
        made = compile_path(path, scope)
        parts.append(f"CAST({made.sql} AS DOUBLE)" if read.dtype == "DOUBLE" and made.type != "decimal" else made.sql)
    return _first(parts)


def _literal(read: Read, scope: Scope) -> str:
    parts = []
    for path in read.paths:
        made = compile_path(path, scope, literal=True)
        parts.append(f"CAST({made.sql} AS VARCHAR)")
    return _first(parts)


def _json(read: Read, scope: Scope) -> str:
    return _first([compile_json(path, scope).sql for path in read.paths])


def _there(path: str, scope: Scope) -> str:
    made = compile_path(path, scope)
    return f"coalesce(len({made.sql}) > 0, false)" if made.many else f"({made.sql} IS NOT NULL)"


def _present(read: Read, scope: Scope) -> str:
    return " OR ".join(_there(path, scope) for path in read.paths)


def _type(read: Read, scope: Scope) -> str:
    cases = zip(read.paths, read.labels, strict=True)
    return "CASE " + " ".join(f"WHEN {_there(p, scope)} THEN {text(label)}" for p, label in cases) + " END"


def _many(read: Read, scope: Scope) -> str:
    if len(read.paths) == 1:
        return "false"
    return "(" + " + ".join(f"CAST({_there(p, scope)} AS TINYINT)" for p in read.paths) + ") > 1"


def _codings_of(path: str, scope: Scope) -> Compiled:
    """All codings that a Coding, a CodeableConcept or a list of either holds, with the fields that columns need."""
    made = compile_path(path, scope)
    codings = made if made.type == "Coding" else compile_path(f"{path}.coding", scope)
    item = scope.within(codings, "k")
    for part in ("system", "code", "display"):
        compile_path(part, item)
    return codings


def _coding(read: Read, scope: Scope) -> str:
    codings = _codings_of(read.paths[0], scope)
    if not codings.many:
        return codings.sql
    picks = [f"list_filter({codings.sql}, lambda k: k.system = {text(s)})[1]" for s in read.prefer]
    return _first([*picks, f"({codings.sql})[1]"])


def _codings(read: Read, scope: Scope) -> str:
    path = read.paths[0]
    concept = compile_path(path, scope)
    pack = "struct_pack(system := k.system, code := k.code, display := k.display, \"text\" := {text})"
    if not concept.many:
        codings = _codings_of(path, scope)
        return f"list_transform({codings.sql}, lambda k: {pack.format(text='CAST(NULL AS VARCHAR)')})"
    if concept.type == "Coding":
        codings = _codings_of(path, scope)
        return f"list_transform({codings.sql}, lambda k: {pack.format(text='CAST(NULL AS VARCHAR)')})"
    item = scope.within(concept, "c")
    codings = _codings_of("$this", item)
    words = compile_path("text", item).sql
    lone = f"[struct_pack(system := CAST(NULL AS VARCHAR), code := CAST(NULL AS VARCHAR), display := CAST(NULL AS VARCHAR), \"text\" := {words})]"
    each = f"CASE WHEN len({codings.sql}) > 0 THEN list_transform({codings.sql}, lambda k: {pack.format(text=words)}) ELSE {lone} END"
    return f"flatten(list_transform({concept.sql}, lambda c: {each}))"


def _items(read: Read, scope: Scope) -> str:
    items = compile_path(read.paths[0], scope)
    variable = "i" + str(scope.depth)
    inner = scope.within(items, variable)
    fields = ", ".join(f"{quoted(f.name)} := {_MODES[f.mode](f, inner)}" for f in read.fields)
    return f"list_transform({items.sql}, lambda {variable}: struct_pack({fields}))"


_MODES: dict[Mode, Callable[[Read, Scope], str]] = {
    Mode.VALUE: _value,
    Mode.LITERAL: _literal,
    Mode.JSON: _json,
    Mode.PRESENT: _present,
    Mode.TYPE: _type,
    Mode.MANY: _many,
    Mode.CODING: _coding,
    Mode.CODINGS: _codings,
    Mode.ITEMS: _items,
}
