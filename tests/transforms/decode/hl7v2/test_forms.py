"""The form of a message: alike for what the checks do not tell apart, and for nothing else."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.listen_judge import message_chunk
from flows.opening import open_session
from flows.session import LoadSession
from flows.settings import LoadSettings
from tests.flows.listening import now
from transforms.decode.hl7v2.forms import KnownForms, forms_of

ORU = (
    "MSH|^~\\&|LAB|HOSP|EHR|CLINIC|20260102030405+0100||ORU^R01^ORU_R01|c1|P|2.5.1\r"
    "PID|1||4711^^^HOSP^MR||Meier-Li^Ann||19700101|F\r"
    "PV1|1|I|W^1^2|||||||||||||||||||||||||||||||||||||||||20260101|20260105\r"
    "ORC|RE|P1|F1\r"
    "OBR|1|P1|F1|58410-2^CBC^LN|||20260102030000+0100\r"
    "OBX|1|NM|718-7^Hb^LN||7.1|g/dL|1.0-9.9|N|||F|||20260102030000+0100\r"
    "OBX|2|TX|8251-1^Comment^LN||No growth, after 3 days||||||F\r"
)


def _known(text: str, *learned: str) -> bool:
    known = KnownForms()
    for one in learned or (ORU,):
        known.learn(forms_of(one.encode()) or ())
    forms = forms_of(text.encode())
    return forms is not None and known.has(forms)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Meier-Li^Ann", "Schmidt-Ott^Bernadette"),
        ("4711^", "2233^"),
        ("|7.1|", "|0.93|"),
        ("19700101", "20111231"),
        ("20260102030405+0100", "20260705111213+0200"),
        ("|c1|", "|a20|"),
        ("No growth, after 3 days", "E. coli: (resistant) > 10^5"),
        ("20260101|20260105", "20250708|20250709"),
    ],
)
def test_alike(old: str, new: str) -> None:
    """Other names, numbers, times and words are of the same form."""
    assert old in ORU
    assert _known(ORU.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("19700101", "19700132"),
        ("19700101", "19700229"),
        ("19700101", "197"),
        ("20260102030000+0100", "20260102240000+0100"),
        ("|F\r", "|X\r"),
        ("|NM|", "|SN|"),
        ("|7.1|", "|seven|"),
        ("20260101|20260105", "20260105|20260101"),
        ("20260101|20260105", "|20260105"),
        ("Ann", "Änn"),
        ("No growth", "No \\X00\\ growth"),
        ("2.5.1", "2.3"),
        ("ORU^R01", "ORU^R32"),
        ("ORC|RE|P1|F1\r", ""),
        ("PID|1|", "ZZZ|1\rPID|1|"),
    ],
)
def test_not_alike(old: str, new: str) -> None:
    """What checks may see is of another form."""
    assert old in ORU
    assert not _known(ORU.replace(old, new))


def test_what_cannot_be_read_has_no_form() -> None:
    """Then it is always checked."""
    assert forms_of(b"") is None
    assert forms_of(b"MSH") is None
    assert forms_of(ORU.encode().replace(b"Ann", b"\xff\xfe")) is None
    assert forms_of(ORU.replace("2.5.1", "2.5.1||||||NO SUCH SET").replace("Ann", "Änn").encode("latin-1")) is None
    assert forms_of(ORU.replace("Ann", "Änn").encode("latin-1"), "iso8859-1") is not None


def test_forgotten_and_pushed_out() -> None:
    """What turned out to be refused is checked again, and only so many forms are held."""
    forms = forms_of(ORU.encode()) or []
    known = KnownForms(most=len(set(forms)))
    known.learn(forms)
    assert known.has(forms)
    known.forget(forms[:1])
    assert not known.has(forms)
    known.learn(forms)
    known.learn([("other",)])
    assert not known.has(forms)


@pytest.fixture(scope="module")
def session() -> Iterator[LoadSession]:
    """What judges messages."""
    with tempfile.TemporaryDirectory() as folder, open_session(LoadSettings(Path(folder) / "m", "s")) as opened:
        yield opened


_TIMES = st.sampled_from(("20260101", "202601", "20269901", "2026010112", "20260101126099", "19", "20260101+0100", ""))
_OTHERS = st.sampled_from(("", "a", "77", "-1", "1e999", '""', "A^B", "x~y", "\\T\\", "1.5.2", " ", "F", "ÄÖ"))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_what_is_known_passes(session: LoadSession, data: st.DataObject) -> None:
    """After half of many messages with arbitrary fields was judged, nothing of a known form is refused in the rest."""
    made = [_changed(data) for _ in range(40)]
    chunks = [message_chunk(n, one, now()) for n, one in enumerate(made)]
    refused = {rejection.offset for rejection in session.worker.judge(chunks, now())}
    known = KnownForms()
    for n in range(20):
        if n not in refused:
            known.learn(forms_of(made[n]) or ())
    for n in range(20, 40):
        forms = forms_of(made[n])
        if forms is not None and known.has(forms):
            assert n not in refused, made[n]


def _changed(data: st.DataObject) -> bytes:
    """The message with one or two of its fields changed."""
    segments = [segment.split("|") for segment in ORU.split("\r")[:-1]]
    for _ in range(data.draw(st.integers(1, 2))):
        fields = segments[data.draw(st.integers(1, len(segments) - 1))]
        at = data.draw(st.integers(1, len(fields) - 1))
        fields[at] = data.draw(_TIMES if fields[at][:2] in ("19", "20") else _OTHERS)
    return "\r".join("|".join(fields) for fields in segments).encode() + b"\r"
