"""``clinmart quarantine replay`` and ``load --replaces``: refused lines that find their way into the tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.flows.inputs import Outcome, medication, query, write
from tests.flows.test_replay import strict

Clinmart = Callable[..., Outcome]
CANARY = "Zzyzx-Canary-7731"
BAD = medication("bad", CANARY, status="nonsense")


@pytest.fixture
def mart(clinmart: Clinmart, tmp_path: Path) -> Path:
    """A mart with a good line, one that today's checks would pass, and one that they never will."""
    write(tmp_path / "in.ndjson", medication("good"), medication("then", CANARY), BAD)
    with strict(lambda ident: ident == "then"):
        assert clinmart("load", tmp_path / "in.ndjson", "--mart", tmp_path / "m", "--source", "s").code == 3
    return tmp_path / "m"


def _line(clinmart: Clinmart, mart: Path, reason: str = "code_not_in_value_set") -> dict[str, Any]:
    listed = clinmart("quarantine", "list", "--mart", mart, "--json", "--reason", reason).json["entries"]
    assert len(listed) == 1
    return dict(listed[0])


def test_replay(clinmart: Clinmart, mart: Path) -> None:
    """What became of the lines, as JSON and for people; exit 3 while any is refused, loudly when given up."""
    found = clinmart("quarantine", "replay", "--mart", mart, "--json")
    assert (found.code, found.err) == (3, "")
    report = found.json
    assert {name: report[name] for name in ("status", "replayed", "open", "dead", "cut_short")} == {
        "status": "quarantined", "replayed": 1, "open": 1, "dead": 0, "cut_short": 0,
    }  # fmt: skip
    assert report["resources"]["Medication"]["read"] == 2
    assert [load["source"] for load in report["loads"]] == ["s"]
    people = clinmart("quarantine", "replay", "--mart", mart, "--attempts", 2)
    assert (people.code, people.err.count("\n")) == (3, 1)
    assert "1 line" in people.err
    assert "dead" in people.err
    assert b"1 given up" in people.out
    assert CANARY.encode() not in people.out
    assert clinmart("quarantine", "replay", "--mart", mart, "--json").code == 0
    listed = clinmart("quarantine", "list", "--mart", mart, "--state", "dead", "--json").json
    assert [(e["resource_id"], e["state"]) for e in listed["entries"]] == [("bad", "dead")]
    assert clinmart("quarantine", "replay", "--mart", mart, "--dead", "--json").json["open"] == 1


@pytest.mark.parametrize(
    ("more", "said"), [(("--since", "yesterday"), "--since"), (("--attempts", "0"), "--attempts is 0")]
)
def test_replay_mistyped(clinmart: Clinmart, mart: Path, more: tuple[str, ...], said: str) -> None:
    """One line that names the option."""
    outcome = clinmart("quarantine", "replay", "--mart", mart, *more)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert said in outcome.err


def test_edit_and_load(clinmart: Clinmart, mart: Path, tmp_path: Path) -> None:
    """The bytes of a refused line, edited and loaded in its place, settle it with the load that brought them."""
    name = _line(clinmart, mart)["quarantine_id"]
    raw = clinmart("quarantine", "show", name, "--mart", mart, "--raw").out
    assert raw == BAD
    corrected = write(tmp_path / "corrected.ndjson", raw.replace(b"nonsense", b"active"))
    arguments = ("load", corrected, "--mart", mart, "--source", "s", "--replaces", name[:12], "--json")
    load = clinmart(*arguments)
    assert (load.code, load.json["resources"]["Medication"]["applied"]) == (0, 1)
    settled = "SELECT state, settled_by FROM etl.quarantine WHERE resource_id = 'bad'"
    assert query(mart, settled) == [("replaced", load.json["load_id"])]
    assert clinmart(*arguments).json["resources"]["Medication"]["duplicate"] == 1
    assert query(mart, settled) == [("replaced", load.json["load_id"])]
    again = clinmart("load", tmp_path / "in.ndjson", "--mart", mart, "--source", "s", "--json").json
    assert again["resources"]["Medication"]["quarantined"] == 1  # the other line
    assert clinmart("quarantine", "replay", "--mart", mart, "--json").json["replayed"] == 1


def test_correction_that_was_loaded_already(clinmart: Clinmart, mart: Path, tmp_path: Path) -> None:
    """The link can be made later, when the same file is loaded once more."""
    corrected = write(tmp_path / "corrected.ndjson", BAD.replace(b"nonsense", b"active"))
    arguments = ("load", corrected, "--mart", mart, "--source", "s", "--json")
    assert clinmart(*arguments).code == 0
    name = _line(clinmart, mart)["quarantine_id"]
    later = clinmart(*arguments, "--replaces", name)
    assert (later.code, _line(clinmart, mart)["state"]) == (0, "replaced")
    assert query(mart, "SELECT settled_by FROM etl.quarantine WHERE state = 'replaced'") == [(later.json["load_id"],)]


def test_correction_that_is_refused_again(clinmart: Clinmart, mart: Path, tmp_path: Path) -> None:
    """It joins the other in the quarantine, which stays open."""
    name = _line(clinmart, mart)["quarantine_id"]
    wrong = write(tmp_path / "wrong.ndjson", BAD.replace(b"nonsense", b"bogus"))
    for _ in range(2):
        outcome = clinmart("load", wrong, "--mart", mart, "--source", "s", "--replaces", name)
        assert outcome.code == 3
    found = query(mart, "SELECT state FROM etl.quarantine WHERE reason = 'code_not_in_value_set'")
    assert found == [("open",), ("open",)]


def test_correction_of_several_lines(clinmart: Clinmart, mart: Path, tmp_path: Path) -> None:
    """Which of them is meant cannot be told: nothing is loaded."""
    name = _line(clinmart, mart)["quarantine_id"]
    two = write(tmp_path / "two.ndjson", medication("bad"), medication("more"))
    outcome = clinmart("load", two, "--mart", mart, "--source", "s", "--replaces", name)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "one corrected line" in outcome.err
    assert query(mart, "SELECT id FROM medication") == [("good",)]
    assert _line(clinmart, mart)["state"] == "open"


def test_correction_of_nothing(clinmart: Clinmart, mart: Path, tmp_path: Path) -> None:
    """An unknown line, one of another source, one that was replayed: said before anything is read."""
    name, then = (_line(clinmart, mart, r)["quarantine_id"] for r in ("code_not_in_value_set", "rule_violated"))
    clinmart("quarantine", "replay", "--mart", mart)
    corrected = write(tmp_path / "corrected.ndjson", medication("bad"))
    for source, which, said in (("s", "zzz", "no"), ("t", name, "--source s"), ("s", then, "replay")):
        outcome = clinmart("load", corrected, "--mart", mart, "--source", source, "--replaces", which)
        assert (outcome.code, outcome.err.count("\n")) == (2, 1)
        assert said in outcome.err
    assert query(mart, "SELECT count(*) FROM medication WHERE id = 'bad'") == [(0,)]
