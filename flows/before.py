"""What a mart says before a load of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import duckdb

from flows.audit_session import SessionAudit
from flows.settings import LoadSettings
from schemas.mapping.numbered import Numbered
from schemas.view_table import ViewTable
from stores.mappings import numbered
from stores.mart import Mart
from stores.objects import ObjectNames
from stores.receipts import Receipts
from stores.replays import replaceable
from stores.tail import TailReceipt
from stores.views import views_of
from stores.watermarks import late_before


@dataclass(frozen=True, slots=True)
class Before:
    """What a mart says before a load: the files that it has, its views, the refused line that is to be corrected, and
    by type the time below which rows are late.
    """

    receipts: Receipts
    views: Sequence[ViewTable] = ()
    replaces: str | None = None
    late: Mapping[str, datetime] = field(default_factory=dict)
    mapping: Numbered | None = None
    objects: ObjectNames = field(default_factory=ObjectNames)


def nothing_before(settings: LoadSettings) -> Before:
    """What a mart that is not there yet would say."""
    objects = ObjectNames(None, settings.source)
    return Before(Receipts(None, settings.source), mapping=_numbered(settings, None), objects=objects)


def read_before(
    mart: Mart, settings: LoadSettings, lost: Sequence[TailReceipt], audit: SessionAudit | None = None
) -> Before:
    """What the mart says, with the commits noted that its tail lacks; ``lost`` partitions are to be read again.

    ``audit``: settle there what a crash left open. Raises what :meth:`stores.mart.Mart.connect` raises, and
    IntegrityError when the audit trail lacks what the mart tells of.
    """
    with mart.connect(wait=settings.wait) as connection:
        mart.note(connection)
        if audit is not None:
            audit.reconcile(connection)
        views = views_of(connection)
        newest = max((view.added_at for view in views), default=None)
        return Before(
            Receipts(connection, settings.source, newest, lost, settings.routes.digest if settings.routes else None),
            views,
            settings.replaces and replaceable(connection, settings.replaces, settings.source),
            late_before(connection, settings.source, settings.lateness),
            _numbered(settings, connection),
            ObjectNames(connection, settings.source),
        )


def _numbered(settings: LoadSettings, connection: duckdb.DuckDBPyConnection | None) -> Numbered | None:
    return None if settings.mapping is None else numbered(connection, settings.source, settings.mapping)
