"""The entries of a mapping file; see :mod:`schemas.mapping` for what they mean.

.. code-block:: yaml

    zone: America/New_York
    files:
      - file: "labs*.csv"
        table: observation
        keys: [ACCESSION, TEST]
        last_updated: {column: UPDATED, format: "%m/%d/%Y %H:%M:%S"}
        columns:
          patient_id: MRN
          status: {constant: final}
          value: {column: RESULT, unit: UNITS}
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import yaml

from schemas.charsets import codec_named
from schemas.errors import UsageError
from schemas.mapping import Dialect, Entry, Expression, Mapping, Target, targets_of
from schemas.mapping.targets import Value, unit_target
from schemas.tables import all_tables
from sources.mapping.expressions import read_expression, read_zone
from sources.mapping.nodes import Nodes, hint
from sources.yaml_file import compose, read_limited

_LONGEST = 4 * 1024 * 1024  # bytes; lookups of some ten thousand codes fit
_TOP = ("zone", "encoding", "files")
_ENTRY = (
    "file",
    "table",
    "delimiter",
    "quote",
    "encoding",
    "header",
    "nulls",
    "trim",
    "zone",
    "keys",
    "id",
    "last_updated",
    "columns",
)
_DELIMITERS = {"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}


def read_mapping(path: Path) -> Mapping:
    """The mapping in a file. UsageError, with file and line, when it cannot be read or is not right."""
    data = read_limited(path, "--mapping", _LONGEST, "a mapping, not the data")
    return parse_mapping(data, str(path))


def parse_mapping(data: bytes, name: str) -> Mapping:
    """The mapping in a text that stands in the file ``name``; as :func:`read_mapping`."""
    root = compose(data, name, what="a mapping", empty="`clinmart map init FILE` drafts a mapping")
    nodes = Nodes(name)
    told = nodes.pairs(root, _TOP, "the mapping")
    if "files" not in told:
        nodes.fault(root, "there is no key files: give the list of files that the mapping is for")
    zone = read_zone(nodes, told["zone"]) if "zone" in told else None
    encoding = _encoding(nodes, told["encoding"]) if "encoding" in told else "utf-8"
    entries: list[Entry] = []
    for node in nodes.items(told["files"], "files"):
        entry = _entry(nodes, node, zone, encoding)
        for other in entries:
            if (other.file, other.table) == (entry.file, entry.table):
                nodes.fault(node, f"the entry {entry.name} stands already on line {other.line}: make them one")
            if other.file == entry.file and other.dialect != entry.dialect:
                nodes.fault(node, f"the entry of line {other.line} says otherwise how files {entry.file} are written")
        entries.append(entry)
    return Mapping(tuple(entries), data.decode(), name)


def _entry(nodes: Nodes, node: yaml.Node, zone: str | None, encoding: str) -> Entry:
    told = nodes.pairs(node, _ENTRY, "an entry of files")
    for name in ("file", "table", "columns"):
        if name not in told:
            nodes.fault(node, f"the entry has no key {name}")
    tables = {table.name: table for table in all_tables()}
    name = nodes.text(told["table"])
    if name not in tables:
        nodes.fault(told["table"], f"there is no table {name!r}{hint(name, tables)}; tables are {', '.join(tables)}")
    if ("keys" in told) == ("id" in told):
        nodes.fault(node, "give either keys, the columns that together name a row, or id, the value that is its id")
    zone = read_zone(nodes, told["zone"]) if "zone" in told else zone
    last_updated = read_expression(nodes, told["last_updated"]) if "last_updated" in told else None
    return Entry(
        file=nodes.text(told["file"]),
        table=name,
        columns=_columns(nodes, told["columns"], dict(targets_of(tables[name])), name),
        dialect=_dialect(nodes, told, encoding),
        keys=nodes.texts(told["keys"]) if "keys" in told else (),
        id=read_expression(nodes, told["id"]) if "id" in told else None,
        last_updated=last_updated,
        nulls=nodes.texts(told["nulls"], empty=True) if "nulls" in told else (),
        trim=nodes.truth(told["trim"]) if "trim" in told else False,
        zone=zone,
        line=nodes.line(node),
        keys_line=nodes.line(told["keys"]) if "keys" in told else 0,
    )


def _dialect(nodes: Nodes, told: dict[str, yaml.Node], encoding: str) -> Dialect:
    delimiter, quote, header = ",", '"', None
    if "delimiter" in told:
        given = nodes.text(told["delimiter"])
        delimiter = _DELIMITERS.get(given, given)
        if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0':
            known = ", ".join(_DELIMITERS)
            nodes.fault(told["delimiter"], f"the delimiter is {given!r}: give one ASCII character, or {known}")
    if "quote" in told:
        quote = nodes.text(told["quote"], empty=True)
        quote = "" if quote == "none" else quote
        if len(quote) > 1 or not quote.isascii() or quote in ("\r", "\n", delimiter):
            nodes.fault(told["quote"], f"the quote is {quote!r}: give one ASCII character, or none")
    if "encoding" in told:
        encoding = _encoding(nodes, told["encoding"])
    if "header" in told:
        header = nodes.texts(told["header"])
        if len(set(header)) < len(header):
            nodes.fault(told["header"], "two columns have the same name: give each a name of its own")
    return Dialect(delimiter, quote, encoding, header)


def _encoding(nodes: Nodes, node: yaml.Node) -> str:
    try:
        return codec_named(nodes.text(node))
    except UsageError:
        said = f"no character set is called {nodes.text(node)!r}: give utf-8, windows-1252, iso-8859-1 or another"
        nodes.fault(node, said)


def _columns(
    nodes: Nodes, node: yaml.Node, targets: dict[str, Target], table: str
) -> tuple[tuple[str, Expression], ...]:
    found: list[tuple[str, Expression]] = []
    taken: dict[tuple[object, ...], tuple[str, int]] = {}
    told = nodes.pairs(node, (), "columns")
    if not told:
        nodes.fault(node, "columns is empty: give at least one")

    def take(name: str, at: yaml.Node, expression: Expression) -> None:
        target = targets.get(name)
        if target is None:
            nodes.fault(at, f"{table} has no column {name!r} that can be filled{hint(name, targets)}")
        _must_suit(nodes, at, target, expression)
        places = (
            (target.steps or target.name, target.text)
            if target.value is Value.RESULT
            else (target.steps or target.name,)
        )
        for place in places:
            if (before := taken.get((place,))) is not None:
                nodes.fault(at, f"{name} fills what {before[0]} fills on line {before[1]}: keep one")
            taken[place,] = name, expression.line
        found.append((target.name, expression))

    for name, value in told.items():
        expression = read_expression(nodes, value)
        take(name, value, expression)
        if expression.unit is not None:
            unit = unit_target(targets[name].name)
            if unit not in targets or targets[name].value not in (Value.NUMBER, Value.RESULT):
                nodes.fault(value, f"{name} is no number that has a unit: leave out unit")
            take(unit, value, expression.unit)
            found[-2] = (found[-2][0], replace(expression, unit=None))
    named = {name for name, _ in found}
    for name, value in told.items():
        target = targets[name]
        if target.type_name and target.type_name not in named:
            types = targets[target.type_name].types
            nodes.fault(
                value,
                f"{name} can be of several types: give {target.type_name} too, as {{constant: TYPE}}"
                + (f" of {', '.join(types)}" if types else ""),
            )
    return tuple(found)


_OF_TIMES = ("formats", "zone", "years_from")


def _must_suit(nodes: Nodes, node: yaml.Node, target: Target, expression: Expression) -> None:
    """UsageError for what says of a value how it is written that is of another kind."""
    if target.value is not Value.TIME and any(getattr(expression, name) for name in _OF_TIMES):
        nodes.fault(node, f"{target.name} is no time: leave out format, zone and years_from")
    numeric = target.value in (Value.NUMBER, Value.INTEGER, Value.RESULT)
    if not numeric and (expression.thousands or expression.decimal != "."):
        nodes.fault(node, f"{target.name} is no number: leave out decimal and thousands")
    allowed = {Value.TEXT: target.codes, Value.TYPE: target.types}.get(target.value, ())
    if not allowed:
        return
    origin = expression.origin
    given = [origin.text] if hasattr(origin, "text") and expression.lookup is None else []
    if expression.lookup is not None:
        given = [meant for _, meant in expression.lookup.entries]
        given += [expression.lookup.otherwise] if expression.lookup.otherwise is not None else []
    for code in given:
        if code not in allowed:
            known = ", ".join(allowed[:20]) + (", ..." if len(allowed) > 20 else "")
            nodes.fault(node, f"{target.name} cannot be {code!r}{hint(code, allowed)}; it is one of {known}")
