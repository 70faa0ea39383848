"""What tests of exports share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bulk.fetching import some_files
from tests.bulk.server import BulkServer, serving
from tests.sources.pace.time_machine import TimeMachine


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> TimeMachine:
    """Time that only sleeping moves."""
    return TimeMachine(monkeypatch)


@pytest.fixture
def server() -> Iterator[BulkServer]:
    """A server with some files."""
    with serving(files=some_files()) as one:
        yield one
