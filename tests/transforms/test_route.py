"""What of a header rules look at, and which rule takes a message."""

from __future__ import annotations

import pytest

from schemas.routes import MessageDecoder, MshFields, Route, Routes, Rule
from transforms.route import msh_fields, route

ORU = b"MSH|^~\\&|LAB^1.2.3^ISO|HOSP|EHR|H|20240301||ORU^R01^ORU_R01|1|P|2.5.1^DEU"


@pytest.mark.parametrize(
    "message",
    [
        ORU,
        ORU + b"\rPID|1||ADT^A01\r",
        b"\xef\xbb\xbf\r\n" + ORU.replace(b"|", b"#") + b"\n",
        b"MSH|*~\\&|LAB*1.2.3*ISO|HOSP|EHR|H|20240301||ORU*R01*ORU_R01|1|P|2.5.1*DEU",
        ORU.replace(b"HOSP|", b"HOSP~OTHER|"),
    ],
)
def test_fields(message: bytes) -> None:
    """The same whatever delimiters the message has; of repetitions the first."""
    assert msh_fields(message) == MshFields("LAB^1.2.3^ISO", "HOSP", "ORU^R01", "2.5.1")


@pytest.mark.parametrize(
    ("message", "found"),
    [
        (b"MSH|^~\\&|A", MshFields("A")),
        (b"MSH|", MshFields()),
        (b"MSH", MshFields()),
        (b"", MshFields()),
        (b"PID|1", MshFields()),
        (b"MSH|^~\\&|K\xfcche", MshFields("Küche")),
        ("MSH|^~\\&|Küche".encode(), MshFields("Küche")),
        # The second byte of these characters of GB 18030 is that of a vertical bar.
        ("MSH|^~\\&|\u4e9c|B|||||ADT^A01||P|2.3||||||GB 18030-2000".encode("gb18030"), None),
        ("MSH|^~\\&|郼|B|||||ADT^A01||P|2.3||||||GB 18030-2000".encode("gb18030"), None),
    ],
)
def test_odd_headers(message: bytes, found: MshFields | None) -> None:
    """What is absent is empty, and letters are not torn."""
    if found is None:
        assert msh_fields(message).facility == "B"
        assert msh_fields(message).message == "ADT^A01"
    else:
        assert msh_fields(message) == found


@pytest.mark.parametrize(
    ("name", "pattern", "takes"),
    [
        ("MSH-3", "LAB", True),  # the first component
        ("MSH-3", "LAB^1.2.3^ISO", True),
        ("MSH-3", "LAB^*", True),
        ("MSH-3", "L?B", True),
        ("MSH-3", "lab", False),
        ("MSH-3", "LA", False),
        ("MSH-3", "L.B", False),  # a point is a point
        ("MSH-3", "", False),
        ("MSH-4", "*", True),
        ("MSH-9", "ORU", True),
        ("MSH-9", "ORU^R0?", True),
        ("MSH-9", "*^R01", True),
        ("MSH-9", "ORU^", False),
        ("MSH-9", "OR", False),
        ("MSH-12", "2.5*", True),
        ("MSH-12", "2.5", False),
    ],
)
def test_patterns(name: str, pattern: str, takes: bool) -> None:
    """Which patterns take the message."""
    rule = Rule(((name, (pattern,)),))
    assert rule.takes(msh_fields(ORU)) is takes
    assert Rule(((name, ("nothing", pattern)),)).takes(msh_fields(ORU)) is takes
    assert not Rule(((name, (pattern,)), ("MSH-4", ("OTHER",)))).takes(msh_fields(ORU))  # all fields must match


def test_first_rule_counts() -> None:
    """The first that takes a message; none: it is kept whole."""
    routes = Routes(
        (
            Rule((("MSH-9", ("ADT",)),), "adt", "Europe/Berlin", "iso8859-1"),
            Rule((("MSH-9", ("*^A01",)),), decoder=MessageDecoder.REJECT),
        ),
        "feed",
    )
    taken = Route("adt", MessageDecoder.TABLES, 1, "Europe/Berlin", "iso8859-1")
    assert route(MshFields(message="ADT^A01"), routes) == taken
    assert route(MshFields(message="BAR^A01"), routes) == Route("feed", MessageDecoder.REJECT, 2)
    assert route(MshFields(message="ORU^R01"), routes) == Route("feed", MessageDecoder.KEEP, None)
