"""Acknowledgments: against hl7's own, in every mode, with odd delimiters and characters, without values."""

from __future__ import annotations

import itertools
import re
import warnings
from datetime import UTC, datetime

import hl7
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.acknowledge.answer import Decision, Verdict, answers
from transforms.acknowledge.conditions import Condition, Problem
from transforms.acknowledge.header import holds_second_header, read_header

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CANARY = "Zebedee"
PROBLEM = Problem(Condition.DATA_TYPE_ERROR, "A date does not exist", ("PID", 1, 7))
MESSAGE = f"MSH|^~\\&|LAB|HOSP^1.2^ISO|EHR|CLINIC|20240101||ORU^R01^ORU_R01|MSG-42|P|2.5.1\rPID|1||{CANARY}\r"


def answered(message: str | bytes, decision: Decision | None = None) -> list[list[list[str]]]:
    """The answers to a message as segments of fields, split at the field separator."""
    data = message if isinstance(message, bytes) else message.encode()
    sent = answers(read_header(data), decision or Decision(Verdict.ACCEPTED), NOW, "id1")
    return [[line.split("|") for line in one.decode().split("\r")[:-1]] for one in sent]


def reference(message: str, code: str) -> hl7.Message:
    """The acknowledgment that hl7 makes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return hl7.parse(str(hl7.parse(message).create_ack(code, "id1")))


TEXT = st.text(st.sampled_from("AB c1&^~é"), max_size=6)


@given(
    fields=st.lists(TEXT, min_size=4, max_size=4),
    control=st.text("AZ09-._", min_size=1, max_size=20),
    verdict=st.sampled_from(Verdict),
    processing=st.sampled_from(["P", "T^A"]),
    version=st.sampled_from(["2.3", "2.5.1", "2.8^NLD"]),
)
def test_the_shape_is_that_of_hl7(
    fields: list[str], control: str, verdict: Verdict, processing: str, version: str
) -> None:
    """Segment by segment and field by field, but for the time."""
    message = f"MSH|^~\\&|{'|'.join(fields)}|2024||ADT^A01^ADT_A01|{control}|{processing}|{version}\rPID|1\r"
    (made,) = answers(read_header(message.encode()), Decision(verdict), NOW, "id1")
    ours, theirs = hl7.parse(made.decode()), reference(message, verdict.value[0])
    ours["MSH.7"] = theirs["MSH.7"] = ""
    assert ours == theirs


def test_the_time_is_told_with_its_offset() -> None:
    """MSH-7 is an instant, so that nobody takes it for a local time."""
    assert answered(MESSAGE)[0][0][6] == "20260102030405+0000"


def test_what_is_wrong_is_told_in_err() -> None:
    """Since v2.5 ERR-2, ERR-3, ERR-4 and ERR-8 hold place, condition, severity and text."""
    ((_, msa, err),) = answered(MESSAGE, Decision(Verdict.QUARANTINED, PROBLEM))
    assert msa == ["MSA", "AE", "MSG-42"]
    assert err == ["ERR", "", "PID^1^7", "102^Data type error^HL70357", "E", "", "", "", "A date does not exist"]


def test_old_versions_get_the_old_err() -> None:
    """Before v2.5 all is in ERR-1, and the text in MSA-3."""
    ((_, msa, err),) = answered(MESSAGE.replace("2.5.1", "2.3.1"), Decision(Verdict.QUARANTINED, PROBLEM))
    assert msa == ["MSA", "AE", "MSG-42", "A date does not exist"]
    assert err == ["ERR", "PID^1^7^102&Data type error&HL70357"]


def test_delimiters_are_those_of_the_message() -> None:
    """Also in our own text, where the message's escapes stand for them."""
    message = b"MSH!*+?-!LAB!HOSP!EHR!CLIN!2024!!ORU*R01!7!P!2.5\r"
    problem = Problem(Condition.DUPLICATE_KEY, "no! a-b * c+d?", ("MSH", 1, 10))
    (made,) = answers(read_header(message), Decision(Verdict.CONFLICT, problem), NOW, "id1")
    assert made.split(b"\r") == [
        b"MSH!*+?-!EHR!CLIN!LAB!HOSP!20260102030405+0000!!ACK*R01*ACK!id1!P!2.5",
        b"MSA!AE!7",
        b"ERR!!MSH*1*10!205*Duplicate key identifier*HL70357!E!!!!no?F? a?T?b ?S? c?R?d?E?",
        b"",
    ]


def test_without_an_escape_character_our_delimiters_are_blanks() -> None:
    """A text of ours never opens a field."""
    (made,) = answers(
        read_header(b"MSH|^|LAB|||||||7"),
        Decision(Verdict.CONFLICT, Problem(Condition.DUPLICATE_KEY, "a|b^c")),
        NOW,
        "i",
    )
    assert made.endswith(b"|a b c\r")


# When the sender asks for which answer, and what it gets for each verdict, in order.
ENHANCED = {
    ("AL", "NE"): ["CA", "CA", "CE", "CR", "CE"],
    ("NE", "AL"): ["AA", "AE", "AE", "AR", "AR"],
    ("AL", "AL"): ["CA AA", "CA AE", "CE", "CR", "CE"],
    ("AL", ""): ["CA", "CA", "CE", "CR", "CE"],
    ("", "AL"): ["AA", "AE", "AE", "AR", "AR"],
    ("NE", "NE"): ["", "", "", "", ""],
    ("ER", "ER"): ["", "AE", "CE", "CR", "CE"],
    ("SU", "SU"): ["CA AA", "CA", "", "", ""],
    ("SU", "AL"): ["CA AA", "CA AE", "AE", "AR", "AR"],
    ("ER", "SU"): ["AA", "", "CE", "CR", "CE"],
    ("", ""): ["AA", "AE", "AE", "AR", "AR"],
}


