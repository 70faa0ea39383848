"""The event loop on which object stores are called, for readers and writers that are threads."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

_Answer = TypeVar("_Answer")


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="clinmart-objects", daemon=True).start()
    return loop


def begin(work: Coroutine[Any, Any, _Answer]) -> Future[_Answer]:
    """Start the work beside the calling thread; all of it runs on one loop of the process."""
    return asyncio.run_coroutine_threadsafe(work, _loop())
