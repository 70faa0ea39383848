"""Every message of the shared collection is answered as hl7 would answer it, or cannot be answered."""

from __future__ import annotations

import os
import re
import warnings
from datetime import UTC, datetime
from pathlib import Path

import hl7
import pytest

from transforms.acknowledge.answer import Decision, Verdict, answers
from transforms.acknowledge.header import read_header

SHARED = Path(os.environ.get("CLINMART_SHARED", Path(__file__).parents[2].parent / "shared"))
MESSAGES = SHARED / "data" / "hl7v2"
NOW = datetime(2026, 1, 2, tzinfo=UTC)

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.skipif(not MESSAGES.is_dir(), reason=f"no {MESSAGES}; set CLINMART_SHARED"),
]


def test_as_hl7_answers() -> None:
    """The same segments and fields, but for the time, the answer's mode and its character set."""
    compared = 0
    for file in sorted(MESSAGES.rglob("*.hl7")):
        data = re.sub(rb"[\r\n]+", b"\r", file.read_bytes().removeprefix(b"\xef\xbb\xbf").strip())
        header = read_header(data)
        if header is None:
            continue
        text = data.decode(header.codec, "replace")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            try:
                theirs = hl7.parse(str(hl7.parse(text).create_ack("AA", "id1")))
            except (hl7.HL7Exception, IndexError, KeyError):
                continue  # it is no message to hl7
        if header.field(15) or header.field(16) or not header.component(9, 2):
            continue  # hl7 knows no enhanced mode, and makes an empty component of an event that is not there
        (made,) = answers(header, Decision(Verdict.ACCEPTED), NOW, "id1")
        ours = hl7.parse(made.decode(header.codec))
        ours["MSH.7"] = theirs["MSH.7"] = ""
        assert ours["MSH"][0][:13] == theirs["MSH"][0][:13], file.name
        assert str(ours["MSA"][0]).rstrip("|") == str(theirs["MSA"][0]).rstrip("|"), file.name
        compared += 1
    assert compared > 100
