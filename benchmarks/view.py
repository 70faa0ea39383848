"""Run a view over observations, against the same columns in hand-written DuckDB SQL, and against pysof.

``python -m benchmarks.view [--observations N] [--rounds N]`` prints one table. All read the same file and write the
same CSV in the same run; only the ratios mean anything on another machine. DuckDB by hand checks no line and keeps no
digits. pysof gets an environment of its own; where it cannot be installed or loaded, a line says so.
"""

from __future__ import annotations

import argparse
import ctypes.util
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.peers import peer_python
from sources.synth import SynthPlan, write_synth

TARGET = 1.3  # clinmart to DuckDB by hand
VIEW = {
    "resourceType": "ViewDefinition",
    "name": "results",
    "status": "active",
    "resource": "Observation",
    "select": [
        {
            "column": [
                {"name": "patient_id", "path": "subject.getReferenceKey(Patient)", "type": "id"},
                {"name": "code", "path": "code.coding.where(system = 'http://loinc.org').code.first()", "type": "code"},
                {"name": "effective", "path": "effective.ofType(dateTime)", "type": "dateTime"},
                {"name": "value", "path": "value.ofType(Quantity).value", "type": "decimal"},
                {"name": "unit", "path": "value.ofType(Quantity).code", "type": "code"},
            ]
        }
    ],
}
_BY_HAND = """
import sys, duckdb
duckdb.execute('''COPY (
    SELECT regexp_extract(subject.reference, '^(?:Patient/|urn:uuid:)(.+)$', 1) AS patient_id,
           list_filter(code.coding, lambda c: c.system = 'http://loinc.org')[1].code AS code,
           effectiveDateTime AS effective, valueQuantity.value AS value, valueQuantity.code AS unit
    FROM read_ndjson($file, columns = {
        subject: 'STRUCT(reference VARCHAR)', code: 'STRUCT(coding STRUCT(system VARCHAR, code VARCHAR)[])',
        effectiveDateTime: 'VARCHAR', valueQuantity: 'STRUCT(value DOUBLE, code VARCHAR)'})
) TO $out (FORMAT csv)'''.replace('$file', repr(sys.argv[1])).replace('$out', repr(sys.argv[2])))
"""
_PYSOF = """
import sys, pysof
pysof.process_ndjson_to_file(open(sys.argv[3]).read(), sys.argv[1], sys.argv[2], "csv")
"""


def timed(command: list[str]) -> tuple[float, float]:
    """Seconds as the user waits for them, and of the processors."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def pysof_python(folder: Path) -> str | None:
    """The Python of an environment with pysof that works; None, and a loud line, where there is none."""
    return peer_python(folder, "pysof", probe="from pysof import _pysof", mend=lambda said: _link_openssl(folder, said))


def _link_openssl(folder: Path, said: str) -> None:
    """Put the system's OpenSSL in the place of the wheel's, which wants a newer glibc than some systems have."""
    if "GLIBC" not in said:
        return
    for bundled in folder.glob("lib/python3*/site-packages/pysof.libs/lib*.so.3"):
        name = bundled.name.partition("-")[0]
        system = ctypes.util.find_library(name.removeprefix("lib"))
        if name in ("libcrypto", "libssl") and system is not None:
            places = (Path(base) / system for base in ("/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib", "/lib"))
            bundled.unlink()
            bundled.symlink_to(next(place for place in places if place.exists()))


def observations(folder: Path, wanted: int) -> Path:
    """A file with about so many synthetic observations."""
    made = folder / "synth"
    write_synth(SynthPlan(patients=max(1, wanted // 160), seed=1), made)
    file = folder / "Observation.ndjson"
    with file.open("wb") as out:
        for part in sorted(made.glob("Observation.*")):
            with part.open("rb") as piece:
                shutil.copyfileobj(piece, out)
    return file


def main() -> None:
    """Print seconds, processor seconds and ratios, medians of the rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--observations", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--file", type=Path, help="read this file of observations instead")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = given.file or observations(folder, given.observations)
        view = folder / "view.json"
        view.write_text(json.dumps(VIEW))
        clinmart = str(Path(sys.executable).with_name("clinmart"))
        runs = {
            "duckdb by hand": [sys.executable, "-c", _BY_HAND, str(file), str(folder / "hand.csv")],
            "clinmart": [clinmart, "view", "run", str(view), str(file), "--format", "csv", "--out", f"{folder}/c.csv"],
        }
        if (python := pysof_python(folder / "pysof")) is not None:
            runs["pysof"] = [python, "-c", _PYSOF, str(file), str(folder / "pysof.csv"), str(view)]
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
        for _ in range(given.rounds):
            for runner, command in runs.items():
                times[runner].append(timed(command))
        with (folder / "c.csv").open("rb") as rows:
            number = sum(1 for _ in rows) - 1
        print(f"{number:,} rows of {file.stat().st_size / 1e6:,.0f} MB, {os.cpu_count()} processors")
        base = [statistics.median(column) for column in zip(*times["duckdb by hand"], strict=True)]
        print(f"{'':16}{'seconds':>9}{'ratio':>7}{'cpu':>9}{'ratio':>7}")
        for runner, taken in times.items():
            wall, cpu = (statistics.median(column) for column in zip(*taken, strict=True))
            print(f"{runner:16}{wall:9.2f}{wall / base[0]:7.2f}{cpu:9.2f}{cpu / base[1]:7.2f}")
        print(f"target: clinmart at most {TARGET} times DuckDB by hand")


if __name__ == "__main__":
    main()
