"""``clinmart key``, as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli.main import app
from schemas.errors import UsageError
from tests.flows.inputs import medication, write


def _run(*words: object) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_key_is_made_listed_rotated_and_destroyed(tmp_path: Path) -> None:
    """And no secret is printed on the way."""
    mart = tmp_path / "m.duckdb"
    out = _run("key", "init", "--mart", mart, "--json")
    assert {key["state"] for key in json.loads(out)["found"]} == {"current"}
    out += _run("key", "rotate", "sign", "--mart", mart, "--json")
    out += (listed := _run("key", "list", "--mart", mart, "--json"))
    states = {key["key_id"][:6]: key["state"] for key in json.loads(listed)["found"]}
    assert (states["sign-1"], states["sign-2"]) == ("old", "current")
    old = next(key["key_id"] for key in json.loads(listed)["found"] if key["state"] == "old")
    assert _run("key", "destroy", old, "--yes", "--mart", mart) == f"{old}: destroyed\n"
    kept = json.loads((tmp_path / "m.duckdb.keys").read_bytes())["keys"]
    assert [key["key_id"] for key in kept if key["secret"] is None] == [old]
    assert not any(key["secret"] and key["secret"] in out for key in kept)
    assert old in _run("key", "list", "--mart", mart)


def test_keys_are_named_by_option_and_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option goes before CLINMART_KEYS, which goes before the file beside the mart."""
    mart = tmp_path / "m.duckdb"
    monkeypatch.setenv("CLINMART_KEYS", str(tmp_path / "by-environment"))
    _run("key", "init", "--mart", mart)
    _run("key", "init", "--mart", mart, "--keys", tmp_path / "by-option")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["by-environment", "by-option"]


def test_a_misnamed_keyring_is_not_made(tmp_path: Path) -> None:
    """Once the mart is there: only its first load makes one, or who asks for it."""
    mart, file, other = tmp_path / "m.duckdb", write(tmp_path / "a.ndjson", medication("a")), tmp_path / "other"
    words = ("load", file, "--mart", mart, "--source", "s")
    _run(*words, "--keys", tmp_path / "keys")
    with pytest.raises(UsageError, match=r"there is no keyring .*other"):
        _run(*words, "--keys", other)
    _run("key", "init", "--mart", mart, "--keys", other)
    _run(*words, "--keys", other)
    assert not (tmp_path / "m.duckdb.keys").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rotate", "signs"), "there is no purpose 'signs': give one of sign, mask"),
        (("destroy", "sign-1-x"), "give --yes"),
        (("list",), "there is no keyring"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    """That says what to do."""
    with pytest.raises(UsageError, match=said):
        _run("key", *words, "--mart", tmp_path / "m.duckdb")
