"""What all tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

# A deadline is a timing assertion, and these say nothing about correctness on a busy machine.
settings.register_profile("clinmart", deadline=None)
settings.load_profile("clinmart")


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests keep what saves time in a folder of their own, which those that run side by side share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLINMART_CACHE", str(tmp_path_factory.getbasetemp().parent / "cache"))
        yield
