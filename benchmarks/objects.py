"""Load objects of an S3 store over loopback, against loading the same files from disk.

``python -m benchmarks.objects [--observations N] [--files N] [--rounds N] [--latency MS]`` prints one table: wall time,
CPU seconds and peak memory of each, in turns, and the share of the disk's speed that the store reaches; then the load
of what is known already. The server is a process of its own that sends ranges with the kernel's ``sendfile``, so that
it takes as little as it can of what both share; ``--latency`` makes it wait before each answer, as one far away.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from benchmarks.bulk_export import load
from sources.synth import SynthPlan, write_synth

_DATE = "Wed, 21 Oct 2026 07:28:00 GMT"


class _Bucket(BaseHTTPRequestHandler):
    """The least of S3: one bucket that lists a folder and sends its files in ranges."""

    protocol_version = "HTTP/1.1"
    folder: Path
    latency = 0.0

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

    def do_HEAD(self) -> None:
        self._head(404, {"Content-Length": "0"})

    def do_GET(self) -> None:
        time.sleep(self.latency)
        address = urlsplit(self.path)
        if "list-type=2" in address.query:
            self._list()
            return
        path = self.folder / unquote(address.path).rsplit("/", 1)[-1]
        size = path.stat().st_size
        begin, _, last = self.headers.get("Range", f"bytes=0-{size - 1}").removeprefix("bytes=").partition("-")
        start, count = int(begin), int(last) - int(begin) + 1
        self._head(
            206,
            {
                "Content-Length": str(count),
                "Content-Range": f"bytes {begin}-{last}/{size}",
                "ETag": _etag(path),
                "Last-Modified": _DATE,
            },
        )
        self.wfile.flush()
        with path.open("rb") as file:
            self.connection.sendfile(file, start, count)

    def _list(self) -> None:
        contents = "".join(
            f"<Contents><Key>in/{path.name}</Key><LastModified>2026-10-21T07:28:00.000Z</LastModified>"
            f"<ETag>{_etag(path)}</ETag><Size>{path.stat().st_size}</Size></Contents>"
            for path in sorted(self.folder.iterdir())
        )
        body = f"<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>".encode()
        self._head(200, {"Content-Length": str(len(body)), "Content-Type": "application/xml"})
        self.wfile.write(body)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def _etag(path: Path) -> str:
    return f'"{hashlib.sha256(path.name.encode()).hexdigest()[:32]}"'


def serve(folder: Path, latency: float) -> None:
    """Serve until the process ends; print the port first."""
    _Bucket.folder, _Bucket.latency = folder, latency
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Bucket)
    print(server.server_address[1], flush=True)
    server.serve_forever()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--observations", type=int, default=100_000)
    parser.add_argument("--files", type=int, default=1, help="how many files they are in")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency", type=float, default=0.0, help="milliseconds")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve is not None:
        serve(given.serve, given.latency / 1000)
        return
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "in"
        write_synth(SynthPlan(patients=50, seed=5, types={"Observation"}, observations=given.observations), folder)
        _split(folder, given.files)
        command = [sys.executable, "-m", "benchmarks.objects", "--latency", str(given.latency), "--serve", str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            os.environ |= {
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.stdout.readline().strip()}",
                "AWS_ALLOW_HTTP": "true",
                "AWS_ACCESS_KEY_ID": "none",
                "AWS_SECRET_ACCESS_KEY": "none",
            }
            try:
                _measure(folder, Path(made), given.rounds)
            finally:
                server.terminate()


def _measure(folder: Path, work: Path, rounds: int) -> None:
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    print(f"{size:,.0f} MB in {len(list(folder.iterdir()))} files\n", flush=True)
    print("| from | wall s | CPU s | peak MB | MB/s |\n|---|---:|---:|---:|---:|", flush=True)
    wall: dict[str, list[float]] = {"disk": [], "s3": []}
    for number in range(rounds):
        for name, what in (("disk", str(folder)), ("s3", "s3://bucket/in")):
            seconds, processor, peak = load(what, work / f"{name}-{number}.duckdb")
            wall[name].append(seconds)
            print(f"| {name} | {seconds:.2f} | {processor:.2f} | {peak} | {size / seconds:.0f} |", flush=True)
    seconds, processor, peak = load("s3://bucket/in", work / f"s3-{rounds - 1}.duckdb")
    print(f"| s3, known | {seconds:.2f} | {processor:.2f} | {peak} | |")
    share = statistics.median(wall["disk"]) / statistics.median(wall["s3"])
    print(f"\ns3 reaches {share:.0%} of the speed of the disk")


def _split(folder: Path, files: int) -> None:
    """The lines of the one file there is in so many files."""
    if files > 1:
        (whole,) = folder.glob("Observation*.ndjson")
        lines = whole.read_bytes().splitlines(keepends=True)
        whole.unlink()
        for number in range(files):
            part = lines[number * len(lines) // files : (number + 1) * len(lines) // files]
            (folder / f"Observation.{number:05}.ndjson").write_bytes(b"".join(part))


if __name__ == "__main__":
    main()
