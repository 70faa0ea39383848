"""Which versions a commit unit brings in, noted while it is merged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import duckdb

from stores.audit.versions import DELETES, PATCHES, ROWS, Anchor, came_in, staged_rows, stored_versions

if TYPE_CHECKING:
    from stores.merge import Merged
    from stores.step import Merge


class UnitVersions:
    """Takes note for one commit of the load ``load``; ``before`` are the (type, kind) that its commits brought before,
    of which this one's are but a part.
    """

    def __init__(self, load: str, before: Sequence[tuple[str, str]] = ()) -> None:
        self._load = load
        self._before = set(before)
        self.robbed: set[str] = set()  # earlier loads of which all versions that are left are named anew
        self.anchors: list[Anchor] = []

    def take(self, connection: duckdb.DuckDBPyConnection, made: Merged) -> None:
        """Note what a merge made, before the next one."""
        self._add(connection, ROWS, made.rows)
        if made.deletes is not None:
            self._add(connection, DELETES, made.deletes)
        self.robbed |= made.robbed

    def take_patches(self, connection: duckdb.DuckDBPyConnection, step: Merge) -> None:
        """Note the patches that a table was given, new or not."""
        self._add(connection, PATCHES, staged_rows(step))

    def anchor_anew(self, connection: duckdb.DuckDBPyConnection) -> None:
        """At the end: name anew what is left of earlier loads that lost versions to ones written anew."""
        if self.robbed:
            from stores.stored import stored_columns  # noqa: PLC0415 - it imports what imports this

            self.anchors += list(stored_versions(connection, stored_columns(connection), self.robbed))

    def _add(self, connection: duckdb.DuckDBPyConnection, kind: str, relation: str) -> None:
        for one in came_in(connection, self._load, kind, relation, part=False):
            part = (one.type, kind) in self._before
            self.anchors.append(Anchor(one.load, one.type, kind, one.count, one.root, part) if part else one)
