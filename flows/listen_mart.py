"""The committer of a listener: messages into a mart, one transaction for each batch.

A message is kept whole in `etl.message`, and is acknowledged then; its rows are made beside that, by the session of the
listener's run (:mod:`flows.listen_rows`).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TypeVar

import duckdb

from flows.listen_commit import Message, Outcome, Taken
from flows.listen_judge import Judge, Refusal, problem_of
from flows.listen_report import ListenReport
from flows.listen_rows import RowMaker
from flows.opening import open_session
from flows.session import LoadSession
from flows.settings import LoadSettings
from schemas.charsets import codec_named
from schemas.errors import ClinmartError, StorageError
from schemas.records import total_of
from stores.identity import mart_id
from stores.load_row import save_load
from stores.messages import KeptMessage, Known, keep, kept_before, latest_accepted, number_all

_T = TypeVar("_T")
_LOG = logging.getLogger(__name__)
_LINGER = 2.0  # seconds without messages after which the mart is closed, so that readers can open it
_PATIENCE = 5.0  # seconds to wait for a reader that has the mart open: less than senders wait for an answer
ROWS_AFTER = (
    30.0  # seconds that the rows of a message may wait for those of others: each commit of rows is kept account of
)
_FORMS_FROM = 2_000  # messages of earlier runs whose forms are known at the start


class MartCommitter:
    """Commits batches (:class:`flows.listen_commit.Committer`); use :func:`open_committer`.

    To open a mart takes longer than to commit a batch, so it stays open from one batch to the next, until none has come
    for a while.
    """

    def __init__(self, session: LoadSession, judge: Judge, rows: RowMaker, last: int) -> None:
        """``last`` is the greatest number of a message of the source."""
        self._mart = session.mart
        self.session = session
        self._source = session.settings.source
        self._judge = judge
        self._rows = rows
        self._last = last
        self._heard = session.mart.heard
        self._mart_id = ""
        self._wait = max(session.settings.wait, _PATIENCE)
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._close_when: threading.Timer | None = None

    def doubts(self, data: bytes) -> bool:
        """See :class:`Committer`."""
        return self._judge.doubts(data)

    def commit(self, batch: Sequence[Message]) -> list[Outcome]:
        """See :class:`Committer`. LockedError when another process has the mart open, StorageError when it fails."""
        return self._commit(batch, {})

    def check_and_commit(self, batch: Sequence[Message]) -> list[Outcome]:
        """See :class:`Committer`."""
        with self._lock:
            known = self._safely(lambda connection: kept_before(connection, self._source, (m.key for m in batch)))
        new = [message for message in batch if message.key not in known]
        refusals = dict(zip((message.key for message in new), self._judge.refusals(new), strict=True))
        return self._commit(batch, {key: refusal for key, refusal in refusals.items() if refusal is not None})

    def _commit(self, batch: Sequence[Message], refused: Mapping[tuple[str, str, str], Refusal]) -> list[Outcome]:
        def bring_in(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str, str], Known]:
            known = kept_before(connection, self._source, (message.key for message in batch))
            new = [message for message in batch if message.key not in known]
            kept = [
                KeptMessage(one.key, one.sha256, one.received_at, one.data, number, refused[one.key].reason)
                if one.key in refused
                else KeptMessage(one.key, one.sha256, one.received_at, one.data, number)
                for number, one in enumerate(new, self._last + 1)
            ]
            connection.execute("BEGIN TRANSACTION")
            keep(connection, self._source, self.session.report.load_id, kept)
            connection.execute("COMMIT")
            self._last += len(new)
            return known

        with self._lock:
            before = self._last
            known = self._safely(bring_in)
            if self._last > before:
                self._heard.note(self._mart_id, self._source, self._last)
                self._rows.tell(self._last)
        return [_outcome(message, known.get(message.key), refused.get(message.key)) for message in batch]

    def finish(self) -> None:
        """Close the mart; all that was acknowledged is in it."""
        with self._lock:
            if self._close_when is not None:
                self._close_when.cancel()
            self._close()

    def _safely(self, do: Callable[[duckdb.DuckDBPyConnection], _T]) -> _T:
        """Do something with the open mart; StorageError when that fails, and nothing of it is done."""
        self._stay_open()
        connection = self._open()
        try:
            return do(connection)
        except duckdb.Error as error:
            self._close()  # which rolls back, also where the connection is no longer of use
            why = type(error).__name__
            raise StorageError(f"the commit was rolled back ({why}): the mart is as before") from error

    def _open(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            connection = self._stack.enter_context(self._mart.connect(wait=self._wait))
            self._mart_id = mart_id(connection)
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
def open_committer(
    settings: LoadSettings,
    *,
    check_all: bool = False,
    rows_after: float = ROWS_AFTER,
    finish_within: float = 60.0,
    report: ListenReport | None = None,
    beside: LoadSession | None = None,
) -> Iterator[MartCommitter]:
    """A committer for a mart, which is made if need be. When the block is left in peace, the rows of all messages are
    made, the run's end is written to the mart, and what it did to ``report``.

    ``check_all``: every message is checked before it is answered. ``rows_after``: seconds after which rows are made,
    ``finish_within``: seconds in which the last of them are, at the end; else the next listener makes them.
    ``beside`` another source's session it shares its hold on the mart. Raises LockedError, StorageError or UsageError
    when the mart cannot be had.
    """
    with open_session(settings, "listen", beside=beside) as session:
        with session.connect() as connection:
            save_load(connection, session.report, finished=None)
            last, settled = number_all(connection, settings.source)
            known = latest_accepted(connection, settings.source, _FORMS_FROM)
        judge = Judge(session.worker, settings.charset and codec_named(settings.charset), every=check_all)
        for data in known:
            judge.learn(data)
        rows = RowMaker(session, judge, last, settled, rows_after)
        committer = MartCommitter(session, judge, rows, last)
        rows.start()
        try:
            yield committer
        except BaseException:
            committer.finish()
            rows.close(within=0.0)
            raise
        committer.finish()
        rows.close(within=finish_within)
        session.report.status = "drained"
        try:
            session.finish()
        except ClinmartError as error:  # only the run's own row is not settled: what was acknowledged is in the mart
            _LOG.warning("the end of the listener's run is not in the mart: %s", error)
        if report is not None:
            report.resources = total_of([report.resources, session.report.resources])
            report.rows_waiting += rows.waiting


@contextmanager
def open_committers(
    settings: LoadSettings, *, check_all: bool, rows_after: float, finish_within: float, report: ListenReport
) -> Iterator[dict[str, MartCommitter]]:
    """A committer for each source that the rules of ``settings`` name, by source; see :func:`open_committer`."""
    sources = settings.routes.sources if settings.routes else (settings.source,)
    made: dict[str, MartCommitter] = {}
    with ExitStack() as stack:
        for source in sources:
            beside = made[sources[0]].session if made else None
            one = open_committer(
                replace(settings, source=source),
                check_all=check_all,
                rows_after=rows_after,
                finish_within=finish_within,
                report=report,
                beside=beside,
            )
            made[source] = stack.enter_context(one)
        yield made


def _outcome(message: Message, known: Known | None, refusal: Refusal | None) -> Outcome:
    if known is None:
        return Outcome(Taken.APPLIED) if refusal is None else Outcome(Taken.QUARANTINED, refusal.problem)
    if known.sha256 != message.sha256:
        return Outcome(Taken.CONFLICT)
    return Outcome(Taken.DUPLICATE, None if known.reason is None else problem_of(known.reason))
