"""A line, entry or document too long to be held: its beginning, its length and its hash."""

from __future__ import annotations

import hashlib

from schemas.reasons import Reason
from schemas.records import OversizedLine

HEAD_BYTES = 64 * 1024  # enough to see the resource type and the id, and small enough to store


class LongLine:
    """Takes a long line block by block and keeps only its first 64 KiB."""

    def __init__(self, uri: str, offset: int, line: int) -> None:
        self._uri = uri
        self._offset = offset
        self._line = line
        self._head = bytearray()
        self._sha256 = hashlib.sha256()
        self._length = 0

    def feed(self, data: bytes) -> None:
        """Append the next bytes of the line."""
        if len(self._head) < HEAD_BYTES:
            self._head += data[: HEAD_BYTES - len(self._head)]
        self._sha256.update(data)
        self._length += len(data)

    def finish(self, reason: Reason = Reason.LINE_TOO_LONG) -> OversizedLine:
        """The record of the line: length and hash are of its bytes as received, without the line feed."""
        return OversizedLine(
            uri=self._uri,
            offset=self._offset,
            line=self._line,
            head=bytes(self._head),
            length=self._length,
            sha256=self._sha256.digest(),
            reason=reason,
        )
