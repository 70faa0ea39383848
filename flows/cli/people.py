"""Whom a command asks for: by a file or stdin, so that no id stands in the history of a shell, or by options."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import UsageError

if TYPE_CHECKING:
    from stores.people import Asked

_LONGEST = 16 * 1024 * 1024  # bytes of a file of people


def people_asked(file: Path | None, patients: Sequence[str], identifiers: Sequence[str] = ()) -> list[Asked]:
    """Who is asked for, each once. Raises UsageError for a file that cannot be read, and for nobody."""
    from stores.people import Asked

    lines = [*patients, *identifiers]
    if wrong := next((n for n, one in enumerate(identifiers, 1) if "|" not in one), None):
        raise UsageError(f"--identifier {wrong} has no |: give SYSTEM|VALUE, as urn:oid:1.2.3|12345")
    if file is not None:
        try:
            data = sys.stdin.buffer.read(_LONGEST + 1) if str(file) == "-" else file.read_bytes()
        except OSError as error:
            raise UsageError(f"--patients: {file} cannot be read: {error.strerror}") from None
        if len(data) > _LONGEST:
            raise UsageError(f"--patients: {file} has more than {_LONGEST} bytes: give fewer people at once")
        try:
            lines += data.decode().splitlines()
        except UnicodeDecodeError:
            raise UsageError(f"--patients: {file} is not UTF-8: save it so") from None
    asked = [_one(line.strip(), Asked) for line in dict.fromkeys(lines) if line.strip() and not line.startswith("#")]
    if not asked:
        raise UsageError("nobody is asked for: give --patients FILE with one person a line, or - to read it from stdin")
    return asked


def _one(line: str, asked: type[Asked]) -> Asked:
    """A line as who it asks for. An id holds no colon (FHIR R4 2.24.0.1), and the name of a source none either."""
    if "|" in line:
        system, _, value = line.rpartition("|")
        return asked(system=system or None, value=value)
    source, _, ident = line.rpartition(":")
    return asked(id=ident, source=source or None)
