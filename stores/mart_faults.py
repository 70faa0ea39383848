"""What is wrong with the file of a mart, in words that say what to do."""

from __future__ import annotations

from pathlib import Path

from schemas.errors import ClinmartError, IntegrityError, StorageError, UsageError
from stores.tail import Committed, Tail

_DAMAGE = ("Corrupt", "AES tag")  # what DuckDB says of blocks that are not what was written, plain or encrypted


def is_damage(said: str) -> bool:
    """Whether DuckDB says that bytes of the file are not those that it wrote."""
    return any(word in said for word in _DAMAGE)


def damaged(mart: Path) -> IntegrityError:
    """Bytes of the file are not those that were written."""
    return IntegrityError(
        f"the file of the mart {mart} is damaged: put a copy of it back, then run clinmart repair --mart {mart} for "
        "what was loaded since"
    )


def foreign(mart: Path) -> UsageError:
    """The file is a database of somebody else."""
    return UsageError(f"{mart} is a DuckDB database but not a mart of clinmart: name another file")


def other_layout(mart: Path, what: str) -> UsageError:
    """The mart was made by another clinmart, and cannot be brought to this one."""
    return UsageError(f"the mart {mart} {what}: load into a new mart, or use the clinmart that made it")


def unusable(mart: Path, tail: Tail, said: str) -> ClinmartError:
    """Why the file cannot be opened, of which DuckDB ``said`` something."""
    if "not a valid DuckDB database" in said or mart.is_dir():
        if not mart.is_dir() and any(isinstance(entry, Committed) for entry in tail.read()):
            return damaged(mart)
        what = "a folder" if mart.is_dir() else "not a DuckDB file"
        return UsageError(f"{mart} is {what}, so it is no mart: name another file")
    if "WAL" in said:
        return IntegrityError(
            f"the log of the mart {mart} is damaged, and what was committed in it cannot be read: "
            f"run clinmart repair --mart {mart}"
        )
    if is_damage(said):
        return damaged(mart)
    return StorageError(f"the mart {mart} cannot be opened: {said.splitlines()[0]}")
