"""Messages a second from a RabbitMQ of our own into a mart, by a consumer that is a process of its own.

``python -m benchmarks.brokers [--messages N] [--batch N] [--rounds N]`` fills a durable queue with Observations, a
resource a message, then starts ``clinmart consume`` and times it from its first commit to the last acknowledgment: once
until the queue is empty. Broker, consumer and mart share the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.brokers.rabbit import Rabbit, rabbit, why_not
from tests.flows.inputs import query


def observation(number: int) -> bytes:
    """An Observation of about 1 kB, as servers write them."""
    return json.dumps(
        {
            "resourceType": "Observation",
            "id": f"o{number}",
            "meta": {"versionId": "1", "lastUpdated": "2026-01-01T00:00:00.000Z"},
            "status": "final",
            "category": [
                {
                    "coding": [
                        {
                            "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                            "code": "laboratory",
                            "display": "Laboratory",
                        }
                    ]
                }
            ],
            "code": {
                "coding": [{"system": "http://loinc.org", "code": "2339-0", "display": "Glucose"}],
                "text": "Glucose",
            },
            "subject": {"reference": f"Patient/p{number % 5000}"},
            "encounter": {"reference": f"Encounter/e{number % 20000}"},
            "effectiveDateTime": f"2026-01-{number % 28 + 1:02d}T08:{number % 60:02d}:00+01:00",
            "issued": "2026-01-30T08:00:00.000+01:00",
            "valueQuantity": {
                "value": number % 300 / 10 + 50,
                "unit": "mg/dL",
                "system": "http://unitsofmeasure.org",
                "code": "mg/dL",
            },
        },
        separators=(",", ":"),
    ).encode()


def consume(url: str, mart: Path, queue: str, batch: int) -> dict[str, object]:
    """The consumer's report, with its peak of memory, once the queue is empty."""
    command = [sys.executable, "-m", "flows.cli.main", "consume", "--mart", str(mart), "--source", "s"]
    command += ["--queue", queue, "--batch", str(batch), "--until-idle", "2s", "--json"]
    env = os.environ | {"CLINMART_BROKER_URL": url}
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE)
    assert process.stdout is not None
    said = process.stdout.read()
    _, ended, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(ended)
    if process.returncode:
        raise SystemExit(f"consume ended with {process.returncode}")
    return json.loads(said) | {"peak_mb": used.ru_maxrss // 1024}


def one_round(server: Rabbit, folder: Path, number: int, messages: int, batch: int) -> tuple[float, float, int]:
    """Messages a second of the whole run without its last idle wait, of its commits, and peak MB."""
    queue = f"labs{number}"
    asyncio.run(server.declare(queue))
    asyncio.run(server.publish(queue, [observation(n) for n in range(messages)]))
    began = time.monotonic()
    report = consume(server.url, mart := folder / f"{number}.duckdb", queue, batch)
    seconds = time.monotonic() - began - 2.0
    ((rows,),) = query(mart, "SELECT count(*) FROM main.observation")
    assert rows == messages, rows
    times = [at for (at,) in query(mart, "SELECT committed_at FROM etl.commit ORDER BY number")]
    between = (times[-1] - times[0]).total_seconds()
    share = (len(times) - 1) / len(times)
    return messages / seconds, messages * share / between if between else 0.0, int(str(report["peak_mb"]))


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--batch", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if (reason := why_not()) is not None:
        print(f"brokers: skipped, {reason}", file=sys.stderr)
        return
    size = len(observation(1))
    print(f"{options.messages:,} Observations of {size:,} bytes in RabbitMQ, batches of {options.batch:,}", flush=True)
    with tempfile.TemporaryDirectory(prefix="clinmart-bench-") as scratch, rabbit(Path(scratch)) as server:
        rounds = [
            one_round(server, Path(scratch), number, options.messages, options.batch)
            for number in range(options.rounds)
        ]
    whole, steady, peak = zip(*rounds, strict=True)
    print(
        f"consume: {statistics.median(steady):,.0f} messages/s between the first commit and the last "
        f"({statistics.median(whole):,.0f}/s with the start of the process and of the mart), peak {max(peak)} MB"
    )


if __name__ == "__main__":
    main()
