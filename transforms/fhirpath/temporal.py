"""Dates and times in SQL, which are read as the text that was sent.

Comparison follows FHIRPath 6.1.1 and 6.2: component by component, and empty when the answer would depend on a
component that one side lacks. Instants are compared as such, whatever their offsets; a text without an
offset is taken as UTC. Boundaries are the earliest and the latest value that a partial one stands for.
"""

from __future__ import annotations

_SAME = {"=": "true", "!=": "false", "<": "false", ">": "false", "<=": "true", ">=": "true"}
_SQL_OP = {"!=": "<>"}


def comparison(op: str, is_time: bool, always_full: bool) -> str:
    """A template that compares the texts {0} and {1}: true, false, or NULL where precision decides.

    ``op`` is one of = != < > <= >=. ``always_full``: both sides are known to have seconds.
    """
    sql_op = _SQL_OP.get(op, op)
    if is_time:
        cast, cut = "TRY_CAST({%d} AS TIME)", 5  # HH:MM
    else:
        cast, cut = "TRY_CAST({%d} AS TIMESTAMPTZ)", 10  # YYYY-MM-DD
    full = f"{cast % 0} {sql_op} {cast % 1}"
    if always_full:
        return f"({full})"
    prefix = f"least(length({{0}}), length({{1}}), {cut})"
    left, right = f"left({{0}}, {prefix})", f"left({{1}}, {prefix})"
    return (
        f"CASE WHEN length({{0}}) > {cut} AND length({{1}}) > {cut} THEN {full}"
        f" WHEN {left} <> {right} THEN {left} {sql_op} {right}"
        f" WHEN length({{0}}) = length({{1}}) THEN {_SAME[op]} END"
    )


def comparison_with_day(op: str, day: str) -> str:
    """A template that compares the text {0} with the (partial) date ``day``, as :func:`comparison` does."""
    sql_op = _SQL_OP.get(op, op)
    start = f"left({{0}}, {len(day)})"
    return (
        f"CASE WHEN {start} <> left('{day}', length({{0}})) THEN {start} {sql_op} '{day}'"
        f" WHEN length({{0}}) = {len(day)} THEN {_SAME[op]} END"
    )


def date_boundary(low: bool) -> str:
    """A template: the first (or last) day of the partial date {0}."""
    if low:
        return "CASE length({0}) WHEN 4 THEN {0} || '-01-01' WHEN 7 THEN {0} || '-01' ELSE {0} END"
    last = "CAST(last_day(TRY_CAST({0} || '-01' AS DATE)) AS VARCHAR)"
    return f"CASE length({{0}}) WHEN 4 THEN {{0}} || '-12-31' WHEN 7 THEN {last} ELSE {{0}} END"


def datetime_boundary(low: bool) -> str:
    """A template: the first (or last) millisecond of the partial dateTime {0}, in the extreme offset."""
    day = date_boundary(low)
    rest = "T00:00:00.000+14:00" if low else "T23:59:59.999-12:00"
    zone = "regexp_extract({0}, '(Z|[-+][0-9][0-9]:[0-9][0-9])$')"
    clock = "regexp_extract({0}, 'T([0-9:.]+)', 1)"
    extreme = "+14:00" if low else "-12:00"
    return (
        f"CASE WHEN length({{0}}) <= 10 THEN ({day}) || '{rest}'"
        f" ELSE left({{0}}, 11) || {_clock_boundary(clock, low)}"
        f" || CASE {zone} WHEN '' THEN '{extreme}' ELSE {zone} END END"
    )


def time_boundary(low: bool) -> str:
    """A template: the first (or last) millisecond of the partial time {0}."""
    return _clock_boundary("{0}", low)


def _clock_boundary(clock: str, low: bool) -> str:
    full = "00:00:00.000" if low else "23:59:59.999"
    return f"{clock} || substr('{full}', length({clock}) + 1)"


def decimal_boundary(low: bool) -> str:
    """A template: the least (or greatest) value that rounds to the decimal whose digits are the text {0}."""
    places = (
        "(length(regexp_extract({0}, '[.]([0-9]+)', 1))"
        " - coalesce(TRY_CAST(regexp_extract({0}, '[eE](.+)', 1) AS INTEGER), 0))"
    )
    half = f"0.5 * pow(10, -{places})"
    return f"round(CAST({{0}} AS DOUBLE) {'-' if low else '+'} {half}, CAST({places} + 1 AS INTEGER))"
