"""A table's elements as one DuckDB projection: what to read of the JSON and the SELECT that makes the raw columns."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from schemas.table import Element, Mode, Read, Table
from transforms.fhirpath.compile import Compiled, Scope, compile_json, compile_path
from transforms.fhirpath.shape import Shape, identifier, text_literal
from transforms.ndjson import ndjson_source

META_READS = (
    Read("id", ("id",)),
    Read("version_id", ("meta.versionId",)),
    Read("last_updated", ("meta.lastUpdated",)),
)


@dataclass(frozen=True, slots=True)
class Projection:
    """``read`` are the columns for ``read_ndjson(columns=...)``, ``select`` the list of expressions with their
    names.
    """

    read: dict[str, str]
    select: str
    shape: Shape
    literals: frozenset[str]  # names of decimals whose digits are kept
    names: tuple[str, ...]  # of the raw columns

    def query(self, file: str) -> str:
        """The query over one NDJSON file; rows come in the order of its lines."""
        used = 'WHERE "resourceType" IS NOT NULL'
        return f"SELECT {self.select} FROM {ndjson_source(file, self.read)} {used}"


@dataclass(frozen=True, slots=True)
class Present:
    """The JSON keys that occur; ``within`` says of some lists which occur in resources that have the list."""

    keys: frozenset[str]
    within: tuple[tuple[str, frozenset[str]], ...] = ()

    def inside(self, path: str) -> Present:
        """What occurs in the items of a list."""
        return next((Present(keys) for name, keys in self.within if name == path), Present(self.keys))


@functools.cache
def projection(table: Table, present: Present | None = None) -> Projection:
    """The projection of a table: one raw column for each read of its elements, after ``id`` and ``meta``.

    A read that needs a key that is not ``present`` is left out, for it would only give nulls. None: all are.
    """
    reads = [*META_READS, *(r for e in table.elements for r in e.reads)]
    return _projection(reads if present is None else _pruned(reads, present), Scope.root(table.resource_type))


@functools.cache
def sources(table: Table, present: Present) -> tuple[tuple[Element, frozenset[str]], ...]:
    """The elements of a table, and the top-level JSON keys that their columns are made of, of those ``present``."""
    return tuple(
        (e, frozenset(_projection(_pruned(e.reads, present), Scope.root(table.resource_type)).read))
        for e in table.elements
    )


@functools.cache
def whole_projection() -> Projection:
    """The projection of a type that is kept whole: ``id`` and ``meta`` only."""
    return _projection(list(META_READS), Scope.root("Basic"))


def keys(shape: Shape) -> frozenset[str]:
    """All JSON keys of a shape, at any depth."""
    own = {key for key, _, _ in shape.children if not key.startswith("#")}
    return frozenset(own.union(*(keys(child) for child in shape.children.values())))


@functools.cache
def wide_lists(table: Table) -> frozenset[str]:
    """JSON keys of the lists whose items have many fields, so that it costs much to read those that do not occur."""
    reads = (r for e in table.elements for r in e.reads if r.mode is Mode.ITEMS and len(r.fields) >= _WIDE)
    return frozenset(r.paths[0] for r in reads if len(r.paths) == 1 and r.paths[0].isalpha())


def _projection(reads: list[Read], scope: Scope) -> Projection:
    _touch_json(reads, scope)
    select = ", ".join(f"{_MODES[r.mode](r, scope)} AS {identifier(r.name)}" for r in reads)
    # The type is read too, so that a second `resourceType` in the same object is seen as a duplicate key.
    read = {"resourceType": "VARCHAR"} | scope.shape.columns()
    return Projection(read, select, scope.shape, scope.shape.literals(), tuple(r.name for r in reads))


_WIDE = 12  # fields
_KEY = re.compile(r"(?<![\w'$/-])[A-Za-z]\w*(?![\w(])")
_STRING = re.compile(r"'[^']*'")


def _pruned(reads: Iterable[Read], present: Present) -> list[Read]:
    """The reads, and within them the paths and fields, whose keys all occur."""
    kept = []
    for read in reads:
        where = [i for i, path in enumerate(read.paths) if _keys_of(path) <= present.keys]
        paths = tuple(read.paths[i] for i in where)
        if read in META_READS or (not paths and read.mode is Mode.PRESENT):
            kept.append(read)
        elif paths and read.mode is Mode.ITEMS:
            fields = tuple(_pruned(read.fields, present.inside(read.paths[0])))
            if fields:
                kept.append(replace(read, paths=paths, fields=fields))
        elif paths:
            labels = tuple(read.labels[i] for i in where) if read.labels else ()
            kept.append(replace(read, paths=paths, labels=labels))
    return kept


@functools.cache
def _keys_of(path: str) -> frozenset[str]:
    """The element names in a path that must all be there; the type names inside ``ofType()`` count too, so none
    is missed.
    """
    names = _KEY.findall(_OF_TYPE.sub("", _STRING.sub("", path)))
    return frozenset([*names, "extension"] if "extension(" in path else names)


# `value.ofType(code)` is the key `valueCode`: the name before ofType() is no key, and after a condition none is sure.
_OF_TYPE = re.compile(r"(?:^|\.)(?:\w+\.ofType|where|extension)\(.*")


def _touch_json(reads: Iterable[Read], scope: Scope) -> None:
    """What is wanted as JSON is read as JSON by all paths, so it must be known before any of them is rendered."""
    for read in reads:
        if read.mode is Mode.JSON:
            for path in read.paths:
                compile_json(path, scope)
        elif read.mode is Mode.ITEMS:
            _touch_json(read.fields, scope.within(compile_path(read.paths[0], scope), "x"))


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
        made = compile_path(path, scope)
        if made.type == "decimal":
            sql = compile_path(path, scope, literal=True).sql
            if sql.startswith("coalesce("):  # the digits kept; where none were, the normaliser prints the number
                sql = sql.removeprefix("coalesce(").split(", CASE WHEN contains(")[0]
            parts.append(sql)
    return _first(parts) if parts else "CAST(NULL AS VARCHAR)"


def _json(read: Read, scope: Scope) -> str:
    return _first([compile_json(path, scope).sql for path in read.paths])


def _there(path: str, scope: Scope) -> str:
    made = compile_path(path, scope)
    return f"coalesce(len({made.sql}) > 0, false)" if made.many else f"({made.sql} IS NOT NULL)"


def _present(read: Read, scope: Scope) -> str:
    return " OR ".join(_there(path, scope) for path in read.paths)


def _type(read: Read, scope: Scope) -> str:
    cases = zip(read.paths, read.labels, strict=True)
    return "CASE " + " ".join(f"WHEN {_there(p, scope)} THEN {text_literal(label)}" for p, label in cases) + " END"


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
    picks = [f"list_filter({codings.sql}, lambda k: k.system = {text_literal(s)})[1]" for s in read.prefer]
    return _first([*picks, f"({codings.sql})[1]"])


def _codings(read: Read, scope: Scope) -> str:
    path = read.paths[0]
    concept = compile_path(path, scope)
    pack = 'struct_pack(system := k.system, code := k.code, display := k.display, "text" := {text})'
    if not concept.many:
        codings = _codings_of(path, scope)
        return f"list_transform({codings.sql}, lambda k: {pack.format(text='CAST(NULL AS VARCHAR)')})"
    if concept.type == "Coding":
        codings = _codings_of(path, scope)
        return f"list_transform({codings.sql}, lambda k: {pack.format(text='CAST(NULL AS VARCHAR)')})"
    item = scope.within(concept, "c")
    codings = _codings_of("$this", item)
    words = compile_path("text", item).sql
    nothing = "CAST(NULL AS VARCHAR)"
    lone = f'[struct_pack(system := {nothing}, code := {nothing}, display := {nothing}, "text" := {words})]'
    all_of = f"list_transform({codings.sql}, lambda k: {pack.format(text=words)})"
    each = f"CASE WHEN len({codings.sql}) > 0 THEN {all_of} ELSE {lone} END"
    return f"flatten(list_transform({concept.sql}, lambda c: {each}))"


def _items(read: Read, scope: Scope) -> str:
    items = compile_path(read.paths[0], scope)
    variable = "x_" + re.sub(r"\W", "_", read.name)
    inner = scope.within(items, variable)
    fields = ", ".join(f"{identifier(f.name)} := {_MODES[f.mode](f, inner)}" for f in read.fields)
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
