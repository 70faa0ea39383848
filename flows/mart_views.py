"""Views as tables of a mart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flows.auditing import audited
from flows.keyring import mart_at
from flows.settings import cache_folder
from flows.views import read_view
from schemas.errors import UsageError
from schemas.table import Column
from schemas.tables import all_tables
from schemas.view_definition import parse_view
from schemas.view_table import ViewTable
from stores.lock import loader_lock
from stores.refresh import files_of_messages
from stores.views import Dropped, add_view, drop_view, views_of
from transforms.views.output import stored_type


@dataclass(frozen=True, slots=True)
class Added:
    """A view that was added; ``messages``: so many files of HL7 v2 messages made rows of its type, of which it has
    none.
    """

    view: ViewTable
    messages: int


def add_to_mart(path: Path, mart: Path, wait: float) -> Added:
    """Make the view of a file a table of a mart, which later loads fill.

    Raises UsageError, LockedError or StorageError.
    """
    compiled, definition = read_view(path), path.read_bytes().decode()
    name = parse_view(definition).name
    if name is None:
        raise UsageError(f"{path}: the view has no name, and its table needs one")
    columns = [Column(c.name, stored_type(c), f"`{c.fhir_type}` of the view {name}.") for c in compiled.columns]
    with loader_lock(mart, wait=wait):
        store = mart_at(mart, moulds=cache_folder())
        store.must_be_possible()
        store.prepare(all_tables(), wait=wait)
        told = {"view": name, "resource_type": compiled.resource}
        with audited(mart, "view.add", where=told), store.connect(wait=wait) as connection:
            add_view(connection, name, compiled.resource, definition, columns)
            view = next(view for view in views_of(connection) if view.name == name)
            return Added(view, files_of_messages(connection, compiled.resource))


def drop_from_mart(name: str, mart: Path, wait: float) -> Dropped:
    """Take a view that was added off a mart, with its table.

    Raises UsageError, LockedError or StorageError.
    """
    store = mart_at(mart)
    store.must_exist()
    with loader_lock(mart, wait=wait):
        store.prepare(all_tables(), wait=wait)
        with audited(mart, "view.drop", where={"view": name}) as act, store.connect(wait=wait) as connection:
            dropped = drop_view(connection, name)
            act.detail |= {"rows": dropped.rows, "refused": dropped.refused}
            return dropped
