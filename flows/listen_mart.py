"""The committer of a listener: messages into a mart, one transaction for each batch.

A message is kept whole in `etl.message`; what is made of it belongs in the same transaction, in :meth:`_bring_in`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

import duckdb

from flows.listen_commit import Message, Outcome, Taken
from flows.settings import LoadSettings, new_load_id
from schemas.errors import ClinmartError, StorageError
from schemas.records import LoadReport
from schemas.tables import all_tables
from stores.commit import save_load
from stores.lock import loader_lock
from stores.mart import Mart
from stores.messages import KeptMessage, keep, kept_before
from stores.staging import clean_staging

_LOG = logging.getLogger(__name__)
_LINGER = 2.0  # seconds without messages after which the mart is closed, so that readers can open it
_PATIENCE = 5.0  # seconds to wait for a reader that has the mart open: less than senders wait for an answer


class MartCommitter:
    """Commits batches (:class:`flows.listen_commit.Committer`); use :func:`open_committer`.

    To open a mart takes longer than to commit a batch, so it stays open from one batch to the next, until none has come
    for a while.
    """

    def __init__(self, mart: Mart, settings: LoadSettings, report: LoadReport) -> None:
        self._mart = mart
        self._source = settings.source
        self._wait = max(settings.wait, _PATIENCE)
        self._report = report
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._close_when: threading.Timer | None = None

    def commit(self, batch: Sequence[Message]) -> list[Outcome]:
        """See :class:`Committer`. LockedError when another process has the mart open, StorageError when it fails."""
        with self._lock:
            self._stay_open()
            connection = self._open()
            try:
                connection.execute("BEGIN TRANSACTION")
                outcomes = self._bring_in(connection, batch)
                connection.execute("COMMIT")
            except duckdb.Error as error:
                self._close()  # which rolls back, also where the connection is no longer of use
                why = type(error).__name__
                raise StorageError(f"the commit was rolled back ({why}): the mart is as before") from error
            self._report.bytes += sum(len(message.data) for message in batch)
            return outcomes

    def finish(self) -> None:
        """Write the end of the run to the mart, and close it."""
        with self._lock:
            if self._close_when is not None:
                self._close_when.cancel()
            self._report.status = "drained"
            self._report.seconds = time.monotonic() - self._began
            save_load(self._open(), self._report, finished=datetime.now(UTC))
            self._close()

    def _bring_in(self, connection: duckdb.DuckDBPyConnection, batch: Sequence[Message]) -> list[Outcome]:
        known = kept_before(connection, self._source, (message.key for message in batch))
        new = [message for message in batch if message.key not in known]
        kept = [KeptMessage(one.key, one.sha256, one.received_at, one.data) for one in new]
        keep(connection, self._source, self._report.load_id, kept)
        return [_outcome(message, known.get(message.key)) for message in batch]

    def _open(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            connection = self._stack.enter_context(self._mart.connect(wait=self._wait))
            save_load(connection, self._report, finished=None)
            self._connection = connection
        return self._connection

    def _close(self) -> None:
        """Give the mart free. What was committed is in its log, so an error in tidying up loses nothing."""
        self._connection = None
        try:
            self._stack.close()
        except duckdb.Error as error:
            _LOG.warning("the mart was not closed in good order: %s", type(error).__name__)

    def _stay_open(self) -> None:
        if self._close_when is not None:
            self._close_when.cancel()
        self._close_when = threading.Timer(_LINGER, self._close_idle)
        self._close_when.daemon = True
        self._close_when.start()

    def _close_idle(self) -> None:
        with self._lock:
            self._close()


@contextmanager
def open_committer(settings: LoadSettings) -> Iterator[MartCommitter]:
    """A committer for a mart, which is made if need be; its end is written to the mart when the block is left in peace.

    Raises LockedError, StorageError or UsageError when the mart cannot be had.
    """
    mart = Mart(settings.mart, memory=settings.memory)
    mart.must_be_possible()
    with loader_lock(settings.mart, wait=settings.wait):
        mart.prepare(all_tables(), wait=settings.wait)
        clean_staging(settings.mart)
        now = datetime.now(UTC)
        report = LoadReport(new_load_id(now), settings.source, now, now, kind="listen")
        committer = MartCommitter(mart, settings, report)
        yield committer
        try:
            committer.finish()
        except (
            ClinmartError
        ) as error:  # all that was acknowledged is in the mart; only the run's own row is not settled
            _LOG.warning("the end of the listener's run is not in the mart: %s", error)


def _outcome(message: Message, known: bytes | None) -> Outcome:
    if known is None:
        return Outcome(Taken.APPLIED)
    return Outcome(Taken.DUPLICATE if known == message.sha256 else Taken.CONFLICT)
