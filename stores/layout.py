"""Everything that makes a database a mart: its tables, and all views over them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from schemas.table import Table
from stores.daily_views import daily_views
from stores.ddl import Stored, statements
from stores.result_views import result_views


def layout(tables: Sequence[Table], stored: Stored | None = None) -> Iterator[str]:
    """The statements, for a database whose tables are ``stored`` already."""
    yield from statements(tables, stored)
    yield from daily_views(tables)
    yield from result_views(tables)


def fingerprint(tables: Sequence[Table]) -> str:
    """The same for two clinmarts whose marts look the same to their readers."""
    return hashlib.sha256("\n".join(layout(tables)).encode()).hexdigest()[:32]
