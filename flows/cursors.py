"""How far a source was read, by the manifests of its exports."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime

from schemas.records import Partition, ReadExport
from sources.manifest import ExportedFile, Manifest, beside


def cursors(
    manifests: Iterable[Manifest], partitions: Sequence[Partition], accounted: Collection[Partition]
) -> dict[str, datetime]:
    """By type, the greatest `transactionTime` of the manifests of which all files of the type are accounted for.

    A manifest that lists errors says of no type that all of it is there; one of which a file of deletes or a file
    without a type is not accounted for might lack some of any.
    """
    whole = {partition.uri for partition in partitions} - {p.uri for p in partitions if p not in accounted}
    found: dict[str, datetime] = {}
    for manifest in manifests:
        lacking = [file for file in (*manifest.output, *manifest.deleted) if not _is_whole(manifest, file, whole)]
        if manifest.errors or any(file.type is None or file in manifest.deleted for file in lacking):
            continue
        time = manifest.transaction_time.astimezone(UTC)
        without = {file.type for file in lacking}
        for kind in {file.type for file in manifest.output} - without:
            if kind is not None:
                found[kind] = max(time, found.get(kind, time))
    return found


def whole_exports(
    manifests: Iterable[Manifest], partitions: Sequence[Partition], accounted: Collection[Partition]
) -> list[ReadExport]:
    """The exports of ours of which every file is accounted for, and that list no errors, the earliest first."""
    whole = {partition.uri for partition in partitions} - {p.uri for p in partitions if p not in accounted}
    found = [
        ReadExport(manifest.scope, manifest.since, manifest.transaction_time)
        for manifest in manifests
        if manifest.scope is not None
        and not manifest.errors
        and all(_is_whole(manifest, file, whole) for file in (*manifest.output, *manifest.deleted))
    ]
    return sorted(found, key=lambda export: export.until)


def _is_whole(manifest: Manifest, file: ExportedFile, whole: Collection[str]) -> bool:
    return any(uri in whole for uri in beside(manifest, file))
