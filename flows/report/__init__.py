"""The report of a mart: one HTML page that needs nothing else."""

from __future__ import annotations

from flows.report.page import page, write_report

__all__ = ["page", "write_report"]
