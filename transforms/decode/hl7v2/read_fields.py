"""Which segments and fields the maps read. What they do not read is kept as it was sent, for nothing is dropped."""

from __future__ import annotations

import polars as pl

from transforms.decode.hl7v2.separators import MSH

# By segment, the fields that some map reads, and those that only number segments (set ids). Of MSH none counts as left:
# it tells of the message, not of what the message is about.
READ_FIELDS: dict[str, frozenset[int]] = {
    MSH: frozenset(),
    "EVN": frozenset({1, 2}),
    "PID": frozenset({*range(1, 21), 22, 23, 24, 25, 29, 30, 40}),
    "PD1": frozenset({3, 4}),
    "NK1": frozenset({*range(1, 10), 12, 15, 16, 20, 30, 31, 32, 33, 37, 40, 41}),
    "MRG": frozenset({1, 4, 7}),
    "PV1": frozenset({*range(1, 12), *range(13, 18), 19, *range(36, 40), 42, 44, 45, 50, 52}),
    "PV2": frozenset({3, 11, 12, 13, 25}),
    "DG1": frozenset({1, 3, 4, 5, 6, 15, 16, 19, 20, 21}),
    "PRB": frozenset({1, 3, 4, 7, 9, 16}),
    "AL1": frozenset(range(1, 7)),
    "IAM": frozenset({*range(1, 8), 11, 12, 13}),
    "PR1": frozenset({1, 3, 4, 5, 6, 8, 11, 12, 15, 19, 20, 23, 25}),
    "IN1": frozenset({1, 2, 3, 4, 8, 9, 12, 13, 15, 17, 36, 49}),
    "ORC": frozenset({1, 2, 3, 4, 5, 7, 9, 12}),
    "OBR": frozenset({*range(1, 6), *range(7, 12), 14, 15, 16, 22, 24, 25, 27, 31, 32, 46, 47, 53}),
    "OBX": frozenset({*range(1, 9), 11, 14, *range(16, 22), 23, 25, 29}),
    "NTE": frozenset({1, 3, 5, 6}),
    "SPM": frozenset({1, 2, 4, 7, 8, 12, 14, 17, 18, 20, 24, 27, 30, 31}),
    "TQ1": frozenset({1, 7, 8, 9}),
    "TXA": frozenset({1, 2, 4, 6, 7, 9, 10, 12, 13, 17, 19, 25}),
    "RXA": frozenset({1, *range(2, 8), 10, *range(15, 23), 27}),
    "RXR": frozenset({1, 2, 4}),
    "RXO": frozenset({1, 2, 3, 4, 7, 9, 11, 12, 13, 14}),
    "RXE": frozenset({2, 3, 4, 5, 7, 9, 10, 11, 12}),
    "SCH": frozenset({1, 2, 7, 8, 9, 10, 11, 25}),
    "AIS": frozenset({1, 3, 4}),
    "AIP": frozenset({1, 3, 6, 12}),
    "AIL": frozenset({1, 3, 6, 12}),
}


def unread_fields(name: str, frame: pl.DataFrame) -> list[str]:
    """Columns ``f1``... of the segments of one name that have something in them and that no map reads."""
    read = READ_FIELDS[name]
    if name == MSH:
        return []
    return [
        column
        for column in frame.columns
        if column[:1] == "f" and column[1:].isdigit() and int(column[1:]) not in read
        if frame[column].null_count() < frame.height
    ]


def numbers(columns: list[str]) -> pl.Expr:
    """List(Int32): which of these columns a segment has something in, by their numbers; null where in none."""
    told = [pl.when(pl.col(column).is_not_null()).then(pl.lit(int(column[1:]), dtype=pl.Int32)) for column in columns]
    listed = pl.concat_list(told).list.drop_nulls()
    return pl.when(listed.list.len() > 0).then(listed)
