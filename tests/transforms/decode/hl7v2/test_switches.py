"""Switches of the character set inside a message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.decode.hl7v2.charset import MismatchError, decoded
from transforms.decode.hl7v2.switches import has_switches, switched

HEAD = b"MSH|^~\\&|A|||||||||||||||"


def texts(field: bytes, sets: bytes = b"ASCII") -> str:
    """The text of a PID-5."""
    text, _ = decoded(HEAD + sets + b"\rPID|||||" + field + b"|next\rZZZ|1")
    head, pid, other = text.split("\r")
    assert (head.encode(), other) == (HEAD + sets, "ZZZ|1")
    fields = pid.split("|")
    assert (fields[0], fields[-1]) == ("PID", "next")
    return "|".join(fields[5:-1])


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        (b"\\C2D42\\\xa3\xb3d", "Łłd"),  # 8859/2
        (b"\x1b-B\xa3\xb3d", "Łłd"),
        (b"\\C2D4C\\\xb0\\C2D46\\\xe1", "Аα"),  # Cyrillic, then Greek
        (b"\\C2D41\\\xfc~\\C2D42\\\xa3", "ü~Ł"),
        (b"\\C2D42\\\xa3^\xa3", "Ł^Ł"),  # a component does not end it
        (b"\\C2949\\\xd4\xcf^\\C2842\\x", "ﾔﾏ^x"),  # Katakana
        (b"\x1b(ITO\x1b(B", "ﾔﾏ"),
        (b"\\M2442\\;3ED\\C2842\\^\\M2442\\B@O:\\C2842\\", "山田^太郎"),
        (b"\x1b$B;3ED\x1b(B^Taro", "山田^Taro"),
        (b"\x1b$B;3ED\x1b(J^Taro", "山田^Taro"),
        (b"\x1b$(D0!\x1b(B", "丂"),
        (b"\\M242844\\0!\\C2842\\", "丂"),
        (b"\x1b$B;3 ED\x1b(B", "山 田"),
        (b"\\M2442\\;3ED", "山田"),  # the field ends it
        (b"\\C2842\\plain", "plain"),
        (b"\\C2D5A\\x", "\\C2D5A\\x"),  # no set that is known: as sent
        (b"\\M2443\\x", "\\M2443\\x"),
        (b"\x1b%Gx", "\x1b%Gx"),
        (b"\\C28\\ \\CX842\\ \\C2842", "\\C28\\ \\CX842\\ \\C2842"),
        (b"\\X0D\\\\C2D41\\\xfc\\F\\", "\\X0D\\ü\\F\\"),  # other escape sequences are resolved later
    ],
)
def test_switches(sent: bytes, meant: str) -> None:
    """Each of the sets that the standard names, by both kinds of sequences."""
    assert texts(sent, b"ASCII~8859/2~ISO IR87") == meant
    assert texts(sent, b"~ISO IR87") == meant
    assert texts(sent, b"ISO IR87") == meant


def test_own_set_around() -> None:
    """What is not switched is of the first set of MSH-18; the end of a field or repetition goes back to it."""
    assert texts(b"\xfc\\C2D42\\\xa3~\xfc|\xfc", b"8859/1~8859/2") == "üŁ~ü|ü"
    assert texts("ü\\M2442\\;3\\C2842\\ü".encode(), b"UNICODE UTF-8") == "ü山ü"


def test_other_delimiters() -> None:
    """The escape character is that of MSH-2; without one only ISO 2022 switches."""
    assert switched(b"MSH#*~!&#!C2D41!\xfc#\r\nPID#\\C2D41\\", "ascii") == "MSH#*~!&#ü#\r\nPID#\\C2D41\\"
    assert switched(b"MSH|^~|\x1b-A\xfc|", "ascii") == "MSH|^~|ü|"


@pytest.mark.parametrize("field", [b"\\C2D42\\\xa3|\xa3", b"\\C2949\\\x81", b"\\M2442\\\xa3", b"\\M2442\\tt"])
def test_bytes_of_no_set(field: bytes) -> None:
    """A message with bytes that are not of the set that they stand in is refused whole."""
    with pytest.raises(MismatchError):
        texts(field)


def test_plain_messages_are_not_looked_at() -> None:
    """No switch: the fast way."""
    assert not has_switches(HEAD + b"\rPID|\\F\\|\\.br\\|\\H\\ C2")
    assert has_switches(HEAD + b"\\C2842\\")
    assert not has_switches(b"MSH|^~")


@given(st.lists(st.sampled_from([b"\x1b", b"\\", b"C2842\\", b"M2442\\", b"$B", b"|", b"~", b" ", b"!", b"0!"])))
def test_anything(parts: list[bytes]) -> None:
    """Any bytes are read or refused, and what no sequence stands in stays as it is."""
    message = HEAD + b"\r" + b"".join(parts)
    try:
        text, _ = decoded(message)
    except MismatchError:
        return
    if not has_switches(message):
        assert text.encode() == message


def test_long_texts() -> None:
    """Time grows with the length, whatever a sender writes: else this would take hours."""
    size = 1_000_000
    for rubbish in (b"\x1b$B" + b" " * size, b"\x1b$B" + b"! " * size, b"\\C2842\\" * (size // 7), b"\x1b" * size):
        assert decoded(HEAD + b"\rPID|" + rubbish)[0]
