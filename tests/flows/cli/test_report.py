"""The report of a mart: figures that agree with what was loaded, and a page that shows nobody and fetches nothing."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from lxml import html

from flows.report.page import page
from flows.runner import run_load
from flows.settings import LoadSettings
from schemas.tables import all_tables
from sources.files import FileSource
from stores.figures import Figures, collect
from stores.figures.columns import share_drift
from stores.figures.results import results
from stores.mart import Mart
from tests.flows.inputs import Outcome, query, write

HOSTILE = "<script>alert('x')</script>"
PERSON = "canary-person-7731"
BEFORE = [60.0 + i % 20 for i in range(60)]
NOW = [90.0 + i % 20 for i in range(60)]


def _observation(number: int, value: float, *, encounter: bool, unit: str = "/min", code: str = "8867-4") -> bytes:
    resource = {
        "resourceType": "Observation",
        "id": f"o{code}{number}",
        "meta": {"versionId": "1", "lastUpdated": "2024-05-01T00:00:00Z"},
        "status": "final" if number % 3 else "amended",
        "code": {"coding": [{"system": "http://loinc.org", "code": code, "display": f"Heart rate {HOSTILE}"}]},
        "subject": {"reference": f"Patient/{PERSON}", "display": PERSON},
        "effectiveDateTime": f"2024-{number % 12 + 1:02d}-05T10:00:00Z",
        "valueQuantity": {"value": value, "unit": unit, "code": unit, "system": "http://unitsofmeasure.org"},
    }
    if encounter:
        resource["encounter"] = {"reference": "Encounter/e"}
    return json.dumps(resource).encode()


@pytest.fixture(scope="module")
def mart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two loads of one source, of which the second has other values, no encounters and refused lines."""
    folder = tmp_path_factory.mktemp("report")
    at = folder / "mart.duckdb"
    first = [_observation(i, value, encounter=True) for i, value in enumerate(BEFORE)]
    first += [_observation(i, 1.0, encounter=True, unit="furlongs", code="3141-9") for i in range(12)]
    second = [_observation(100 + i, value, encounter=False) for i, value in enumerate(NOW)]
    second += [b"{", f'{{"resourceType":"Observation","id":"{PERSON}"}}'.encode()]
    for name, lines in (("first", first), ("second", second)):
        path = write(folder / f"{name}-{PERSON}.ndjson", *lines)
        run_load(FileSource([str(path)]), LoadSettings(at, "s"))
    return at


@pytest.fixture(scope="module")
def figures(mart: Path) -> Figures:
    with Mart(mart).connect(read_only=True) as connection:
        return collect(connection, all_tables(), datetime.now(UTC))


def test_loads_and_quarantine(figures: Figures) -> None:
    """Each load with its dispositions, and what stands in the quarantine with its reasons."""
    second, first = figures.loads
    assert (first.read, first.counts["applied"], first.status) == (72, 72, "ok")
    assert (second.read, second.counts["quarantined"], second.status) == (62, 2, "quarantined")
    assert first.adds_up
    assert second.adds_up
    assert sum(one.lines for one in figures.refused) == 2
    assert "malformed_json" in {one.reason for one in figures.refused}
    assert [sum(day.counts.values()) for day in figures.arrivals] == [134]


def test_columns_are_counted(figures: Figures, mart: Path) -> None:
    """How full a column is and its codes, as plain SQL counts them."""
    (table,) = figures.tables
    columns = {column.name: column for column in table.columns}
    counted = query(mart, "SELECT count(*), count(encounter_id), count(body_site) FROM observation")
    assert [(table.rows, columns["encounter_id"].filled, columns["body_site"].filled)] == counted
    mix = columns["status"].mix
    assert mix is not None
    assert dict(mix.codes) == dict(query(mart, "SELECT status, count(*) FROM observation GROUP BY 1"))
    assert columns["subject_display"].mix is None
    assert "content_hash" not in columns


def test_months(figures: Figures, mart: Path) -> None:
    """Rows by month, without gaps."""
    (months,) = figures.months
    assert months.column == "effective_date"
    assert (months.first.isoformat(), len(months.counts)) == ("2024-01-01", 12)
    assert sum(months.counts) == query(mart, "SELECT count(*) FROM observation")[0][0]


def test_results(figures: Figures) -> None:
    """The spread of a result agrees with Python's statistics; its bins hold all but the outermost values."""
    (rate,) = figures.results
    values = BEFORE + NOW
    assert (rate.code, rate.unit, rate.rows, rate.patients) == ("8867-4", "/min", 120, 1)
    assert rate.quantiles[3] == pytest.approx(statistics.median(values), abs=6)
    assert rate.quantiles[0] == pytest.approx(min(values), abs=2)
    assert sum(rate.bins) >= 0.95 * len(values)
    assert [(unit.unit, unit.rows) for unit in rate.sent] == [("/min", 120)]


