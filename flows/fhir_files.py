"""Rows that HL7 v2 messages make, as FHIR NDJSON in a folder of the user's."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from schemas.errors import StorageError


def make_folder(folder: Path) -> None:
    """Make the folder if it is not there. StorageError when it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"--to-fhir: cannot make the folder {folder}: {error.strerror}") from error


def place_fhir(staged: Sequence[tuple[str, str]], folder: Path, load_id: str) -> None:
    """Move staged files, given with their types, into the folder as `TYPE.LOAD.NUMBER.ndjson`.

    Before the commit of their rows, so that a crash between the two loses none: the load that is run again writes its
    files once more, under its own name. Raises StorageError.
    """
    for kind, path in staged:
        number = Path(path).stem.rpartition("-")[2]
        try:
            shutil.move(path, folder / f"{kind}.{load_id}.{number}.ndjson")
        except OSError as error:
            raise StorageError(f"--to-fhir: cannot write into {folder}: {error.strerror}") from error
