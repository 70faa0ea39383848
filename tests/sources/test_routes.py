"""Files of rules: what is right is taken as it is written, and every fault is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import UsageError
from schemas.routes import MessageDecoder, Routes, Rule
from sources.routes import parse_routes, read_routes

RIGHT = b"""\
routes:
  # versions and names are text, however YAML would read them
  - match: {MSH-3: "LAB*", MSH-9: [ORU, "ORM^O01"], MSH-12: 2.5}
    source: lab
    zone: America/New_York
    charset: 8859/1
  - match: {MSH-4: ""}
    decoder: reject
  - decoder: keep
"""


def test_right() -> None:
    """Every key, in order; the charset as a codec."""
    routes = parse_routes(RIGHT, "r.yaml")
    assert routes == Routes(
        (
            Rule(
                (("MSH-12", ("2.5",)), ("MSH-3", ("LAB*",)), ("MSH-9", ("ORU", "ORM^O01"))),
                "lab",
                "America/New_York",
                "iso8859-1",
            ),
            Rule((("MSH-4", ("",)),), decoder=MessageDecoder.REJECT),
            Rule(decoder=MessageDecoder.KEEP),
        )
    )
    assert [rule.line for rule in routes.rules] == [3, 7, 9]
    of_feed = routes.of("feed")
    assert of_feed.sources == ("feed", "lab")
    assert Routes.from_json(of_feed.as_json()) == of_feed
    assert Routes.from_json(of_feed.as_json()).digest == of_feed.digest != routes.digest


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("routes:\n  - match: {MSH-5: X}", 2, "match has a key 'MSH-5'; known are MSH-3, MSH-4, MSH-9, MSH-12"),
        ("routes:\n  - sourcs: lab", 2, "did you mean source?"),
        ("routes:\n  - source: lab\n    source: x", 3, "the key source twice"),
        ("routes:\n  - source:\n", 2, "nothing stands where a value is expected"),
        ("routes:\n  - match: {MSH-9: []}", 2, "a list or a mapping stands where one value is expected"),
        ("routes:\n  - match: {MSH-9: [[ORU]]}", 2, "a list or a mapping"),
        ("routes:\n  - source: lab\n    zone: Europe/Berlni", 3, "did you mean Europe/Berlin?"),
        ("routes:\n  - charset: latin-x", 2, "no character set is called 'latin-x'"),
        ("routes:\n  - charset: rot13", 2, "no character set is called 'rot13'"),
        ("routes:\n  - decoder: keeps", 2, "did you mean keep?"),
        ('routes:\n  - source: "a\\tb"', 2, "give it a short name on one line"),
        ("routes:\n  - decoder: keep\n\n  - source: lab", 4, "never reached: the one of line 2 takes every message"),
        ("routes: {source: lab}", 1, "must be a list of rules"),
        ("routes: []", 1, "there is no rule"),
        ("- source: lab", 1, "the file must be a mapping of routes"),
        ("rules: []", 1, "the file has a key 'rules'; known are routes"),
        ("routes:\n  - {source: lab", 2, "is no YAML"),
        ("routes:\n  - lab", 2, "a rule must be a mapping"),
    ],
)
def test_faults(text: str, line: int, said: str) -> None:
    """What is wrong, and the line of it."""
    with pytest.raises(UsageError) as raised:
        parse_routes(text.encode(), "r.yaml")
    assert str(raised.value).startswith(f"--routes: r.yaml, line {line}: "), raised.value
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("data", "said"), [(b"", "empty"), (b"a: \xff", "save it as UTF-8"), (b"[" * 10_000, "nested too deeply")]
)
def test_no_rules_at_all(data: bytes, said: str) -> None:
    """Files that are no YAML of ours."""
    with pytest.raises(UsageError, match=said):
        parse_routes(data, "r.yaml")


def test_file(tmp_path: Path) -> None:
    """A file is read as its bytes, and one that is not there or far too long is told."""
    path = tmp_path / "r.yaml"
    path.write_bytes(RIGHT)
    assert read_routes(path) == parse_routes(RIGHT, str(path))
    assert read_routes(path).uri == str(path)
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_routes(tmp_path / "none.yaml")
    path.write_bytes(b"#" * 2_000_000)
    with pytest.raises(UsageError, match="more than 1048576 bytes"):
        read_routes(path)


def test_an_alias_is_refused() -> None:
    """A few lines of aliases can stand for a billion rules."""
    with pytest.raises(UsageError, match=r"r\.yaml, line 3: is no YAML \(an alias"):
        parse_routes(b"routes:\n  - &a {match: {MSH-3: LAB}}\n  - *a\n", "r.yaml")
