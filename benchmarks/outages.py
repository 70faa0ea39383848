"""What outages of a far server do to a load: the same tables in the end, or exit 75 and a cursor that has not moved.

``python -m benchmarks.outages [--seconds N] [--only WORD]`` loads an ``$export`` from a server on loopback through each
kind of outage, runs the same command again until it succeeds, and compares the mart row by row with one of an
undisturbed load. It fails when any differs, when a load that did not succeed moved the cursor, or when one used more
connections than it may. Then come outages of a broker and of a mart that is consumed into
(:mod:`benchmarks.broker_outages`), where the fourth column is the messages under way.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from benchmarks.broker_outages import broker_outages
from sources.synth import SynthPlan, write_synth
from tests.bulk.server import Asked, BulkServer, Fault, File, cut, refuse, serving, status, without_length, wrong_length
from tests.flows.inputs import contents, query

_MOST_RUNS = 12
_PARALLEL = 4
_LATER = 75
_KEY = ec.generate_private_key(ec.SECP384R1())
_BIG = "Observation.000.ndjson"


@dataclass(frozen=True)
class Outage:
    """``begin`` makes the server fail."""

    name: str
    begin: Callable[[BulkServer, float], None]
    tokens: bool = False


def _for_a_while(fault: Fault, what: str = "/") -> Callable[[BulkServer, float], None]:
    """All requests whose path has ``what`` in it fail, from the first one on."""

    def begin(server: BulkServer, seconds: float) -> None:
        until: list[float] = []

        def outage(asked: Asked) -> Fault | None:
            if what not in asked.path:
                return None
            until.append(time.monotonic() + seconds)
            return fault if time.monotonic() < until[0] else None

        server.outage = outage

    return begin


def _of_a_file(*faults: Fault) -> Callable[[BulkServer, float], None]:
    return lambda server, _: server.faults.update({_BIG: deque(faults)})


def _few_uses(server: BulkServer, _: float) -> None:
    server.token_uses = 3


_OUTAGES = (
    Outage("none", lambda *_: None),
    Outage("429 storm", _for_a_while(status(429, Retry_After="2"))),
    Outage("503 everywhere", _for_a_while(status(503))),
    Outage("503 of files", _for_a_while(status(503), "/files/")),
    Outage("connections reset", _for_a_while(refuse)),
    Outage("reset in mid-file", _of_a_file(*[cut(50_000, reset=True)] * 4)),
    Outage("truncated body", _of_a_file(wrong_length(-1000), without_length(70_001), wrong_length(+1000))),
    Outage("tokens end", _few_uses, tokens=True),
)


def load_once(url: str, mart: Path, more: list[str]) -> tuple[int, int]:
    """Exit code and peak MB."""
    command = [sys.executable, "-m", "flows.cli.main", "load", url, "--mart", str(mart), "--source", "s", "--json"]
    process = subprocess.Popen([*command, *more], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, ended, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(ended)
    return process.returncode, used.ru_maxrss // 1024


def _cursor(mart: Path) -> object:
    return query(mart, "SELECT read_cursor FROM etl.export") if mart.exists() else []


def _try(outage: Outage, files: dict[str, File], folder: Path, seconds: float) -> tuple[list[int], int, int, list[str]]:
    """Exit codes of the runs, peak MB, most connections at once, and what was wrong."""
    mart, wrong, codes, peak = folder / f"{outage.name.replace(' ', '-')}.duckdb", [], [], 0
    clients = {"k": _KEY.public_key()} if outage.tokens else {}
    more = ["--client-id", "me", "--key", str(folder / "key.pem"), "--kid", "k"] if outage.tokens else []
    with serving(files=files, clients=clients, retry_after="0") as server:
        outage.begin(server, seconds)
        while not codes or (codes[-1] != 0 and len(codes) < _MOST_RUNS):
            code, megabytes = load_once(server.url + "/fhir", mart, more)
            codes.append(code)
            peak = max(peak, megabytes)
            if code not in (0, _LATER):
                wrong.append(f"exit {code}")
            if code == _LATER and _cursor(mart):
                wrong.append("the cursor moved")
        if server.most_at_once > _PARALLEL:
            wrong.append(f"{server.most_at_once} connections")
    return codes, peak, server.most_at_once, wrong


def main() -> None:
    """Print a line for each outage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long a server fails")
    parser.add_argument("--only", default="", help="outages whose name has this in it")
    given = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        pem = _KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "key.pem").write_bytes(pem)
        write_synth(SynthPlan(patients=60, seed=5), folder / "in")
        files = {p.name: File(p.read_bytes(), p.name.split(".")[0]) for p in sorted((folder / "in").glob("*.ndjson"))}
        print("| outage | exit codes | peak MB | requests at once | mart |\n|---|---|---:|---:|---|", flush=True)
        expected = None
        for outage in (one for one in _OUTAGES if one.name == "none" or given.only in one.name):
            codes, peak, most, wrong = _try(outage, files, folder, given.seconds)
            found = contents(folder / f"{outage.name.replace(' ', '-')}.duckdb") if codes[-1] == 0 else None
            expected = found if expected is None else expected
            if found != expected or found is None:
                wrong.append("differs")
            failed = failed or bool(wrong)
            said = "; ".join(wrong) or "the same"
            print(f"| {outage.name} | {' '.join(map(str, codes))} | {peak} | {most} | {said} |", flush=True)
        for name, codes, peak, most, wrong in broker_outages(folder, given.only):
            failed = failed or bool(wrong)
            said = "; ".join(wrong) or "the same"
            print(f"| {name} | {' '.join(map(str, codes))} | {peak} | {most} | {said} |", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
