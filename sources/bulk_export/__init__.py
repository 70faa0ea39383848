"""A client of ``$export`` (FHIR Bulk Data Access 2.0): kick-off, polling, downloads that resume, a folder to load."""

from __future__ import annotations

from sources.bulk_export.arriving import ArrivingExport
from sources.bulk_export.export import Export, ExportLimits, Fetched
from sources.bulk_export.landed import Landed
from sources.bulk_export.request import ExportRequest, Level, export_request

__all__ = ["ArrivingExport", "Export", "ExportLimits", "ExportRequest", "Fetched", "Landed", "Level", "export_request"]
