"""Bring back what a mart lost: its lost commits' files are loaded again, from where the tail says they were."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from flows.accounts import receipt_name
from flows.drain import Drain
from flows.keyring import mart_at
from flows.runner import Watcher, run_load
from flows.settings import LoadSettings, object_access
from schemas.errors import ClinmartError, IntegrityError, StorageError, UsageError
from schemas.formats import Format
from schemas.records import Partition
from sources.files import FileSource
from sources.manifest import Manifest
from sources.objects.address import is_object
from sources.source import Reading
from stores.commits import forget, lost_commits, not_back, settle
from stores.lock import loader_lock
from stores.mart import Mart
from stores.messages import last_received
from stores.tail import Committed, TailReceipt


@dataclass(slots=True)
class Repaired:
    """What a repair found and did; :meth:`as_dict` is what ``clinmart repair --json`` prints."""

    lost: int = 0  # commits
    replayed: int = 0  # of them
    forgotten: int = 0  # of them
    loads: list[str] = field(default_factory=list)  # that replayed
    missing: list[str] = field(default_factory=list)  # files, and what is wrong with each
    wal: str | None = None  # where the damaged log was put
    again: list[str] = field(default_factory=list)  # lost work that came from no file: commands to run again
    messages: int = 0  # that were acknowledged, and are lost
    resend: list[str] = field(default_factory=list)  # which these are, in words
    messages_forgotten: int = 0
    drained: bool = False

    @property
    def messages_missing(self) -> int:
        """Lost messages about which nothing was decided."""
        return self.messages - self.messages_forgotten

    @property
    def status(self) -> str:
        """ok: nothing is lost any more; else drained or failed."""
        if self.drained:
            return "drained"
        return "ok" if self.lost == self.replayed + self.forgotten and not self.messages_missing else "failed"

    def as_dict(self) -> dict[str, object]:
        """The report as plain JSON values."""
        commits = {"lost": self.lost, "replayed": self.replayed, "forgotten": self.forgotten}
        return {
            "status": self.status,
            "commits": commits,
            "loads": self.loads,
            "missing": self.missing,
            "again": self.again,
            "messages": {"lost": self.messages, "forgotten": self.messages_forgotten},
            "resend": self.resend,
            "damaged_wal": self.wal,
        }


def repair(
    path: Path,
    *,
    wait: float = 0.0,
    accept_loss: bool = False,
    watch: Watcher | None = None,
    drain: Drain | None = None,
) -> Repaired:
    """Set a damaged log aside, load the files of lost commits again, and check that all of them are back.

    What cannot be brought back stays lost, and the mart refused, unless ``accept_loss``. A repair can be repeated:
    it takes up where the last one ended.

    Raises UsageError, LockedError or StorageError, and IntegrityError when the mart's file itself is damaged.
    """
    mart, report, drain = mart_at(path, repairing=True), Repaired(), drain or Drain()
    mart.must_exist()
    with loader_lock(path, wait=wait):
        report.wal = _set_wal_aside(mart, wait)
        with mart.connect(wait=wait) as connection:
            mart.note(connection)
            lost = lost_commits(connection, mart.tail)
            wanted = _Wanted(path)
            for commit in lost:
                wanted.add(commit, not_back(connection, commit))
    report.lost = len(lost)
    for settings, receipts, partitions in wanted.loads(wait):
        loaded = run_load(_Replay(partitions), settings, watch, drain, receipts)
        report.loads.append(loaded.load_id)
        report.drained |= loaded.status == "drained"
    with loader_lock(path, wait=wait), mart.connect(wait=wait) as connection:
        now = datetime.now(UTC)
        missing = {commit.commit_id: not_back(connection, commit) for commit in lost}
        back = [commit for commit in lost if not missing[commit.commit_id]]
        settle(connection, back, f"lost, and replayed by {', '.join(report.loads) or 'a load since'}", now)
        gone = [commit for commit in lost if missing[commit.commit_id]]
        report.replayed = len(back)
        report.again = sorted({told for commit in lost if (told := _not_of_files(commit.options)) is not None})
        report.missing = sorted({wanted.fault(receipt) for receipts in missing.values() for receipt in receipts})
        _tell_of_messages(connection, mart, report)
        if accept_loss and not report.drained:
            forget(connection, mart.tail, gone, now)
            report.forgotten = len(gone)
            mart.heard.forget(connection)
            report.messages_forgotten = report.messages
    return report


class _Wanted:
    """The files to load again, by source and options of their loads."""

    def __init__(self, mart: Path) -> None:
        self._mart = mart
        self._by_load: dict[tuple[str, str], list[TailReceipt]] = defaultdict(list)
        self._faults: dict[TailReceipt, str] = {}
        self._there: dict[str, list[tuple[int, str, Partition]] | str] = {}  # by uri; in words why not

    def add(self, commit: Committed, receipts: Sequence[TailReceipt]) -> None:
        """Want these partitions of a lost commit."""
        self._by_load[commit.source, json.dumps(commit.options, sort_keys=True)] += receipts

    def loads(self, wait: float) -> list[tuple[LoadSettings, list[TailReceipt], list[Partition]]]:
        """The loads that bring back what is still there, unchanged."""
        planned = []
        for (source, options), receipts in self._by_load.items():
            found = {receipt: partition for receipt in receipts if (partition := self._find(receipt)) is not None}
            if found:
                settings = LoadSettings.from_options(self._mart, source, json.loads(options), wait)
                partitions = [_as_extract(one, settings) for one in dict.fromkeys(found.values())]
                planned.append((settings, list(found), partitions))
        return planned

    def fault(self, receipt: TailReceipt) -> str:
        """Why a partition is not back."""
        return self._faults.get(receipt, f"{receipt.uri} was refused")

    def _find(self, receipt: TailReceipt) -> Partition | None:
        there = self._there.get(receipt.uri)
        if there is None:
            there = self._there[receipt.uri] = _partitions(receipt.uri)
        if isinstance(there, str):
            self._faults[receipt] = there
            return None
        for size, sha256, partition in there:
            if (size, sha256) == (receipt.size, receipt.sha256):
                return partition
        self._faults[receipt] = f"{receipt.uri} has changed"
        return None


def _as_extract(partition: Partition, settings: LoadSettings) -> Partition:
    """The partition as the load read it: of an extract the options have the mapping."""
    if settings.mapping is None or partition.deletes or not settings.mapping.of(partition.uri):
        return partition
    return replace(partition, format=Format.EXTRACT, dialect=settings.mapping.dialect(partition.uri))


def _tell_of_messages(connection: duckdb.DuckDBPyConnection, mart: Mart, report: Repaired) -> None:
    """Messages of listeners that are lost: only their senders have them."""
    for source, count in sorted(mart.heard.lost(connection).items()):
        report.messages += count
        since = last_received(connection, source)
        after = f"after {since}" if since else "ever"
        report.resend.append(f"the last {count:,} messages of the source {source}, acknowledged {after}")


def _not_of_files(options: Mapping[str, str]) -> str | None:
    """The command that does again what a commit did that brought in no file."""
    kind = options.get("kind")
    if kind == "refresh":
        return f"clinmart refresh {options.get('table', 'TABLE')}"
    if kind == "retain":
        return "clinmart retain"
    if kind == "erase":
        return "clinmart erase, of the same people,"
    if kind == "listen":
        return "clinmart listen"  # which makes the rows of all messages that are there
    if kind == "consume":
        return "clinmart consume --from-mart"  # from where the mart stands, for a broker that still has the messages
    return "clinmart quarantine replay" if kind == "replay" else None


def _partitions(uri: str) -> list[tuple[int, str, Partition]] | str:
    """A file's partitions with size and SHA-256 in hex; in words why it cannot be read."""
    if not is_object(uri) and not Path(uri).exists():
        return f"{uri} is gone"
    found: list[tuple[int, str, Partition]] = []
    for source in (_files([uri]), _files([], [uri])):  # it may have been named as either
        try:
            found += [(p.size, receipt_name(p, source.digest(p)).hex(), p) for p in source.partitions()]
        except ClinmartError:
            continue
    if len(found) > 2:  # a large file of lines, which is read whole where it is an extract
        whole = replace(found[0][2], start=0, end=None, size=max(p.start + p.size for _, _, p in found))
        found.append((whole.size, _files([]).digest(whole).hex(), whole))
    return found or f"{uri} cannot be read"


