"""Crosswalks: seconds per million coded values, joined with Polars, against a dict and a loop of Python.

``python -m benchmarks.codes [--values N] [--entries N] [--rounds N]`` prints one table. One value in four has a second
coding, one in a hundred no target. What is timed is all that a load does for it: canonical systems, targets, counts.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import polars as pl

from schemas.crosswalk import ENTRY_SCHEMA, Crosswalk, CrosswalkMap
from schemas.elements import build, field
from transforms.codes.coder import Coder
from transforms.codes.targets import targets_of
from transforms.normalise import Meaning, normalise

_LAB, _LOINC, _ALIAS = "http://lab.example.org", "http://loinc.org", "urn:oid:2.16.840.1.113883.6.1"
_CHUNK = 50_000  # rows that a worker has at a time
_CODE = build("Observation", (field("code", prefer=(_LOINC,)),))


def crosswalk(entries: int) -> Crosswalk:
    """A map of so many codes, each with one target."""
    codes = pl.DataFrame({"n": range(entries)}).select(
        map=pl.lit(0, pl.UInt32),
        source_system=pl.lit(_LAB),
        source_code=pl.format("L{}", "n"),
        target_system=pl.lit(_LOINC),
        target_code=pl.format("{}-1", "n"),
        equivalence=pl.lit("equivalent"),
        conditional=pl.lit(False),
    )
    filled = codes.with_columns(pl.lit(None, kind).alias(c) for c, kind in ENTRY_SCHEMA.items() if c not in codes)
    return Crosswalk((CrosswalkMap("m", "00" * 32, None, None, 0, entries),), filled.select(list(ENTRY_SCHEMA)))


def values(rows: int, entries: int, system: str = _LAB) -> list[pl.DataFrame]:
    """Raw concepts as they are read, in chunks; their codes lie as if drawn by lot."""
    chunks = []
    for first in range(0, rows, _CHUNK):
        n = pl.int_range(first, min(first + _CHUNK, rows), eager=True).alias("n")
        code = (n * 7_919) % (entries + entries // 100)
        frame = pl.DataFrame({"n": n, "code": code}).select(
            "n", k=pl.struct(system=pl.lit(system), code=pl.format("L{}", "code"), display=pl.lit(None, pl.String))
        )
        item = pl.col("k").struct.with_fields(text=pl.lit(None, pl.String))
        other = item.struct.with_fields(system=pl.lit("http://other.example.org"))
        lists = pl.when(pl.col("n") % 4 == 0).then(pl.concat_list(item, other)).otherwise(pl.concat_list(item))
        chunks.append(frame.select(pl.col("k").alias("code~coding"), lists.alias("code_codings")))
    return chunks


def seconds(work: Callable[[], object], rounds: int) -> float:
    """The median of the rounds."""
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--values", type=int, default=5_000_000)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    whole = crosswalk(options.entries)
    chunks, renamed = values(options.values, options.entries), values(options.values, options.entries, _ALIAS)
    targets = targets_of(whole)

    def joined(chunks: list[pl.DataFrame], coder: Callable[[], Coder]) -> None:
        for chunk in chunks:
            made = coder()
            normalise(chunk, _CODE, Meaning(made))
            made.counts()

    known = {(s, c): t for s, c, t in whole.entries.select("source_system", "source_code", "target_code").rows()}

    def looped() -> None:
        for chunk in chunks:
            pairs = chunk["code~coding"].struct.unnest().select("system", "code").rows()
            pl.Series([known.get(pair) for pair in pairs])

    lines = {
        "no crosswalk, no alias": seconds(lambda: joined(chunks, Coder), options.rounds),
        "no crosswalk, every system an alias": seconds(lambda: joined(renamed, Coder), options.rounds),
        "crosswalk": seconds(lambda: joined(chunks, lambda: Coder(targets)), options.rounds),
        "dict and loop, first codings only": seconds(looped, options.rounds),
        "the crosswalk itself made ready": seconds(lambda: targets_of(whole), options.rounds),
    }
    print(f"{options.values:,} coded values, a crosswalk of {options.entries:,} entries, medians of {options.rounds}")
    for name, took in lines.items():
        each = "" if "itself" in name else f"  {took / options.values * 1e6:6.2f} s per million values"
        print(f"{name:<36} {took:7.2f} s{each}")


if __name__ == "__main__":
    main()