@pytest.mark.parametrize(("asked", "codes"), ENHANCED.items())
def test_every_mode(asked: tuple[str, str], codes: list[str]) -> None:
    """Table 0155: always, never, on errors, on success; a negative commit acknowledgment is the last."""
    message = MESSAGE.replace("|2.5.1\r", f"|2.5.1|||{asked[0]}|{asked[1]}\r")
    given = [" ".join(one[1][1] for one in answered(message, Decision(verdict))) for verdict in Verdict]
    assert given == codes


def test_nobody_is_asked_to_acknowledge_an_acknowledgment() -> None:
    """In enhanced mode the answers say so, and each has an id of its own."""
    first, second = answered(MESSAGE.replace("|2.5.1\r", "|2.5.1|||AL|AL\r"))
    assert [one[0][14:16] for one in (first, second)] == [["NE", "NE"], ["NE", "NE"]]
    assert [one[0][9] for one in (first, second)] == ["id1", "id1A"]
    assert [one[1][2] for one in (first, second)] == ["MSG-42", "MSG-42"]


CHARACTERS = {
    "UNICODE UTF-8": "utf-8",
    "8859/1": "latin-1",
    "GB 18030-2000": "gb18030",
    "ISO IR87": "iso2022_jp_2",
}


@pytest.mark.parametrize(("named", "codec"), CHARACTERS.items())
def test_names_come_back_in_the_characters_they_came_in(named: str, codec: str) -> None:
    """Also where the second byte of a character is a delimiter's."""
    name = {"latin-1": "Zürich", "gb18030": "弢鈭", "iso2022_jp_2": "東京都"}.get(codec, "Łódź")
    message = f"MSH|^~\\&|{name}|H|E|C|2024||ADT^A01|7|P|2.5||||||{named}\r".encode(codec)
    (made,) = answers(read_header(message), Decision(Verdict.ACCEPTED), NOW, "id1")
    msh = made.decode(codec).split("\r")[0].split("|")
    assert (msh[4], msh[5], msh[17]) == (name, "H", named)


def test_delimiters_within_characters_occur() -> None:
    """What the test above claims of GB 18030 is so."""
    assert {b"|"[0], b"^"[0]} & set("弢鈭".encode("gb18030"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"MSH",
        b"MSH|^~\\",
        b"PID|1|2|3",
        b"MSHA^~\\&|x|y",
        b"MSH||||||||",
        b"MSH|^^~&|a|b|c",
        b"MSH|^~\\&%$|a|b",
        b"\xff\xfeM\0S\0H\0|\0",
    ],
)
def test_what_has_no_header_is_answered_without_an_id(data: bytes) -> None:
    """The usual delimiters, AR, and nothing of what was sent."""
    assert read_header(data) is None
    problem = Problem(Condition.SEGMENT_SEQUENCE_ERROR, "no MSH segment")
    (made,) = answers(None, Decision(Verdict.REJECTED, problem), NOW, "id1")
    assert made.split(b"\r")[:2] == [b"MSH|^~\\&|||||20260102030405+0000||ACK|id1|P|2.5.1", b"MSA|AR"]
    hl7.parse(made.decode())


@given(st.binary(max_size=60).map(lambda tail: b"MSH|^~\\&" + tail) | st.binary(max_size=40))
def test_any_bytes_are_answered_or_have_no_header(data: bytes) -> None:
    """No input makes the answer fail, and an answer is always MSH, MSA and at most ERR."""
    header = read_header(data)
    for one in answers(header, Decision(Verdict.QUARANTINED, PROBLEM), NOW, "id1"):
        names = [line[:3] for line in one.split(b"\r")]
        assert names in ([b"MSH", b"MSA", b"ERR", b""],)


def test_a_byte_order_mark_and_blank_lines_are_no_part_of_it() -> None:
    """They come before the MSH of some senders."""
    header = read_header(b"\xef\xbb\xbf\r\n" + MESSAGE.encode())
    assert header is not None
    assert (header.control_id, header.sender) == ("MSG-42", ("LAB", "HOSP^1.2^ISO"))


def test_no_value_of_a_patient_is_in_an_answer() -> None:
    """Whatever the verdict, mode and version."""
    for verdict, version, modes in itertools.product(Verdict, ["2.2", "2.7"], ["", "|||AL|AL"]):
        message = re.sub(r"\|2\.5\.1\r", f"|{version}{modes}\r", MESSAGE)
        assert CANARY not in str(answered(message, Decision(verdict, PROBLEM)))


def test_two_messages_in_one_frame() -> None:
    """A second MSH is seen whatever ends the lines."""
    assert holds_second_header(MESSAGE.encode() * 2)
    assert holds_second_header(MESSAGE.replace("\r", "\n").encode() * 2)
    assert not holds_second_header(b"\r\n" + MESSAGE.encode() + b"NTE|MSH|MSH")
