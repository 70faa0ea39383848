"""What a mart says before a load of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import duckdb

from flows.audit_session import SessionAudit
from flows.keyring import keys_of
from flows.settings import LoadSettings
from schemas.errors import IntegrityError, UsageError
from schemas.mapping.numbered import Numbered
from schemas.suppression import Suppression
from schemas.view_table import ViewTable
from stores.mappings import numbered
from stores.mart import Mart
from stores.objects import ObjectNames
from stores.receipts import Receipts
from stores.replays import replaceable
from stores.suppression import listed_at, no_key, suppression_of
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
    suppression: Suppression | None = None  # who was erased and must not come back
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
        told = [view.added_at for view in views]
        if (listed := listed_at(connection, settings.source)) is not None:
            told.append(listed)
        newest = max(told, default=None)  # files that were loaded before are read again
        return Before(
            Receipts(connection, settings.source, newest, lost, settings.routes.digest if settings.routes else None),
            views,
            settings.replaces and replaceable(connection, settings.replaces, settings.source),
            late_before(connection, settings.source, settings.lateness),
            _numbered(settings, connection),
            suppression_of(connection, settings.source, lambda key_id: _secret(settings, key_id)),
            ObjectNames(connection, settings.source),
        )


def _secret(settings: LoadSettings, key_id: str) -> bytes:
    """A key that keeps out those who were erased. Raises IntegrityError when it is not to be had."""
    from stores.keys import Purpose  # noqa: PLC0415 - loads of marts of which nobody was erased do not pay for it

    try:
        return keys_of(settings.mart).find(key_id, Purpose.SUPPRESS).secret
    except (UsageError, IntegrityError) as error:
        raise no_key(key_id, error) from None


def _numbered(settings: LoadSettings, connection: duckdb.DuckDBPyConnection | None) -> Numbered | None:
    return None if settings.mapping is None else numbered(connection, settings.source, settings.mapping)
