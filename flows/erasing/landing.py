"""Landed files without what is somebody's: their lines go, all others stay byte for byte."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from schemas.errors import IntegrityError, StorageError
from schemas.sealed import Sealed
from schemas.suppression import Suppression
from sources.manifest import MANIFEST_NAME, SUMS_NAME
from stores.keys import Keys
from stores.landing_signatures import SIGNATURES_NAME, LandingSignatures, signed_files
from stores.tail import sync_folder
from transforms.suppress import theirs
from transforms.unmention import without_mentions

_BATCH = 20_000  # lines
_NDJSON = (".ndjson", ".ndjson.gz", ".jsonl", ".jsonl.gz")


@dataclass(slots=True)
class Landed:
    """Files that were written anew, and lines that went or were mended."""

    files: int = 0
    lines: int = 0
    mended: int = 0
    names: list[str] = field(default_factory=list)


def clean_landing(
    folder: Path, suppression: Suppression, wanted: re.Pattern[bytes] | None, keys: Keys | None, done: Landed
) -> None:
    """Write the NDJSON files of a landed folder anew without the resources of people who are erased. A line that still
    has what ``wanted`` finds goes too.

    Checksums and counts of the manifest follow, and so do the signatures of a folder that is as it was signed by
    ``keys``; any other is left with signatures that no load takes. Raises StorageError.
    """
    signed, before = _as_signed(folder, keys), done.files
    try:
        for path in sorted(p for p in folder.iterdir() if p.is_file() and p.name.endswith(_NDJSON)):
            known = done.lines + done.mended
            lines = list(_lines(path, suppression, wanted, done))
            if done.lines + done.mended > known:
                _replace(path, b"".join(lines), sum(1 for line in lines if line.strip()))
                done.files += 1
                done.names.append(str(path))
    except OSError as error:
        raise StorageError(f"{folder}: a landed file cannot be written anew: {error.strerror}") from error
    if signed and keys is not None and done.files > before:
        _sign_anew(folder, keys, signed)


def _as_signed(folder: Path, keys: Keys | None) -> list[str]:
    """The names of the files of a folder that are all as they were signed; none of another."""
    if keys is None or not (folder / SIGNATURES_NAME).exists():
        return []
    try:
        signed = signed_files(folder, keys)
    except IntegrityError:
        return []
    whole = all(
        (folder / name).is_file() and hashlib.sha256((folder / name).read_bytes()).hexdigest() == file.sha256
        for name, file in signed.items()
    )
    return list(signed) if whole else []


def _sign_anew(folder: Path, keys: Keys, names: list[str]) -> None:
    beside = [MANIFEST_NAME, SUMS_NAME]
    signatures = LandingSignatures(folder, keys)
    signatures.restart()
    for name in names:
        if name not in beside:
            data = (folder / name).read_bytes()
            signatures.add(Sealed(name, len(data), hashlib.sha256(data).hexdigest()))
    signatures.close([folder / name for name in beside if name in names])


def _lines(path: Path, suppression: Suppression, wanted: re.Pattern[bytes] | None, done: Landed) -> Iterator[bytes]:
    batch: list[bytes] = []
    with gzip.open(path, "rb") if path.name.endswith(".gz") else path.open("rb") as file:
        for line in file:
            batch.append(line)
            if len(batch) == _BATCH:
                yield from _cleaned(batch, suppression, wanted, done)
                batch = []
    yield from _cleaned(batch, suppression, wanted, done)


def _cleaned(
    lines: list[bytes], suppression: Suppression, wanted: re.Pattern[bytes] | None, done: Landed
) -> Iterable[bytes]:
    kept: list[bytes | None] = list(lines)
    by_type: dict[str, list[tuple[int, str, str]]] = {}
    for number, line in enumerate(lines):
        resource = _resource(line)
        if resource is not None:
            by_type.setdefault(str(resource.get("resourceType")), []).append(
                (number, str(resource.get("id")), line.decode().strip())
            )
    for kind, rows in by_type.items():
        frame = pl.DataFrame(rows, schema={"n": pl.UInt32, "id": pl.String, "json": pl.String}, orient="row")
        told = theirs(suppression, kind, None, frame)
        for row in told.rows:
            kept[rows[row][0]] = None
            done.lines += 1
        fresh = without_mentions(frame, None, told.mentions)["json"] if told.mentions else ()
        for row in told.mentions:
            kept[rows[row][0]] = fresh[row].encode() + b"\n"
            done.mended += 1
    left = [line for line in kept if line is not None]
    clean = [line for line in left if wanted is None or not wanted.search(line)]
    done.lines += len(left) - len(clean)
    return clean


def _resource(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("id"), str) else None


def _replace(path: Path, data: bytes, count: int) -> None:
    if path.name.endswith(".gz"):
        data = gzip.compress(data, mtime=0)
    _write(path, data)
    sums, manifest = path.parent / SUMS_NAME, path.parent / MANIFEST_NAME
    if sums.exists():
        digest = hashlib.sha256(data).hexdigest()
        told = [
            f"{digest}  {path.name}" if line.endswith(f"  {path.name}") else line
            for line in sums.read_text().splitlines()
        ]
        _write(sums, "".join(f"{line}\n" for line in told).encode())
    if manifest.exists():
        listed = json.loads(manifest.read_bytes())
        for section in ("output", "deleted", "error"):
            for one in listed.get(section) or ():
                if one.get("url") == path.name and "count" in one:
                    one["count"] = count
        _write(manifest, json.dumps(listed, indent=1).encode())


def _write(path: Path, data: bytes) -> None:
    """Put other bytes in a file's place: a crash leaves the old or the new ones."""
    aside = path.with_name(f".{path.name}.new")
    with aside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    aside.chmod(path.stat().st_mode & 0o777)
    aside.replace(path)
    sync_folder(path.parent)
