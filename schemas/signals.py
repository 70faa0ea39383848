"""Spans and metrics, for whoever listens: nobody, unless :mod:`flows.telemetry` was asked to.

What is told here never names a person, an id, a file or an address: attributes and labels are sources (names that the
user chose), resource types, tables, checks, formats, states and numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

Value = str | int | float | bool


class Kind(StrEnum):
    """How a metric moves."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; ``labels`` are all that it is told by. Units are of UCUM, as OpenTelemetry has them."""

    name: str
    kind: Kind
    unit: str
    description: str
    labels: tuple[str, ...] = ()


ROWS = Metric(
    "clinmart.rows", Kind.COUNTER, "{row}", "Lines by what became of them.", ("source", "resource_type", "disposition")
)
READ_BYTES = Metric("clinmart.read", Kind.COUNTER, "By", "Bytes of input on disk that were read or known.", ("source",))
REFUSED = Metric(
    "clinmart.refused", Kind.COUNTER, "{row}", "Rows that a check refused.", ("source", "resource_type", "reason")
)
COMMITS = Metric("clinmart.commits", Kind.COUNTER, "{commit}", "Transactions that were made.", ("source",))
COMMIT_SECONDS = Metric("clinmart.commit.duration", Kind.HISTOGRAM, "s", "Time of a commit.", ("source",))
CHUNKS_IN_FLIGHT = Metric("clinmart.queue.depth", Kind.GAUGE, "{chunk}", "Chunks that are read and not yet staged.")
QUARANTINE = Metric(
    "clinmart.quarantine.depth", Kind.GAUGE, "{line}", "Lines that stand in the quarantine.", ("source", "reason")
)
WATERMARK_LAG = Metric(
    "clinmart.watermark.lag", Kind.GAUGE, "s", "Age of the newest row of a type.", ("source", "resource_type")
)
LAST_LOAD = Metric(
    "clinmart.load.finished", Kind.GAUGE, "s", "When the last load ended, since 1970.", ("source", "status")
)
CIRCUIT_OPEN = Metric("clinmart.circuit.open", Kind.GAUGE, "{circuit}", "1 while a far place is not called, else 0.")
ANSWER_SECONDS = Metric(
    "clinmart.answer.duration", Kind.HISTOGRAM, "s", "From a message read to its answer sent.", ("code",)
)
CPU_SECONDS = Metric("clinmart.process.cpu", Kind.GAUGE, "s", "Processor time of the process, user and system.")
MEMORY = Metric("clinmart.process.memory", Kind.GAUGE, "By", "Memory of the process that is resident.")

METRICS = (
    ROWS,
    READ_BYTES,
    REFUSED,
    COMMITS,
    COMMIT_SECONDS,
    CHUNKS_IN_FLIGHT,
    QUARANTINE,
    WATERMARK_LAG,
    LAST_LOAD,
    CIRCUIT_OPEN,
    ANSWER_SECONDS,
    CPU_SECONDS,
    MEMORY,
)


class Listener(Protocol):
    """Takes signals in; thread-safe."""

    @contextmanager
    def span(self, name: str, attributes: dict[str, Value]) -> Iterator[None]:
        """A span around the block; an error in it is told by the name of its type alone."""
        ...

    def tell(self, metric: Metric, value: float, labels: dict[str, str]) -> None:
        """Add to a counter, set a gauge, or record one observation of a histogram."""
        ...


_listener: Listener | None = None


def listen(listener: Listener | None) -> None:
    """Send the signals of this process to ``listener`` from now on; None: to nobody."""
    global _listener  # noqa: PLW0603 - one process has one listener, and all rooms signal to it
    _listener = listener


def heard() -> bool:
    """Whether anybody listens, for signals that cost something to make."""
    return _listener is not None


@contextmanager
def span(name: str, **attributes: Value) -> Iterator[None]:
    """A span of this name around the block."""
    if _listener is None:
        yield
        return
    with _listener.span(name, attributes):
        yield


def tell(metric: Metric, value: float, **labels: str) -> None:
    """Tell a metric; ``labels`` must be those that it declares."""
    if _listener is not None:
        _listener.tell(metric, value, labels)
