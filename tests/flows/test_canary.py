"""Nobody is seen outside mart, quarantine, staging and landing: values planted in every field of every format are
looked for in everything that commands print, log, report and leave beside the mart.

Not looked at are the commands that are asked for what a mart holds: `quarantine show` and `list
--json` (ids of resources), `units report`, `view run`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bulk.server import File, serving, status
from tests.flows import planted
from tests.flows.inputs import Outcome, query, write

Clinmart = Callable[..., Outcome]
_PRIVATE = (".duckdb", ".ndjson", ".json", ".hl7", ".xml", ".csv", ".yaml", ".wal", ".heard")  # marts and inputs
MAPPING = b"""
zone: America/New_York
files:
  - file: "*.csv"
    table: observation
    keys: [ACC, TEST]
    last_updated: {column: UPDATED, format: "%m/%d/%Y %H:%M:%S"}
    columns:
      patient_id: MRN
      status: {column: STATUS, lookup: {F: final, P: preliminary}}
      code: TEST
      code_system: {constant: "http://loinc.org"}
      code_display: NAME
      effective: {column: TAKEN, format: "%m/%d/%Y %H:%M:%S"}
      value: {column: RESULT, unit: UNITS}
"""


@pytest.fixture
def watched(clinmart: Clinmart, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Clinmart]:
    """`clinmart`, of whose output, logs and files beside the mart nothing may show anybody."""
    caplog.set_level(logging.DEBUG)

    def run(*arguments: object) -> Outcome:
        outcome = clinmart(*arguments)
        told = {"stdout": outcome.out, "stderr": outcome.err.encode(), "log": caplog.text.encode()}
        assert {name: planted.seen(data) for name, data in told.items() if planted.seen(data)} == {}, arguments[:2]
        assert "Traceback" not in outcome.err
        assert outcome.code != 1, outcome.err
        return outcome

    yield run
    beside = [path for path in tmp_path.rglob("*") if path.is_file() and not path.name.endswith(_PRIVATE)]
    found = {path.name: planted.seen(path.read_bytes()) for path in beside}
    number = str(planted.NUMBER)  # stays in a copy for analysts, where it is a result
    assert {n: f for n, f in found.items() if f and not (n == "research.r" and f == [number])} == {}
    assert any(path.name.endswith(".tail") for path in beside)
    named = [path for path in beside if not path.name.endswith(".tail")]  # which must name what is to be loaded again
    assert [path.name for path in named if planted.FILE.encode() in path.read_bytes()] == []


def _looks(watched: Clinmart, mart: Path, *, copied: bool = False) -> None:
    """Everything that tells of a mart; a copy for analysts too where ``copied``, which takes long."""
    to = mart.parent
    for told in (
        ("status", "--mart", mart), ("status", "--mart", mart, "--json"),
        ("quarantine", "list", "--mart", mart),
        ("report", "--mart", mart, "--out", to / "page.html"),
    ):  # fmt: skip
        assert watched(*told).code == 0, told
    if copied:
        assert watched("deidentify", "--mart", mart, "--out", to / "research.r", "--json").code == 0
    assert not planted.seen((to / "page.html").read_bytes())


def _load(watched: Clinmart, mart: Path, *more: object) -> None:
    """A load that tells of itself in every way, twice."""
    told = ("load", *more, "--mart", mart, "--source", "s", "--lineage", mart.with_name("events.l"))
    assert watched(*told, "--sample", "1").code == 3
    assert watched(*told, "--json").code == 3


def test_fhir(watched: Clinmart, tmp_path: Path) -> None:
    """NDJSON with every element right and wrong, lines that are no JSON, Bundles, deletes."""
    lines = [*planted.resources(), *planted.hostile_lines()]
    write(tmp_path / f"{planted.FILE}.ndjson", *lines)
    write(tmp_path / "bundle.json", planted.bundle())
    write(tmp_path / "cut.json", planted.bundle()[:-20])
    (tmp_path / "gone.csv").write_bytes(planted.deletes())
    mart = tmp_path / "m.duckdb"
    files = (tmp_path / f"{planted.FILE}.ndjson", tmp_path / "bundle.json", "--deletes", tmp_path / "gone.csv")
    _load(watched, mart, *files)
    damaged = watched("load", tmp_path / "cut.json", "--mart", mart, "--source", "s")
    assert damaged.code == 4
    assert query(mart, "SELECT count(*) FROM etl.quarantine")[0][0] > 500
    assert query(mart, "SELECT count(*) FROM patient")[0][0] > 0
    _looks(watched, mart, copied=True)
    watched("quarantine", "replay", "--mart", mart)


def test_hl7v2(watched: Clinmart, tmp_path: Path) -> None:
    """Messages with every field of every segment."""
    (tmp_path / f"{planted.FILE}.hl7").write_bytes(planted.messages())
    mart = tmp_path / "m.duckdb"
    _load(watched, mart, tmp_path / f"{planted.FILE}.hl7", "--format", "hl7v2", "--zone", "Europe/Berlin")
    assert query(mart, "SELECT count(*) FROM etl.quarantine")[0][0] > 10
    _looks(watched, mart, copied=True)


def test_ccda(watched: Clinmart, tmp_path: Path) -> None:
    """Documents with every text and attribute."""
    folder = tmp_path / "documents"
    folder.mkdir()
    for number, document in enumerate(planted.documents()):
        (folder / f"{planted.FILE}{number}.xml").write_bytes(document)
    mart = tmp_path / "m.duckdb"
    _load(watched, mart, folder, "--format", "ccda")
    assert query(mart, "SELECT count(*) FROM etl.quarantine")[0][0] > 5
    _looks(watched, mart)


def test_extracts(watched: Clinmart, tmp_path: Path) -> None:
    """Records with every column."""
    data = tmp_path / f"{planted.FILE}.csv"
    data.write_bytes(planted.extract())
    (tmp_path / "map.yaml").write_bytes(MAPPING)
    mart = tmp_path / "m.duckdb"
    _load(watched, mart, data, "--format", "extract", "--mapping", tmp_path / "map.yaml")
    _looks(watched, mart)


def test_a_server(watched: Clinmart, tmp_path: Path) -> None:
    """A server whose files, errors and refusals tell of somebody."""
    lines = [line for _, line in zip(range(60), planted.resources(), strict=False)]
    files = {
        "p": File(b"\n".join([*lines, *planted.hostile_lines()]) + b"\n", "Patient"),
        "e": File(b'{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"exception",'
                  b'"diagnostics":"' + planted.WORD.encode() + b'"}]}\n', "OperationOutcome", section="error"),
    }  # fmt: skip
    said = b'{"resourceType":"OperationOutcome","issue":[{"code":"x","diagnostics":"%s"}]}' % planted.WORD.encode()
    with serving(files=files, retry_after="0") as server:
        server.faults["kickoff"].append(status(400, said))
        told = ("load", server.url + "/fhir", "--mart", tmp_path / "m.duckdb", "--source", "s", "--json")
        watched(*told)
        assert watched(*told).code in (3, 75)


def test_the_test_sees() -> None:
    """What is planted is found where it stands."""
    assert planted.seen(f"x {planted.WORD.upper()} y") == [planted.WORD]
    assert planted.seen(b"18370314") == ["18370314"]
    assert len([*planted.documents()]) > 60
