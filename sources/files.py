"""Files, folders and globs of this machine, and objects of object stores, as a source."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import ChangedError, UsageError
from schemas.formats import Format
from schemas.mapping.mapping import Mapping
from schemas.records import Partition
from sources.content import format_of_name, is_data_name, is_table_name
from sources.extracts import header_of
from sources.folder import Selection, manifests_beside, select
from sources.line_numbers import LineNumbers
from sources.manifest import Manifest, TransactionTimes
from sources.objects.address import is_object
from sources.passes import Pass, partition_digest, plan
from sources.reading import AheadReading
from sources.source import Reading, ReadLimits
from sources.stored import StoredFile, local_file
from sources.verified import Promises, VerifiedReading

if TYPE_CHECKING:  # a load of files need not wait for what only object stores take
    from sources.objects.access import ObjectAccess
    from sources.objects.find import Objects


def refuse_tables(inputs: Iterable[str | Path]) -> None:
    """UsageError for a file that is a table by its name, where no mapping was given."""
    for each in inputs:
        if is_table_name(str(each)):
            raise UsageError(
                f"{each} is a table, of which only a mapping can say what its columns are: "
                f"`clinmart map init {each}` drafts one, and --format extract --mapping FILE loads by it"
            )


class FileSource:
    """Reads NDJSON, Bundles, single resources, HL7 v2, C-CDA and extracts, plain, gzip or Zstandard, and ``$export``
    folders.

    A partition's ``uri`` is an absolute path, or the address of an object. The inputs are looked at once, by the
    first call that needs them; :meth:`read` and :meth:`digest` need only the partition. See
    :func:`sources.folder.select` for what inputs mean.
    """

    def __init__(
        self,
        inputs: Sequence[str | Path],
        limits: ReadLimits | None = None,
        *,
        deletes: Sequence[str | Path] = (),
        given: Format = Format.AUTO,
        mapping: Mapping | None = None,
        objects: Callable[[], ObjectAccess] | None = None,
        promises: Promises | None = None,
    ) -> None:
        """``given``: what all inputs hold. ``deletes``: files of deletes, which are Bundles or a table of
        ``resource_type,id[,last_updated]``. ``mapping`` says how extracts are written, and which files of folders are.
        ``objects`` tells how object stores are reached; it is asked when there is an object. ``promises``: what files
        must be, else reading them ends in an IntegrityError.
        """
        self.promises = promises
        if (given is Format.EXTRACT) != (mapping is not None):
            raise UsageError("--format extract and --mapping go together: `clinmart map init FILE` drafts a mapping")
        self._inputs = tuple(inputs)
        self._deletes = tuple(deletes)
        self._given = given
        self._mapping = mapping
        self._limits = limits or ReadLimits()
        self._numbers = LineNumbers()
        self._selection: Selection | None = None
        self._times: dict[str, TransactionTimes] = {}  # by folder
        self._access = objects
        self._objects: Objects | None = None

    def partitions(self) -> Sequence[Partition]:
        """The partitions of all files: inputs in the order given, folders sorted by path; those of deletes last."""
        found, made = self._select(), list[Partition]()
        for deletes, uris in ((False, found.files), (True, found.deletes)):
            for uri in uris if deletes else filter(self._wanted, uris):
                given = Format.FHIR if deletes else self._given
                dialect = None if deletes or self._mapping is None else self._mapping.dialect(uri)
                if dialect is not None and self._mapping is not None:
                    self._mapping.must_fit(uri, header_of(self._file(uri), dialect, self._limits))
                made += plan(self._file(uri), self._limits, deletes=deletes, given=given, dialect=dialect)
        return made

    def _wanted(self, uri: str) -> bool:
        """False for a file of a folder whose name says that it holds something else than was asked for."""
        if self._given is Format.AUTO or any(uri in (str(each), os.path.abspath(each)) for each in self._inputs):  # noqa: PTH100
            return True
        return self._mapping is not None or format_of_name(uri) is self._given

    def read(self, partition: Partition, *, first_line: int | None = None) -> Reading:
        """Start a pass; ``first_line`` numbers the first line of a byte range when the caller knows it."""
        file = self._file(partition.uri, partition.etag)
        reading = AheadReading(Pass(file, partition, self._limits, self._numbers, first_line))
        if self.promises is None or self.promises.of(partition.uri) is None:
            return reading
        return VerifiedReading(reading, partition, self.promises)

    def expect(self, partitions: Iterable[Partition]) -> None:
        """Begin to bring small objects that will be read next; see :class:`sources.expecting.Expecting`."""
        self._far().expect(partition for partition in partitions if partition.etag is not None)

    def digest(self, partition: Partition) -> bytes:
        """SHA-256 of the partition's bytes on disk. Blocks; about 1.8 GB/s."""
        return partition_digest(self._file(partition.uri, partition.etag), partition)

    def as_of(self, partition: Partition) -> datetime | None:
        """The ``transactionTime`` of the manifest that lists the file, or of the only one in its folder."""
        folder = posixpath.dirname(partition.uri)
        if folder not in self._times:
            near = self._far().manifests_beside(folder) if is_object(folder) else manifests_beside(folder)
            manifests = {manifest.uri: manifest for manifest in (*self.manifests, *near)}
            self._times[folder] = TransactionTimes(manifests.values())
        return self._times[folder].of(partition.uri)

    @property
    def uris(self) -> Sequence[str]:
        """The absolute paths of all files among the inputs, those of deletes last."""
        return (*self._select().files, *self._select().deletes)

    @property
    def manifests(self) -> Sequence[Manifest]:
        """The ``$export`` manifests among the inputs."""
        return self._select().manifests

    @property
    def ignored(self) -> Sequence[str]:
        """Paths in the folders that are not loaded: other names, manifests and files of errors."""
        return self._select().ignored

    def content(self, uri: str) -> bytes | None:
        """All bytes of a small object; None when it is not there. Raises as :meth:`digest`."""
        try:
            file = self._file(uri)
        except ChangedError:
            return None
        with file.open() as raw:
            return raw.read()

    def size(self, uri: str) -> int:
        """The size of a file or an object in bytes. Raises OSError, or as :meth:`digest`, when it is not there."""
        if not is_object(uri):
            return Path(uri).stat().st_size
        with self._file(uri).open() as raw:
            return raw.seek(0, os.SEEK_END)

    def _select(self) -> Selection:
        if self._selection is None:
            mapping = self._mapping
            wanted = is_data_name if mapping is None else lambda name: bool(mapping.of(name))
            far = self._far() if any(map(is_object, (*self._inputs, *self._deletes))) else None
            self._selection = select(self._inputs, self._deletes, wanted, far)
        return self._selection

    def _file(self, uri: str, etag: str | None = None) -> StoredFile:
        return self._far().file(uri, etag) if is_object(uri) else local_file(uri)

    def _far(self) -> Objects:
        if self._objects is None:
            if self._access is None:
                raise UsageError("objects of object stores cannot be read here: copy them to a folder and name that")
            from sources.objects.find import Objects  # noqa: PLC0415 - with what it needs a fifth of a second

            self._objects = Objects(self._access)
        return self._objects
