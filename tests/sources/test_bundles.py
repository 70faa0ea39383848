"""Bundles cut into entries without parsing them, compared with Python's json."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import IntegrityError
from schemas.records import Chunk, ChunkKind, OversizedLine
from sources.bundles import bundle_pieces, survey
from sources.source import ReadLimits

Cut = Callable[[bytes, Sequence[int]], list[bytes]]
Json = Mapping[str, "Json"] | Sequence["Json"] | None | bool | int | float | str

sizes = st.lists(st.integers(1, 9), min_size=1, max_size=4)
blank = st.text(" \t\r\n", max_size=3)
words = st.text(st.sampled_from('ab"\\{}[],:/ \n\té€😀\u2028entry') | st.characters(codec="utf-8"), max_size=8)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | st.just("entry"), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(words | st.sampled_from(["entry", "resource"]), values, max_size=3)
others = st.dictionaries(
    words.filter(lambda key: key not in ("entry", "id", "resourceType"))
    | st.sampled_from(["link", "meta", '"entry"', 'x"entry', ',"entry']),
    values,
    max_size=3,
)


def _written(draw: st.DrawFn, value: Json) -> str:
    """``value`` as JSON text with blanks anywhere they may stand, and strings escaped or not."""

    def gap() -> str:
        return draw(blank)

    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=draw(st.booleans()))
    if isinstance(value, list):
        return "[" + ",".join(gap() + _written(draw, each) + gap() for each in value) + gap() + "]"
    if isinstance(value, dict):
        pairs = (_written(draw, key) + gap() + ":" + gap() + _written(draw, each) for key, each in value.items())
        return "{" + ",".join(gap() + pair + gap() for pair in pairs) + gap() + "}"
    return json.dumps(value)


@st.composite
def bundles(draw: st.DrawFn) -> tuple[bytes, dict[str, Json]]:
    """The text of a Bundle with its members in any order, and what it means."""
    members: dict[str, Json] = {"resourceType": "Bundle", **draw(others)}
    if draw(st.booleans()):
        members["id"] = draw(words)
    if draw(st.integers(0, 9)):
        members["entry"] = draw(st.lists(objects, max_size=4))
    order = draw(st.permutations(list(members)))
    bundle = {key: members[key] for key in order}
    text = draw(blank) + _written(draw, bundle) + draw(blank)
    return text.encode(), bundle


def _read(
    blocks: list[bytes], limits: ReadLimits | None = None, offset: int = 0
) -> tuple[list[Chunk | OversizedLine], list[int]]:
    """Both passes over a Bundle: what comes out, and how many lines each of it is."""
    limits = limits or ReadLimits()
    outline = survey(blocks, "u", limits, offset=offset)
    assert outline.is_bundle
    pieces = list(bundle_pieces(blocks, "u", limits, outline, offset=offset))
    return [piece for piece, _ in pieces], [count for _, count in pieces]


def _entries(items: list[Chunk | OversizedLine]) -> list[tuple[int, int, bytes]]:
    """Number, offset and line of each entry in chunks."""
    found: list[tuple[int, int, bytes]] = []
    for item in items:
        if isinstance(item, Chunk) and item.kind is ChunkKind.ENTRY:
            assert item.offsets is not None
            assert item.offset == item.offsets[0]
            lines = item.data.split(b"\n")[:-1]
            numbers = range(item.line, item.line + len(lines))
            found += list(zip(numbers, item.offsets, lines, strict=True))
    return found


@given(bundles(), sizes, st.integers(1, 60))
def test_entries_are_those_that_json_finds(
    cut: Cut, bundle: tuple[bytes, dict[str, Json]], sizes: list[int], chunk: int
) -> None:
    """Any order of keys, blanks, escapes and cuts: each entry comes once, as received, with its number and
    offset."""
    text, meaning = bundle
    items, counts = _read(cut(text, sizes), ReadLimits(chunk_bytes=chunk))
    entries = _entries(items)
    assert [json.loads(line) for _, _, line in entries] == meaning.get("entry", [])
    assert [number for number, _, _ in entries] == list(range(1, len(entries) + 1))
    for _, offset, line in entries:
        assert text[offset : offset + len(line)].translate(bytes.maketrans(b"\r\n", b"  ")) == line
    assert sum(counts) == len(entries) + ("id" in meaning)


@given(bundles(), sizes)
def test_the_envelope_is_the_rest(cut: Cut, bundle: tuple[bytes, dict[str, Json]], sizes: list[int]) -> None:
    """A Bundle with an id comes after its entries as one resource line, with all its members but the
    entries."""
    text, meaning = bundle
    items, _ = _read(cut(text, sizes))
    envelopes = [item for item in items if isinstance(item, Chunk) and item.kind is ChunkKind.RESOURCE]
    if "id" not in meaning:
        assert envelopes == []
        return
    [envelope] = envelopes
    assert items[-1] is envelope
    assert envelope.data.count(b"\n") == 1
    assert envelope.sha256 == hashlib.sha256(envelope.data).digest()
    rest = {key: value for key, value in meaning.items() if key != "entry"}
    assert list(json.loads(envelope.data).items()) == list(rest.items())
    assert envelope.offsets == (text.index(b"{"),)
    assert envelope.line == len(_entries(items)) + 1


def test_every_cut_in_two_gives_the_same(cut: Cut) -> None:
    """A Bundle with everything that is hard, cut once at each of its bytes."""
    text = (
        b' {"a":"\\\\","entry" :\r\n[ {"fullUrl":"urn:uuid:1","resource":{"id":"}]","resourceType":"X"}} ,\n{"b":'
        b'"\\"[{\\\\"}\t],"c":{"entry":[1,[2]]},"id":"\xc3\xa9\\u00e9","resourceType":"Bundle"} '
    )
    whole = _read([text])
    assert len(_entries(whole[0])) == 2
    for at in range(len(text) + 1):
        assert _read([text[:at], text[at:]]) == whole


def test_the_envelope_keeps_its_bytes() -> None:
    """What is not the entry member and its comma stays as it was, wherever the entries stood."""
    for text, kept in (
        (b'{"resourceType":"Bundle", "id":"a" , "entry":[ ]}', b'{"resourceType":"Bundle", "id":"a" }'),
        (b'{"entry":[{}] ,\n"resourceType":"Bundle","id":"a"}', b'{"resourceType":"Bundle","id":"a"}'),
        (b'{"id":"a","entry":[],"resourceType":"Bundle"}', b'{"id":"a","resourceType":"Bundle"}'),
        (
            b'{"id":"a","x\\"entry":[{}],",\\"entry":[{}],"entry":[{}],"resourceType":"Bundle"}',
            b'{"id":"a","x\\"entry":[{}],",\\"entry":[{}],"resourceType":"Bundle"}',
        ),
        (b'{"id":1.10,\n"resourceType":"Bundle"}', b'{"id":1.10, "resourceType":"Bundle"}'),
    ):
        envelope = _read([text])[0][-1]
        assert isinstance(envelope, Chunk)
        assert envelope.data == kept + b"\n"


def _bundle_of(*entries: Mapping[str, object]) -> bytes:
    return json.dumps({"entry": list(entries), "resourceType": "Bundle"}).encode()


def test_references_of_full_urls() -> None:
    """A urn stands for the entry's resource: by its id, or by what the urn holds when it has none."""
    text = _bundle_of(
        {"fullUrl": "urn:uuid:1", "resource": {"resourceType": "Patient", "id": "p"}},
        {"fullUrl": "urn:uuid:2", "resource": {"resourceType": "Patient"}},
        {"fullUrl": "urn:oid:1.2.3", "resource": {"resourceType": "Encounter"}},
        {"fullUrl": "http://a/Patient/3", "resource": {"resourceType": "Patient", "id": "3"}},
        {"fullUrl": "urn:uuid:4", "request": {"method": "DELETE"}},
        {"fullUrl": "urn:uuid:5", "resource": {"id": "x"}},
        {"fullUrl": 6, "resource": {"resourceType": "Patient", "id": "6"}},
    )
    [chunk] = _read([text])[0]
    assert isinstance(chunk, Chunk)
    expected = {"urn:uuid:1": "Patient/p", "urn:uuid:2": "Patient/2", "urn:oid:1.2.3": "Encounter/1.2.3"}
    assert chunk.references == expected


