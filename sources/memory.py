"""The in-memory twin of :class:`sources.files.FileSource`, for tests: a folder that is a mapping."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import partial

from schemas.errors import IntegrityError, UsageError
from schemas.records import Partition
from sources.folder import sort_out
from sources.line_numbers import LineNumbers
from sources.manifest import Manifest, TransactionTimes, parse_manifest
from sources.passes import Pass, partition_digest, plan
from sources.reading import AheadReading
from sources.source import ReadLimits
from sources.stored import StoredFile

_ROOT = "memory:/"


class MemorySource:
    """Reads ``files``, relative paths to contents, as ``FileSource`` reads a folder of them."""

    def __init__(
        self, files: Mapping[str, bytes], limits: ReadLimits | None = None, *, deletes: Collection[str] = ()
    ) -> None:
        """``deletes`` are the names of those files that were named as files of deletes."""
        self._deletes = [_ROOT + name for name in deletes]
        self._files = {_ROOT + name: content for name, content in sorted(files.items())}
        self._limits = limits or ReadLimits()
        self._numbers = LineNumbers()

    def partitions(self) -> Sequence[Partition]:
        """The partitions of the files that are data, sorted by path, then those of deletes."""
        manifests = self.manifests
        found = sort_out([uri for uri in _visible(self._files) if uri not in self._deletes], manifests)
        deletes = found.deletes + self._deletes
        if not found.data and not manifests and not deletes:
            raise UsageError(f"{_ROOT}: this folder holds nothing to load")
        return [
            partition
            for named, uris in ((False, found.data), (True, deletes))
            for uri in uris
            for partition in plan(self._file(uri), self._limits, deletes=named)
        ]

    def read(self, partition: Partition, *, first_line: int | None = None) -> AheadReading:
        """Start a pass over the partition."""
        run = Pass(self._file(partition.uri), partition, self._limits, self._numbers, first_line)
        return AheadReading(run)

    def digest(self, partition: Partition) -> bytes:
        """SHA-256 of the partition's bytes."""
        return partition_digest(self._file(partition.uri), partition)

    def as_of(self, partition: Partition) -> datetime | None:
        """The ``transactionTime`` of the manifest that lists the file, or of the only one in its folder."""
        return TransactionTimes(self.manifests).of(partition.uri)

    @property
    def manifests(self) -> Sequence[Manifest]:
        """The ``$export`` manifests among the files."""
        candidates = [uri for uri in _visible(self._files) if uri.lower().endswith(".json")]
        found = (parse_manifest(self._files[uri], uri) for uri in candidates)
        return [manifest for manifest in found if manifest is not None]

    def _file(self, uri: str) -> StoredFile:
        content = self._files.get(uri)
        if content is None:
            raise IntegrityError(f"{uri}: was there when the load was planned and is gone now")
        return StoredFile(uri, partial(io.BytesIO, content))


def _visible(files: Mapping[str, bytes]) -> list[str]:
    return [uri for uri in files if not any(part.startswith(".") for part in uri.split("/"))]
