"""HL7 v2 from file to mart: ORU messages of 10 OBX, against python-hl7's bare parse of the same messages.

``python -m benchmarks.hl7v2 [--messages N]`` loads a file of N messages and one of a quarter of it, each in a process
of its own, to show that memory does not grow with the input; it checks the rows before it prints.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import duckdb
import hl7

_PARSED = 300  # messages that python-hl7 parses; its time grows with their number
_PART = 4  # the smaller file is this part of the larger


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load took: seconds as the user waits, seconds of processor time, peak memory in MB."""

    seconds: float
    cpu: float
    memory: float


def message(number: int) -> str:
    """A result message of 10 OBX; every one of another order, ten of one patient and visit."""
    patient, at = number // 10, f"202403{number % 28 + 1:02d}{number % 24:02d}{number % 60:02d}00"
    lines = [
        f"MSH|^~\\&|LAB|HOSP|CLIN|HOSP|{at}||ORU^R01^ORU_R01|c{number}|P|2.5.1",
        f"PID|1||p{patient}^^^HOSP^MR||Doe{patient % 97}^Jane||19{patient % 90 + 10}0102|F",
        f"PV1|1|I|W^1^2||||||||||||||||v{patient}^^^HOSP",
        f"ORC|RE|pl{number}^LAB|fi{number}^LAB",
        f"OBR|1|pl{number}^LAB|fi{number}^LAB|24323-8^Panel^LN|||{at}|||||||||||||||{at}||LAB|F",
    ]
    for item in range(10):
        value = f"{_value(number, item):.1f}"
        code = f"{2300 + item}-{item}^Analyte {item}^LN"
        lines.append(f"OBX|{item + 1}|NM|{code}||{value}|mmol/L^^UCUM|1.0-40.0|N|||F|||{at}")
    return "\r".join(lines) + "\r"


def _value(number: int, item: int) -> float:
    return (number * 7 + item * 13) % 400 / 10


def write(file: Path, count: int) -> None:
    """A file of so many messages."""
    with file.open("w", encoding="ascii", newline="") as out:
        for number in range(count):
            out.write(message(number))


def load(file: Path, mart: Path, count: int) -> Loaded:
    """Load a file as a user does; AssertionError where the mart has other rows than the messages."""
    options = ["--mart", str(mart), "--source", "lab", "--zone", "Europe/Berlin", "--json"]
    command = [str(Path(sys.executable).with_name("clinmart")), "load", str(file), *options]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    report = json.loads(process.stdout.read())
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    assert (status, report["status"], report["inputs"]["ORU_R01"]["applied"]) == (0, "ok", count), report
    with duckdb.connect(str(mart), read_only=True) as connection:
        rows = connection.execute("SELECT count(*), count(value_number), sum(value_number) FROM observation").fetchone()
        people = connection.execute("SELECT count(*) FROM patient").fetchone()
    want = sum(_value(n, i) for n in range(count) for i in range(10))
    assert rows is not None and rows[:2] == (10 * count, 10 * count), rows
    assert abs(rows[2] - want) < 1e-3 * count, (rows[2], want)
    assert people == (-(-count // 10),), people
    return Loaded(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def bare_parse(count: int) -> float:
    """Messages that python-hl7 parses in a second."""
    texts = [message(number) for number in range(min(_PARSED, count))]
    began = time.perf_counter()
    for text in texts:
        hl7.parse(text)
    return len(texts) / (time.perf_counter() - began)


def main() -> None:
    """Load, check, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=200_000)
    count = parser.parse_args().messages
    with tempfile.TemporaryDirectory(prefix="clinmart-bench-") as scratch:
        folder = Path(scratch)
        theirs = [bare_parse(count)]
        print("ORU messages of 10 OBX, from file to mart")
        for part in (count // _PART, count):
            file = folder / f"oru-{part}.hl7"
            write(file, part)
            took = load(file, folder / f"{part}.duckdb", part)
            theirs.append(bare_parse(count))  # before and after, for what else the machine does
            rate, ratio = part / took.seconds, part / took.seconds / (sum(theirs[-2:]) / 2)
            size, spent = file.stat().st_size / 1e6, took.cpu / part * 1e6
            print(
                f"{part:>9,} messages {size:6,.0f} MB {took.seconds:7.1f} s {rate:8,.0f} messages/s, "
                f"{ratio:.1f} times hl7.parse; {spent:.0f} µs of processor a message, peak {took.memory:,.0f} MB"
            )
        print(f"hl7.parse only {'':31}{sum(theirs) / len(theirs):8,.0f} messages/s")


if __name__ == "__main__":
    main()
