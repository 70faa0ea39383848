"""``imaging_study``: imaging studies, their series and instances (FHIR R4 10.6)."""

from __future__ import annotations

from schemas.declare import declare
from schemas.elements import field
from schemas.tables.preferred import DIAGNOSIS, PROCEDURE

_DICOM = ("http://dicom.nema.org/resources/ontology/DCM",)

IMAGING_STUDY = declare(
    "ImagingStudy",
    "Imaging studies, their series and instances.",
    "identifier",
    "status",
    field("modality", prefer=_DICOM),
    "subject",
    "encounter",
    "started",
    "basedOn",
    "referrer",
    "interpreter",
    "endpoint",
    field("numberOfSeries", label="Number of series"),
    field("numberOfInstances", label="Number of instances"),
    "procedureReference",
    field("procedureCode", prefer=PROCEDURE),
    "location",
    field("reasonCode", prefer=DIAGNOSIS),
    "reasonReference",
    "note",
    field("description", phi=True),
    field(
        "series",
        "uid",
        "number",
        field("modality", prefer=_DICOM),
        "description",
        "numberOfInstances",
        "endpoint",
        "bodySite",
        "laterality",
        "specimen",
        "started",
        field("performer", "function", "actor", plural="performers"),
        field("instance", "uid", "sopClass", "number", "title"),
        plural="series",
        table="imaging_study_series",
    ),
)
