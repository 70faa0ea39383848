"""Brings batches of a broker's messages into a mart: one transaction for each, with how far they reach."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import duckdb

from flows.consume_stage import StagedBatch
from flows.drain import Drain
from flows.opening import open_session
from flows.routed import total_report
from flows.session import LoadSession
from flows.settings import LoadSettings
from schemas.consumed import Consumed, Place
from schemas.errors import LockedError
from schemas.records import LoadReport
from stores.consumed import positions
from stores.load_row import save_load

_LOG = logging.getLogger(__name__)
_SLICE = 1.0  # seconds that are waited for a mart at once, so that a signal is heard


class DrainedError(Exception):
    """The consumer was asked to stop before it had the mart."""


class ConsumeCommitter:
    """Commits batches; use :func:`open_consumer`. One source after the other, the consumer's own, which has the
    positions, at the end.
    """

    def __init__(self, sessions: Sequence[LoadSession], known: Mapping[Place, int]) -> None:
        """``known`` is how far the mart is in places whose messages are numbered."""
        self.sessions = sessions
        self.known = known
        self._hold = ExitStack()
        self._held = False

    def commit(self, batch: StagedBatch, consumed: Sequence[Consumed], size: int) -> None:
        """Bring a batch in; when it raises, what is not in the mart may be committed again.

        Raises LockedError when another process has the mart open, StorageError when it fails.
        """
        try:
            if not self._held:  # to open a mart takes longer than to commit a batch
                self._hold.enter_context(self.sessions[0].connect())
                self._held = True
            for number in reversed(range(len(self.sessions))):
                session, chunks = self.sessions[number], batch.chunks[number]
                session.unit.take()
                if not chunks and number:
                    continue
                session.unit.add_consumed(chunks, () if number else consumed)
                session.report.bytes += 0 if number else size
                try:
                    session.commit()
                except BaseException:
                    session.report.bytes -= 0 if number else size
                    raise
                batch.chunks[number] = []  # so that it is not brought in twice
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Give the mart free, for others to open it."""
        self._held = False
        hold, self._hold = self._hold, ExitStack()
        try:
            hold.close()
        except duckdb.Error as error:  # what was committed is in its log
            _LOG.warning("the mart was not closed in good order: %s", type(error).__name__)

    def finish(self, *, drained: bool) -> LoadReport:
        """Write the run's end to the mart; the sum of what it did for all sources."""
        self.release()
        for session in self.sessions:
            session.unit.take()
            if drained:
                session.report.status = "drained"
            session.finish()
        reports = [session.report for session in self.sessions]
        return reports[0] if len(reports) == 1 else total_report(reports[0].source, reports)


@contextmanager
def open_consumer(settings: LoadSettings, broker: str, drain: Drain) -> Iterator[ConsumeCommitter]:
    """A committer for a mart, which is made if need be; a mart that is loaded by another is waited for.

    Raises LockedError after ``settings.wait`` seconds, DrainedError when the wait is drained, StorageError, UsageError
    or IntegrityError when the mart cannot be had.
    """
    sources = settings.routes.sources if settings.routes else (settings.source,)
    with ExitStack() as stack:
        first = _patiently(stack, replace(settings, source=sources[0]), drain)
        sessions = [first]
        with first.connect() as connection:  # once it is made
            known = positions(connection, sources[0], broker)
            for source in sources[1:]:
                beside = open_session(replace(settings, source=source), "consume", beside=first)
                sessions.append(stack.enter_context(beside))
            for session in sessions:
                save_load(connection, session.report, finished=None)
        committer = ConsumeCommitter(sessions, known)
        try:
            yield committer
        finally:
            committer.release()


def _patiently(stack: ExitStack, settings: LoadSettings, drain: Drain) -> LoadSession:
    """A session once the mart is free."""
    deadline, told = time.monotonic() + settings.wait, False
    while True:
        left = deadline - time.monotonic()
        try:
            return stack.enter_context(open_session(replace(settings, wait=min(_SLICE, max(0.0, left))), "consume"))
        except LockedError as error:
            if left <= _SLICE:
                raise
            if not told:
                _LOG.warning("nothing is received yet: %s", error)
            told = True
        if drain.asked:
            raise DrainedError
