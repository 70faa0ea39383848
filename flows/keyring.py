"""The keys that a command works with: those that it was told, else ``CLINMART_KEYS``, else those beside the mart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flows.private import keep_private
from flows.settings import environment
from stores.database import is_encrypted
from stores.keys import Keys, open_keys
from stores.mart import Mart

_TOLD: list[str] = []  # by the command that runs, the last one counts


@contextmanager
def telling(where: str | None) -> Iterator[None]:
    """Within the block, the keys are at ``where``; None tells nothing."""
    if where is None:
        yield
        return
    _TOLD.append(where)
    try:
        yield
    finally:
        _TOLD.pop()


def keys_told() -> str | None:
    """Where the keys are, when somebody said so."""
    return _TOLD[-1] if _TOLD else environment("KEYS", "") or None


def keys_of(mart: Path, given: str | None = None, *, create: bool = False) -> Keys:
    """The keys of a mart; see :func:`stores.keys.open_keys` for what is raised.

    ``create``: make a keyring that is not there. Not for a mart that is there, when somebody said where its keys are or
    it is encrypted: then the keyring was misnamed.
    """
    where = given or keys_told()
    if create:
        keep_private()
        create = not mart.exists() or (where is None and not is_encrypted(mart))
    return open_keys(where, mart, create=create)


def mart_at(path: Path, **options: Any) -> Mart:
    """The mart at ``path``, with the keys that were told; for the options see :class:`stores.mart.Mart`."""
    return Mart(path, keys=lambda: keys_of(path), **options)