def _files(inputs: Sequence[str], deletes: Sequence[str] = ()) -> FileSource:
    return FileSource(inputs, deletes=deletes, objects=object_access)


class _Replay:
    """A source of these partitions, whose times are those of the receipts: what manifests say by now is passed over."""

    def __init__(self, partitions: Sequence[Partition]) -> None:
        self._partitions = partitions
        self._files = _files([])

    def partitions(self) -> Sequence[Partition]:
        """The partitions."""
        return self._partitions

    def read(self, partition: Partition, *, first_line: int | None = None) -> Reading:
        """Start a pass."""
        return self._files.read(partition, first_line=first_line)

    def digest(self, partition: Partition) -> bytes:
        """The SHA-256 of the bytes on disk."""
        return self._files.digest(partition)

    @property
    def manifests(self) -> Sequence[Manifest]:
        """None: read cursors stay."""
        return ()

    def as_of(self, partition: Partition) -> None:  # noqa: ARG002 - of no partition
        """None."""
        return


def _set_wal_aside(mart: Mart, wait: float) -> str | None:
    """Put a damaged log where DuckDB does not see it, and keep it; its new path, None when there is nothing to do.

    A log that can be read up to some place is copied, and what stands before that place is kept in the mart.
    """
    if not mart.wal.exists():
        return None
    aside = mart.wal_aside()
    try:
        try:
            with mart.connect(read_only=True, wait=wait) as connection:
                lost = lost_commits(connection, mart.tail)
        except UsageError:  # nothing of a mart is left in the file
            lost = []
        except IntegrityError:
            mart.wal.rename(aside)
            return str(aside)
        if not lost:
            return None
        shutil.copy2(mart.wal, aside)
        with mart.connect(wait=wait) as connection:
            connection.execute("CHECKPOINT")
        if mart.wal.exists():  # DuckDB could read none of it, and would write behind what it could not read
            mart.wal.replace(aside)
    except OSError as error:
        raise StorageError(f"cannot set {mart.wal} aside: {error.strerror}") from error
    return str(aside)
