"""Makes the rows of what a listener took in, beside it: many messages in one commit, as a load of a file would.

A message that was acknowledged stands in `etl.message`; up to which number the rows are made stands in `etl.listener`,
and moves in the transaction that brings them in. So whatever ends a listener, the next one goes on from there.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

import duckdb

from flows.listen_judge import Judge, message_chunk
from flows.listen_stager import Stager
from flows.session import LoadSession
from schemas.errors import ClinmartError
from schemas.staged import StagedChunk
from stores.messages import Unsettled, unsettled

_LOG = logging.getLogger(__name__)
_MOST = 10_000  # messages that one commit brings in
_TOGETHER = 2_500  # of them that are transformed at once, which bounds the memory
_AGAIN = 5.0  # seconds until a commit that failed is tried again; doubled each time
_LONGEST = 300.0


class RowMaker:
    """A thread that makes rows; ``seconds`` is how long the first message may wait for others."""

    def __init__(self, session: LoadSession, judge: Judge, last: int, settled: int, seconds: float) -> None:
        self._session = session
        self._judge = judge
        self._stager = Stager(session.worker)
        self._last = last
        self.settled = settled
        self._seconds = seconds
        self._state = threading.Condition()
        self._closing = False
        self._leave_at = 0.0  # when to begin no more, once it is closing
        self._since = time.monotonic()  # when the first of those came whose rows are to be made
        self._thread = threading.Thread(target=self._run, name="clinmart-rows", daemon=True)

    @property
    def waiting(self) -> int:
        """Messages of which no rows are made yet."""
        return self._last - self.settled

    def start(self) -> None:
        """Begin, with what an earlier listener left."""
        self._thread.start()

    def tell(self, last: int) -> None:
        """Messages up to this number are in the mart."""
        with self._state:
            if not self.waiting:
                self._since = time.monotonic()
            self._last = last
            self._state.notify()

    def close(self, within: float) -> None:
        """Make the rows of all there are, beginning no commit after so many seconds, and end; the rest, and what fails,
        is left to the next listener.
        """
        with self._state:
            self._closing, self._leave_at = True, time.monotonic() + within
            self._state.notify()
        self._thread.join()
        self._stager.close()

    def _run(self) -> None:
        pause = _AGAIN
        while self._wait():
            try:
                self._settle()
                pause = _AGAIN
            except ClinmartError as error:
                _LOG.error("rows of messages were not made, and will be tried again: %s", error)
            except Exception as error:  # noqa: BLE001 # its text may hold values
                _LOG.error("rows of messages were not made: internal error %s", type(error).__name__)
            else:
                continue
            if self._closing:
                return
            with self._state:
                self._state.wait_for(lambda: self._closing, pause)
            pause = min(2 * pause, _LONGEST)

    def _wait(self) -> bool:
        """Wait until there is enough to do, or little for long; False at the end."""
        with self._state:
            while not self._closing and self.waiting < _MOST:
                due = self._since + self._seconds - time.monotonic() if self.waiting else None
                if due is not None and due <= 0:
                    break
                self._state.wait(due)
            return self.waiting > 0 and not (self._closing and time.monotonic() >= self._leave_at)

    def _settle(self) -> None:
        """Make the rows of the next messages, in one commit."""
        session = self._session
        with session.connect() as connection:
            found = unsettled(connection, session.settings.source, self.settled, _MOST)
        refused: set[int] = set()
        staged: list[StagedChunk] = []
        size = 0
        try:
            for begin in range(0, len(found), _TOGETHER):
                staged += self._staged(found[begin : begin + _TOGETHER], refused)
            last = found[-1].number if found else self._last
            session.unit.add_heard(staged, last, [message.number for message in found])
            session.report.bytes += (size := sum(len(one.payload) for one in found))
            session.commit()
        except BaseException:
            session.report.bytes -= size
            session.unit.take()
            for chunk in staged:
                session.stage.discard(chunk.paths)
            raise
        for message in found:
            if message.number in refused:
                self._judge.forget(message.payload)
        with self._state:
            self.settled = last
            self._since = time.monotonic()

    def _staged(self, messages: Sequence[Unsettled], refused: set[int]) -> list[StagedChunk]:
        as_of = self._session.report.as_of
        chunks = [message_chunk(one.number, one.payload, one.received_at) for one in messages]
        try:
            staged, found = self._stager.stage(chunks, as_of)
            refused |= found
            return [staged]
        except (ClinmartError, OSError, MemoryError, duckdb.OutOfMemoryException):  # no message's fault: it may pass
            raise
        except Exception as error:  # noqa: BLE001 # a fault of ours in one message must not keep the others out
            if len(messages) > 1:
                half = len(messages) // 2
                return self._staged(messages[:half], refused) + self._staged(messages[half:], refused)
            _LOG.error("a message cannot be decoded: internal error %s", type(error).__name__)
            refused.add(messages[0].number)
            return [self._session.worker.refuse(chunks[0], as_of)]
