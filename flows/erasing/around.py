"""What lies beside a mart: cleaned of somebody, or removed where that cannot be done."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from flows.erasing.beside import names_in_files
from flows.erasing.landing import Landed, clean_landing
from schemas.errors import StorageError
from schemas.suppression import ERASED, Suppression
from stores.keys import Keys
from stores.people import SHORTEST, Values
from stores.staging import staging_root
from stores.tail import Committed, Entry, Tail, raw_files

_LANDING, _SPILLED, _DAMAGED = ".landing", ".tmp", ".wal.damaged-*"


@dataclass(slots=True)
class Around:
    """What was done: landed files, and names of files that are gone."""

    landing: Landed = field(default_factory=Landed)
    removed: list[str] = field(default_factory=list)


def clean_around(
    mart: Path, landed: Mapping[Path, set[str]], lists: Mapping[str, Suppression], values: Values, keys: Keys | None
) -> Around:
    """Clean the landing zone (of folders that were loaded as a source in ``lists``) and the names of files in the tail;
    remove logs that were set aside and what DuckDB spilled, for what those hold of whom nobody can tell.

    Raises StorageError.
    """
    done = Around()
    wanted = _in_lines(values)
    for folder, sources in sorted(landed.items()):
        for source in sorted(sources & lists.keys()):
            clean_landing(folder, lists[source], wanted, keys, done.landing)
    try:
        for path in sorted(mart.parent.glob(_escaped(mart.name) + _DAMAGED)):
            path.unlink()
            done.removed.append(str(path))
        spilled = mart.with_name(mart.name + _SPILLED)
        if spilled.is_dir():
            done.removed += [str(path) for path in _files(spilled)]
            shutil.rmtree(spilled)
    except OSError as error:
        raise StorageError(f"a file beside the mart {mart} cannot be removed: {error.strerror}") from error
    _clean_tail(mart, values)
    return done


def files_around(mart: Path, zone: Path) -> list[Path]:
    """All files beside a mart and in its folders, but for the mart itself, its log and its staging area."""
    own = {mart, mart.with_name(mart.name + ".wal"), staging_root(mart)}
    found: set[Path] = set()
    for path in mart.parent.glob(_escaped(mart.name) + ".*"):
        if path not in own:
            found |= set(_files(path))
    found |= set(_files(zone))
    return sorted(found)


def landing_zone(mart: Path, landing: Path | None) -> Path:
    """The landing zone that was named, else the one beside the mart."""
    return landing if landing is not None else mart.with_name(mart.name + _LANDING)


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif path.is_dir():
        yield from (one for one in path.rglob("*") if one.is_file())


def _escaped(name: str) -> str:
    """A name as a pattern of it alone."""
    return re.sub(r"([*?\[])", r"[\1]", name)


def _in_lines(values: Values) -> re.Pattern[bytes] | None:
    sure = [value.encode() for value in values.sure if len(value.encode()) >= SHORTEST]
    if not sure:
        return None
    told = b"|".join(re.escape(value) for value in sorted(sure, key=len, reverse=True))
    return re.compile(rb"(?<![A-Za-z0-9.\-])(?:" + told + rb")(?![A-Za-z0-9.\-])")


def _clean_tail(mart: Path, values: Values) -> None:
    """Names of files in the tail that name somebody say so no more."""
    tail, wanted = Tail(mart), names_in_files(values)
    entries = tail.read()
    if wanted is None or not entries:
        return
    cleaned: list[Entry] = []
    for entry in entries:
        if isinstance(entry, Committed) and any(wanted.search(file.uri) for file in entry.files()):
            files = [replace(file, uri=wanted.sub(ERASED, file.uri)) for file in entry.files()]
            cleaned.append(replace(entry, receipts=raw_files(files)))
        else:
            cleaned.append(entry)
    if cleaned != entries:
        tail.write(cleaned)
