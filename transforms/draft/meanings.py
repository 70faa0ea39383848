"""What codes of a few required value sets are called in extracts, so that a draft's lookups need little work."""

from __future__ import annotations

from types import MappingProxyType

# By table and target: what values mean, in lower case. Values of OMOP CDM are standard concept ids.
MEANINGS = MappingProxyType(
    {
        ("patient", "gender"): {
            "m": "male", "male": "male", "1": "male", "8507": "male",
            "f": "female", "female": "female", "2": "female", "8532": "female",
            "o": "other", "other": "other", "x": "other", "8521": "other",
            "u": "unknown", "unknown": "unknown", "unk": "unknown", "8551": "unknown", "0": "unknown",
        },
        ("observation", "status"): {
            "f": "final", "final": "final", "final result": "final", "verified": "final",
            "p": "preliminary", "preliminary": "preliminary", "prelim": "preliminary",
            "c": "corrected", "corrected": "corrected", "a": "amended", "amended": "amended",
            "x": "cancelled", "cancelled": "cancelled", "canceled": "cancelled",
            "r": "registered", "i": "registered", "registered": "registered", "u": "unknown", "unknown": "unknown",
        },
        ("encounter", "encounter_class"): {
            "i": "IMP", "inpatient": "IMP", "imp": "IMP", "9201": "IMP", "hospital inpatient": "IMP",
            "o": "AMB", "outpatient": "AMB", "amb": "AMB", "9202": "AMB", "ambulatory": "AMB", "office visit": "AMB",
            "e": "EMER", "emergency": "EMER", "ed": "EMER", "er": "EMER", "emer": "EMER", "9203": "EMER",
            "obs": "OBSENC", "observation": "OBSENC",
        },
        ("encounter", "status"): {
            "planned": "planned", "scheduled": "planned", "arrived": "arrived", "triaged": "triaged",
            "in-progress": "in-progress", "in progress": "in-progress", "admitted": "in-progress",
            "finished": "finished", "completed": "finished", "discharged": "finished", "closed": "finished",
            "cancelled": "cancelled", "canceled": "cancelled", "unknown": "unknown", "no show": "cancelled",
        },
        ("condition", "clinical_status"): {
            "active": "active", "a": "active", "resolved": "resolved", "r": "resolved", "inactive": "inactive",
            "deleted": "inactive", "recurrence": "recurrence", "relapse": "relapse", "remission": "remission",
        },
    }
)  # fmt: skip
SYSTEMS = MappingProxyType(
    {
        ("encounter", "encounter_class"): "http://terminology.hl7.org/CodeSystem/v3-ActCode",
        ("condition", "clinical_status"): "http://terminology.hl7.org/CodeSystem/condition-clinical",
    }
)
