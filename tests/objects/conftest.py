"""An S3 store, and the command line that reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

import flows.settings
from sources.objects.access import ObjectAccess
from sources.pace import PaceLimits
from tests.flows.conftest import clinmart
from tests.objects.store import Store, environment, serving

__all__ = ["clinmart", "store"]

# As many tries as users have, without their waits.
QUICK = PaceLimits(
    concurrency=4, rate=5000, tries=5, first_wait=0.005, longest_wait=0.01, circuit_failures=100, circuit_rest=0.01
)


@pytest.fixture(scope="session")
def _object_store() -> Iterator[Store]:
    with serving() as store:
        yield store


@pytest.fixture
def store(_object_store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An empty S3 store (moto) that this process knows by its environment, and calls without long waits."""
    environment(_object_store, monkeypatch)
    told = flows.settings.object_access

    def access() -> ObjectAccess:
        return replace(told(), pace=QUICK, patience=20.0)

    monkeypatch.setattr(flows.settings, "object_access", access)
    yield _object_store
    _object_store.clear()
