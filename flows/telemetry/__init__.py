"""Telemetry by OpenTelemetry: off unless an option of the command line asks for it, whatever the environment says."""

from __future__ import annotations

from flows.telemetry.options import TelemetryOptions
from flows.telemetry.running import telemetry

__all__ = ["TelemetryOptions", "telemetry"]
