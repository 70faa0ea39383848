"""Where a mart was published to: `<mart>.published`, JSON lines of folders and prefixes of object stores.

What is erased leaves these too.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from schemas.errors import StorageError
from stores.publish import is_published


def published_list(mart: Path) -> Path:
    """The file beside the mart that lists the folders."""
    return mart.with_name(mart.name + ".published")


def note_published(mart: Path, named: str) -> None:
    """Take note of an absolute folder or an address, once. Raises StorageError."""
    path = published_list(mart)
    if named in _listed(path):
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, json.dumps({"folder": named}).encode() + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}") from error


def published_folders(mart: Path) -> list[Path]:
    """The folders that the mart was published to and that are still there. Raises StorageError."""
    return [Path(one) for one in _listed(published_list(mart)) if "://" not in one and is_published(Path(one))]


def published_addresses(mart: Path) -> list[str]:
    """The prefixes of object stores that the mart was published to. Raises StorageError."""
    return [one for one in _listed(published_list(mart)) if "://" in one]


def _listed(path: Path) -> list[str]:
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from error
    folders = []
    for line in lines:
        try:
            folders.append(str(json.loads(line)["folder"]))
        except (ValueError, KeyError, TypeError):
            continue  # a line that a crash cut short
    return folders
