"""A progress bar on a terminal: bytes, rows a second, quarantined, time left. Nothing when stderr is no terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from flows.runner import Progress, Watcher


@contextmanager
def watching(*, quiet: bool) -> Iterator[Watcher | None]:
    """What a load reports its progress to; None when nobody watches."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[speed]}"),
        TextColumn("{task.fields[refused]}"),
        TimeRemainingColumn(),
    )
    began = time.monotonic()
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None, speed="", refused="")

        def watch(now: Progress) -> None:
            speed = now.rows / max(time.monotonic() - began, 0.001)
            bar.update(
                task,
                description=now.phase,
                total=now.total,
                completed=now.done,
                speed=f"{speed:,.0f} rows/s",
                refused=f"{now.quarantined:,} quarantined" if now.quarantined else "",
            )

        yield watch
