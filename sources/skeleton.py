"""A Bundle without its entries: the small rest that a real JSON parser can judge."""

from __future__ import annotations

import json

import msgspec

from schemas.errors import IntegrityError

BLANK = b" \t\r\n"  # RFC 8259 2: the only whitespace of JSON
_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")


class Skeleton:
    """The text of a document, except what stands between the brackets of its top-level ``entry`` array.

    At most ``limit`` bytes are kept; beyond that ``overflowed`` is True and the text is gone. ``base`` is the
    offset of the document in its file.
    """

    def __init__(self, limit: int, base: int = 0) -> None:
        self.overflowed = False
        self.arrays = 0  # top-level `entry` arrays seen; JSON leaves open what a second one would mean
        self._limit = limit
        self._base = base
        self._text = bytearray()
        self._key = 0  # where `"entry"` begins in the text
        self._cut = 0  # where the content of the array was left out
        self._left_out: list[tuple[int, int]] = []  # the same for each array, and how many bytes it was

    def add(self, data: bytes) -> None:
        """Append text that is not inside the ``entry`` array."""
        if self.overflowed or len(self._text) + len(data) > self._limit:
            self.overflowed = True
            self._text.clear()
        else:
            self._text += data

    def opens_entries(self) -> bool:
        """True when the text ends in ``"entry": [`` as a member of the object around it.

        A quote that follows ``{`` or ``,`` cannot be an escaped one, so this is never the end of another key.
        """
        at = self._back(len(self._text) - 2)
        if at < 0 or self._text[at] != ord(":"):
            return False
        at = self._back(at - 1)
        if self._text[max(at - 6, 0) : at + 1] != b'"entry"':
            return False
        before = self._back(at - 7)
        if before < 0 or self._text[before] not in b"{,":
            return False
        self.arrays += 1
        self._key, self._cut = at - 6, len(self._text)
        return True

    def leave_out(self, size: int) -> None:
        """Note that ``size`` bytes of the array were not added."""
        self._left_out.append((self._cut, size))

    def members(self, uri: str) -> dict[str, object] | None:
        """``resourceType``, ``id``, ``meta`` and ``entry`` of the object, those that are there; None for another JSON
        value.

        Raises :class:`IntegrityError` when the text is not JSON. ``RecursionError`` when it is nested too
        deeply to tell.
        """
        try:
            found = msgspec.json.decode(self._text, type=dict[str, msgspec.Raw])
            return {key: msgspec.json.decode(found[key]) for key in _MEMBERS if key in found}
        except msgspec.ValidationError:
            return None
        except ValueError:  # msgspec also refuses lone surrogates, which are for the decoder to judge
            return self._second_opinion(uri)

    def envelope(self) -> tuple[bytes, int]:
        """The object as one line without its ``entry`` member, and the offset of its first byte."""
        text = bytes(self._text)
        if self.arrays:
            head, tail = text[: self._key], text[self._cut + 1 :].lstrip(BLANK)
            if tail.startswith(b","):
                tail = tail[1:].lstrip(BLANK)
            elif head.rstrip(BLANK).endswith(b","):
                head = head.rstrip(BLANK)[:-1]
            text = head + tail
        begins = len(text) - len(text.lstrip(BLANK))
        return on_one_line(text.strip(BLANK)), self._base + begins

    def _second_opinion(self, uri: str) -> dict[str, object] | None:
        text = self._text.decode("utf-8", "surrogateescape")
        try:
            found = json.loads(text)
        except json.JSONDecodeError as error:
            at = len(text[: error.pos].encode("utf-8", "surrogateescape"))
            at += sum(size for cut, size in self._left_out if at >= cut)
            raise malformed(uri, self._base + at, error.msg[0].lower() + error.msg[1:]) from None
        except ValueError:  # a number with thousands of digits
            return {}
        return {key: found[key] for key in _MEMBERS if key in found} if isinstance(found, dict) else None

    def _back(self, at: int) -> int:
        while at >= 0 and self._text[at] in BLANK:
            at -= 1
        return at


_MEMBERS = ("resourceType", "id", "meta", "entry")


def on_one_line(data: bytes) -> bytes:
    """``data`` with line breaks blanked: JSON has none inside strings, so no value changes."""
    return data.translate(_ONE_LINE) if b"\n" in data or b"\r" in data else data


def malformed(uri: str, offset: int, what: str) -> IntegrityError:
    """The refusal of a document that cannot be told apart from a damaged one."""
    return IntegrityError(
        f"{uri}: not a whole JSON document: at byte {offset}: {what}; nothing of this file was loaded. "
        "Get the file again, or if it holds one resource per line, name it .ndjson"
    )
