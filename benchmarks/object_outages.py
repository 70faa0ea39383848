"""What outages of an object store do to a load: the same tables in the end, or exit 75, and never half an object.

``python -m benchmarks.object_outages [--seconds N] [--only WORD]`` loads a prefix of moto's S3 on loopback through each
kind of outage, runs the same command again until it succeeds, and compares the mart row by row with one of an
undisturbed load. It fails when any differs, when a load ends otherwise than by 0 or 75, or when one made more requests
at once than it may.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.outages import load_once
from sources.objects.access import PACE
from sources.synth import SynthPlan, write_synth
from tests.flows.inputs import contents
from tests.objects.store import Environ, Fault, Store, cut, error, is_read, lying, serving, times

_MOST_RUNS = 12
_LATER = 75
_GIVEN_UP = 4  # requests that a reader began ahead and gave up, on which the store may still be at work
_BIG = "in/Observation.000.ndjson"


@dataclass(frozen=True)
class Outage:
    """``begin`` makes the store fail, for so many seconds if it is one of time."""

    name: str
    begin: Callable[[Store, float], Fault | None]


def _for_a_while(fault: Fault, when: Callable[[Environ], bool] = lambda _: True) -> Callable[[Store, float], Fault]:
    """All requests that ``when`` is true of fail, from the first one on."""

    def begin(_: Store, seconds: float) -> Fault:
        until: list[float] = []

        def outage(environ: Environ, start: Callable[..., Any]) -> Any:
            if not when(environ):
                return None
            until.append(time.monotonic() + seconds)
            return fault(environ, start) if time.monotonic() < until[0] else None

        return outage

    return begin


def _broken(kind: Callable[[str, int], Fault]) -> Callable[[Store, float], Fault]:
    """Some answers with bytes of the largest object are not what they say."""

    def begin(store: Store, _: float) -> Fault:
        headers = store.request("HEAD", _BIG).headers
        fault = kind(headers["etag"], int(headers["content-length"]))
        return times(4, fault, lambda environ: is_read(environ) and environ["PATH_INFO"].endswith(_BIG))

    return begin


def _replaced(store: Store, _: float) -> Fault:
    """The largest object is written anew, with the same resources in other bytes, when its second range is read."""
    done: list[bool] = []

    def fault(environ: Environ, _: Callable[..., Any]) -> None:
        if (
            not done
            and environ["PATH_INFO"].endswith(_BIG)
            and not environ.get("HTTP_RANGE", "=0").startswith("bytes=0")
        ):
            done.append(True)
            store.put(_BIG, store.get(_BIG) + b"\n")

    return fault


_OUTAGES = (
    Outage("none", lambda *_: None),
    Outage("503 SlowDown storm", _for_a_while(error("503 Slow Down", "SlowDown"))),
    Outage("500 of objects", _for_a_while(error("500 Internal Server Error", "InternalError"), is_read)),
    Outage("connections broken", _broken(cut)),
    Outage("short answers", _broken(lying)),
    Outage("object replaced", _replaced),
)


def _try(
    outage: Outage, folder: Path, objects: dict[str, bytes], seconds: float
) -> tuple[list[int], int, int, list[str]]:
    """Exit codes of the runs, peak MB, most requests at once, and what was wrong."""
    mart, wrong, codes, peak = folder / f"{outage.name.replace(' ', '-')}.duckdb", [], [], 0
    with serving() as store:
        os.environ |= {"AWS_ENDPOINT_URL": store.url, "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
        for key, content in objects.items():
            store.put(key, content)
        store.fault = outage.begin(store, seconds)
        while not codes or (codes[-1] != 0 and len(codes) < _MOST_RUNS):
            code, megabytes = load_once("s3://clinic/in", mart, [])
            codes.append(code)
            peak = max(peak, megabytes)
            if code not in (0, _LATER):
                wrong.append(f"exit {code}")
        if store.most > PACE.concurrency + _GIVEN_UP:
            wrong.append(f"{store.most} requests at once")
        return codes, peak, store.most, wrong


def main() -> None:
    """Print a line for each outage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the store fails")
    parser.add_argument("--only", default="", help="outages whose name has this in it")
    given = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        plan = SynthPlan(patients=30, seed=5, types={"Patient", "Observation", "Condition"}, observations=8_000)
        write_synth(plan, folder / "in")
        objects = {f"in/{path.name}": path.read_bytes() for path in sorted((folder / "in").glob("*.ndjson"))}
        print("| outage | exit codes | peak MB | requests at once | mart |\n|---|---|---:|---:|---|", flush=True)
        expected = None
        for outage in (one for one in _OUTAGES if one.name == "none" or given.only in one.name):
            codes, peak, most, wrong = _try(outage, folder, objects, given.seconds)
            found = contents(folder / f"{outage.name.replace(' ', '-')}.duckdb") if codes[-1] == 0 else None
            expected = found if expected is None else expected
            if found != expected or found is None:
                wrong.append("differs")
            failed = failed or bool(wrong)
            said = "; ".join(wrong) or "the same"
            print(f"| {outage.name} | {' '.join(map(str, codes))} | {peak} | {most} | {said} |", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
