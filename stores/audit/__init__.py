"""The audit trail of a mart: who did what to it, when, why and with what outcome; hash-chained, signed, provable."""

from __future__ import annotations

from stores.audit.record import Phase, Record, Who
from stores.audit.trail import Trail, trail_folder
from stores.audit.versions import Anchor, stored_versions

__all__ = ["Anchor", "Phase", "Record", "Trail", "Who", "stored_versions", "trail_folder"]