def test_a_urn_with_two_meanings_has_none() -> None:
    """The same urn on two resources is not guessed at; on two versions of one it holds."""
    twice = [{"fullUrl": "urn:uuid:1", "resource": {"resourceType": "Patient", "id": id_}} for id_ in ("a", "b", "a")]
    same = [{"fullUrl": "urn:uuid:2", "resource": {"resourceType": "Patient", "id": "c"}}] * 2
    [chunk] = _read([_bundle_of(*twice, *same)])[0]
    assert isinstance(chunk, Chunk)
    assert chunk.references == {"urn:uuid:2": "Patient/c"}


def test_references_are_on_every_chunk() -> None:
    """An entry may refer to one that comes later, in another chunk."""
    entries = [{"fullUrl": f"urn:uuid:{n}", "resource": {"resourceType": "Patient", "id": f"p{n}"}} for n in range(9)]
    items = _read([_bundle_of(*entries)], ReadLimits(chunk_bytes=100))[0]
    assert len(items) == 9
    for item in items:
        assert isinstance(item, Chunk)
        assert item.references == {f"urn:uuid:{n}": f"Patient/p{n}" for n in range(9)}


@given(st.lists(st.integers(0, 40), max_size=6), sizes)
def test_long_entries_come_in_their_place(cut: Cut, lengths: list[int], sizes: list[int]) -> None:
    """An entry above the limit keeps its number, offset, length and hash, and the order holds."""
    entries = [b'{"a":"' + b"x" * length + b'"}' for length in lengths]
    text = b'{"resourceType":"Bundle","entry":[' + b",".join(entries) + b"]}"
    items, _ = _read(cut(text, sizes), ReadLimits(line_bytes=100, entry_bytes=20))
    found: list[tuple[int, int, bytes]] = _entries(items)
    for item in items:
        if isinstance(item, OversizedLine):
            assert item.length > 20
            content = text[item.offset : item.offset + item.length]
            assert (item.sha256, item.head) == (hashlib.sha256(content).digest(), content)
            found.append((item.line, item.offset, content))
    assert [line for _, _, line in sorted(found)] == entries
    lines = [item.line for item in items]
    assert lines == sorted(lines)


