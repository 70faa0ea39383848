"""Before an export is loaded that ``clinmart fetch`` moved to an object store: its checksums."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable

from schemas.errors import UsageError
from sources.files import FileSource
from sources.manifest import SUMS_NAME
from sources.objects.address import is_object
from sources.passes import is_whole
from sources.verified import Promises

Summed = Callable[[str, str], Iterable[tuple[str, str]]]


def promise_objects(source: FileSource, promises: Promises, summed: Summed, *, require_signed: bool) -> None:
    """Promise that the objects of such an export are those that ``SHA256SUMS`` beside them names; ``summed`` reads it.

    Of an object that is read in ranges of its own nothing is promised, for it would be read once more for it. Raises
    UsageError when signatures are required, which are looked for in folders only.
    """
    if require_signed and any(map(is_object, source.uris)):
        raise UsageError(
            "--require-signed: objects of object stores are not signed: fetch into a folder, and load that"
        )
    folders = {posixpath.dirname(m.uri) for m in source.manifests if m.scope is not None and is_object(m.uri)}
    sums = {folder: source.content(f"{folder}/{SUMS_NAME}") for folder in sorted(folders)}
    whole = {p.uri: p.size for p in source.partitions() if is_whole(p)} if any(sums.values()) else {}
    for folder, text in sums.items():
        for name, sha256 in summed((text or b"").decode("utf-8", "replace"), f"{folder}/{SUMS_NAME}"):
            uri = f"{folder}/{name}"
            if uri in whole:
                promises.add(uri, whole[uri], sha256)
