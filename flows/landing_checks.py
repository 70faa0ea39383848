"""Before a folder of a fetched export is loaded: its signatures, or at least its checksums."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from flows.keyring import keys_of
from flows.object_checks import promise_objects
from flows.settings import LoadSettings
from schemas.errors import IntegrityError
from schemas.sealed import Sealed
from sources.files import FileSource
from sources.manifest import MANIFEST_NAME, SUMS_NAME
from sources.objects.address import is_object
from sources.verified import Promises, broken
from stores.landing_signatures import SIGNATURES_NAME, signed_files

_SUM = re.compile(r"([0-9a-f]{64})  ([^\n/]+)")
_BESIDE = (MANIFEST_NAME, SUMS_NAME)


def check_landings(source: FileSource, settings: LoadSettings) -> None:
    """Let the source read only what was signed, of the folders among its inputs that hold signatures; of those that
    ``clinmart fetch`` left without, only what has the checksums beside it.

    Raises IntegrityError when signatures were altered, a file was put in, or is gone; and for a folder without
    signatures when the settings require them.
    """
    folders: dict[Path, list[str]] = {}
    for uri in source.uris:
        if not is_object(uri):
            folders.setdefault(Path(uri).parent, []).append(uri)
    fetched = {Path(each.uri).parent for each in source.manifests if each.scope is not None and not is_object(each.uri)}
    promises = Promises()
    promise_objects(source, promises, _sums, require_signed=settings.require_signed)
    for folder, uris in folders.items():
        if (folder / SIGNATURES_NAME).exists():
            _promise(promises, folder, uris, _signed(folder, settings))
        elif settings.require_signed:
            raise IntegrityError(
                f"{folder}: there is no file {SIGNATURES_NAME}, and --require-signed was given: fetch the files with "
                "the keys of this mart"
            )
        elif folder in fetched:
            for name, file in _summed(folder).items():
                promises.add(str(folder / name), file.size, file.sha256)
    source.promises = promises


def _signed(folder: Path, settings: LoadSettings) -> Mapping[str, Sealed]:
    """The files that were signed, of which those beside the data are looked at now."""
    signed = signed_files(folder, keys_of(settings.mart, create=True))
    for name, file in signed.items():
        path = folder / name
        if not path.is_file():
            raise IntegrityError(f"{path}: was signed and is gone, so nothing is loaded; fetch it again")
        if name in _BESIDE and hashlib.sha256(path.read_bytes()).hexdigest() != file.sha256:
            raise broken(str(path))
    return signed


def _summed(folder: Path) -> Mapping[str, Sealed]:
    """The files with checksums, as ``sha256sum`` writes them; none where there are no checksums."""
    path = folder / SUMS_NAME
    if not path.is_file():
        return {}
    found = {}
    for name, sha256 in _sums(path.read_text("utf-8", "replace"), str(path)):
        file = folder / name
        found[name] = Sealed(name, file.stat().st_size if file.is_file() else 0, sha256)
    return found


def _sums(text: str, uri: str) -> Iterator[tuple[str, str]]:
    """Names and checksums of a file ``uri`` with this text."""
    for line in text.splitlines():
        match = _SUM.fullmatch(line)
        if match is None:
            raise IntegrityError(f"{uri}: a line is no checksum, so nothing of this folder is loaded; fetch it again")
        yield match[2], match[1]


def _promise(promises: Promises, folder: Path, uris: list[str], files: Mapping[str, Sealed]) -> None:
    for uri in uris:
        file = files.get(Path(uri).name)
        if file is None:
            raise IntegrityError(
                f"{uri}: was not fetched into {folder.name}, whose files are signed: move it away, and load it alone"
            )
        promises.add(uri, file.size, file.sha256)
