"""The keys that a command works with: those that it was told, else ``CLINMART_KEYS``, else those beside the mart."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flows.settings import environment

if TYPE_CHECKING:
    from stores.keys import Keys


def keys_told(given: str | None) -> str | None:
    """Where the keys are, when somebody said so."""
    return given or environment("KEYS", "") or None


def keys_of(mart: Path, given: str | None = None, *, create: bool = False) -> Keys:
    """The keys of a mart; see :func:`stores.keys.open_keys` for what is raised. ``create``: make what is not there."""
    from stores.keys import open_keys  # noqa: PLC0415 - commands that need no key do not pay for it

    return open_keys(keys_told(given), mart, create=create)
