"""Which lines DuckDB would read without a word although something in them is wrong, found by scans of the text.

DuckDB takes NaN, 1e400, trailing commas, U+0000, numbers and objects for text, `true` and text for numbers. A line
that might
hold one of these goes the careful way (:mod:`transforms.decode.careful`), which decides; the scan may suspect too
much, never too little.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Iterator

import polars as pl

from schemas import fhir_types
from transforms.fhirpath.shape import Shape

# Any line that holds what `_ALWAYS` says matches one of these, whose literals are found several times as fast.
_SIGNS = (
    r",[}\]]|[ \t\r][}\]]|\[[\[ \t\r]",
    r"[\x0b\x0c]",
    r"[:,\[ \t\r-](?i:nan|inf)",
    r"[}\]]{12}",
    # The last is a key spelled with escapes, which no pattern finds by its name.
    r"\\u(?:0000|[dD]|00[^\"]*\"\s*:)",
)
_FEW = 10  # keys up to which it is faster to look for each by itself than for all of them at once
_TOO_GREAT = r"-?(?:[0-9.]+[eE]\+?[0-9]{3}|[0-9]{200})"

# Outside strings these are no FHIR JSON; inside strings they are rare.
_ALWAYS = (
    r",\s*[}\]]",  # trailing comma
    r"[:,\[]\s*-?(?i:nan|inf)",
    r"\\u0000",
    r"\\u[dD][89a-fA-F]",  # surrogates: pairs are fine, halves are not
    r"\[\s*\[",  # FHIR has no list of lists
    r"(?:[}\]]\s*){12}",  # nested deeper than resources are
    r'"\s*:\s*-?[0-9.]+[eE]\+?[0-9]{3}',  # too great for a double
    r'"\s*:\s*-?[0-9]{200}',  # with an exponent of two digits this may be too great as well
    r"[,\[]\s*-?(?:[0-9.]+[eE]\+?[0-9]{3}|[0-9]{200})",  # the same in a list
    r"[\x0b\x0c]",  # DuckDB takes them for white space
)


def matching(text: pl.Series, patterns: Iterable[str]) -> pl.Series:
    """The indexes (UInt32) of the texts that match one of the regular expressions."""
    x = pl.col("x")
    found = [x.str.contains(pattern) for pattern in patterns]
    if not found:
        return pl.Series([], dtype=pl.UInt32)
    return pl.DataFrame({"x": text}).select(pl.any_horizontal(found)).to_series().arg_true()


@functools.cache
def suspicion(shape: Shape) -> tuple[str, ...]:
    """Regular expressions of which one matches every line that needs the careful way, when the shape is read of it.

    Of a small shape only the decimals that are read are looked at.
    """
    leaves = list(shape.leaves())
    begins: dict[str, set[str]] = {"text": {"object"}}  # every resource may have a narrative, which nothing reads
    firsts: dict[str, set[str]] = {"text": set(_NARRATIVE)}
    many = frozenset(_lists_of_objects(shape))
    for leaf in leaves:
        begins.setdefault(leaf.path[-1], set()).add("list" if leaf.many else leaf.json_type)
        for key, inner in itertools.pairwise(leaf.path):
            begins.setdefault(key, set()).add("object")
            firsts.setdefault(key, set()).add(inner)
    wrong = {key: _wrong_value(kinds, key in many) for key, kinds in sorted(begins.items())}
    mixed = {
        key: f'\\{{\\s*(?:\\}}|"{_none_of(sorted(firsts[key]))})'
        for key, kinds in sorted(begins.items())
        if kinds >= {"object", "string"}
    }
    if shape.has_text() or len(begins) > _FEW:
        by_pattern: dict[str, list[str]] = {}
        for key, pattern in wrong.items():
            by_pattern.setdefault(pattern, []).append(re.escape(key))
        typed = [f'"(?:{"|".join(keys)})"\\s*:\\s*{pattern}' for pattern, keys in by_pattern.items() if pattern]
        typed += [f'"{re.escape(key)}"\\s*:\\s*{pattern}' for key, pattern in mixed.items()]
        return "|".join((*typed, _great_decimals())), *_SIGNS
    great = {leaf.path[-1]: _TOO_GREAT for leaf in leaves if leaf.json_type == "number"}
    each = {key: [how[key] for how in (wrong, mixed, great) if how.get(key)] for key in begins}
    return *(f'"{re.escape(key)}"\\s*:\\s*(?:{"|".join(some)})' for key, some in each.items() if some), *_SIGNS


@functools.cache
def _great_decimals() -> str:
    """Any decimal of FHIR, read or not, that may be too great for a double."""
    return f'"(?:{"|".join(sorted(fhir_types.decimal_names()))})"\\s*:\\s*{_TOO_GREAT}'


def _none_of(words: Iterable[str]) -> str:
    """A regular expression for what may follow a quotation mark when none of the words, quoted, does."""
    return _no_ending([f'{word}"' for word in words])


def _no_ending(endings: list[str]) -> str:
    after: dict[str, list[str]] = {}
    for ending in endings:
        if ending:
            after.setdefault(ending[0], []).append(ending[1:])
    others = [f"{re.escape(letter)}{_no_ending(rest)}" for letter, rest in after.items() if any(rest)]
    return f"(?:[^{''.join(map(re.escape, after))}]{''.join(f'|{other}' for other in others)})"


def _lists_of_objects(shape: Shape) -> Iterator[str]:
    for child in shape.children.values():
        if not child.is_leaf():
            if child.many:
                yield child.key
            yield from _lists_of_objects(child)


@functools.cache
def needs_strictness() -> str:
    """A regular expression for lines that only a full parse can judge."""
    return "|".join(_ALWAYS)


@functools.cache
def generic_suspicion() -> tuple[str, ...]:
    """As :func:`suspicion` for types that are kept whole: only what is wrong in any JSON, and the id."""
    return r'"(?:id|versionId|lastUpdated|resourceType)"\s*:\s*[^"\s]', _great_decimals(), *_SIGNS


# Under a key that is read as text here and as an object there, an object that begins as none there does is no text.
_NARRATIVE = ("status", "_status", "div")

# How a value of each kind may begin; null may stand anywhere (and means that nothing is there).
_BEGINS = {"string": '"', "number": "0-9\\-", "integer": "0-9\\-", "boolean": "tf", "list": "\\[", "object": "{"}
_QUOTED_NUMBER = '"-?[0-9.eE+-]+"'


def _wrong_value(kinds: set[str], many: bool) -> str:
    """What must not follow a key that is read as these kinds, anywhere in the type; objects alone DuckDB checks
    itself. ``many``: some of the objects stand in lists.
    """
    if kinds == {"object"}:
        return ""
    begins = {_BEGINS[k] for k in kinds} | ({"\\["} if many else set())
    wrong = ["[^n\\s" + "".join(sorted(begins)) + "]"]
    if "string" in kinds and kinds & {"number", "integer"}:
        wrong.append(_QUOTED_NUMBER)  # text under a key that holds text here and numbers there
    if "integer" in kinds and "number" not in kinds:
        wrong.append("-?[0-9]+[.eE]")
    if many and "list" not in kinds:
        wrong.append("\\[\\s*[^{\\s\\]n]")  # a list under a key that holds text here and a list of objects there
    if "list" in kinds:
        wrong.append('\\[\\s*[^"\\s\\]n]')
    return wrong[0] if len(wrong) == 1 else f"(?:{'|'.join(wrong)})"
