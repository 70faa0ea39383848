"""Escape sequences of HL7 v2."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.decode.hl7v2.escapes import unescaped
from transforms.decode.hl7v2.separators import Separators


def read(*texts: str | None, sep: Separators | None = None) -> list[str | None]:
    frame = pl.DataFrame({"t": texts}, schema={"t": pl.String})
    return frame.select(unescaped(pl.col("t"), sep or Separators())).to_series().to_list()


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        (r"a\F\b\S\c\T\d\R\e\E\f", "a|b^c&d~e\\f"),
        (r"one\.br\two\.sp\three\.sp2\four", "one\ntwo\nthree\n\nfour"),
        (r"\.sk3\x\.ce\y\.in+2\z\.ti-1\\.fi\\.nf\.", "   x\nyz."),
        (r"\H\bold\N\ plain", "bold plain"),
        (r"\X0D0A\\XC3BC\\XFC\ ", "\r\n\u00fc\u00fc "),
        (r"\X0\ \XGG\ \X\ ", r"\X0\ \XGG\ \X\ "),
        (r"\Zab\ \C2842\ \M24\ \unknown\ ", r"\Zab\ \C2842\ \M24\ \unknown\ "),
        (r"C:\temp\file\F\x", r"C:\temp\file|x"),
        ("no end \\F", "no end \\F"),
        (r"\P\ ", r"\P\ "),  # no truncation character is named
        ("plain", "plain"),
    ],
)
def test_sequences(sent: str, meant: str) -> None:
    """Each as the standard means it; what is none stays as sent."""
    assert read(sent) == [meant]


def test_bounded() -> None:
    """A sequence cannot ask for a page of blanks."""
    (made,) = read(r"\.sp99999999\\.sk99999999999999999\x")
    assert made is not None
    assert len(made) < 1000


def test_other_delimiters() -> None:
    """The delimiters are those of the message; without an escape character there are no sequences."""
    sep = Separators("#", "!", "*", "@", "%")
    assert read("a@F@b@E@ \\F\\", None, sep=sep) == ["a#b@ \\F\\", None]
    assert read(r"a\F\b", sep=Separators(escape="")) == [r"a\F\b"]


@given(st.text(alphabet="ab|^&~", max_size=20))
def test_what_is_escaped_comes_back(text: str) -> None:
    """Any text with its delimiters escaped reads as itself."""
    codes = {"|": r"\F\ ", "^": r"\S\ ", "&": r"\T\ ", "~": r"\R\ "}
    assert read("".join(codes.get(c, c).rstrip() for c in text)) == [text]
