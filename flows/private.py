"""What clinmart writes is for its owner alone."""

from __future__ import annotations

import os

_OWNER_ALONE = 0o077


def keep_private() -> None:
    """Let everything that this process writes from now on, DuckDB's logs too, be its owner's alone: 0600 and 0700."""
    os.umask(_OWNER_ALONE)
