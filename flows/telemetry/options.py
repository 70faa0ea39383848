"""Where signals go."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from schemas.errors import UsageError

_PORTS = range(1, 65536)
_ADDRESS = re.compile(r"(?:(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]):)?(?P<port>[0-9]{1,5})")
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class TelemetryOptions:
    """``otlp``: base address of an OTLP/HTTP receiver, for spans and metrics. ``metrics_listen``: ``[HOST:]PORT`` where
    Prometheus may ask, on this machine unless a host is named. ``metrics_file``: a file for the textfile collector,
    written at the end.
    """

    otlp: str | None = None
    metrics_listen: str | None = None
    metrics_file: Path | None = None

    def __post_init__(self) -> None:
        if self.otlp is not None:
            parts = urlsplit(self.otlp)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise UsageError("--otlp needs the address of an OTLP/HTTP receiver, e.g. http://127.0.0.1:4318")
            if parts.username is not None or parts.password is not None or parts.query:
                raise UsageError("--otlp: the address holds a secret; headers belong in OTEL_EXPORTER_OTLP_HEADERS")
        if self.metrics_listen is not None:
            self.address  # noqa: B018 - raises
        if self.metrics_file is not None and not self.metrics_file.absolute().parent.is_dir():
            raise UsageError(f"--metrics-file: there is no folder {self.metrics_file.absolute().parent}")

    @property
    def wanted(self) -> bool:
        """Whether anything is to be told at all."""
        return any(option is not None for option in (self.otlp, self.metrics_listen, self.metrics_file))

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen on."""
        told = _ADDRESS.fullmatch(self.metrics_listen or "")
        if told is None or int(told["port"]) not in _PORTS:
            raise UsageError(f"--metrics-listen {self.metrics_listen!r}: give a port, or HOST:PORT")
        return (told["host"] or _LOOPBACK).strip("[]"), int(told["port"])
