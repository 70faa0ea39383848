"""A desk for every test of the stores that wants one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stores.desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """An empty mart in memory, with a staging area on disk."""
    made = Desk(tmp_path)
    yield made
    made.connection.close()
