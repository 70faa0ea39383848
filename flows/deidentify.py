"""A copy of a mart for analysts: written aside, reported on, then put in place at once."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from schemas.errors import StorageError, UsageError
from schemas.research import Ids, ResearchPolicy
from schemas.tables import all_tables
from stores.mart import Mart
from stores.publish import publish_parquet
from stores.research.anonymity import Anonymity, anonymity
from stores.research.copy import COPY, statement, units_of, write_copy
from stores.sql import text
from transforms.units.resolve import UnitStatus, resolve

_UNDERSTOOD = (UnitStatus.UCUM, UnitStatus.MAPPED)
_KEY_BYTES = 32
_TOLD = ("about", "deidentification", "anonymity")  # tables of `etl` that go with the Parquet files


@dataclass(frozen=True, slots=True)
class ResearchReport:
    """What was written, and what it is."""

    policy: ResearchPolicy
    to: Path
    tables: dict[str, int]
    anonymity: Sequence[Anonymity]

    @property
    def statement(self) -> str:
        """What the copy is and what it is not."""
        return statement(self.policy)

    def as_dict(self) -> dict[str, object]:
        """For ``--json``; no value of any row is in it."""
        return {
            "copy": str(self.to),
            "method": self.policy.method.value,
            "ids": self.policy.ids.value,
            "statement": self.statement,
            "tables": self.tables,
            "anonymity": [one.as_dict() for one in self.anonymity],
        }


def deidentify(
    mart: Mart, to: Path, policy: ResearchPolicy, key: bytes | None, today: date, *, parquet: bool = False
) -> ResearchReport:
    """Write a copy of a mart as the DuckDB file ``to``, or as a folder of Parquet files.

    ``key`` (32 bytes) makes ids and shifts; it is not used, and need not be given, where they are made for this copy
    alone. ``today`` is the day on which ages are told. An earlier copy at ``to`` is replaced.

    Raises UsageError where something else is there, StorageError when it cannot be written.
    """
    secret = secrets.token_bytes(_KEY_BYTES) if policy.ids is Ids.ONCE else key
    if secret is None:
        raise UsageError("ids that stay the same need the mart's key: give --keys, or --ids once")
    if not to.parent.is_dir():
        raise StorageError(f"cannot write {to}: there is no folder {to.parent}")
    if not parquet:
        _must_be_a_copy(to)
    fresh = to.with_name(f"{to.name}.copy-{os.getpid()}")
    try:
        with mart.connect(read_only=True) as connection:
            connection.execute(f"ATTACH {text(str(fresh))} AS {COPY} (READ_WRITE)")
            fresh.chmod(0o600)
            understood = {unit for unit in units_of(connection, all_tables()) if resolve(unit).status in _UNDERSTOOD}
            rows = write_copy(connection, all_tables(), policy, secret, today, understood)
            found = anonymity(connection, policy.quasi_identifiers, rows)
            connection.execute(f"DETACH {COPY}")
        if parquet:
            _publish(fresh, to)
        else:
            fresh.rename(to)
    except OSError as error:
        raise StorageError(f"cannot write {to}: {error.strerror}") from error
    finally:
        for left in (fresh, fresh.with_name(fresh.name + ".wal")):
            left.unlink(missing_ok=True)
    return ResearchReport(policy, to, rows, found)


def _must_be_a_copy(to: Path) -> None:
    """UsageError when there is something that no ``deidentify`` wrote."""
    if not to.exists():
        return
    with contextlib.suppress(duckdb.Error), duckdb.connect(str(to), read_only=True) as there:
        if there.execute("SELECT 1 FROM duckdb_tables() WHERE schema_name = 'etl' AND table_name = 'about'").fetchone():
            return
    raise UsageError(f"{to} is there and is no copy that clinmart deidentify wrote: name a new file")


def _publish(fresh: Path, to: Path) -> None:
    """The copy as Parquet files, with what became of its columns."""
    with duckdb.connect(str(fresh)) as connection:
        for name in _TOLD:
            connection.execute(f"CREATE VIEW main.etl_{name} AS SELECT * FROM etl.{name}")
        publish_parquet(connection, to, None)
