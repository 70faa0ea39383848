"""FHIR `time` (FHIR R4 2.24.0.1): a time of day, which has no date, no offset and no instant."""

from __future__ import annotations

import polars as pl

from schemas.notes import Note
from transforms.times.flags import flagged, no_flags
from transforms.times.texts import CLOCK, by_length, nanoseconds, where
from transforms.times.wall import SECONDS, matches

_FORM = rf"^{CLOCK}:{SECONDS}(?:\.[0-9]+)?$"
_LENGTH = 8  # HH:MM:SS


def fhir_clocks(text: pl.Series) -> pl.DataFrame:
    """The times of day of a String column of FHIR ``time``, in its order and of its height.

    Columns: ``precision`` String (second, fraction), ``invalid`` Boolean (never null), ``fraction_digits`` Int8,
    ``flags`` UInt8 (never null: a leap second). 24:00:00 is none: midnight is 00:00:00.
    """
    fits, leap = matches(text, _FORM)
    good = where(fits.fill_null(False), text)
    lengths = good.str.len_bytes()
    _, digits = nanoseconds(good.str.slice(_LENGTH + 1))
    return pl.DataFrame(
        {
            "precision": by_length(lengths, {_LENGTH: "second"}, "fraction"),
            "invalid": (~fits).fill_null(False),
            "fraction_digits": digits,
            "flags": no_flags(len(text)) if leap is None else flagged(leap, Note.LEAP_SECOND),
        }
    )
