"""A table of the mart that a user's ViewDefinition fills."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from schemas.table import Column

# What every such table has before the columns of its view.
VIEW_IDENTITY = (
    Column("source", "VARCHAR", "Name of the source."),
    Column(
        "resource_id", "VARCHAR", "Id of the resource that the row was made of; with `source` it joins to its table."
    ),
    Column("row_number", "BIGINT", "Number of the row among those of its resource, from 1."),
    Column("load_id", "VARCHAR", "The load that made the row."),
    Column("content_hash", "BLOB", "`content_hash` of the resource."),
)


@dataclass(frozen=True, slots=True)
class ViewTable:
    """A view that loads fill; ``definition`` is its ViewDefinition in JSON."""

    name: str
    resource_type: str
    definition: str
    added_at: datetime