def test_a_faulty_entry_is_handed_on() -> None:
    """What is wrong inside one closed entry does not refuse the others."""
    entries = [b'{"a":}', b'{"b":NaN}', b'{"c":"\xff"}', b'{"d":"\\ud800"}', b"[1]", b"{" * 3000 + b"}" * 3000]
    text = b'{"resourceType":"Bundle","entry":[' + b",".join(entries) + b"]}"
    assert [line for _, _, line in _entries(_read([text])[0])] == entries


REFUSED = [
    (b'{"resourceType":"Bundle","entry":[{"a":1}', 41, "2 open brackets"),
    (b'{"resourceType":"Bundle","entry":[{"a":"x', 41, "a string"),
    (b'{"resourceType":"Bundle","entry":[{"a":1}]', 42, "1 open brackets"),
    (b'{"resourceType":"Bundle","entry":[{} {}]}', 37, "one comma"),
    (b'{"resourceType":"Bundle","entry":[{},,{}]}', 38, "one comma"),
    (b'{"resourceType":"Bundle","entry":[{},]}', 37, "one comma"),
    (b'{"resourceType":"Bundle","entry":[,{}]}', 35, "one comma"),
    (b'{"resourceType":"Bundle","entry":[null,{}]}', 39, "one comma"),
    (b'{"resourceType":"Bundle","entry":[5]}', 35, "one comma"),
    (b'{"resourceType":"Bundle","entry":[{]]}', 35, "one kind of bracket"),
    (b'{"resourceType":"Bundle","entry":[{}}', 37, "open brackets|delimiter"),
    (b'{"resourceType":"Bundle","entry":[{}]}}', 38, "never opened"),
    (b'{"resourceType":"Bundle","entry":[{"a":"x\ny"}]}', 41, "line break inside a string"),
    (b'{"resourceType":"Bundle","entry":[{"a":"x\\\ny"}]}', 42, "line break inside a string"),
    (b'{"resourceType":"Bundle","entry":[{}],"entry":[{}]}', 0, "more than one `entry`"),
    (b'{"resourceType":"Bundle","entry":{"a":1}}', 0, "plain array"),
    (b'{"resourceType":"Bundle","entry":null}', 0, "plain array"),
    (b'{"resourceType":"Bundle","\\u0065ntry":[{"a":1}]}', 0, "plain array"),
    (b'{"resourceType":"Bundle","entry":[{"long":"1234567890"}] "id":"a"}', 57, "delimiter"),
    (b'{"resourceType":"Bundle" "entry":[{"long":"1234567890"}]}', 25, "delimiter"),
    (b'{"resourceType":"Bundle","entry":[{}]} x', 39, "extra data"),
    (b'{"resourceType":"Bundle","entry":[{}]}{"entry":[{}]}', 38, "extra data"),
    (b"not json", 0, "expecting value"),
    (b'{"id":"\xc3\xa9" 1}', 11, "delimiter"),
]


