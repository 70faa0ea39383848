"""Exports from a test server into a folder, on a clock on which waiting takes no time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sources.bulk_export import Export, ExportLimits, Fetched, export_request
from sources.bulk_export.landed import Landed
from sources.bulk_export.seals import Seals
from sources.http import Authorization, Caller, Reach, open_caller
from sources.pace import Deadline, Pace, PaceLimits
from tests.bulk.server import BulkServer, File
from tests.sources.pace.time_machine import TimeMachine

PATIENCE = 3600.0


def lines(kind: str, count: int, size: int = 0) -> bytes:
    """NDJSON of so many resources, each filled up with so many bytes."""
    fill = "x" * size
    rows = [{"resourceType": kind, "id": f"{kind.lower()}-{n}", "language": fill} for n in range(count)]
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def some_files() -> dict[str, File]:
    """Two types, the larger in two files; and one of errors that is asked for by tests which want it."""
    return {
        "p": File(lines("Patient", 3), "Patient", count=3),
        "o1": File(lines("Observation", 200, 100), "Observation", count=200),
        "o2": File(lines("Observation", 50), "Observation"),
    }


def fetch(
    server: BulkServer,
    folder: Path,
    machine: TimeMachine,
    *,
    auth: Callable[[Caller, Deadline], Authorization] | None = None,
    limits: PaceLimits | None = None,
    arrived: Callable[[Landed], None] = lambda _: None,
    allowed: tuple[str, ...] = (),
    path: str = "/fhir",
    seconds: float = PATIENCE,
    counts: bool = True,
    seals: Seals | None = None,
    **asked: Any,
) -> Fetched:
    """Fetch as the command does."""

    async def main() -> Fetched:
        url = server.url + path
        pace = Pace(limits or PaceLimits(rate=1e6), machine.clock)
        deadline = Deadline.after(seconds, machine.clock)
        async with open_caller(Reach(url, allowed), pace, silence=30.0) as caller:
            sure = caller.with_auth(auth(caller, deadline)) if auth else caller
            request = export_request(url, **asked)
            own = ExportLimits(counts=counts)
            return await Export(request, folder, sure, deadline, own, arrived=arrived, seals=seals).run()

    return asyncio.run(main())


def landed_bytes(folder: Path) -> dict[str, bytes]:
    """The files of the folder that are not hidden and are no bookkeeping."""
    return {
        path.name: path.read_bytes()
        for path in sorted(folder.iterdir())
        if not path.name.startswith(".") and path.name not in ("manifest.json", "SHA256SUMS", "SIGNATURES")
    }
