"""Publishes a mart anew wherever it was published before, so that what left it leaves its copies too."""

from __future__ import annotations

from pathlib import Path

import duckdb

from schemas.tables import all_tables
from stores.mart import Mart
from stores.publish import publish_parquet
from stores.published_to import published_addresses, published_folders


def publish_again(connection: duckdb.DuckDBPyConnection, mart: Mart) -> list[str]:
    """Write the database that the connection uses to all folders and prefixes that ``mart`` was published to; which
    these are. Raises what publishing raises.
    """
    key, path = mart.database_key(), mart.path
    folders: list[Path] = published_folders(path)
    for folder in folders:
        publish_parquet(connection, folder, all_tables(), key, path)
    addresses = published_addresses(path)
    if addresses:
        from flows.publish_objects import publish_objects  # noqa: PLC0415 - object stores are heavy

        for address in addresses:
            for _ in range(2):  # the snapshot before stays for its readers, so the second time that goes
                publish_objects(connection, address, all_tables(), key, path)
    return [*map(str, folders), *addresses]
