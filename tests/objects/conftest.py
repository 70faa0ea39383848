"""An S3 store, and the command line that reads it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.flows.conftest import clinmart
from tests.objects.store import Store, environment, serving

__all__ = ["clinmart", "store"]


@pytest.fixture(scope="session")
def _object_store() -> Iterator[Store]:
    with serving() as store:
        yield store


@pytest.fixture
def store(_object_store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An empty S3 store (moto) that this process knows by its environment."""
    environment(_object_store, monkeypatch)
    yield _object_store
    _object_store.clear()
