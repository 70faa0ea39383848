"""One table's part of a commit: where its rows, their earlier versions and its deletes stand."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from stores.ddl import Contract, Stored
from stores.sql import STORED, STORED_HISTORY, files, quoted, text

STAGE_ROW = "~row"  # number of a row in the stage, unique within a commit unit
# Temporary tables hide those of the mart that are called the same: no view can have such a name.
INCOMING, VERDICT, REVIVED, CONFLICT = '"~incoming"', '"~verdict"', '"~revived"', '"~conflict"'
VERSION = "version_id, last_updated, last_updated_nanos, content_hash"


@dataclass(frozen=True, slots=True)
class Merge:
    """Staged Parquet files into what ``main.<table>`` and ``history.<table>`` show.

    ``rows`` and ``columns`` are those of the files. ``deletes`` are files of deletes, of which the table takes those
    of the types in ``deleted``; where its key has no type it is of one type, ``resource_type``.
    """

    shown: Contract
    stored: Stored  # what the mart has before
    key: tuple[str, ...]  # identity within a source: ("id",), or ("type", "id")
    paths: Sequence[str]
    rows: int
    columns: Collection[str]
    source: str
    load_id: str
    resource_type: str = ""
    deletes: Sequence[str] = ()
    deleted: Collection[str] = ()
    json: Collection[str] = ()  # columns that are JSON texts
    repeated: int = 0  # patches that were left out of the files, for others there say the same

    @property
    def staged(self) -> str:
        """The staged rows as a relation with all columns of the table."""
        return (
            f"(SELECT {text(self.source)} AS source, {text(self.load_id)} AS load_id, * "
            f"FROM read_parquet({files(list(self.paths))}, union_by_name = true))"
        )

    @property
    def staged_deletes(self) -> str:
        """The staged deletes of this table, with the columns of its key."""
        types = ", ".join(text(kind) for kind in sorted(self.deleted))
        return (
            f"(SELECT resource_type AS type, * FROM read_parquet({files(list(self.deletes))}) "
            f"WHERE resource_type IN ({types}))"
        )

    @property
    def tombstones(self) -> str:
        """The deletes that the mart knows, with the columns of the table's key."""
        ours = f" AND resource_type = {text(self.resource_type)}" if self.resource_type else ""
        return f"(SELECT resource_type AS type, * FROM etl.tombstone WHERE source = {text(self.source)}{ours})"

    @property
    def main(self) -> str:
        """The table of current rows."""
        return f"{STORED}.{quoted(self.shown.name)}"

    @property
    def history(self) -> str:
        """The table of earlier versions."""
        return f"{STORED_HISTORY}.{quoted(self.shown.name)}"

    @property
    def keys(self) -> str:
        """The key columns, quoted."""
        return ", ".join(quoted(k) for k in self.key)

    @property
    def kind(self) -> str:
        """The resource type of a row, as SQL."""
        return text(self.resource_type) if self.resource_type else '"type"'
