"""Telemetry while a command runs: the exporters, the Prometheus endpoint, the textfile."""

from __future__ import annotations

import logging
import os
import resource as system
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from flows.telemetry.options import TelemetryOptions
from schemas import signals
from schemas.errors import StorageError, UsageError
from schemas.signals import CPU_SECONDS, MEMORY

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.trace import Tracer
    from prometheus_client import CollectorRegistry

_EVERY = 15.0  # seconds between exports of metrics, and looks at the process
_PATIENCE = 5  # seconds for an export
_SERVICE = "clinmart"
_MODE = 0o644  # the textfile collector is another user; there are no values in it


@contextmanager
def telemetry(options: TelemetryOptions, command: str) -> Iterator[None]:
    """Send what the block signals to where the options say, and all of it before the block's end is told.

    A receiver that does not answer is a warning, and never fails or holds up the work for more than some seconds.
    Raises UsageError when the address to listen on cannot be had, StorageError when the file cannot be written.
    """
    if not options.wanted:
        yield
        return
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415 - only who asks pays for them
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from prometheus_client import CollectorRegistry  # noqa: PLC0415

    from flows.telemetry.listener import OtelListener  # noqa: PLC0415

    # Not Resource.create: it reads the environment and tells of the machine and its command line.
    about = Resource({"service.name": _SERVICE, "service.version": version("clinmart"), "clinmart.command": command})
    registry = CollectorRegistry()
    with ExitStack() as stack:
        meters = MeterProvider(list(_readers(options, registry)), resource=about, shutdown_on_exit=False)
        stack.callback(_quietly, meters.shutdown)
        tracer = _tracer(options, about, stack)
        if options.metrics_listen is not None:
            _serve(options, registry, stack)
        listener = OtelListener(tracer, meters.get_meter(_SERVICE))
        signals.listen(listener)
        stack.callback(signals.listen, None)
        stack.enter_context(_watching_the_process())
        try:
            with signals.span(f"clinmart.{command}"):
                yield
        finally:
            _look_at_the_process()
            if options.metrics_file is not None:
                _write(options.metrics_file, registry)


def _readers(options: TelemetryOptions, registry: CollectorRegistry) -> Iterator[MetricReader]:
    from opentelemetry.exporter.prometheus import PrometheusMetricReader  # noqa: PLC0415

    if options.metrics_listen is not None or options.metrics_file is not None:
        yield PrometheusMetricReader(registry=registry, scope_info_enabled=False)
    if options.otlp is not None:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415

        exporter = OTLPMetricExporter(endpoint=f"{options.otlp.rstrip('/')}/v1/metrics", timeout=_PATIENCE)
        yield PeriodicExportingMetricReader(exporter, export_interval_millis=_EVERY * 1000)


def _tracer(options: TelemetryOptions, about: Resource, stack: ExitStack) -> Tracer:
    """A tracer of its own, not the process's: Prefect's spans are not ours to send."""
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.trace import NoOpTracer  # noqa: PLC0415

    if options.otlp is None:
        return NoOpTracer()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(resource=about, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=f"{options.otlp.rstrip('/')}/v1/traces", timeout=_PATIENCE)
    provider.add_span_processor(BatchSpanProcessor(exporter, export_timeout_millis=_PATIENCE * 1000))
    stack.callback(_quietly, provider.shutdown)
    return provider.get_tracer(_SERVICE)


def _serve(options: TelemetryOptions, registry: CollectorRegistry, stack: ExitStack) -> None:
    from prometheus_client import start_http_server  # noqa: PLC0415

    host, port = options.address
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise UsageError(f"--metrics-listen: cannot listen on {host}:{port}: {error.strerror}") from None
    stack.callback(thread.join)
    stack.callback(server.server_close)
    stack.callback(server.shutdown)


@contextmanager
def _watching_the_process() -> Iterator[None]:
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_EVERY):
            _look_at_the_process()

    _look_at_the_process()
    thread = threading.Thread(target=watch, name="clinmart-telemetry", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _look_at_the_process() -> None:
    used = system.getrusage(system.RUSAGE_SELF)
    signals.tell(CPU_SECONDS, used.ru_utime + used.ru_stime)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    signals.tell(MEMORY, pages * os.sysconf("SC_PAGE_SIZE"))


def _write(path: Path, registry: CollectorRegistry) -> None:
    """The metrics as Prometheus' textfile collector reads them, replaced at once."""
    from prometheus_client import generate_latest  # noqa: PLC0415

    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_bytes(generate_latest(registry))
        fresh.chmod(_MODE)
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise StorageError(f"cannot write the metrics {path}: {error.strerror}") from None


def _quietly(shut_down: object) -> None:
    """The last export may fail, which is a warning of the library's own."""
    try:
        shut_down()  # type: ignore[operator]
    except Exception as error:  # noqa: BLE001 - telemetry never fails the work
        logging.getLogger(__name__).warning("telemetry was not all sent: %s", type(error).__name__)
