"""The tables of the mart, one module a resource type. They are built when first asked for."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import import_module

from schemas.table import Table

_NAMES = (
    "allergy_intolerance",
    "appointment",
    "care_plan",
    "care_team",
    "claim",
    "condition",
    "coverage",
    "device",
    "diagnostic_report",
    "document_reference",
    "encounter",
    "explanation_of_benefit",
    "fhir_group",
    "goal",
    "imaging_study",
    "immunization",
    "location",
    "medication",
    "medication_administration",
    "medication_dispense",
    "medication_request",
    "medication_statement",
    "observation",
    "organization",
    "patient",
    "practitioner",
    "practitioner_role",
    "procedure",
    "provenance",
    "related_person",
    "service_request",
    "specimen",
)


@functools.cache
def all_tables() -> tuple[Table, ...]:
    """Every table that has a model, by name."""
    return tuple(getattr(import_module(f"schemas.tables.{name}"), name.upper()) for name in _NAMES)


@functools.cache
def tables_by_type() -> Mapping[str, Table]:
    """The tables by the resource type they hold."""
    return {table.resource_type: table for table in all_tables()}


def table_of(resource_type: str) -> Table | None:
    """The table of a resource type; None for types that are kept whole."""
    return tables_by_type().get(resource_type)
