"""Bring quantities to the unit of their code, a column at a time, against a loop over values with ucumvert and pint.

``python -m benchmarks.units [--values N] [--loop N]`` prints one table, each figure per million values. The quantities
are of the kinds that laboratories send: UCUM, other spellings, some by molar mass. The peer is only given UCUM it can
read, and keeps its parsed units; it neither reads other spellings nor knows analytes.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import tempfile
import time
from pathlib import Path

import polars as pl

from benchmarks.peers import peer_python
from transforms.units.harmonise import Harmoniser, harmonise

TARGET = 0.2  # seconds a million values: five million in under a second
SENT = [
    ("mg/dL", "2345-7", "mg/dL"), ("mmol/L", "2345-7", None), ("g/L", "718-7", "g/dL"), ("K/uL", "6690-2", None),
    ("10*3/uL", "777-3", "10*3/uL"), ("IU/L", "1920-8", None), ("umol/L", "14682-9", "umol/L"),
    ("mEq/L", "2951-2", None), ("[degF]", "8310-5", None), ("kPa", "8480-6", None), ("g/dL", "1751-7", "g/dL"),
    ("ug/L", "2276-4", "ng/mL"), ("[lb_av]", "29463-7", "kg"), ("mg/L", "1988-5", "mg/L"), ("N/A", "5778-6", None),
    ("/min", "8867-4", "/min"),
]  # fmt: skip
_PEER = """
import functools, json, sys, time
from ucumvert import PintUcumRegistry
registry = PintUcumRegistry()
unit = functools.cache(registry.from_ucum)
rows = json.load(open(sys.argv[1]))
for _, one, other in rows[:50]: unit(one), unit(other)
began = time.perf_counter()
for value, one, other in rows: (value * unit(one)).to(unit(other)).magnitude
print((time.perf_counter() - began) / len(rows))
"""


def quantities(number: int) -> tuple[pl.DataFrame, pl.Series]:
    """Random values with their units, and what they measure."""
    chosen = random.Random(1).choices(range(len(SENT)), k=number)
    units = pl.Series("value_unit", [unit for unit, _, _ in SENT]).gather(chosen)
    codes = pl.Series("loinc", [code for _, code, _ in SENT]).gather(chosen)
    return pl.DataFrame({"value_number": pl.int_range(number, eager=True).cast(pl.Float64), "value_unit": units}), codes


def peer(folder: Path, number: int) -> float | None:
    """Seconds a value of the loop; None where the peer cannot be had."""
    python = peer_python(folder / "peer", "ucumvert", "pint", probe="import ucumvert")
    if python is None:
        return None
    pairs = [(one, other) for one, _, other in SENT if other is not None]
    rows = [(float(i), *pairs[i % len(pairs)]) for i in range(number)]
    (folder / "rows.json").write_text(json.dumps(rows))
    done = subprocess.run([python, "-c", _PEER, f"{folder}/rows.json"], check=True, capture_output=True, text=True)
    return float(done.stdout)


def main() -> None:
    """Print seconds per million values."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--values", type=int, default=5_000_000)
    parser.add_argument("--loop", type=int, default=20_000)
    given = parser.parse_args()
    frame, codes = quantities(given.values)
    times = []
    for _ in range(3):
        began = time.perf_counter()
        made = harmonise(frame, "value", codes, Harmoniser(), observed=True)
        times.append(time.perf_counter() - began)
    share = 1 - made[0].null_count() / given.values
    mine = min(times) / given.values * 1e6
    print(f"units: {given.values:,} values in {min(times):.2f} s, {share:.0%} of them harmonised")
    print(f"{'':24}{'s per million':>14}{'ratio':>9}")
    print(f"{'clinmart, by column':24}{mine:14.3f}{1:9.1f}")
    with tempfile.TemporaryDirectory() as name:
        loop = peer(Path(name), given.loop)
    if loop is not None:
        print(f"{'ucumvert + pint, a loop':24}{loop * 1e6:14.3f}{loop * 1e6 / mine:9.1f}")
    print(f"target: at most {TARGET} s per million")


if __name__ == "__main__":
    main()
