"""Lines or a document: by name where that is clear, else by the first line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.content import Content, content_of, is_data_name
from sources.source import ReadLimits

Cut = Callable[[bytes, Sequence[int]], list[bytes]]

LINES = [
    b"",
    b" \n\r\n",
    b'{"a":1}\n{"b":2}',
    b'\n\n  {"a":1}  \r\n\n\n{"b":2}\n',
    b'{"a":NaN}\n{"b":2}\n',  # faulty inside, but clearly one of several lines
    b"null\n{}\n",
    b"[1]\nx",
    b"{" * 3000 + b"}" * 3000 + b"\n{}",
    b'{"resourceType":"Bundle","entry":[]}\n{"resourceType":"Bundle","entry":[]}',
]
DOCUMENTS = [
    b"{}",
    b'\n{"a":1}\n \n',
    b'{\n"a":1}\n',
    b'{"a":1,\n"b":2}\n{}',
    b"not json\n{}\n",
    b'{"a":"}\n{}\n',
    b'{"resourceType":"Bundle","entry":[{}\n,{}]}',
    b"5",
]


@pytest.mark.parametrize("text", LINES)
@pytest.mark.parametrize("size", [1, 3, 10_000])
def test_lines(cut: Cut, text: bytes, size: int) -> None:
    """A whole value on the first line with content and something after it; or nothing at all."""
    assert content_of("a.json", cut(text, [size]), ReadLimits()) is Content.LINES


@pytest.mark.parametrize("text", DOCUMENTS)
@pytest.mark.parametrize("size", [1, 3, 10_000])
def test_documents(cut: Cut, text: bytes, size: int) -> None:
    """One line only, or a first line that is no value by itself."""
    assert content_of("a.json", cut(text, [size]), ReadLimits()) is Content.DOCUMENT


@pytest.mark.parametrize("name", ["a.ndjson", "b.JSONL", "c.ndjson.gz", "d.jsonl.ZST"])
def test_a_name_that_says_lines_is_believed(name: str) -> None:
    """Without a look at the content."""
    assert content_of(name, iter(()), ReadLimits()) is Content.LINES
    assert content_of(name, [DOCUMENTS[2]], ReadLimits()) is Content.LINES


@given(st.sampled_from(LINES + DOCUMENTS), st.lists(st.integers(1, 9), min_size=1, max_size=3))
def test_how_blocks_are_cut_does_not_matter(cut: Cut, text: bytes, sizes: list[int]) -> None:
    """The same verdict for every cut."""
    assert content_of("a", cut(text, sizes), ReadLimits()) is content_of("a", [text], ReadLimits())


def test_no_more_is_read_than_needed() -> None:
    """The second line decides; a first line above the limit is a document's."""

    def endless(block: bytes) -> Iterator[bytes]:
        while True:
            yield block

    assert content_of("a", endless(b"{}\n"), ReadLimits()) is Content.LINES
    assert content_of("a", endless(b"x"), ReadLimits(line_bytes=1000)) is Content.DOCUMENT


def test_names_of_data() -> None:
    """What a folder is searched for, in any case."""
    yes = ["a.ndjson", "a.jsonl", "a.json", "A.JSON.GZ", "a.b.ndjson.zst", "Patient.000.ndjson.gz"]
    no = ["a.csv", "a.gz", "ndjson", "a.json.bz2", "a.ndjson.tmp", "json.txt"]
    assert [name for name in yes + no if is_data_name(name)] == yes
