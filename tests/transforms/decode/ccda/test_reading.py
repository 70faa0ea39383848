"""Hostile and broken documents: refused or bounded, never expanded, fetched or cut without a word."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from schemas.reasons import Reason
from tests.transforms.decode.ccda.documents import document, result, rows, section
from transforms.decode.ccda.document import read_document
from transforms.decode.ccda.node import DocumentFault

VALUE = '<value xsi:type="PQ" value="5.40" unit="mmol/L"/>'


def refused(data: bytes) -> Reason:
    """Why a document is refused."""
    with pytest.raises(DocumentFault) as caught:
        read_document(data)
    assert str(caught.value) == caught.value.reason.meaning  # and no value of it
    return caught.value.reason


def with_doctype(subset: str, body: str = "") -> bytes:
    data = document(section("30954-2", result(VALUE), text=body))
    return data.replace(b"<ClinicalDocument", b"<!DOCTYPE x [" + subset.encode() + b"]><ClinicalDocument", 1)


def test_billion_laughs() -> None:
    """Refused at its DOCTYPE, before any entity is declared."""
    lol = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    assert refused(with_doctype(f'<!ENTITY l0 "lol">{lol}', "&l9;")) == Reason.DOCTYPE


def test_external_entity(tmp_path: Path) -> None:
    """A file of the machine is not read."""
    secret = tmp_path / "secret"
    secret.write_text("CANARY")
    assert refused(with_doctype(f'<!ENTITY x SYSTEM "{secret.as_uri()}">', "&x;")) == Reason.DOCTYPE


def test_external_subset() -> None:
    """Nothing is fetched for a DOCTYPE without entities of its own."""
    data = document().replace(b"<ClinicalDocument", b'<!DOCTYPE x SYSTEM "http://192.0.2.1/x.dtd"><ClinicalDocument', 1)
    assert refused(data) == Reason.DOCTYPE


def test_doctype_in_utf16() -> None:
    """Whatever the encoding."""
    data = with_doctype('<!ENTITY a "b">').decode().replace("UTF-8", "UTF-16")
    assert refused(data.encode("utf-16")) == Reason.DOCTYPE


@pytest.mark.parametrize("levels", [150, 300, 100_000])
def test_depth(levels: int) -> None:
    """Neither the parser nor the maps go deep."""
    deep = "<entryRelationship><act>" * (levels // 2) + "</act></entryRelationship>" * (levels // 2)
    assert refused(document(section("30954-2", f"<act>{deep}</act>"))) == Reason.XML_TOO_DEEP


def test_deep_narrative() -> None:
    """A narrative as deep as the parser allows is read without recursion."""
    deep = "<content>" * 200 + "x" + "</content>" * 200
    draft = read_document(document(section("99999-9", text=deep)))
    assert [part.text for part in draft.parts] == ["x"]


def test_long_text() -> None:
    """A text above 10 MB that is no base64."""
    assert refused(document(section("30954-2", text="word! " * 2_000_000))) == Reason.XML_TEXT_TOO_LONG


def test_large_attachment() -> None:
    """50 MB of base64: size and hash are kept, the bytes are not."""
    content = bytes(range(256)) * 150_000
    text = base64.encodebytes(content).decode()
    assert len(text) > 50_000_000
    media = (
        '<observationMedia classCode="OBS" moodCode="EVN"><id root="1.2.9" extension="m"/>'
        f'<value mediaType="application/pdf" representation="B64">{text}</value></observationMedia>'
    )
    draft = read_document(document(section("30954-2", media, result(VALUE))))
    attachments = [one["attachment"] for row in rows(draft, "DocumentReference") for one in row["content"]]
    sha1 = base64.b64encode(hashlib.sha1(content).digest()).decode()
    assert {"contentType": "application/pdf", "size": len(content), "hash": sha1} in attachments
    assert max(len(row.data) for row in draft.rows) < 10_000
    assert len(rows(draft, "Observation")) == 1  # what stands behind it is read


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (document()[:-10], Reason.MALFORMED_XML),
        (b"<ClinicalDocument", Reason.MALFORMED_XML),
        (b"not xml", Reason.MALFORMED_XML),
        (b"", Reason.MALFORMED_XML),
        (b"<html><body/></html>", Reason.NO_DOCUMENT),
        (b'<Patient xmlns="http://hl7.org/fhir"/>', Reason.NO_DOCUMENT),
        (b"<section><who:x/></section>", Reason.UNDECLARED_PREFIX),
        (b"<section>&copy;</section>", Reason.MALFORMED_XML),
    ],
)
def test_what_is_no_document(data: bytes, reason: Reason) -> None:
    """Each has its reason."""
    assert refused(data) == reason


def test_missing_namespaces() -> None:
    """Prefixes that everyone knows need no declaration, and the note says that it was mended."""
    whole = document(section("30954-2", result(VALUE)))
    bare = whole.replace(b' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"', b"")
    for data, mended in ((whole, False), (bare, True), (bare.replace(b' xmlns="urn:hl7-org:v3"', b""), True)):
        draft = read_document(data)
        assert (draft.mended, len(rows(draft, "Observation")), len(rows(draft, "Patient"))) == (mended, 1, 1)


@pytest.mark.parametrize("around", ["{}", "<entry>{}</entry>", "<component>{}</component>"])
def test_fragments(around: str) -> None:
    """A statement alone, with or without what is around it."""
    draft = read_document(around.format(result(VALUE)).encode())
    (found,) = rows(draft, "Observation")
    assert draft.mended
    assert found["valueQuantity"]["value"] == 5.4
    assert "subject" not in found


def test_utf16_and_latin1() -> None:
    """The encoding is the one that is declared."""
    text = document(section("99999-9", text="Müller")).decode()
    for encoding in ("UTF-16", "ISO-8859-1"):
        draft = read_document(text.replace("UTF-8", encoding).encode(encoding))
        assert draft.parts[0].text == "Müller"
