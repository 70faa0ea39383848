"""Messages acknowledged over loopback by a listener that is a process of its own, each durable in its mart.

``python -m benchmarks.mllp [--messages N] [--connections N] [--window N...] [--rounds N] [--half-open N]`` prints one
table. A message is an ORU of 10 OBX. ``--window`` is how many messages a connection sends before it waits for answers:
with 1, as most senders do, the time of a commit bounds what 8 connections can send. In the last rounds messages come
at ``--rate``, whatever the answers, and latency counts from when each was due, else from its write; to its AA.
``fsync`` is how long it takes to make the same bytes durable in a bare file, in lots of as many
messages as may be under way.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sources.mllp.framer import Frame, Framer, framed

_READY = re.compile(r"port (\d+)")


def oru(control_id: str, patient: int) -> bytes:
    """An ORU^R01 with one order of 10 numeric observations."""
    segments = [
        f"MSH|^~\\&|LAB|HOSP|EHR|CLINIC|20260102030405+0100||ORU^R01^ORU_R01|{control_id}|P|2.5.1",
        f"PID|1||{patient}^^^HOSP^MR||Family{patient}^Given||19700101|F",
        "PV1|1|I|W^1^2",
        f"ORC|RE|P{control_id}|F{control_id}",
        f"OBR|1|P{control_id}|F{control_id}|58410-2^CBC^LN|||20260102030000+0100|||||||||||||||20260102030400+0100|||F",
    ]
    segments += [
        f"OBX|{n}|NM|{717 + n}-1^Analyte {n}^LN||{n}.{patient % 100:02}|g/dL^^UCUM|1.0-9.9|N|||F|||20260102030000+0100"
        for n in range(1, 11)
    ]
    return ("\r".join(segments) + "\r").encode()


async def paced(port: int, messages: list[bytes], rate: float) -> list[float]:
    """Send messages on one connection, so many a second whatever the answers; seconds from when each was due until it
    was acknowledged.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    framer, latencies, began = Framer(1_000_000), list[float](), time.perf_counter()

    async def write() -> None:
        for number, message in enumerate(messages):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            writer.write(framed(message))
            await writer.drain()

    writing = asyncio.create_task(write())
    while len(latencies) < len(messages):
        for event in framer.feed(await reader.read(65_536)):
            if not isinstance(event, Frame) or b"\rMSA|AA|" not in event.data:
                raise SystemExit("a message was not acknowledged")
            latencies.append(time.perf_counter() - (began + len(latencies) / rate))
    await writing
    writer.close()
    await writer.wait_closed()
    return latencies


async def send(port: int, messages: list[bytes], window: int) -> list[float]:
    """Send messages on one connection; seconds until each was acknowledged. SystemExit when one was not."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    framer, sent, latencies = Framer(1_000_000), list[float](), list[float]()
    while len(latencies) < len(messages):
        while len(sent) < len(messages) and len(sent) - len(latencies) < window:
            writer.write(framed(messages[len(sent)]))
            sent.append(time.perf_counter())
        data = await reader.read(65_536)
        for event in framer.feed(data):
            if not isinstance(event, Frame) or b"\rMSA|AA|" not in event.data:
                raise SystemExit("a message was not acknowledged")
            latencies.append(time.perf_counter() - sent[len(latencies)])
    writer.close()
    await writer.wait_closed()
    return latencies


def listen(mart: Path) -> tuple[subprocess.Popen[str], int]:
    """A listener, and its port."""
    command = [str(Path(sys.executable).with_name("python")), "-m", "flows.cli.main", "listen"]
    process = subprocess.Popen(
        [
            *command,
            "--mart",
            str(mart),
            "--port",
            "0",
            "--source",
            "b",
            "--max-connections",
            "20000",
            "--rows-after",
            "1",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    told = _READY.search(process.stdout.readline())
    if told is None:
        raise SystemExit("the listener did not start")
    return process, int(told[1])


def fsynced(messages: list[bytes], together: int, file: Path) -> float:
    """Seconds to append the messages to a file and have each lot of them on the disk."""
    began = time.perf_counter()
    with file.open("wb") as handle:
        for begin in range(0, len(messages), together):
            handle.write(b"".join(messages[begin : begin + together]))
            handle.flush()
            os.fsync(handle.fileno())
    return time.perf_counter() - began


def memory(process: subprocess.Popen[str]) -> float:
    """Resident memory of a process in MB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", status)
    return int(found[1]) / 1024 if found else 0.0


def half_open(port: int, count: int) -> list[socket.socket]:
    """Connections that say nothing."""
    return [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]


async def round_of(port: int, lots: list[list[bytes]], window: int, rate: float = 0.0) -> tuple[float, list[float]]:
    """Seconds of all connections together, and each message's latency; with a ``rate`` so many a second in all."""
    began = time.perf_counter()
    each = [paced(port, lot, rate / len(lots)) if rate else send(port, lot, window) for lot in lots]
    latencies = await asyncio.gather(*each)
    return time.perf_counter() - began, [one for some in latencies for one in some]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--window", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=2000, help="messages a second of the paced rounds; 0: none")
    parser.add_argument("--half-open", type=int, default=0, help="silent connections beside the senders")
    options = parser.parse_args()
    print(f"{options.messages:,} ORU of 10 OBX ({len(oru('1', 1)):,} bytes), {options.connections} connections")
    with tempfile.TemporaryDirectory(prefix="clinmart-bench-") as scratch:
        process, port = listen(Path(scratch) / "mart.duckdb")
        before = memory(process)
        silent = half_open(port, options.half_open)
        if silent:
            print(f"{len(silent):,} silent connections: {memory(process) - before:,.0f} MB")
        kinds = [(f"window {window:>3}", window, 0.0) for window in options.window]
        kinds += [(f"{options.rate:,.0f}/s sent", 1, options.rate)] if options.rate else []
        for name, window, rate in kinds:
            speeds, lates, p50s = [], [], []
            for number in range(options.rounds):
                each, run = options.messages // options.connections, f"{window}-{rate:.0f}-{number}"
                lots = [[oru(f"{run}-{one}-{n}", n % 5000) for n in range(each)] for one in range(options.connections)]
                seconds, latencies = asyncio.run(round_of(port, lots, window, rate))
                ordered = sorted(latencies)
                speeds.append(len(ordered) / seconds)
                p50s.append(ordered[len(ordered) // 2] * 1000)
                lates.append(ordered[len(ordered) * 99 // 100] * 1000)
            bare = fsynced([m for lot in lots for m in lot], window * options.connections, Path(scratch) / "bare")
            print(
                f"{name}: {statistics.median(speeds):>7,.0f} acknowledged/s, "
                f"p50 {statistics.median(p50s):5.0f} ms, p99 {statistics.median(lates):5.0f} ms; "
                f"fsync {options.messages / bare:>8,.0f}/s"
            )
        print(f"memory of the listener: {memory(process):,.0f} MB")
        for one in silent:
            one.close()
        process.send_signal(signal.SIGTERM)
        process.communicate()


if __name__ == "__main__":
    main()
