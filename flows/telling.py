"""What the user should know of a load that went well."""

from __future__ import annotations

from collections.abc import Collection

import duckdb

from schemas.crosswalk import Crosswalk
from schemas.records import LoadReport
from schemas.view_table import ViewTable
from stores.codes import loads_with, unmapped


def tell_of_codes(
    connection: duckdb.DuckDBPyConnection, report: LoadReport, crosswalk: Crosswalk | None, loads_before: set[str]
) -> None:
    """What the crosswalk could not map, and that the rows of some loads before were mapped by another one."""
    if crosswalk is None:
        return
    report.unmapped, report.unmapped_codes = unmapped(connection, report.load_id)
    others = loads_before - loads_with(connection, crosswalk)
    if others:
        report.notes.append(
            "rows that were loaded before keep the codes they were given then, by another crosswalk or none: "
            "load into a new mart to map them by this one"
        )


def tell_of_views(report: LoadReport, views: Collection[ViewTable], patched_types: Collection[str]) -> None:
    """The views that have nothing of what messages made or changed, which is of ``patched_types``."""
    for view in views:
        if view.resource_type in patched_types:
            report.notes.append(
                f"the view {view.name} has no rows of {view.resource_type} resources that HL7 v2 messages made or "
                "changed: the table of the type has them"
            )