@pytest.mark.parametrize(("text", "at", "what"), REFUSED, ids=[str(n) for n in range(len(REFUSED))])
def test_a_broken_document_is_refused_at_its_byte(text: bytes, at: int, what: str) -> None:
    """Cut or malformed where it cannot be split for certain: refused whole, with the place and the reason."""
    for blocks in ([text], [text[n : n + 1] for n in range(len(text))]):
        with pytest.raises(IntegrityError, match=rf"^u: .*at byte {100 + at}: .*({what}).*nothing of this file"):
            survey(blocks, "u", ReadLimits(), offset=100)


@given(bundles(), st.data())
def test_no_cut_bundle_passes(bundle: tuple[bytes, dict[str, Json]], draw: st.DataObject) -> None:
    """A Bundle cut before its last bracket is always noticed."""
    text = bundle[0].rstrip()
    at = draw.draw(st.integers(0, len(text) - 1))
    with pytest.raises(IntegrityError, match="nothing of this file"):
        survey([text[:at]], "u", ReadLimits())


@pytest.mark.parametrize(
    "text",
    [
        b'{"resourceType":"Patient","id":"a"}',
        b'{"resourceType":"List","entry":[{"item":{}}]}',
        b'{"entry":[{"item":{}}]}',
        b'[{"resourceType":"Bundle","entry":[]}]',
        b'{"a":{"resourceType":"Bundle"}}',
        b'"Bundle"',
        b'{"resourceType":"Patient","x":"\\ud800"}',
        b'{"resourceType":"Patient","\xff":1}',
        b'{"x":' + b"9" * 5000 + b"}",
        b'{"x":' + b"[" * 3000 + b"]" * 3000 + b"}",
    ],
)
def test_other_documents_are_no_bundles(text: bytes) -> None:
    """Other resources, whatever they hold, are for the reader of single resources."""
    assert not survey([text], "u", ReadLimits()).is_bundle


def test_a_bundle_too_deep_to_judge_is_refused() -> None:
    """Its entries could not be told from what is around them."""
    text = b'{"resourceType":"Bundle","entry":[{}],"x":' + b"[" * 3000 + b"]" * 3000 + b"}"
    with pytest.raises(IntegrityError, match="nested too deeply"):
        survey([text], "u", ReadLimits())


def test_a_document_whose_rest_is_too_large_is_no_bundle() -> None:
    """What is not entry must fit the limit of a line."""
    text = b'{"resourceType":"Bundle","x":"' + b"x" * 100 + b'","entry":[{}]}'
    assert not survey([text], "u", ReadLimits(line_bytes=100)).is_bundle
    assert survey([text], "u", ReadLimits(line_bytes=200)).is_bundle


def test_memory_is_bounded_by_the_largest_entry() -> None:
    """A Bundle of 200 MB passes through with a few megabytes."""
    entry = b'{"resource":{"resourceType":"Binary","data":"' + b"x" * 100_000 + b'"}},'

    def blocks() -> Iterator[bytes]:
        yield b'{"resourceType":"Bundle","entry":['
        for _ in range(2000):
            yield entry
        yield b"{}]}"

    limits = ReadLimits(chunk_bytes=1_000_000)
    tracemalloc.start()
    outline = survey(blocks(), "u", limits)
    total = sum(len(item.data) for item, _ in bundle_pieces(blocks(), "u", limits, outline) if isinstance(item, Chunk))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total > 200_000_000
    assert peak < 8_000_000
