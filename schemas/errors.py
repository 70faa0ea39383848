"""The errors of clinmart, each with the exit code of the command line.

::

    ClinmartError
     ├─ UsageError          2   the command, a path, a view or a mapping is wrong
     ├─ IntegrityError      4   truncated or tampered input, a mart that lost work
     ├─ StorageError        5   the mart or the staging area cannot be written or read
     ├─ LockedError         6   another process holds the mart
     └─ TryAgainError      75   a source is not ready or not reachable now
         └─ ChangedError        an object is not the one that was listed

A message names what is wrong, what was there and what to do. It never holds a value of a patient.
"""

from __future__ import annotations

from typing import ClassVar

EXIT_CLEAN = 0
EXIT_QUARANTINED = 3
EXIT_DRAINED = 143


class ClinmartError(Exception):
    """Base of all errors that a user is meant to read; ``exit_code`` is what the command line returns."""

    exit_code: ClassVar[int] = 1


class UsageError(ClinmartError):
    """What the user asked for cannot be done as asked."""

    exit_code = 2


class IntegrityError(ClinmartError):
    """Bytes are missing or are not what they were."""

    exit_code = 4


class StorageError(ClinmartError):
    """The mart or the staging area cannot be read or written."""

    exit_code = 5


class LockedError(ClinmartError):
    """Another process holds the mart."""

    exit_code = 6


class TryAgainError(ClinmartError):
    """A source is not ready now; the same command may succeed later."""

    exit_code = 75


class ChangedError(TryAgainError):
    """An input was replaced or removed since the load was planned; the same command takes what is there now."""
