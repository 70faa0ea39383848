"""Load an ``$export`` over loopback, against loading the same files from disk.

``python -m benchmarks.bulk_export [--observations N] [--rounds N]`` prints one table: wall time and CPU seconds of
each, in turns, and the share of the disk's speed that the export reaches. The server is a process of its own that sends
files from disk with the kernel's ``sendfile``, so that it takes as little as it can of what both share.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from sources.synth import SynthPlan, write_synth


class _Files(BaseHTTPRequestHandler):
    """The least of a Bulk Data server: one job, which is always done."""

    protocol_version = "HTTP/1.1"
    folder: Path

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

    def do_DELETE(self) -> None:
        self._head(202, 0)

    def do_GET(self) -> None:
        here = f"http://127.0.0.1:{self.server.server_address[1]}"  # type: ignore[index] # IPv4
        if "$export" in self.path:
            self._head(202, 0, {"Content-Location": f"{here}/job"})
        elif self.path == "/job":
            names = sorted(path.name for path in self.folder.glob("*.ndjson"))
            output = [{"type": name.split(".")[0], "url": f"{here}/{name}"} for name in names]
            body = json.dumps(
                {"transactionTime": "2026-01-31T00:00:00Z", "requiresAccessToken": False, "output": output}
            )
            self._head(200, len(body))
            self.wfile.write(body.encode())
        else:
            path = self.folder / self.path.rsplit("/", 1)[-1]
            self._head(200, path.stat().st_size)
            with path.open("rb") as file:
                self.wfile.flush()
                self.connection.sendfile(file)

    def _head(self, status: int, length: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(length), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()


def serve(folder: Path) -> None:
    """Serve until the process ends; print the port first."""
    _Files.folder = folder
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Files)
    print(server.server_address[1], flush=True)
    server.serve_forever()


def load(what: str, mart: Path, *more: str) -> tuple[float, float, int]:
    """Wall seconds, CPU seconds and peak MB of one load in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "flows.cli.main",
        "load",
        what,
        "--mart",
        str(mart),
        "--source",
        "s",
        "--json",
        *more,
    ]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, process.returncode
    return time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss // 1024


def main() -> None:
    """Make the files, serve them, and load them in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--observations", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve is not None:
        serve(given.serve)
        return
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        write_synth(SynthPlan(patients=500, seed=3, observations=given.observations), folder / "in")
        size = sum(path.stat().st_size for path in (folder / "in").glob("*.ndjson"))
        command = [sys.executable, "-m", "benchmarks.bulk_export", "--serve", str(folder / "in")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                url = f"http://127.0.0.1:{int(server.stdout.readline())}/fhir"
                seen: dict[str, list[tuple[float, float, int]]] = {"disk": [], "export": []}
                for number in range(given.rounds):
                    for name, what in (("disk", str(folder / "in")), ("export", url)):
                        seen[name].append(load(what, folder / f"{name}{number}"))
            finally:
                server.kill()
    print(f"{size / 1e6:,.0f} MB")
    print("| from | wall s | CPU s | peak MB |\n|---|---:|---:|---:|")
    for name, runs in seen.items():
        print(
            "| "
            + " | ".join([name, *(f"{statistics.median(column):.1f}" for column in zip(*runs, strict=True))])
            + " |"
        )
    for word, column in (("wall", 0), ("CPU", 1)):
        share = [disk[column] / export[column] for disk, export in zip(seen["disk"], seen["export"], strict=True)]
        print(
            f"{word}: an export reaches {statistics.median(share):.0%} of the disk ({min(share):.0%}-{max(share):.0%})"
        )


if __name__ == "__main__":
    main()
