"""Runs quarantined lines again through today's checks: what passes goes in as if it had passed at first."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from flows.keyring import mart_at
from flows.opening import open_session
from flows.session import LoadSession
from flows.settings import LoadSettings
from schemas.errors import UsageError
from schemas.mapping.mapping import Mapping
from schemas.reasons import Reason
from schemas.records import Attempt, Chunk, ChunkKind, Counts, LoadReport, Rejection
from schemas.staged import StagedChunk
from sources.content import is_xml
from sources.mapping import parse_mapping
from stores.mappings import kept_mappings
from stores.mart import Mart
from stores.quarantine import State
from stores.replays import Selection, Waiting, chosen, cut_short, lines
from stores.staging import quarantine_id
from transforms.decode.alone import entry_of
from transforms.extracts import line_chunk, names_kept
from transforms.sample import Sampling

ATTEMPTS = 5  # a line that was refused so often again is given up


@dataclass(slots=True)
class ReplayReport:
    """What a replay did: a report for each source, and what became of the quarantined lines."""

    loads: list[LoadReport] = field(default_factory=list)
    replayed: int = 0
    open: int = 0  # refused again
    dead: int = 0  # refused again and given up
    cut_short: int = 0  # too long to keep whole; only their file has them

    @property
    def status(self) -> str:
        """`ok`, or `quarantined` when a line is still refused."""
        refused = self.open or self.dead or self.cut_short or any(report.status != "ok" for report in self.loads)
        return "quarantined" if refused else "ok"

    def resources(self) -> dict[str, Counts]:
        """Dispositions by resource type, over all sources."""
        total: dict[str, Counts] = {}
        for report in self.loads:
            for kind, counts in report.resources.items():
                total.setdefault(kind, Counts()).add(counts)
        return total

    def as_dict(self) -> dict[str, object]:
        """The report as plain JSON values."""
        return {
            "status": self.status,
            "replayed": self.replayed,
            "open": self.open,
            "dead": self.dead,
            "cut_short": self.cut_short,
            "resources": {kind: counts.as_dict() for kind, counts in sorted(self.resources().items())},
            "loads": [report.as_dict() for report in self.loads],
        }


def run_replay(settings: LoadSettings, selection: Selection, attempts: int = ATTEMPTS) -> ReplayReport:
    """Run the selected lines again, each source in a transaction of its own; ``settings.source`` is of no account.

    A line that was refused ``attempts`` times again is given up. Raises the errors of a load.
    """
    if attempts < 1:
        raise UsageError(f"--attempts is {attempts}: give 1 or more")
    mart = mart_at(settings.mart, memory=settings.memory)
    mart.must_exist()
    with mart.connect(read_only=True, wait=settings.wait) as connection:
        waiting, report = chosen(connection, selection), ReplayReport(cut_short=cut_short(connection, selection))
    for source, names in waiting.items():
        mapping = settings.mapping or _kept_mapping(mart, source, settings.wait)
        with open_session(replace(settings, source=source, mapping=mapping), "replay") as session:
            _Replay(session, mart, attempts, report).all(names)
            session.finish()
        report.loads.append(session.report)
    return report


class _Replay:
    """The replay of one source's lines."""

    def __init__(self, session: LoadSession, mart: Mart, limit: int, report: ReplayReport) -> None:
        self._session = session
        self._mart = mart
        self._limit = limit
        self._report = report
        # What only the sample refused passes only a sample of everything; else its refusal would depend on chance.
        self._workers = {False: session.worker, True: session.worker_with(Sampling(1))}

    def all(self, names: Iterable[tuple[str, int]]) -> None:
        """Stage lines in lots that fit into memory; the session commits them together."""
        for lot in _lots(names, self._session.settings.limits.chunk_bytes):
            with self._mart.connect(wait=self._session.settings.wait) as connection:
                found = lines(connection, lot)
            self._session.report.bytes += sum(len(line.payload) for line in found)
            for (as_of, sampled), alike in itertools.groupby(sorted(found, key=_kind), key=_kind):
                self._run(list(alike), as_of, sampled)

    def _run(self, found: Sequence[Waiting], as_of: datetime, sampled: bool) -> None:
        refused: dict[str, Rejection] = {}

        def placed(rejections: Sequence[Rejection]) -> list[Rejection]:
            """Rejections at the place of their lines; those that stand in the quarantine already are taken out."""
            others = []
            for rejection in rejections:
                # Of a message or document the offset is its number, for its parts have lines of their own.
                line = found[(rejection.offset if _is_whole(rejection) else rejection.line) - 1]
                there = replace(rejection, uri=line.uri, line=line.line, offset=line.byte_offset)
                again = quarantine_id(self._session.settings.source, there) == line.quarantine_id
                if again or (line.view and rejection.view is None):
                    refused.setdefault(line.quarantine_id, there)
                else:
                    others.append(there)
            return others

        chunks = list(_chunks(found, self._session.settings.mapping))
        staged: StagedChunk = self._workers[sampled].run_again(chunks, as_of, placed)
        self._session.unit.add_again([staged], [self._attempt(line, refused.get(line.quarantine_id)) for line in found])

    def _attempt(self, line: Waiting, refused: Rejection | None) -> Attempt:
        if refused is None:
            self._report.replayed += 1
            return Attempt(line.quarantine_id, State.REPLAYED, line.attempts)
        attempts = line.attempts + 1
        dead = attempts >= self._limit
        self._report.dead += dead
        self._report.open += not dead
        state = State.DEAD if dead else State.OPEN
        return Attempt(
            line.quarantine_id, state, attempts, str(refused.code), refused.column, refused.check, refused.message
        )


