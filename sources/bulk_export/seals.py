"""Who signs what lands, as an export knows it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from schemas.sealed import Sealed


class Seals(Protocol):
    """Keeps signatures in the folder of the export; safe to use from several threads."""

    def known(self, name: str) -> Sealed | None:
        """The file as it was signed; None when it was not. Raises IntegrityError for signatures that were altered."""

    def add(self, file: Sealed) -> None:
        """Sign a file that is about to land; the signature is on disk when this returns. Raises StorageError."""

    def close(self, beside: Sequence[Path]) -> None:
        """Sign the files ``beside`` the data too, and that there are no others. Raises StorageError."""

    def restart(self) -> None:
        """Forget all signatures."""
