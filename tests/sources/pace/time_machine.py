"""A clock on which waiting takes no time."""

from __future__ import annotations

import asyncio

import pytest

from sources.pace import Clock


class TimeMachine:
    """``clock`` stands still but for what is slept; ``slept`` are the waits in order."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.time = 1000.0
        self.slept: list[float] = []
        self.clock = Clock(self._now, self._sleep)
        patch.setattr("circuitbreaker.monotonic", self._now)

    def _now(self) -> float:
        return self.time

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)
