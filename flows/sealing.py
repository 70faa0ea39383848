"""Signs what an audit trail holds, and keeps the signature in another place too."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from flows.keyring import keys_of
from flows.settings import environment
from schemas.errors import ClinmartError
from stores.audit.checkpoints import Checkpoints
from stores.audit.trail import Trail

if TYPE_CHECKING:
    from stores.audit.copies import Copies

_LOG = logging.getLogger(__name__)
_told: list[str] = []  # of --audit-copy


def tell_copy(where: str | None) -> None:
    """Take where the command line wants copies."""
    _told[:] = [where] if where else []


def copies_told(where: str | None = None) -> Copies | None:
    """Where copies of checkpoints are kept: as told, else ``CLINMART_AUDIT_COPY``; None: nowhere."""
    from stores.audit.copies import open_copies  # noqa: PLC0415 - late

    place = where or (_told[0] if _told else environment("AUDIT_COPY", ""))
    return open_copies(place) if place else None


def seal(trail: Trail, mart: Path) -> None:
    """Sign a checkpoint over all records. What was done stays done when that fails: it is warned of, and the next
    checkpoint covers the same records.
    """
    try:
        checkpoint = Checkpoints(trail.folder).sign(trail.head(), keys_of(mart, create=True))
        copies = copies_told()
        if copies is not None:
            copies.keep(checkpoint)
    except ClinmartError as error:
        _LOG.warning("the audit trail has no signed checkpoint of this: %s", error)
