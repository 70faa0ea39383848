"""``goal``: what care is meant to reach (FHIR R4 9.9)."""

from __future__ import annotations

from schemas.declare import declare
from schemas.elements import field
from schemas.invariants import each_needs
from schemas.systems import LOINC, SNOMED

GOAL = declare(
    "Goal",
    "What care is meant to reach.",
    "identifier",
    "lifecycleStatus",
    "achievementStatus",
    "category",
    "priority",
    field("description", prefer=(SNOMED,)),
    "subject",
    field("start", name="start", label="Start"),
    field("target.measure", name="target_measure", prefer=(LOINC,), label="Measure of the first target"),
    field("target.detail", name="target_detail", label="Value to be reached by the first target"),
    field("target.due", name="target_due", label="When the first target is due"),
    field("target", field("measure", prefer=(LOINC,)), "detail", "due", plural="targets", table="goal_target"),
    field("statusDate", label="Date of the status"),
    "statusReason",
    "expressedBy",
    field("addresses", plural="addresses_list", table="goal_addresses"),
    "note",
    "outcomeCode",
    field("outcomeReference", name="outcome", plural="outcome_references"),
    rules=(each_needs("gol-1", "targets", "detail", "measure"),),
)
