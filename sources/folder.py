"""From paths, folders, globs and manifests to the files that are data."""

from __future__ import annotations

import glob
import os
import posixpath
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec

from schemas.errors import IntegrityError, UsageError
from sources.content import DATA_SUFFIXES, is_data_name
from sources.manifest import (
    LARGEST_MANIFEST,
    MANIFEST_NAME,
    Manifest,
    beside,
    find_deleted,
    find_output,
    parse_manifest,
    refuse_missing,
)
from sources.objects.address import is_object
from sources.stored import storage_errors

_HEAD_BYTES = 64 * 1024  # a manifest names itself within its first bytes
_LOADABLE = f"files named {', '.join('*' + suffix for suffix in DATA_SUFFIXES)} (also .gz, .zst)"


@dataclass(frozen=True, slots=True)
class Selection:
    """Absolute paths of the data files in order, those of deletes, the manifests met, and the files of folders that
    were passed over."""

    files: tuple[str, ...]
    deletes: tuple[str, ...]
    manifests: tuple[Manifest, ...]
    ignored: tuple[str, ...]


def select(
    inputs: Sequence[str | Path],
    deletes: Sequence[str | Path] = (),
    is_data: Callable[[str], bool] = is_data_name,
    far: FarFolders | None = None,
) -> Selection:
    """Find the files that ``inputs`` mean; a file that is met twice is taken once. ``deletes`` are files of deletes;
    ``is_data`` tells those of folders by name; ``far`` finds objects.

    A file given by its name is data whatever it is called, unless it is a manifest: that means the files it
    lists. Raises :class:`UsageError` for a path that is not there, is neither file nor folder, or holds
    nothing to load; :class:`IntegrityError` for an export with missing files; :class:`StorageError` for
    what cannot be read.
    """
    if not inputs and not deletes:
        raise UsageError("nothing to load was named; name a file, a folder or a glob")
    selector = _Selector(is_data, far)
    for each in inputs:
        selector.add(os.fspath(each))
    for each in deletes:
        selector.add_deletes(os.fspath(each))
    files = tuple(path for name, path in selector.files.items() if name not in selector.deletes)
    manifests = tuple(selector.manifests.values())
    return Selection(files, tuple(selector.deletes.values()), manifests, tuple(selector.ignored))


@dataclass(frozen=True, slots=True)
class Sorted:
    """The files of a folder: data, deletes, and those that are neither."""

    data: list[str]
    deletes: list[str]
    ignored: list[str]


class FarFolders(Protocol):
    """Finds objects as :func:`select` finds files; raises as it does."""

    def find(self, given: str, is_data: Callable[[str], bool]) -> tuple[Sorted, list[Manifest]]:
        """What an address of an object, a prefix or a pattern means, and the manifests met."""
        ...

    def find_deletes(self, given: str) -> str:
        """The address of one object of deletes, which is there."""
        ...


def sort_out(
    uris: Sequence[str],
    manifests: Sequence[Manifest],
    *,
    whole: bool = True,
    is_data: Callable[[str], bool] = is_data_name,
) -> Sorted:
    """Tell the files of one folder apart, by name and by what its manifests say of them.

    Raises :class:`IntegrityError` when ``uris`` are a ``whole`` folder and a manifest's files are there in
    part only.
    """
    aside, deleted = {manifest.uri for manifest in manifests}, set[str]()
    for manifest in manifests:
        aside.update(uri for file in manifest.errors for uri in beside(manifest, file))
        deleted.update(uri for file in manifest.deleted for uri in beside(manifest, file))
    deletes = [uri for uri in uris if uri in deleted and uri not in aside]
    data = [uri for uri in uris if _is_data(uri, is_data) and uri not in aside and uri not in deleted]
    taken, gone = set(data), set(deletes)
    for manifest in manifests:
        found, missing = find_output(manifest, taken.__contains__)
        missing += find_deleted(manifest, gone.__contains__)[1]
        if whole and missing and (found or not data):
            raise refuse_missing(manifest, missing)
    return Sorted(data, deletes, [uri for uri in uris if uri not in taken and uri not in gone])


def manifests_beside(folder: str) -> list[Manifest]:
    """The manifests of a folder as far as their names show it: ``*manifest*.json``."""
    with storage_errors(folder):
        paths = sorted(str(path) for path in Path(folder).iterdir() if "manifest" in path.name.lower())
    return _manifests_among(paths)


def read_manifest(path: str) -> Manifest | None:
    """The manifest in the file ``path``, or None when it is something else.

    Raises :class:`IntegrityError` for a file called ``manifest.json`` that is not JSON, and a manifest that
    is wrong.
    """
    if not path.lower().endswith(".json") or not Path(path).is_file():
        return None
    with storage_errors(path), Path(path).open("rb") as file:
        return manifest_in(file, path)


def manifest_in(raw: BinaryIO, uri: str) -> Manifest | None:
    """The manifest in an open file called ``*.json``; None and errors as :func:`read_manifest`."""
    data = raw.read(_HEAD_BYTES)
    if b'"transactionTime"' in data or b'"output"' in data or posixpath.basename(uri) == MANIFEST_NAME:
        data += raw.read(LARGEST_MANIFEST)
    manifest = parse_manifest(data, uri)
    if manifest is None and posixpath.basename(uri) == MANIFEST_NAME and not _is_json(data):
        raise IntegrityError(f"{uri}: this manifest is not whole; get it again, or remove it")
    return manifest


