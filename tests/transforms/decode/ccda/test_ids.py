"""Ids are those of the things, not of the documents that tell of them."""

from __future__ import annotations

from tests.transforms.decode.ccda.documents import document, result, rows, section
from transforms.decode.ccda.document import read_document
from transforms.decode.ccda.ids import row_id

VALUE = '<value xsi:type="INT" value="{}"/>'


def ids(*entries: str, at: str = "20240301") -> dict[str, str]:
    """The ids of observations by their code."""
    draft = read_document(document(section("30954-2", *entries), at=at))
    return {one["code"]["coding"][0]["code"]: one["id"] for one in rows(draft, "Observation")}


def test_one_id_for_a_whole_panel() -> None:
    """The code tells its members apart, in whatever order they come and whatever their values."""
    first = ids(result(VALUE.format(1), code="1-8"), result(VALUE.format(2), code="2-6"))
    later = ids(result(VALUE.format(3), code="2-6"), result(VALUE.format(4), code="1-8"), at="20240302")
    assert first == later
    assert len(set(first.values())) == 2


def test_without_id() -> None:
    """By document and place: the same document read again gives the same ids, another one gives others."""
    entry = result(VALUE.format(1)).replace('<id root="1.2.5" extension="r1"/>', '<id nullFlavor="UNK"/>')
    assert ids(entry, entry) == ids(entry, entry)
    draft = read_document(document(section("30954-2", entry, entry)))
    assert len({one["id"] for one in rows(draft, "Observation")}) == 2
    other = document(section("30954-2", entry)).replace(b'extension="doc"', b'extension="other"')
    assert {one["id"] for one in rows(read_document(other), "Observation")}.isdisjoint(ids(entry).values())


def test_no_text_passes_for_two_others() -> None:
    """Each part has its length before it."""
    assert row_id("a", "b", "c") != row_id("a", "bc") != row_id("a", "b", "c", None)
    assert row_id("a", None) != row_id("a", "-")
