"""What the tests of the sources share: reading a partition to its end, and cutting bytes into blocks."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterable, Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import settings

from schemas.records import Chunk, OversizedLine

# How long an example takes says nothing on a shared machine.
settings.register_profile("without-deadline", deadline=None)
settings.load_profile("without-deadline")


@pytest.fixture(scope="session")
def drain() -> Callable[[AsyncIterable[Chunk | OversizedLine]], list[Chunk | OversizedLine]]:
    """A function that reads a reading to its end and returns what it gave."""

    def run(reading: AsyncIterable[Chunk | OversizedLine]) -> list[Chunk | OversizedLine]:
        async def collect() -> list[Chunk | OversizedLine]:
            return [item async for item in reading]

        return asyncio.run(collect())

    return run


@pytest.fixture(scope="session")
def cut() -> Callable[[bytes, Sequence[int]], list[bytes]]:
    """A function that cuts bytes into blocks of the given sizes, over and over, the last one as it comes."""

    def run(data: bytes, sizes: Sequence[int]) -> list[bytes]:
        blocks = []
        at = turn = 0
        while at < len(data):
            size = sizes[turn % len(sizes)]
            blocks.append(data[at : at + size])
            at, turn = at + size, turn + 1
        return blocks

    return run


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the project; the test is skipped without it."""
    folder = Path(os.environ.get("CLINMART_SHARED", Path(__file__).parents[3] / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"SKIPPED LOUDLY: no real data in {folder}; set CLINMART_SHARED to its place")
    return folder / "data"
