"""What claims and their decisions (``claim``, ``explanation_of_benefit``) have in common."""

from __future__ import annotations

from schemas.elements import Field, field
from schemas.tables.preferred import BILLED_DIAGNOSIS, BILLED_SERVICE, PROCEDURE

ADJUDICATION = field("adjudication", "category", "reason", "amount", "value")

_MONEY = ("quantity", "unitPrice", "factor", "net")
_SERVICE = (field("productOrService", prefer=BILLED_SERVICE), "modifier", "programCode")
ADDED_SERVICE = (*_SERVICE, "serviced", "location", *_MONEY, "bodySite", "subSite")
ITEM: tuple[str | Field, ...] = (
    "sequence",
    "careTeamSequence",
    "diagnosisSequence",
    "procedureSequence",
    "informationSequence",
    "revenue",
    "category",
    *_SERVICE,
    "serviced",
    "location",
    *_MONEY,
    "udi",
    "bodySite",
    "subSite",
    "encounter",
)


def head(*, decided: bool) -> tuple[str | Field, ...]:
    """What stands before the lists: who claims what for whom. ``decided``: of the decision."""
    return (
        "identifier",
        "status",
        "type",
        "subType",
        field("use", name="claim_use"),
        "patient",
        "billablePeriod",
        "created",
        "enterer",
        "insurer",
        "provider",
        "priority",
        *(("fundsReserveRequested",) if decided else ()),
        "fundsReserve",
        field("related", "claim", "relationship", "reference", plural="related_claims"),
        "prescription",
        "originalPrescription",
        field("payee.type", name="payee_type"),
        field("payee.party", name="payee_party"),
        "referral",
        "facility",
    )


def lists(table: str) -> tuple[Field, ...]:
    """Care team, supporting information, diagnoses and procedures; ``table`` begins the names of their child tables."""
    return (
        field(
            "careTeam",
            "sequence",
            "provider",
            "responsible",
            "role",
            "qualification",
            plural="care_team",
            table=f"{table}_care_team",
        ),
        field(
            "supportingInfo",
            "sequence",
            "category",
            "code",
            "timing",
            "value",
            "reason",
            plural="supporting_info",
            table=f"{table}_supporting_info",
        ),
        field("diagnosis.diagnosis", name="diagnosis", prefer=BILLED_DIAGNOSIS, label="First diagnosis"),
        field(
            "diagnosis",
            "sequence",
            field("diagnosis", prefer=BILLED_DIAGNOSIS),
            "type",
            "onAdmission",
            "packageCode",
            plural="diagnoses",
            table=f"{table}_diagnosis",
        ),
        field(
            "procedure",
            "sequence",
            "type",
            field("date", name="performed"),
            field("procedure", prefer=PROCEDURE),
            "udi",
            table=f"{table}_procedure",
        ),
        field("accident.date", name="accident"),
        field("accident.type", name="accident_type"),
        field("accident.location", name="accident_location"),
    )
