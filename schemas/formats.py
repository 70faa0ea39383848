"""What files hold."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """What files hold; ``AUTO``: their first bytes tell."""

    AUTO = "auto"
    FHIR = "fhir"
    HL7V2 = "hl7v2"
    CCDA = "ccda"
    EXTRACT = "extract"  # rows of CSV, TSV or Parquet, which a mapping explains; never told by first bytes
