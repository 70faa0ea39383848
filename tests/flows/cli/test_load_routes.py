"""`clinmart load --routes`: each message in the source of its rule, read as the rule says, and none lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.flows.cli.test_load_hl7v2 import message, written
from tests.flows.cli.test_repair import _run as run_dying
from tests.flows.inputs import Outcome, contents, query

Clinmart = Callable[..., Outcome]

RULES = """\
routes:
  - match: {MSH-9: ORU}
    source: lab
    zone: America/New_York
    charset: 8859/1
  - match: {MSH-9: "ADT^A0?"}
  - match: {MSH-9: "BAR"}
    decoder: keep
  - match: {MSH-9: "ADT"}
    decoder: reject
"""
PID = "PID|1||p1^^^HOSP^MR||Müller^Jane"
MESSAGES = (
    message("1", "ADT^A01", "20240301100000", PID),
    message("2", "ORU^R01", "20240301100000", PID, "OBR|1|a|b|1^x^LN", "OBX|1|NM|2^y^LN||5||||||F|||20240301100000"),
    message("3", "BAR^P01", "20240301100000", PID),
    message("4", "ADT^A40", "20240301100000", PID, "MRG|p2^^^HOSP^MR"),
    message("5", "SIU^S12", "20240301100000", PID),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = written(tmp_path / "a.hl7", MESSAGES[0], MESSAGES[2], "MSH|\r", MESSAGES[3], MESSAGES[4])
    path.write_bytes(path.read_bytes() + MESSAGES[1].encode("latin-1"))
    return path


def load(clinmart: Clinmart, file: Path, rules: str = RULES, *more: object, source: str = "feed") -> dict[str, Any]:
    """The report of a load by rules, which adds up in itself and over its sources."""
    routes = file.with_name("routes.yaml")
    routes.write_text(rules)
    mart = file.with_name("m.duckdb")
    outcome = clinmart(
        "load", file, "--mart", mart, "--source", source, "--format", "hl7v2", "--zone", "Europe/Berlin",
        "--routes", routes, "--json", *more,
    )  # fmt: skip
    assert outcome.code in (0, 3), outcome.err
    report: dict[str, Any] = outcome.json
    for name in ("resources", "inputs"):
        for one in (report, *report["sources"].values()):
            for counts in one[name].values():
                assert counts["read"] == sum(n for kind, n in counts.items() if kind != "read")
        for kind, counts in report[name].items():
            parts = [one[name][kind]["read"] for one in report["sources"].values() if kind in one[name]]
            assert counts["read"] == sum(parts)
    assert report["unrouted"] == sum(one["unrouted"] for one in report["sources"].values())
    return report


def test_each_message_by_its_rule(clinmart: Clinmart, file: Path) -> None:
    """Source, zone, character set and decoder are those of the rule; what no rule takes is kept whole and counted."""
    report = load(clinmart, file)
    mart = file.with_name("m.duckdb")
    assert {name: {kind: one["read"] for kind, one in source["inputs"].items()} for name, source in
            report["sources"].items()} == {
        "feed": {"ADT_A01": 1, "BAR_P01": 1, "ADT_A40": 1, "SIU_S12": 1, "Unknown": 1},
        "lab": {"ORU_R01": 1},
    }  # fmt: skip
    assert report["status"] == "quarantined"
    assert report["unrouted"] == 1
    assert query(mart, "SELECT source, name_family, hour(last_updated) FROM patient ORDER BY 1") == [
        ("feed", "Müller", 9),  # of Berlin
        ("lab", "Müller", 15),  # of New York, and Latin-1
    ]  # fmt: skip
    assert query(mart, "SELECT source, message_type, segment FROM hl7_segment ORDER BY ALL") == [
        ("feed", "BAR_P01", "MSH"),
        ("feed", "BAR_P01", "PID"),
        ("feed", "SIU_S12", "MSH"),
        ("feed", "SIU_S12", "PID"),
    ]
    assert query(mart, "SELECT source, reason FROM etl.quarantine ORDER BY ALL") == [
        ("feed", "malformed_header"),
        ("feed", "rejected_by_rule"),
    ]
    assert query(mart, "SELECT source, unrouted FROM etl.receipt ORDER BY 1") == [("feed", 1), ("lab", 0)]
    assert query(mart, "SELECT source, unrouted FROM etl.load ORDER BY 1") == [("feed", 1), ("lab", 0)]


def test_again_and_by_other_rules(clinmart: Clinmart, file: Path) -> None:
    """The same rules read nothing again; others read what they give another place."""
    load(clinmart, file)
    again = load(clinmart, file)
    for one in again["inputs"].values():
        assert one["applied"] == 0
    assert again["unrouted"] == 1
    mart = file.with_name("m.duckdb")
    load(
        clinmart,
        file,
        RULES.replace('  - match: {MSH-9: "BAR"}\n    decoder: keep\n', "  - match: {MSH-9: BAR}\n    source: bar\n"),
    )
    assert query(mart, "SELECT source FROM patient ORDER BY 1") == [("bar",), ("feed",), ("lab",)]
    without = clinmart(
        "load",
        file,
        "--mart",
        mart,
        "--source",
        "feed",
        "--format",
        "hl7v2",
        "--zone",
        "Europe/Berlin",
        "--json",
        "--charset",
        "8859/1",
    )
    assert without.json["inputs"]["SIU_S12"]["applied"] == 1
    assert without.json["resources"]["Observation"]["applied"] == 1  # now of the feed too


def test_rejected_messages_stay_out(clinmart: Clinmart, file: Path) -> None:
    """A replay leaves what a rule rejected, unless that reason is named."""
    load(clinmart, file)
    mart = file.with_name("m.duckdb")
    clinmart("quarantine", "replay", "--mart", mart)
    state = "SELECT state FROM etl.quarantine WHERE reason = 'rejected_by_rule'"
    assert query(mart, state) == [("open",)]
    assert query(mart, "SELECT count(*) FROM patient WHERE links IS NOT NULL") == [(0,)]
    clinmart("quarantine", "replay", "--mart", mart, "--reason", "rejected_by_rule")
    assert query(mart, state) == [("replayed",)]


def test_repair_reads_by_the_same_rules(clinmart: Clinmart, file: Path, tmp_path: Path) -> None:
    """A commit that was lost comes back as the rules of its load made it, although their file is gone."""
    load(clinmart, file)
    mart, reference, routes = file.with_name("m.duckdb"), tmp_path / "reference.duckdb", file.with_name("routes.yaml")
    mart.rename(reference)
    for rest in tmp_path.glob("m.duckdb*"):
        shutil.rmtree(rest) if rest.is_dir() else rest.unlink()
    empty = written(tmp_path / "empty.hl7", message("0", "ADT^A01", "20200101120000", "PID|1||e^^^H^MR"))
    for at in (mart, reference):
        assert clinmart("load", empty, "--mart", at, "--source", "other", "--format", "hl7v2").code == 0
    dies = "flows.session.save_load = lambda *_, **__: os._exit(9)"  # after its commit, which stands in the log alone
    more = ("--format", "hl7v2", "--zone", "Europe/Berlin", "--routes", routes)
    run_dying(dies, 9, file, mart, "feed", *more)
    mart.with_name("m.duckdb.wal").unlink()
    rules = routes.read_text()
    routes.unlink()
    outcome = clinmart("repair", "--mart", mart, "--json")
    assert outcome.json["commits"] == {"lost": 1, "replayed": 1, "forgotten": 0}
    assert query(mart, "SELECT source FROM patient ORDER BY 1") == [("feed",), ("other",)]
    report = load(clinmart, file, rules)  # the other source, which the load had not come to
    assert report["sources"]["feed"]["inputs"]["ADT_A01"]["duplicate"] == 1
    assert contents(mart) == contents(reference)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--strict",), "--strict loads all or nothing"),
        (("--replaces", "0123"), "--replaces and --routes do not go together"),
        (("--deletes", "d.csv"), "--deletes and --routes do not go together"),
        (("--format", "auto"), "give --format hl7v2 with it"),
    ],
)
def test_what_does_not_go_together(clinmart: Clinmart, file: Path, more: tuple[str, ...], said: str) -> None:
    """One line, and nothing is loaded."""
    routes = file.with_name("routes.yaml")
    routes.write_text(RULES)
    file.with_name("d.csv").write_text("Patient,p1\n")
    mart = file.with_name("m.duckdb")
    outcome = clinmart(
        "load", file, "--mart", mart, "--source", "feed", "--format", "hl7v2", "--routes", routes,
        *(file.with_name(one) if one == "d.csv" else one for one in more),
    )  # fmt: skip
    assert outcome.code == 2
    assert said in outcome.err
    assert not mart.exists()


def test_strict_by_rules_of_one_source(clinmart: Clinmart, file: Path) -> None:
    """Rules that name no other source may be strict."""
    file.write_bytes(MESSAGES[0].encode())
    report = load(clinmart, file, "routes:\n  - decoder: tables\n", "--strict")
    assert list(report["sources"]) == ["feed"]
