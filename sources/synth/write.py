"""Writes a plan as the files of a Bulk Data ``$export``: NDJSON by type, a manifest, a list of faults."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from schemas.errors import UsageError
from sources.synth.clock import Zone, moment
from sources.synth.draws import FAULTS, stream
from sources.synth.faults import Planter
from sources.synth.ndjson import NdjsonFiles
from sources.synth.plan import TYPES, SynthPlan, SynthReport
from sources.synth.records import batches

Planted = tuple[str, int, str, str, str]  # file, line, resource type, fault, reason


def write_synth(plan: SynthPlan, folder: Path, *, progress: Callable[[int], None] | None = None) -> SynthReport:
    """Write the plan's records into ``folder`` and report what was written.

    ``Patient.000.ndjson`` and so on, one family of files for each type; ``manifest.json`` as a finished
    ``$export`` gives it (Bulk Data Access 2.0); with ``dirty`` also ``faults.csv``: file, line (from 1),
    resource_type, fault and the :class:`schemas.reasons.Reason` for which the line must be refused.
    ``progress`` is called after each patient with the bytes made since the last call. Only one patient is
    held in memory.

    Raises :class:`schemas.errors.UsageError` when ``folder`` holds anything already.
    """
    empty_folder(folder)
    export = _Export(plan, folder)
    patients = versions = told = 0
    try:
        for batch in batches(plan, export.enough):
            for kind, lines in batch.lines.items():
                export.write(kind, lines)
            versions += batch.versions
            patients = patients if batch.index is None else batch.index + 1
            if progress is not None:
                progress(export.bytes - told)
                told = export.bytes
    finally:
        export.close()
    return export.report(patients, versions)


def empty_folder(folder: Path) -> None:
    """Make the folder; refuse one that holds anything: old files would be taken for part of the export."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not an empty folder: name another, or empty it first")
    folder.mkdir(parents=True, exist_ok=True)


class _Export:
    """The files of one export while they are written."""

    def __init__(self, plan: SynthPlan, folder: Path) -> None:
        self.bytes = 0
        self._plan = plan
        self._folder = folder
        self._files = {kind: NdjsonFiles(folder, kind, plan.compress, plan.file_bytes) for kind in plan.wanted()}
        self._planter = Planter()
        self._planted: list[Planted] = []
        self._chances = {kind: stream(plan.seed, FAULTS, TYPES.index(kind)).random for kind in plan.wanted()}

    def enough(self, patients: int) -> bool:
        """True when no further patient is to be made: for a size, when half of one more would be too much."""
        if self._plan.size is None:
            return patients >= self._plan.patients
        return patients > 0 and self.bytes + self.bytes // patients // 2 >= self._plan.size

    def write(self, kind: str, lines: list[str]) -> None:
        """Append the lines of a type, some of them spoiled."""
        files = self._files[kind]
        if not self._plan.dirty:
            self.bytes += files.append(lines)
            return
        chance = self._chances[kind]
        for text in lines:
            line, fault = text.encode(), None
            if chance() < self._plan.dirty:
                fault, line = self._planter.spoil(line)
            path, number = files.append_line(line)
            self.bytes += len(line) + 1
            if fault is not None:
                self._planted.append((path.name, number, kind, fault.name, fault.reason.value))

    def close(self) -> None:
        """Finish all files."""
        for files in self._files.values():
            files.close()

    def report(self, patients: int, versions: int) -> SynthReport:
        """Write the manifest and the list of faults, and tell what was made."""
        time = moment(self._plan.now(), Zone.UTC)
        counts = {path: count for files in self._files.values() for path, count in files.lines.items()}
        written = [*counts, self._manifest(counts, time)]
        if self._plan.dirty:
            written.append(self._faults())
        return SynthReport(
            patients=patients,
            lines={kind: sum(files.lines.values()) for kind, files in self._files.items() if files.lines},
            bytes=self.bytes,
            files=tuple(written),
            transaction_time=time,
            versions=versions,
            faults=dict(Counter(planted[3] for planted in self._planted)),
        )

    def _manifest(self, counts: dict[Path, int], time: str) -> Path:
        output = [{"type": path.name.split(".")[0], "url": path.name, "count": count} for path, count in counts.items()]
        manifest = {
            "transactionTime": time,
            "request": "https://fhir.example.org/$export",
            "requiresAccessToken": False,
            "output": output,
            "deleted": [],
            "error": [],
        }
        path = self._folder / "manifest.json"
        path.write_bytes((json.dumps(manifest, indent=1) + "\n").encode())
        return path

    def _faults(self) -> Path:
        path = self._folder / "faults.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(("file", "line", "resource_type", "fault", "reason"))
            table.writerows(self._planted)
        return path
