"""Keep the digits of decimals as sent: JSON readers turn `1.10` into 1.1, and FHIR R4 2.24.0.1 says that they differ.

Where a number's digits are not the canonical ones of its double, a sibling is written beside it: ``"value":1.10``
becomes
``"value":1.10,"#value":"1.10"``. A decimal without that sibling is canonical, so its digits follow from its value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import polars as pl

# A number whose text may differ from what its double prints: a trailing zero, an exponent, more digits than a double
# is sure of, leading zeros after the point (printed with an exponent), or a negative zero.
_NOT_CANONICAL = r"-?[0-9]+\.[0-9]*0|-?[0-9.]+[eE][-+0-9.eE]*|-?[0-9.]{16,}|-?0\.000[0-9]*|-0"
_BEHIND = r"[,}\]\s]"


def keep_digits(text: pl.Series, names: Iterable[str]) -> tuple[pl.Series, pl.Series]:
    """The texts of lines in which siblings are added for decimals called one of ``names``, and their indexes (UInt32)
    in ``text``, rising.
    """
    keys = "|".join(re.escape(n) for n in sorted(names))
    if not keys:
        return text.clear(), pl.Series([], dtype=pl.UInt32)
    affected = text.str.contains(f'"(?:{keys})"\\s*:\\s*(?:{_NOT_CANONICAL}){_BEHIND}').arg_true()
    replaced = text.gather(affected).str.replace_all(
        f'"({keys})"(\\s*:\\s*)({_NOT_CANONICAL})({_BEHIND})', '"${1}"${2}${3},"#${1}":"${3}"${4}'
    )
    return replaced, affected