class _Selector:
    """What was found so far; files by their identity on disk."""

    def __init__(self, is_data: Callable[[str], bool] = is_data_name, far: FarFolders | None = None) -> None:
        self._is_data = is_data
        self._far = far
        self.files: dict[tuple[int, int] | str, str] = {}
        self.deletes: dict[tuple[int, int] | str, str] = {}
        self.manifests: dict[str, Manifest] = {}
        self.ignored: list[str] = []

    def add(self, given: str) -> None:
        if self._far is not None and is_object(given):
            self._add_found(*self._far.find(given, self._is_data))
            return
        path = _absolute(given)
        if _exists(path):
            if _is_folder(path):
                self._add_folder(path, given)
            else:
                self._add_named(path)
        elif glob.has_magic(given):
            self._add_glob(given)
        else:
            raise UsageError(f"{given}: there is no such file or folder; check the path")

    def add_deletes(self, given: str) -> None:
        if self._far is not None and is_object(given):
            self._take(self._far.find_deletes(given), self.deletes)
            return
        path = _absolute(given)
        if not _exists(path):
            raise UsageError(f"{given}: there is no such file of deletes; check the path")
        if _is_folder(path):
            raise UsageError(f"{given}: this is a folder; name the files of deletes one by one")
        self._take(path, self.deletes)

    def _add_named(self, path: str) -> None:
        manifest = read_manifest(path)
        if manifest is None:
            self._add_file(path)
            return
        found, missing = find_output(manifest, lambda uri: Path(uri).is_file())
        deletes, more = find_deleted(manifest, lambda uri: Path(uri).is_file())
        if missing or more:
            raise refuse_missing(manifest, missing + more)
        self._add_found(Sorted(found, deletes, []), [manifest])

    def _add_folder(self, folder: str, given: str) -> None:
        paths = list(_walk(folder, set()))
        manifests = _manifests_among(paths)
        found = sort_out(paths, manifests, is_data=self._is_data)
        if not found.data and not manifests:
            looked = _LOADABLE if self._is_data is is_data_name else "the files that the mapping is for"
            raise UsageError(f"{given}: this folder holds nothing to load; looked for {looked}")
        self._add_found(found, manifests)

    def _add_glob(self, pattern: str) -> None:
        """A glob is searched like a folder; when it matches no name of data, all it matches are meant."""
        paths: list[str] = []
        # Path.glob takes no absolute pattern
        for match in sorted(glob.glob(pattern, recursive=True)):  # noqa: PTH207 - pathlib globs cannot take an absolute pattern
            path = _absolute(match)
            paths += _walk(path, set()) if _is_folder(path) else [path]
        if not paths:
            raise UsageError(f"{pattern}: nothing matches this pattern; check the path")
        manifests = [
            each for folder in sorted({posixpath.dirname(path) for path in paths}) for each in manifests_beside(folder)
        ]
        found = sort_out(paths, manifests, whole=False, is_data=self._is_data)
        if found.data or found.deletes:
            self._add_found(found, manifests)
        else:
            for path in paths:
                self._add_named(path)

    def _add_found(self, found: Sorted, manifests: list[Manifest]) -> None:
        self.manifests.update((manifest.uri, manifest) for manifest in manifests)
        self.ignored += found.ignored
        for file in found.data:
            self._add_file(file)
        for file in found.deletes:
            self._take(file, self.deletes)

    def _add_file(self, path: str) -> None:
        self._take(path, self.files)

    def _take(self, path: str, into: dict[tuple[int, int] | str, str]) -> None:
        if is_object(path):
            into.setdefault(path, path)
            return
        try:
            path.encode()
        except UnicodeEncodeError:
            raise UsageError(f"{path!a}: this file name is not UTF-8; rename the file") from None
        with storage_errors(path):
            try:
                status = Path(path).stat()
            except FileNotFoundError:
                raise UsageError(f"{path}: this link leads to no file; remove or repair it") from None
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(f"{path}: is a pipe, socket or device, not a file; save its content to a file first")
        into.setdefault((status.st_dev, status.st_ino), path)


def _exists(path: str) -> bool:
    """True also for a link to nowhere; raises StorageError where the system will not tell."""
    with storage_errors(path):
        try:
            Path(path).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
    return True


def _manifests_among(paths: Iterable[str]) -> list[Manifest]:
    return [found for path in paths if (found := read_manifest(path)) is not None]


def _absolute(path: str) -> str:
    return os.path.normpath(Path(path).absolute())


def _walk(folder: str, seen: set[tuple[int, int]]) -> Iterator[str]:
    """All files below ``folder`` that are not hidden, by name; no folder is entered twice."""
    with storage_errors(folder):
        status = Path(folder).stat()
        if (status.st_dev, status.st_ino) in seen:
            return
        seen.add((status.st_dev, status.st_ino))
        paths = sorted(str(path) for path in Path(folder).iterdir() if not path.name.startswith("."))
    for path in paths:
        if _is_folder(path):
            yield from _walk(path, seen)
        else:
            yield path


def _is_folder(path: str) -> bool:
    with storage_errors(path):
        try:
            return stat.S_ISDIR(Path(path).stat().st_mode)
        except FileNotFoundError:  # a link to nowhere
            return False


def _is_data(uri: str, named: Callable[[str], bool]) -> bool:
    return named(uri) and posixpath.basename(uri).lower() != MANIFEST_NAME


def _is_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=msgspec.Raw)
    except (ValueError, RecursionError):
        return False
    return True
