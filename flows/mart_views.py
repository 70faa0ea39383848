"""Views as tables of a mart."""

from __future__ import annotations

from pathlib import Path

from flows.views import read_view
from schemas.errors import UsageError
from schemas.table import Column
from schemas.tables import all_tables
from schemas.view_definition import parse_view
from schemas.view_table import ViewTable
from stores.lock import loader_lock
from stores.mart import Mart
from stores.views import add_view, views_of
from transforms.views.output import stored_type


def add_to_mart(path: Path, mart: Path, wait: float) -> ViewTable:
    """Make the view of a file a table of a mart, which later loads fill.

    Raises UsageError, LockedError or StorageError.
    """
    compiled, definition = read_view(path), path.read_bytes().decode()
    name = parse_view(definition).name
    if name is None:
        raise UsageError(f"{path}: the view has no name, and its table needs one")
    columns = [Column(c.name, stored_type(c), f"`{c.fhir_type}` of the view {name}.") for c in compiled.columns]
    with loader_lock(mart, wait=wait):
        store = Mart(mart)
        store.must_be_possible()
        store.prepare(all_tables(), wait=wait)
        with store.connect(wait=wait) as connection:
            add_view(connection, name, compiled.resource, definition, columns)
            return next(view for view in views_of(connection) if view.name == name)
