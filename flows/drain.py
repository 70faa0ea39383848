"""A load that is asked to stop: the first SIGTERM or SIGINT drains it, a second one or the end of its grace aborts it.

Aborting is safe at any moment: a commit is one transaction, and what was staged is cleared by the next load.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from schemas.errors import EXIT_DRAINED

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Drain:
    """Whether a load was asked to stop."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._told: list[Callable[[], None]] = []

    @property
    def asked(self) -> bool:
        """True from the first signal on: read no further, commit what was read whole, and leave."""
        return self._asked.is_set()

    def ask(self) -> None:
        """Ask the load to stop."""
        self._asked.set()
        for told in self._told:
            told()

    def when_asked(self, told: Callable[[], None]) -> None:
        """Have ``told`` called when the load is asked to stop, at once if it was; it may run in a signal handler."""
        self._told.append(told)
        if self.asked:
            told()


@contextmanager
def draining(grace: float) -> Iterator[Drain]:
    """Listen for signals; the load has ``grace`` seconds from the first one on. Only in a process's main thread."""
    drain = Drain()
    patience = threading.Timer(grace, _abort)
    patience.daemon = True

    def heard(_number: int, _frame: FrameType | None) -> None:
        if drain.asked:
            _abort()
        drain.ask()
        patience.start()

    before = {number: signal.signal(number, heard) for number in _SIGNALS}
    try:
        yield drain
    finally:
        patience.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


def _abort() -> None:
    os._exit(EXIT_DRAINED)
