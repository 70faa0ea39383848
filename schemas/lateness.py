"""What becomes of rows whose time lies before the event watermark of their source and type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class LatePolicy(StrEnum):
    """``MERGE``: nothing is lost, late rows are only counted. ``QUARANTINE``: they are refused with reason `late`.
    ``DISCARD``: they are dropped and counted as suppressed."""

    MERGE = "merge"
    QUARANTINE = "quarantine"
    DISCARD = "discard"


@dataclass(frozen=True, slots=True)
class Lateness:
    """Rows with a `meta.lastUpdated` of their own below ``before`` of their type are late; types that the mart has not
    yet seen have no late rows."""

    policy: LatePolicy = LatePolicy.MERGE
    before: Mapping[str, datetime] = field(default_factory=dict)
