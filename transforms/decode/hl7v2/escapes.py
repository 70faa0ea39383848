"""Escape sequences in text (HL7 v2.9 2.7)."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

import polars as pl

from transforms.decode.hl7v2.separators import Separators

_LONGEST = 200  # blank lines or blanks that one sequence can ask for
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_COUNTED = re.compile(r"\.(sp|sk)\s*\+?([0-9]*)")
# Highlighting, indents and wrapping: they are of a printed page, and no part of the text.
_LAYOUT = re.compile(r"[HN]|\.(?:in|ti)\s*[+-]?[0-9]*|\.(?:fi|nf)")


def unescaped(value: pl.Expr, sep: Separators) -> pl.Expr:
    """The text with its escape sequences resolved; as it is where ``sep.escape`` is empty.

    Delimiters, `.br`, `.sp` and `.ce` (line feeds), `.sk` (blanks) and `Xhh..` (bytes, of UTF-8 or else ISO 8859-1) are
    resolved, highlighting and indents are left out. All others stay as sent: switches to a character set that is not
    known (:mod:`transforms.decode.hl7v2.switches` takes out the others), local ones (`Z`), and what is none.
    """
    if not sep.escape:
        return value
    return value.map_batches(lambda texts: _resolved(texts, sep), return_dtype=pl.String, is_elementwise=True)


def _resolved(texts: pl.Series, sep: Separators) -> pl.Series:
    has = texts.str.contains(sep.escape, literal=True).fill_null(False)
    if not has.any():
        return texts
    resolve = _resolver(sep)
    return texts.scatter(has.arg_true(), [resolve(text) for text in texts.filter(has)])


@functools.cache
def _resolver(sep: Separators) -> Callable[[str], str]:
    """What resolves one text; a sequence stands between two escape characters on one line."""
    mark = re.escape(sep.escape)
    sequence = re.compile(f"{mark}([^{mark}\r\n]*){mark}")
    known = {"F": sep.field, "S": sep.component, "T": sep.subcomponent, "R": sep.repetition, "E": sep.escape}
    known |= {"P": sep.truncation, ".br": "\n", ".ce": "\n"}

    def meant(found: re.Match[str]) -> str:
        code = found[1]
        if code in known:
            return known[code] or found[0]
        if code[:1] == "X" and _HEX.fullmatch(code, 1):
            return _text(bytes.fromhex(code[1:]))
        if counted := _COUNTED.fullmatch(code):
            times = min(int(counted[2] or "1"), _LONGEST) if len(counted[2]) < 10 else _LONGEST
            return ("\n" if counted[1] == "sp" else " ") * times
        return "" if _LAYOUT.fullmatch(code) else found[0]

    def resolve(text: str) -> str:
        made, at = [], 0
        while found := sequence.search(text, at):
            new = meant(found)
            if new == found[0]:  # none: its last mark may begin the next
                made.append(text[at : found.end() - 1])
                at = found.end() - 1
            else:
                made.append(text[at : found.start()] + new)
                at = found.end()
        return "".join(made) + text[at:]

    return resolve


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")
