"""Environments of their own for the packages that others use."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path


def peer_python(folder: Path, *packages: str, probe: str, mend: Callable[[str], None] | None = None) -> str | None:
    """The Python of a new environment in which ``probe`` runs; None, and a loud line, where that cannot be had.

    ``mend`` is told what a failed probe said; then it is tried once more.
    """
    python = str(folder / "bin" / "python")
    check = [python, "-c", probe]
    steps = ([sys.executable, "-m", "venv", str(folder)], [python, "-m", "pip", "install", "-q", *packages], check)
    for command in steps:
        tried = subprocess.run(command, check=False, capture_output=True, text=True)
        if tried.returncode and command is check and mend is not None:
            mend(tried.stderr)
            tried = subprocess.run(command, check=False, capture_output=True, text=True)
        if tried.returncode:
            why = (tried.stderr.strip() or tried.stdout.strip()).splitlines()[-1:]
            print(f"!!! {packages[0]} SKIPPED, it does not work here: {''.join(why)}", file=sys.stderr)
            return None
    return python
