"""Files of blocks by AES-256-GCM, that can be read at any place: for what is staged beside an encrypted mart.

A file is "CMB1", 8 random bytes, then blocks of 256 KiB, each with its tag of 16 bytes. A block's nonce is the random
bytes and its number (NIST SP 800-38D 8.2.1); its additional data bind it to the file's name, its place and whether it
is the last. So no block can be altered, moved, left out or taken from another file, and each is verified when it is
read.
"""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from schemas.errors import IntegrityError

_MAGIC = b"CMB1"
_PREFIX = 8  # random bytes of a file
_HEAD = len(_MAGIC) + _PREFIX
_BLOCK = 256 * 1024
_TAG = 16


def seal_blocks(secret: bytes, name: bytes, data: bytes | memoryview) -> Iterator[bytes]:
    """The bytes of a file that holds ``data``, by the key ``secret`` (32 bytes); ``name`` must be told to read it."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - for encrypted marts alone

    cipher, prefix, whole = AESGCM(secret), os.urandom(_PREFIX), memoryview(data)
    yield _MAGIC + prefix
    last = max(0, (len(whole) - 1) // _BLOCK)
    for number in range(last + 1):
        block = whole[number * _BLOCK : (number + 1) * _BLOCK]
        yield cipher.encrypt(_nonce(prefix, number), block, _bound(name, number, number == last))


class SealedBlocks(io.RawIOBase):
    """A file that :func:`seal_blocks` made, as its content. Raises IntegrityError where that was altered."""

    def __init__(self, path: Path, secret: bytes, name: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - for encrypted marts alone

        self._path = path
        self._cipher = AESGCM(secret)
        self._name = name
        self._file = path.open("rb", buffering=0)
        sealed = os.fstat(self._file.fileno()).st_size - _HEAD
        head = self._file.read(_HEAD)
        if sealed < _TAG or not head.startswith(_MAGIC):
            self._file.close()
            raise self._altered()
        self._nonce_prefix = head[len(_MAGIC) :]
        self._last = (sealed - 1) // (_BLOCK + _TAG)
        self.size = sealed - (self._last + 1) * _TAG  # of the content, in bytes
        # DuckDB's threads share a file: each goes to a place and then reads, and another may come between the two.
        self._place = threading.local()
        self._kept: tuple[int, bytes] | None = None  # the block that was read last

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """The place in the content."""
        return getattr(self._place, "at", 0)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place in the content."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.tell(), os.SEEK_END: self.size}[whence]
        self._place.at = max(0, base + offset)
        return self.tell()

    def read(self, size: int = -1, /) -> bytes:
        """So many bytes from the place on, fewer only at the end; all without a size."""
        at = self.tell()
        end = self.size if size is None or size < 0 else min(self.size, at + size)
        parts = []
        while at < end:
            number, skip = divmod(at, _BLOCK)
            part = self._block(number)[skip : skip + end - at]
            if not part:
                raise self._altered()
            parts.append(part)
            at += len(part)
        self._place.at = at
        return b"".join(parts)

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            self._file.close()
        super().close()

    def _block(self, number: int) -> bytes:
        if self._kept is not None and self._kept[0] == number:
            return self._kept[1]
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - for encrypted marts alone

        sealed = os.pread(self._file.fileno(), _BLOCK + _TAG, _HEAD + number * (_BLOCK + _TAG))
        try:
            bound = _bound(self._name, number, number == self._last)
            block = self._cipher.decrypt(_nonce(self._nonce_prefix, number), sealed, bound)
        except (InvalidTag, ValueError):
            raise self._altered() from None
        self._kept = number, block
        return block

    def _altered(self) -> IntegrityError:
        return IntegrityError(f"the staged file {self._path} is not what was written: nothing of it is loaded")


def _nonce(prefix: bytes, number: int) -> bytes:
    return prefix + number.to_bytes(4, "big")


def _bound(name: bytes, number: int, last: bool) -> bytes:
    return b"%s %d %d" % (name, number, last)