def _lots(names: Iterable[tuple[str, int]], size: int) -> Iterator[list[str]]:
    """Names in lots of about so many bytes."""
    lot: list[str] = []
    held = 0
    for name, length in names:
        lot.append(name)
        held += length
        if held >= size:
            yield lot
            lot, held = [], 0
    if lot:
        yield lot


def _kind(line: Waiting) -> tuple[datetime, bool]:
    """Lines of the same kind run together."""
    return line.as_of, line.reason == Reason.SAMPLE_INVALID


def _kept_mapping(mart: Mart, source: str, wait: float) -> Mapping | None:
    """What loads of the source were last told of extracts; None when they were told nothing."""
    with mart.connect(read_only=True, wait=wait) as connection:
        kept = kept_mappings(connection, source)
    entries = [
        entry for name, uri, text in kept for entry in parse_mapping(text.encode(), uri).entries if entry.name == name
    ]
    return Mapping(tuple(entries), uri=" and ".join(sorted({uri for _, uri, _ in kept}))) if entries else None


def _is_whole(rejection: Rejection) -> bool:
    """True when what was refused is a part of a message or document."""
    return names_kept(rejection.resolved) is None and _kind_of(rejection.payload) is not None


def _how(line: Waiting) -> tuple[ChunkKind | None, bool]:
    """What a line is when it is more than a line, and whether it has a chunk of its own."""
    if names_kept(line.resolved) is not None:
        return ChunkKind.EXTRACT, False
    return _kind_of(line.payload), line.resolved is not None


def _kind_of(payload: bytes) -> ChunkKind | None:
    """A message of HL7 v2 or a C-CDA document; None for a line."""
    if payload.lstrip(b" \t\r\n\x0b").startswith(b"MSH"):
        return ChunkKind.HL7V2
    return ChunkKind.CCDA if is_xml([payload]) else None


def _chunks(found: Sequence[Waiting], mapping: Mapping | None) -> Iterator[Chunk]:
    """The lines as chunks, numbered from 1; those that had a Bundle each as an entry with its own references."""
    numbered = enumerate(found, 1)
    for (kind, alone), some in itertools.groupby(numbered, key=lambda pair: _how(pair[1])):
        if kind is ChunkKind.EXTRACT:
            yield from _extracts(list(some), mapping)
            continue
        if kind is not None:
            for number, line in some:
                size = len(line.payload)
                yield Chunk("", number, number, line.payload, kind, (number,), lengths=(size,))
            continue
        if not alone:
            together = list(some)
            yield Chunk("", 0, together[0][0], b"".join(line.payload + b"\n" for _, line in together))
            continue
        for number, line in some:
            entry, references = entry_of(line.payload, line.resolved or "")
            yield Chunk("", 0, number, entry + b"\n", ChunkKind.ENTRY, (0,), references)


def _extracts(some: Sequence[tuple[int, Waiting]], mapping: Mapping | None) -> Iterator[Chunk]:
    """Lines of extracts, those of a file together as long as each is one line."""

    def alike(pair: tuple[int, Waiting]) -> tuple[str, str | None, int]:
        number, line = pair
        return line.uri, line.resolved, number if b"\n" in line.payload else 0

    for (uri, resolved, _), group in itertools.groupby(some, key=alike):
        together = list(group)
        if mapping is None:
            raise UsageError(f"{uri}: to run its lines again give --mapping, which says what its columns are")
        lines = b"".join(line.payload + b"\n" for _, line in together)
        yield line_chunk(uri, together[0][0], lines, names_kept(resolved) or (), mapping)
