"""A draft as the text of a mapping file, with a comment wherever a person must decide."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

import polars as pl

from schemas.mapping import Dialect, Target, targets_of
from schemas.mapping.layouts import parse_layout
from schemas.mapping.targets import Value
from schemas.tables import all_tables
from transforms.draft.guess import guess_keys, guess_table, guess_targets
from transforms.draft.meanings import MEANINGS, SYSTEMS
from transforms.draft.profile import Profile, profile
from transforms.draft.words import WORDS, code_system_of

ASK = "# DECIDE:"
_CENTURY = 1930
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./-]+)*")
_WORDS_OF_YAML = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
_DELIMITERS = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "pipe"}


def draft(name: str, dialect: Dialect, sample: pl.DataFrame, table: str | None = None) -> str:
    """The text of a mapping for a file ``name`` of which ``sample`` are the first rows (String columns, null where a
    field is empty). ``table``: what its rows are, where that is known.

    Nothing is guessed in silence: what the sample leaves open stands in comments that begin with ``# DECIDE:``, and is
    left out until somebody decides.
    """
    profiles = [profile(column) for column in sample]
    told = table or guess_table(sample.columns)
    lines = list(_head(name, dialect, profiles, told or "observation", sure=told is not None))
    lines += _Entry(told or "observation", sample, profiles).lines()
    return "\n".join(lines) + "\n"


def _head(name: str, dialect: Dialect, profiles: Sequence[Profile], table: str, *, sure: bool) -> Iterator[str]:
    yield f"# A draft for {name}, made of its header and {max((p.rows for p in profiles), default=0):,} of its rows."
    yield f"# Look through it, decide what is asked for ({ASK[2:]} ...), and see what lands: clinmart map check"
    if any(p.local for p in profiles):
        yield f"{ASK} the zone of the local times in the file; without one they have no instant, only a date"
        yield "# zone: America/New_York"
    yield "files:"
    yield f"  - file: {_quoted(pattern(name))}"
    yield f"    table: {table}" + ("" if sure else f"   {ASK} the header does not tell which table this is")
    if dialect.delimiter != ",":
        yield f"    delimiter: {_DELIMITERS.get(dialect.delimiter, json.dumps(dialect.delimiter))}"
    if dialect.encoding != "utf-8":
        asked = f"   {ASK} the file is not UTF-8; is this its character set?"
        yield f"    encoding: {dialect.encoding}" + (asked if not dialect.encoding.startswith("utf") else "")
    if nulls := list(dict.fromkeys(null for p in profiles for null in p.nulls)):
        yield f"    nulls: [{', '.join(json.dumps(null) for null in nulls)}]"
    for p in profiles:
        if p.doubtful:
            said = ", ".join(json.dumps(text) for text in p.doubtful)
            yield f"    {ASK} whether {said} in {p.name} means that nothing is known: then add it to the list nulls"
    if any(p.padded for p in profiles):
        yield "    trim: true"


def pattern(name: str) -> str:
    """The names that files like this one have: what changes from day to day, its digits, may be any text."""
    stem, dot, ending = name.rpartition(".")
    stem, ending = (stem, dot + ending) if dot else (name, "")
    return re.sub(r"\*+", "*", re.sub(r"[-_. ]?[0-9][-_.0-9TZ]*", "*", stem) + "*") + ending


class _Entry:
    """The lines of the one entry."""

    def __init__(self, table: str, sample: pl.DataFrame, profiles: Sequence[Profile]) -> None:
        self._table = table
        self._sample = sample
        self._profiles = {p.name: p for p in profiles}
        tables = {one.name: one for one in all_tables()}
        self._targets = targets_of(tables[table])
        self._found = guess_targets(table, sample.columns) if table in WORDS else {}
        self._used: set[str] = set()
        self._unit = self._found.pop("value_unit", None)  # of the value, and of its normal range

    def lines(self) -> Iterator[str]:
        """Keys, time of change, columns, and what is left."""
        yield from self._keys()
        yield from self._changed()
        yield "    columns:"
        columns = [line for target, column in list(self._found.items()) for line in self._column(target, column)]
        columns += self._constants()
        if not any(line for line in columns if not line.lstrip().startswith("#")):
            name = next(iter(self._sample.columns), "COLUMN")
            columns.append(f"      identifier_value: {_quoted(name)}   {ASK} which column of the table this is")
            self._used.add(name)
        yield from columns
        left = [name for name in self._sample.columns if name not in self._used]
        if left:
            yield "      # Not mapped: " + ", ".join(left)
            yield f"      # (what can be filled: clinmart map targets {self._table})"

    def _keys(self) -> Iterator[str]:
        column = self._found.pop("id", None)
        if column is not None and self._profiles[column].unique and self._profiles[column].fits_id:
            self._used.add(column)
            yield f"    id: {_quoted(column)}"
            return
        keys = guess_keys(self._sample, list(self._profiles.values()))
        code = self._found.get("code")
        if (
            len(keys) > 1
            and code is not None
            and code not in keys
            and self._profiles[code].filled == self._sample.height
        ):
            keys = (*keys, code)  # of one order, or of one moment, there are results of many tests
        self._used.update(keys)
        if not keys:
            keys = tuple(self._sample.columns)
            yield f"    {ASK} which columns together name a row; no few of them did so in the sample"
        elif len(keys) > 1:
            yield "    # These columns together name a row in the sample: is that so in all files?"
        yield f"    keys: [{', '.join(map(_quoted, keys))}]"

    def _changed(self) -> Iterator[str]:
        column = self._found.pop("last_updated", None)
        if column is None:
            yield f"    {ASK} the column with the time of a row's last change; without one the load's time counts"
            yield "    # last_updated: COLUMN"
            return
        yield from self._time("last_updated", column, indent=4)

    def _column(self, name: str, column: str) -> Iterator[str]:
        target, about = self._targets.get(name), self._profiles[column]
        if target is None or name not in self._found or not about.filled:
            return
        if target.value is Value.TIME:
            yield from self._time(name, column, indent=6)
        elif target.value in (Value.NUMBER, Value.RESULT):
            yield from self._number(name, target, column)
        elif (self._table, name) in MEANINGS and about.values:
            yield from self._lookup(name, column)
        elif target.value is Value.REFERENCE:
            yield from self._reference(name, column)
        else:
            self._used.add(column)
            yield f"      {name}: {_quoted(column)}"
            system = code_system_of(column, loinc=about.loinc) if f"{name}_system" in self._targets else None
            if system is not None:
                yield f"      {name}_system: {{constant: {json.dumps(system)}}}"
            elif f"{name}_system" in self._targets:
                what, such = _SYSTEMS.get(name, ("the code system", "http://loinc.org"))
                yield f"      {ASK} {what}, e.g. {such}"
                yield f'      # {name}_system: {{constant: "{such}"}}'

    def _reference(self, name: str, column: str) -> Iterator[str]:
        self._used.add(column)
        required = ", required: true" if name == "patient_id" else ""
        if self._profiles[column].fits_id:
            yield f"      {name}: " + (f"{{column: {_quoted(column)}{required}}}" if required else _quoted(column))
        else:
            yield "      # Ids have letters, digits, hyphens and dots only: the key of it serves as one."
            yield f"      {name}: {{key: [{_quoted(column)}]{required}}}"

    def _lookup(self, name: str, column: str) -> Iterator[str]:
        known, pairs, unknown = MEANINGS[self._table, name], [], []
        for value in self._profiles[column].values:
            meant = known.get(value.casefold().strip())
            if meant is None:
                unknown.append(value)
            else:
                pairs.append(f"{_quoted(value)}: {meant}")
        self._used.add(column)
        if unknown:
            codes = self._targets[name].codes
            which = f" of {', '.join(codes)}" if codes else ""
            yield f"      {ASK} what {', '.join(map(_quoted, unknown))} mean{which}; until then such rows are refused"
        if pairs:
            yield f"      {name}: {{column: {_quoted(column)}, lookup: {{{', '.join(pairs)}}}}}"
            if (system := SYSTEMS.get((self._table, name))) is not None:
                yield f'      {name}_system: {{constant: "{system}"}}'
        else:
            yield f"      # {name}: {{column: {_quoted(column)}, lookup: {{{_quoted(unknown[0])}: CODE}}}}"

    def _number(self, name: str, target: Target, column: str) -> Iterator[str]:
        unit = self._unit if name.startswith(("value", "reference_range")) else None
        marks = self._profiles[column].number
        self._used.add(column)
        if marks is None and target.value is Value.NUMBER:
            yield f"      {ASK} {column} does not look like numbers in the sample"
            yield f"      # {name}: {_quoted(column)}"
            return
        decimal, thousands = marks or (".", "")
        more = f", unit: {_quoted(unit)}" if unit is not None else ""
        if unit is not None:
            self._used.add(unit)
        spelt = (f', decimal: "{decimal}"' if decimal != "." else "") + (
            f', thousands: "{thousands}"' if thousands else ""
        )
        if thousands or decimal != ".":
            yield f"      {ASK} is this how numbers are written ({_shown(decimal, thousands)})?"
        if more or spelt:
            yield f"      {name}: {{column: {_quoted(column)}{more}{spelt}}}"
        else:
            yield f"      {name}: {_quoted(column)}"

    def _time(self, name: str, column: str, indent: int) -> Iterator[str]:
        space, layouts = " " * indent, self._profiles[column].layouts
        self._used.add(column)
        if not layouts:
            yield f"{space}{ASK} how {column} is written; the sample fits no layout that is known"
            yield f'{space}# {name}: {{column: {_quoted(column)}, format: "%m/%d/%Y"}}'
            return
        if len(layouts) > 1:
            yield f"{space}{ASK} which of these it is: all dates in the sample fit each. Take the mark off one:"
        for layout in layouts:
            yield f"{space}{'# ' if len(layouts) > 1 else ''}{name}: {_time_text(column, layout)}"

    def _constants(self) -> Iterator[str]:
        if "status" in self._targets and "status" not in self._found and self._table in _STATUS:
            yield f"      {ASK} the file has no status; take the mark off where all rows have this one"
            yield f"      # status: {{constant: {_STATUS[self._table]}}}"


_SYSTEMS = {
    "mrn": ("who gives out these numbers", "urn:oid:1.2.3.4"),
    "interpretation": ("the code system", "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"),
}
_STATUS = {"observation": "final", "encounter": "finished", "procedure": "completed", "immunization": "completed"}


def _time_text(column: str, layout: Sequence[str]) -> str:
    if not layout:
        return _quoted(column)
    formats = [json.dumps(one) for one in layout]
    text = formats[0] if len(formats) == 1 else f"[{', '.join(formats)}]"
    short = any(parse_layout(one).two_digit_year for one in layout)
    century = f", years_from: {_CENTURY}" if short else ""
    asked = f"   {ASK} the first of the hundred years that two digits mean" if short else ""
    return f"{{column: {_quoted(column)}, format: {text}{century}}}{asked}"


def _shown(decimal: str, thousands: str) -> str:
    return f"1{thousands}234{decimal}5"


def _quoted(text: str) -> str:
    """A text as a YAML scalar."""
    if _PLAIN.fullmatch(text) and text.casefold() not in _WORDS_OF_YAML:
        return text
    return json.dumps(text, ensure_ascii=False)
