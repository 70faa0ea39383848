"""The functions of one value that are one SQL expression (FHIRPath 5.5 to 5.7)."""

from __future__ import annotations

import msgspec

_TEXT = ("text", "date", "time")
_NUMBER = ("number",)
_SPACE = r"' ' || chr(9) || chr(10) || chr(13)"


class Scalar(msgspec.Struct, frozen=True):
    """``sql[i]`` is the template for ``least + i`` arguments; {0} is the value itself. No result: the
    value's type.

    ``takes`` are the kinds of the value, ``arguments`` the kind of each argument.
    """

    sql: tuple[str, ...]
    takes: tuple[str, ...] = _TEXT
    arguments: tuple[str, ...] = ()
    least: int = 0
    result: str | None = "string"
    many: bool = False


def _text(sql: str, *arguments: str, result: str = "string", many: bool = False) -> Scalar:
    return Scalar((sql,), _TEXT, arguments, len(arguments), result, many)


def _real(sql: str, *arguments: str, result: str | None = "decimal") -> Scalar:
    return Scalar((sql,), _NUMBER, arguments, len(arguments), result)


_FROM = "{1} >= 0 AND {1} < length({0})"

SCALARS: dict[str, Scalar] = {
    "upper": _text("upper({0})"),
    "lower": _text("lower({0})"),
    "length": _text("length({0})", result="integer"),
    "trim": _text(f"trim({{0}}, {_SPACE})"),
    "startsWith": _text("starts_with({0}, {1})", "text", result="boolean"),
    "endsWith": _text("ends_with({0}, {1})", "text", result="boolean"),
    "contains": _text("contains({0}, {1})", "text", result="boolean"),
    "indexOf": _text("(strpos({0}, {1}) - 1)", "text", result="integer"),
    "replace": _text("replace({0}, {1}, {2})", "text", "text"),
    "matches": _text("regexp_matches({0}, {1}, 's')", "text", result="boolean"),
    "matchesFull": _text("regexp_full_match({0}, {1}, 's')", "text", result="boolean"),
    "replaceMatches": _text("regexp_replace({0}, {1}, {2}, 'g')", "text", "text"),
    "split": _text("string_split({0}, {1})", "text", many=True),
    "toChars": _text("string_split({0}, '')", many=True),
    "substring": Scalar(
        (
            f"CASE WHEN {_FROM} THEN substr({{0}}, {{1}} + 1) END",
            f"CASE WHEN {_FROM} THEN substr({{0}}, {{1}} + 1, ifnull(greatest({{2}}, 0), length({{0}}))) END",
        ),
        arguments=("number", "number"),
        least=1,
    ),
    "abs": _real("abs({0})", result=None),
    "ceiling": _real("CAST(ceil({0}) AS BIGINT)", result="integer"),
    "floor": _real("CAST(floor({0}) AS BIGINT)", result="integer"),
    "truncate": _real("CAST(trunc({0}) AS BIGINT)", result="integer"),
    "round": Scalar(
        ("CAST(round({0}) AS DOUBLE)", "CAST(round({0}, CAST({1} AS INTEGER)) AS DOUBLE)"),
        _NUMBER,
        ("number",),
        0,
        "decimal",
    ),
    "sqrt": _real("CASE WHEN {0} >= 0 THEN sqrt({0}) END"),
    "exp": _real("exp({0})"),
    "ln": _real("CASE WHEN {0} > 0 THEN ln({0}) END"),
    "log": _real("CASE WHEN {0} > 0 AND {1} > 0 AND {1} <> 1 THEN ln({0}) / ln({1}) END", "number"),
    "power": _real("CASE WHEN {0} >= 0 OR {1} = trunc({1}) THEN pow({0}, {1}) END", "number"),
    "toInteger": Scalar(
        ("CASE WHEN regexp_full_match(CAST({0} AS VARCHAR), '[+-]?[0-9]+') THEN TRY_CAST({0} AS BIGINT) END",),
        ("text", "number"),
        result="integer",
    ),
    "toDecimal": Scalar(
        (
            "CASE WHEN regexp_full_match(CAST({0} AS VARCHAR), '[+-]?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?')"
            " THEN TRY_CAST({0} AS DOUBLE) END",
        ),
        ("text", "number"),
        result="decimal",
    ),
}
