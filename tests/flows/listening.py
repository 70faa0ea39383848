"""A listener in a thread, a committer in memory, and senders: what the tests of listening share."""

from __future__ import annotations

import queue
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from flows.drain import Drain
from flows.listen import Address, ListenLimits, run_listen
from flows.listen_commit import BatchLimits, Committer, Message, Outcome, Taken
from flows.listen_report import ListenReport
from flows.worker import Worker
from schemas.errors import ClinmartError
from schemas.records import Chunk, Rejection
from schemas.staged import StagedChunk
from sources.mllp.framer import Frame, Framer, framed
from sources.mllp.limits import MllpLimits
from transforms.acknowledge.conditions import Condition, Problem

CANARY = "Zebedee"
PATIENCE = 30.0  # seconds after which a test that waits has failed
REFUSED = Problem(Condition.DATA_TYPE_ERROR, "a date does not exist", ("PID", 1, 7))


def message(
    control_id: str, *, body: str = "", sender: str = "LAB|HOSP", version: str = "2.5.1", more: str = ""
) -> bytes:
    """An ORU with a name that must never be seen; ``body`` "bad" is refused by :class:`MemoryCommitter`."""
    return (
        f"MSH|^~\\&|{sender}|EHR|CLINIC|20260101||ORU^R01^ORU_R01|{control_id}|P|{version}{more}\r"
        f"PID|1||7^^^HOSP^MR||{CANARY}^Ann\rOBX|1|TX|1^x||{body}\r"
    ).encode()


class MemoryCommitter:
    """Keeps messages in a list that outlives it, as a mart's receipts would; fails when it is told to."""

    def __init__(self, kept: list[Message] | None = None) -> None:
        self.kept = kept if kept is not None else []
        self.batches: list[int] = []
        self.fails: ClinmartError | None = None
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.at_work = threading.Event()

    def doubts(self, data: bytes) -> bool:
        """Bodies "odd" and "bad"."""
        return b"||odd\r" in data or b"||bad\r" in data

    def check_and_commit(self, batch: Sequence[Message]) -> list[Outcome]:
        """As it is committed."""
        return self.commit(batch)

    def commit(self, batch: Sequence[Message]) -> list[Outcome]:
        """Refuses bodies "bad" and senders NOBODY."""
        self.at_work.set()
        assert self.may_go_on.wait(PATIENCE)
        if self.fails is not None:
            raise self.fails
        self.batches.append(len(batch))
        return [self._one(one) for one in batch]

    def _one(self, new: Message) -> Outcome:
        problem = REFUSED if b"||bad\r" in new.data else None
        for old in self.kept:
            if old.key == new.key:
                return Outcome(Taken.DUPLICATE, problem) if old.sha256 == new.sha256 else Outcome(Taken.CONFLICT)
        if new.key[0] == "NOBODY":
            return Outcome(Taken.REJECTED)
        self.kept.append(new)
        return Outcome(Taken.QUARANTINED, problem) if problem else Outcome(Taken.APPLIED)


@dataclass
class Listening:
    """A listener that runs."""

    port: int
    drain: Drain
    reports: list[ListenReport] = field(default_factory=list)

    @property
    def report(self) -> ListenReport:
        """What it did, once it has ended."""
        return self.reports[0]


@contextmanager
def listening(
    committer: Committer,
    *,
    tls: ssl.SSLContext | None = None,
    batch: BatchLimits | None = None,
    **limits: float,
) -> Iterator[Listening]:
    """Run a listener; it is drained at the end."""
    told: queue.Queue[int | BaseException] = queue.Queue()
    drain = Drain()
    reports: list[ListenReport] = []
    both = ListenLimits(MllpLimits(**limits), batch or BatchLimits())  # type: ignore[arg-type] # any field

    def run() -> None:
        try:
            report = ListenReport("s")
            run_listen(Address("127.0.0.1", 0, tls), report, committer, both, drain, told.put)
            reports.append(report)
        except BaseException as error:
            told.put(error)
            raise

    thread = threading.Thread(target=run)
    thread.start()
    port = told.get(timeout=PATIENCE)
    if isinstance(port, BaseException):
        raise port
    try:
        yield Listening(port, drain, reports)
    finally:
        if isinstance(committer, MemoryCommitter):
            committer.may_go_on.set()
        drain.ask()
        thread.join(PATIENCE)
        assert not thread.is_alive(), "the listener does not end"


class ThreadStager:
    """Stages in the thread that asks (:class:`flows.listen_stager.Stager`): to begin a process takes seconds."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def stage(self, chunks: Sequence[Chunk], as_of: datetime) -> tuple[StagedChunk, set[int]]:
        """See :meth:`Stager.stage`."""
        refused: set[int] = set()

        def placed(rejections: Sequence[Rejection]) -> list[Rejection]:
            refused.update(rejection.offset for rejection in rejections)
            return list(rejections)

        return self._worker.run_again(chunks, as_of, placed), refused

    def close(self) -> None:
        """Nothing to end."""


class Sender:
    """A sender that may do as it likes."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        plain = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket = plain if tls is None else tls.wrap_socket(plain, server_hostname="localhost")
        self._framer = Framer(1_000_000)
        self._answers: list[str] = []

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def send(self, *messages: bytes) -> None:
        """Send messages as frames, without waiting."""
        self.raw(b"".join(framed(one) for one in messages))

    def answer(self) -> list[list[str]]:
        """The next answer as segments of fields; EOFError when the connection is closed."""
        while not self._answers:
            data = self.socket.recv(65_536)
            if not data:
                raise EOFError
            for event in self._framer.feed(data):
                assert isinstance(event, Frame)
                self._answers.append(event.data.decode())
        return [line.split("|") for line in self._answers.pop(0).split("\r")[:-1]]

    def msa(self) -> tuple[str, str]:
        """Code and control id of the next answer."""
        segment = self.answer()[1]
        return segment[1], segment[2] if len(segment) > 2 else ""

    def is_closed(self) -> bool:
        """Waits for the other side to close; False when it answers instead."""
        try:
            self.answer()
        except (EOFError, ConnectionError):
            return True
        return False


def now() -> datetime:
    """The time in UTC."""
    return datetime.now(UTC)