def test_drift_and_trouble(figures: Figures) -> None:
    """What the last load changed, and what should be looked at first."""
    changed = {(one.column, one.measure): one for one in figures.drift}
    encounter = changed["encounter_id", "filled"]
    assert (encounter.before, encounter.now, encounter.rows_before, encounter.rows_now) == (1.0, 0.0, 72, 60)
    median = changed["harmonized_value", "median"]
    assert median.now - median.before == pytest.approx(30, abs=3)
    assert ("status", "filled") not in changed
    kinds = {one.kind: one for one in figures.trouble}
    assert (kinds["file"].rows, kinds["file"].of) == (2, 62)
    assert (kinds["unit"].rows, "furlongs" in kinds["unit"].what) == (12, True)


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ((50, 100), (50, 100), False),
        ((100, 100), (0, 100), True),
        ((10, 10), (0, 10), False),
        ((500, 1000), (520, 1000), False),
    ],
)
def test_share_drift(before: tuple[int, int], now: tuple[int, int], told: bool) -> None:
    """Neither few rows nor a small difference is told."""
    assert (share_drift(before, now) is not None) == told


def test_page_shows_nobody_and_fetches_nothing(figures: Figures) -> None:
    """No id, name or file name of a person; texts of the data are texts; no address is asked."""
    made = page(figures, "mart.duckdb")
    assert PERSON not in made
    assert HOSTILE not in made
    assert "&lt;script&gt;" in made
    tree = html.fromstring(made)
    assert not tree.xpath("//script | //link[not(starts-with(@href, 'data:'))] | //img | //iframe | //form")
    assert all(address.startswith("#") for address in tree.xpath("//a/@href"))
    assert not re.search(r"@import|url\(", made)
    sections = set(tree.xpath("//section/@id"))
    assert {address[1:] for address in tree.xpath("//nav/a/@href")} == sections
    assert "8867-4" in tree.xpath("string(//section[@id='results'])")
    assert "encounter_id" in tree.xpath("string(//section[@id='drift'])")


def test_results_of_few_rows_are_not_told() -> None:
    """Values of less than ten rows stay out, and so do medians of less than ten rows of a unit."""
    part = "code VARCHAR, code_system VARCHAR, code_display VARCHAR, value_number DOUBLE, value_unit VARCHAR, "
    part += "harmonized_value DOUBLE, harmonized_unit VARCHAR, unit_status VARCHAR"
    with duckdb.connect() as connection:
        connection.execute(
            f"CREATE TABLE observation (source VARCHAR, load_id VARCHAR, patient_id VARCHAR, {part}, "
            f"components STRUCT({part})[])"
        )
        for code, unit, rows in (("few", "mg", 9), ("enough", "mg", 10), ("enough", "g", 9)):
            connection.execute(
                "INSERT INTO observation SELECT 's', 'l', 'p', $code, NULL, NULL, i, $unit, i, 'mg', 'ucum', NULL "
                "FROM range($rows) t(i)",
                {"code": code, "unit": unit, "rows": rows},
            )
        (told,), in_all = results(connection)
    assert (told.code, told.rows, in_all) == ("enough", 19, 1)
    assert [(unit.unit, unit.median is not None) for unit in told.sent] == [("mg", True), ("g", False)]


def test_command(clinmart: Callable[..., Outcome], mart: Path, tmp_path: Path) -> None:
    """The page is written for its owner alone, and again over itself; what is wrong is one line."""
    out = tmp_path / "r.html"
    for _ in range(2):
        found = clinmart("report", "--mart", mart, "--out", out, "--json").json
        assert (found["page"], found["rows"]) == (str(out), 132)
        assert out.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [out]
    assert clinmart("report", "--mart", tmp_path / "none").code == 2
    lost = clinmart("report", "--mart", mart, "--out", tmp_path / "no" / "r.html")
    assert lost.code == 5
    assert lost.err.count("\n") == 1


def test_empty_mart(tmp_path: Path) -> None:
    """A mart without rows has a page too."""
    at = tmp_path / "m.duckdb"
    Mart(at).prepare(all_tables())
    with Mart(at).connect(read_only=True) as connection:
        made = page(collect(connection, all_tables(), datetime.now(UTC)), "m.duckdb")
    assert "Nothing was loaded yet" in made
