"""Signals into OpenTelemetry's instruments."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.metrics import Meter
from opentelemetry.trace import Status, StatusCode, Tracer

from schemas.signals import METRICS, Kind, Metric, Value

# Seconds: from a message that is answered at once to a commit of millions of rows.
_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class OtelListener:
    """A :class:`schemas.signals.Listener`.

    A span that begins in a thread without one is below the first span that is open in the process, which is the
    command's work: threads of a load know nothing of each other.
    """

    def __init__(self, tracer: Tracer, meter: Meter) -> None:
        self._tracer = tracer
        self._root: Context | None = None
        self._lock = threading.Lock()
        self._counters = {}
        self._gauges = {}
        self._histograms = {}
        for metric in METRICS:
            told = {"unit": metric.unit, "description": metric.description}
            if metric.kind is Kind.COUNTER:
                self._counters[metric.name] = meter.create_counter(metric.name, **told)
            elif metric.kind is Kind.GAUGE:
                self._gauges[metric.name] = meter.create_gauge(metric.name, **told)
            else:
                self._histograms[metric.name] = meter.create_histogram(
                    metric.name, explicit_bucket_boundaries_advisory=_BOUNDS, **told
                )

    @contextmanager
    def span(self, name: str, attributes: dict[str, Value]) -> Iterator[None]:
        """See :meth:`schemas.signals.Listener.span`."""
        alone = not trace.get_current_span().get_span_context().is_valid
        with self._tracer.start_as_current_span(
            name,
            context=self._root if alone else None,
            attributes=attributes,
            record_exception=False,  # its text may hold values
            set_status_on_exception=False,
        ) as current:
            mine = self._take_root()
            try:
                yield
            except BaseException as error:
                current.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise
            finally:
                if mine:
                    self._root = None

    def tell(self, metric: Metric, value: float, labels: dict[str, str]) -> None:
        """See :meth:`schemas.signals.Listener.tell`."""
        if set(labels) != set(metric.labels):
            raise ValueError(f"{metric.name} is told by {metric.labels}, not by {tuple(labels)}")
        if metric.kind is Kind.COUNTER:
            self._counters[metric.name].add(value, labels)
        elif metric.kind is Kind.GAUGE:
            self._gauges[metric.name].set(value, labels)
        else:
            self._histograms[metric.name].record(value, labels)

    def _take_root(self) -> bool:
        """Make the current span that under which those of other threads go, unless there is one."""
        with self._lock:
            if self._root is not None:
                return False
            self._root = contexts.get_current()
            return True
