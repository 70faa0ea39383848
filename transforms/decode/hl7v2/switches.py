"""Switches of the character set inside a message (HL7 v2.9 2.7.2, ISO 2022).

``\\Cxxyy\\`` and ``\\Mxxyyzz\\`` name in hexadecimal what follows ESC in the sequences of ISO 2022, and either form
switches. A switch holds until the next one, the end of its repetition or field, or of the segment.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

ESCAPE = b"\x1b"
SWITCHES = (b"C2", b"M2")  # how the named sequences begin that are known, after the escape character
MARK_AT = 6  # where a message has its escape character (MSH-2)
_END_OF_LINE = re.compile(rb"(\r\n|\r|\n)")
# The right-hand parts of ISO 8859 by the last byte of ESC - F (ISO-IR 100, 101, 109, 110, 126, 127, 138, 144, 148).
_PAGES = {b"A": 1, b"B": 2, b"C": 3, b"D": 4, b"F": 7, b"G": 6, b"H": 8, b"L": 5, b"M": 9}
_ASCII = (b"(B", b"(J")  # ISO-IR 6 and 14: JIS X 0201 Romaji, read as ASCII but for the meaning of two characters
_KANJI = (b"$B", b"$@", b"$(D")  # ISO-IR 87, its forerunner 42, and 159: JIS X 0208 and 0212
_KANJI_CODEC = "iso2022_jp_2"
_PAIRS = rb"[\x21-\x74][\x21-\x7e]"  # no row of these sets begins with a byte above, so a vertical bar ends them
_KATAKANA, _KATAKANA_LEFT = b")I", b"(I"  # ISO-IR 13 among the upper bytes, and among the lower
_FIRST_KATAKANA = 0xFF61  # the character of byte A1 (or 21)


@dataclass(frozen=True, slots=True)
class _State:
    """Sequences that hold now, after ESC: for bytes below 80 hex, and for those above (None: the message's own set)."""

    left: bytes = _ASCII[0]
    right: bytes | None = None


_BEGIN = _State()


def has_switches(message: bytes) -> bool:
    """True when something in the message may switch the character set."""
    mark = message[MARK_AT : MARK_AT + 1]
    return ESCAPE in message or (bool(mark) and any(mark + switch in message for switch in SWITCHES))


def switched(message: bytes, codec: str) -> str:
    """The text of a message whose own set is ``codec``, one in which no delimiter is part of another character.

    Sequences that switch to a set that is known are left out, others stay as sent. UnicodeError for bytes that are not
    of the set that they stand in.
    """
    sep = _Marks(message[3:4], message[5:6], message[6:7])
    parts = _END_OF_LINE.split(message)
    return "".join(
        _line(part, codec, sep) if has_switches(message[:7] + part) else part.decode(codec) for part in parts
    )


@dataclass(frozen=True, slots=True)
class _Marks:
    field: bytes
    repetition: bytes
    escape: bytes


def _line(line: bytes, codec: str, marks: _Marks) -> str:
    found, pairs = _patterns(marks)
    made: list[str] = []
    state, at = _BEGIN, 0
    while at < len(line):
        kanji = state.left in _KANJI
        if kanji and (run := pairs.match(line, at)) is not None and run.end() > at:
            made.append((ESCAPE + state.left + run[0]).decode(_KANJI_CODEC))
            at = run.end()
            continue
        mark = found.match(line, at) if kanji else found.search(line, at)
        rest = at + 1 if kanji else len(line)  # among kanji a blank or the like
        end = rest if mark is None else mark.start()
        if end > at:
            made.append(_text(line[at:end], state, codec))
        at = end
        if mark is not None:
            state, told = _after(mark, state)
            made.append(told)
            at = mark.end()
    return "".join(made)


def _after(mark: re.Match[bytes], state: _State) -> tuple[_State, str]:
    """The state after a delimiter or a sequence, and what of it belongs to the text."""
    if mark["end"]:
        return _BEGIN, mark["end"].decode("ascii")
    name = bytes.fromhex(mark["hex"].decode()) if mark["hex"] else mark["raw"]
    if name in _ASCII or name in _KANJI or name == _KATAKANA_LEFT:
        return replace(state, left=name), ""
    if name == _KATAKANA or (name[:1] == b"-" and name[1:] in _PAGES):
        return replace(state, right=name), ""
    return state, mark[0].decode("ascii")


def _text(part: bytes, state: _State, codec: str) -> str:
    """Bytes in which each is a character, but for the message's own set."""
    if state.left == _KATAKANA_LEFT:
        part = part.translate(_RAISED)
        state = replace(state, right=_KATAKANA)
    if state.right is None:
        return part.decode(codec)
    if state.right == _KATAKANA:
        return "".join(map(_katakana, part))
    return part.decode(f"iso8859-{_PAGES[state.right[1:]]}")


_RAISED = bytes(byte + 0x80 if 0x21 <= byte <= 0x5F else byte for byte in range(256))


def _katakana(byte: int) -> str:
    if byte < 0x80:
        return chr(byte)
    if not 0xA1 <= byte <= 0xDF:
        raise UnicodeDecodeError("jis_x_0201", bytes([byte]), 0, 1, "no character of JIS X 0201")
    return chr(_FIRST_KATAKANA + byte - 0xA1)


@functools.lru_cache(maxsize=64)
def _patterns(marks: _Marks) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """What ends the state of a text or changes it, and a run of pairs of bytes up to that."""
    raw = rb"\x1b(?P<raw>\$?[()\-.]?[@-~])"
    escape = re.escape(marks.escape)
    sequence = rb"|" + escape + rb"[CM](?P<hex>(?:[0-9A-Fa-f]{2}){2,3})" + escape if escape else b""
    ends = b"|".join(re.escape(mark) for mark in (marks.field, marks.repetition) if mark)
    found = re.compile(raw + (sequence or rb"|(?P<hex>(?!))") + rb"|(?P<end>" + ends + rb")")
    stop = raw + sequence
    pairs = re.compile(rb"(?:(?!" + _unnamed(stop) + rb")" + _PAIRS + rb")*")
    return found, pairs


_unnamed: Callable[[bytes], bytes] = functools.partial(re.compile(rb"\(\?P<\w+>").sub, rb"(?:")
