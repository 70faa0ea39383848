"""``imaging_study``: imaging studies and their series (FHIR R4 ImagingStudy)."""

from __future__ import annotations

from schemas.elements import build, field
from schemas.standard import STANDARD
from schemas.table import Table

IMAGING_STUDY = Table(
    name="imaging_study",
    resource_type="ImagingStudy",
    description="Imaging studies and their series.",
    elements=build(
        "ImagingStudy",
        (
            *STANDARD,
            "identifier",
            "status",
            "modality",
            "subject",
            "encounter",
            "started",
            "basedOn",
            "referrer",
            "interpreter",
            "endpoint",
            "numberOfSeries",
            "numberOfInstances",
            "procedureReference",
            "procedureCode",
            "location",
            "reasonCode",
            "reasonReference",
            "note",
            "description",
            field(
                "series",
                "uid",
                "number",
                "modality",
                "description",
                "numberOfInstances",
                "bodySite",
                "laterality",
                "specimen",
                "started",
                field("performer", json=True),
                field("instance", json=True),
                plural="series",
                table="imaging_study_series",
            ),
        ),
    ),
)
