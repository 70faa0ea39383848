"""Which lines DuckDB would read without a word although something in them is wrong, found by one scan of the text.

DuckDB takes NaN, 1e400, trailing commas, U+0000, numbers and objects for text, `true` and text for numbers. A line
that might
hold one of these goes the careful way (:mod:`transforms.decode.careful`), which decides; the scan may suspect too
much, never too little.
"""

from __future__ import annotations

import functools
import re

from transforms.fhirpath.shape import Shape

# Outside strings these are no FHIR JSON; inside strings they are rare.
_ALWAYS = (
    r",\s*[}\]]",  # trailing comma
    r"[:,\[]\s*-?(?:NaN|Inf|nan|inf)",
    r"\\u0000",
    r"\\u[dD][89a-fA-F]",  # surrogates: pairs are fine, halves are not
    r"\[\s*\[",  # FHIR has no list of lists
    r"(?:[}\]]\s*){12}",  # nested deeper than resources are
    r'"\s*:\s*-?[0-9.]+[eE]\+?[0-9]{3}',  # too great for a double
    r'"\s*:\s*-?[0-9]{200}',  # with an exponent of two digits this may be too great as well
    r"[,\[]\s*-?(?:[0-9.]+[eE]\+?[0-9]{3}|[0-9]{200})",  # the same in a list
    r"[\x0b\x0c]",  # DuckDB takes them for white space
)


@functools.cache
def suspicion(shape: Shape) -> str:
    """A regular expression that finds every line that needs the careful way, when the shape is read of it."""
    leaves = list(shape.leaves())
    begins: dict[str, set[str]] = {"text": {"object"}}  # every resource may have a narrative, which nothing reads
    for leaf in leaves:
        begins.setdefault(leaf.path[-1], set()).add("list" if leaf.many else leaf.json_type)
        for key in leaf.path[:-1]:
            begins.setdefault(key, set()).add("object")
    by_pattern: dict[str, list[str]] = {}
    for key, kinds in sorted(begins.items()):
        by_pattern.setdefault(_wrong_value(kinds), []).append(re.escape(key))
    typed = [f'"(?:{"|".join(keys)})"\\s*:\\s*{wrong}' for wrong, keys in by_pattern.items() if wrong]
    return "|".join((*_ALWAYS, *typed))


@functools.cache
def needs_strictness() -> str:
    """A regular expression for lines that only a full parse can judge."""
    return "|".join(_ALWAYS)


@functools.cache
def generic_suspicion() -> str:
    """The same for types that are kept whole: only what is wrong in any JSON, and the id."""
    return "|".join((*_ALWAYS, r'"(?:id|versionId|lastUpdated|resourceType)"\s*:\s*[^"\s]'))


# How a value of each kind may begin; null may stand anywhere (and means that nothing is there).
_BEGINS = {"string": '"', "number": "0-9\\-", "integer": "0-9\\-", "boolean": "tf", "list": "\\[", "object": "{\\["}
_QUOTED_NUMBER = '"-?[0-9.eE+-]+"'


def _wrong_value(kinds: set[str]) -> str:
    """What must not follow a key that is read as these kinds, anywhere in the type; objects alone DuckDB checks
    itself.
    """
    if kinds == {"object"}:
        return ""
    wrong = ["[^n\\s" + "".join(sorted({_BEGINS[k] for k in kinds})) + "]"]
    if "string" in kinds and kinds & {"number", "integer"}:
        wrong.append(_QUOTED_NUMBER)  # text under a key that holds text here and numbers there
    if "integer" in kinds and "number" not in kinds:
        wrong.append("-?[0-9]+[.eE]")
    if "object" in kinds and "list" not in kinds:
        wrong.append("\\[\\s*[^{\\s\\]n]")  # a list under a key that holds text here and a list of objects there
    if "list" in kinds:
        wrong.append('\\[\\s*[^"\\s\\]n]')
    return wrong[0] if len(wrong) == 1 else f"(?:{'|'.join(wrong)})"
