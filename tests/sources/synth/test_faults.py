"""Planted faults: each where the list says it is, each what it says it is, and nothing else spoiled."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

import pytest

from schemas.reasons import Reason
from sources.synth import SynthPlan, SynthReport, write_synth
from sources.synth.faults import FAULTS

Lines = dict[tuple[str, int], bytes]

_PLAN: dict[str, Any] = {"patients": 90, "seed": 3}


def _lines(folder: Path) -> Lines:
    """Every line by its file's name and number from 1."""
    return {
        (path.name, number): line
        for path in folder.glob("*.ndjson")
        for number, line in enumerate(path.read_bytes().removesuffix(b"\n").split(b"\n"), 1)
    }


def _listed(folder: Path) -> list[dict[str, str]]:
    with (folder / "faults.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SynthReport]:
    """The export of the ``clean`` fixture with one line in twenty spoiled."""
    folder = tmp_path_factory.mktemp("dirty") / "export"
    return folder, write_synth(SynthPlan(**_PLAN, dirty=0.05), folder)


def test_only_the_listed_lines_differ(dirty: tuple[Path, SynthReport], clean: tuple[Path, SynthReport]) -> None:
    """Compared with the clean export, exactly the lines of faults.csv differ."""
    good, bad = _lines(clean[0]), _lines(dirty[0])
    assert good.keys() == bad.keys()
    differing = {place for place in good if good[place] != bad[place]}
    listed = [(row["file"], int(row["line"])) for row in _listed(dirty[0])]
    assert len(set(listed)) == len(listed)
    assert differing == set(listed)
    assert len(listed) == pytest.approx(len(good) / 20, rel=0.1)


def test_every_fault_is_planted_about_equally_often(dirty: tuple[Path, SynthReport]) -> None:
    """No fault is left out, and none is planted much more often than another."""
    counts = dirty[1].faults
    assert counts.keys() == {fault.name for fault in FAULTS}
    assert max(counts.values()) - min(counts.values()) <= 0.2 * max(counts.values())
    assert sum(counts.values()) == len(_listed(dirty[0]))


def test_the_list_gives_the_reasons(dirty: tuple[Path, SynthReport]) -> None:
    """Each row has the fault's stable reason, and the type of the file it stands in."""
    reasons = {fault.name: fault.reason.value for fault in FAULTS}
    for row in _listed(dirty[0]):
        assert row["reason"] == reasons[row["fault"]]
        assert row["resource_type"] == row["file"].split(".")[0]


class _Twice(Exception):
    """A key stands twice."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise _Twice
    return dict(pairs)


def _no_constant(text: str) -> NoReturn:
    raise ValueError(text)


def _judge(line: bytes, schema_free_type: str) -> Reason | None:
    """What is wrong with a line as JSON and as a resource of one type, told without the generator's code."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return Reason.INVALID_UTF8
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except _Twice:
        return Reason.DUPLICATE_KEY
    except RecursionError:
        return Reason.TOO_DEEP
    except ValueError:
        return Reason.MALFORMED_JSON
    if not isinstance(value, dict):
        return Reason.NOT_AN_OBJECT
    if "\x00" in json.dumps(value, ensure_ascii=False).replace("\\u0000", "\x00"):
        return Reason.NUL_CHARACTER
    if re.search(r"[\ud800-\udfff]", json.dumps(value, ensure_ascii=False)):
        return Reason.INVALID_UNICODE
    return _judge_resource(value, schema_free_type)


def _judge_resource(value: dict[str, Any], kind: str) -> Reason | None:
    checks: tuple[tuple[Reason, Callable[[], bool]], ...] = (
        (Reason.NO_RESOURCE_TYPE, lambda: "resourceType" not in value),
        (Reason.UNKNOWN_RESOURCE_TYPE, lambda: value["resourceType"] != kind),
        (Reason.NO_ID, lambda: "id" not in value),
        (Reason.WRONG_TYPE, lambda: not isinstance(value["id"], str)),
        (Reason.INVALID_ID, lambda: not re.fullmatch(r"[A-Za-z0-9\-.]{1,64}", value["id"])),
        (Reason.WRONG_TYPE, lambda: isinstance(value.get("status"), dict)),
        (Reason.WRONG_TYPE, lambda: isinstance(value.get("code"), list) and kind != "PractitionerRole"),
        (Reason.WRONG_TYPE, lambda: isinstance(value.get("category"), dict) and kind != "Procedure"),
        (Reason.WRONG_TYPE, lambda: type(_value(value)) not in (int, float)),
        (Reason.NUMBER_OUT_OF_RANGE, lambda: _value(value) == float("inf")),
        (Reason.CODE_NOT_IN_VALUE_SET, lambda: value.get("status") == "bogus"),
        (Reason.REQUIRED_MISSING, lambda: kind in ("Observation", "DiagnosticReport") and "code" not in value),
        (Reason.REQUIRED_MISSING, lambda: kind in _WITH_STATUS and "status" not in value),
        (Reason.INVALID_TIME, lambda: not all(_is_time(value[name]) for name in _TIMES if name in value)),
    )
    return next((reason for reason, holds in checks if holds()), None)


_TIMES = ("effectiveDateTime", "occurrenceDateTime", "authoredOn", "created", "birthDate")
_WITH_STATUS = {
    "CarePlan", "Claim", "Coverage", "DiagnosticReport", "DocumentReference", "Encounter", "ExplanationOfBenefit",
    "ImagingStudy", "Immunization", "MedicationAdministration", "MedicationRequest", "Observation", "Procedure",
    "ServiceRequest",
}  # fmt: skip


def _value(value: dict[str, Any]) -> Any:
    return value.get("valueQuantity", {}).get("value", 0)


def _is_time(text: str) -> bool:
    try:
        moment = datetime.fromisoformat((text + "-01-01")[:10] if len(text) < 10 else text)
    except ValueError:
        return False
    return len(text) <= 10 or moment.tzinfo is not None


def test_each_fault_is_what_it_says(dirty: tuple[Path, SynthReport]) -> None:
    """An independent judge finds in every listed line the reason given, and in every other line nothing."""
    lines = _lines(dirty[0])
    expected = {(row["file"], int(row["line"])): row for row in _listed(dirty[0])}
    for place, line in lines.items():
        found = _judge(line, place[0].split(".")[0])
        if place in expected:
            assert found == expected[place]["reason"], expected[place]
        else:
            assert found is None, place


def test_faults_are_listed_by_their_own_file(tmp_path: Path) -> None:
    """With several files of a type and compression, file and line are still those of the fault."""
    plan = SynthPlan(patients=20, dirty=0.03, file_bytes=100_000)
    write_synth(plan, tmp_path / "export")
    lines = _lines(tmp_path / "export")
    listed = _listed(tmp_path / "export")
    assert len({row["file"] for row in listed if row["resource_type"] == "Observation"}) > 5
    for row in listed:
        assert _judge(lines[row["file"], int(row["line"])], row["resource_type"]) == row["reason"]


def test_without_dirt_there_is_no_list(clean: tuple[Path, SynthReport]) -> None:
    """A clean export has no faults.csv, a dirty one has no second manifest or NDJSON of faults."""
    assert not (clean[0] / "faults.csv").exists()


def test_all_dirt_is_possible(tmp_path: Path) -> None:
    """Every line can be spoiled."""
    report = write_synth(SynthPlan(patients=2, dirty=1.0), tmp_path / "export")
    assert sum(report.faults.values()) == sum(report.lines.values())


def test_reasons_have_meanings() -> None:
    """Every reason is a stable lower-case word and says what it means in a sentence."""
    for reason in Reason:
        assert re.fullmatch(r"[a-z0-9_]+", reason.value)
        assert reason.meaning.endswith(".") and len(reason.meaning) > 20
