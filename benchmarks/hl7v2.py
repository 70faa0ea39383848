"""HL7 v2 from file to mart: ORU messages of 10 OBX, against python-hl7's bare parse of the same messages.

``python -m benchmarks.hl7v2 [--messages N]``; checks the rows it loaded before it prints.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import duckdb
import hl7

from flows.runner import run_load
from flows.settings import LoadSettings
from sources.files import FileSource

_PARSED = 300  # messages that python-hl7 parses; its time grows with their number


def message(number: int) -> str:
    """A result message of 10 OBX; every one of another order, ten of one patient."""
    patient, at = number // 10, f"202403{number % 28 + 1:02d}{number % 24:02d}{number % 60:02d}00"
    lines = [
        f"MSH|^~\\&|LAB|HOSP|CLIN|HOSP|{at}||ORU^R01^ORU_R01|c{number}|P|2.5.1",
        f"PID|1||p{patient}^^^HOSP^MR||Doe{patient % 97}^Jane||19{patient % 90 + 10}0102|F",
        f"PV1|1|I|W^1^2|||||||||||||||||v{patient}^^^HOSP",
        f"ORC|RE|pl{number}^LAB|fi{number}^LAB",
        f"OBR|1|pl{number}^LAB|fi{number}^LAB|24323-8^Panel^LN|||{at}|||||||||||||||{at}||LAB|F",
    ]
    for item in range(10):
        value = f"{(number * 7 + item * 13) % 400 / 10:.1f}"
        code = f"{2300 + item}-{item}^Analyte {item}^LN"
        lines.append(f"OBX|{item + 1}|NM|{code}||{value}|mmol/L^^UCUM|1.0-40.0|N|||F|||{at}")
    return "\r".join(lines) + "\r"


def main() -> None:
    """Load, check, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    count = parser.parse_args().messages
    with tempfile.TemporaryDirectory() as folder:
        file, mart = Path(folder) / "oru.hl7", Path(folder) / "m.duckdb"
        with file.open("w", encoding="ascii", newline="") as out:
            for number in range(count):
                out.write(message(number))
        began = time.perf_counter()
        report = run_load(FileSource([file]), LoadSettings(mart, "lab", zone="Europe/Berlin"))
        took = time.perf_counter() - began
        with duckdb.connect(str(mart), read_only=True) as connection:
            rows = connection.execute(
                "SELECT count(*), count(value_number), sum(value_number) FROM observation"
            ).fetchone()
        want = sum((n * 7 + i * 13) % 400 / 10 for n in range(count) for i in range(10))
        assert rows is not None
        assert rows[:2] == (10 * count, 10 * count), (rows, report.as_dict())
        assert abs(rows[2] - want) < 1e-3 * max(count, 1), (rows[2], want)
        texts = [message(number) for number in range(min(_PARSED, count))]
        began = time.perf_counter()
        for text in texts:
            hl7.parse(text)
        theirs = len(texts) / (time.perf_counter() - began)
        megabytes = file.stat().st_size / 1e6
        print(f"{count:,} ORU messages of 10 OBX, {megabytes:,.0f} MB")
        print(f"file to mart   {took:8.1f} s   {count / took:10,.0f} messages/s   {megabytes / took:6.1f} MB/s")
        print(
            f"hl7.parse only            {theirs:10,.0f} messages/s   clinmart {count / took / theirs:.1f} times as fast"
        )


if __name__ == "__main__":
    main()
