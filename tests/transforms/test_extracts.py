"""All steps of extracts at once: every record is accounted for, and what the options say is done."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import polars as pl
import pytest

from schemas.lateness import Lateness, LatePolicy
from schemas.mapping import Dialect
from schemas.mapping.separated import BLANK, separate
from schemas.records import Chunk, ChunkKind
from schemas.tables import tables_by_type
from sources.mapping import parse_mapping
from transforms.decode.extract.fields import FieldReader
from transforms.decode.fhir import Decoder
from transforms.extracts import transform_extracts
from transforms.options import ExtractOptions
from transforms.partition import Tools
from transforms.result import ChunkResult

MAPPING = parse_mapping(
    b"""
files:
  - file: a.csv
    table: observation
    keys: [K, L]
    last_updated: U
    columns: {patient_id: P, value: V, status: {column: S, lookup: {F: final}}}
  - file: a.csv
    table: patient
    id: P
    columns: {birth: B}
""",
    "m.yaml",
)
NAMES = ("K", "L", "P", "V", "S", "U", "B")
AS_OF = datetime(2024, 1, 1, tzinfo=UTC)


def run(*data: bytes, lateness: Lateness | None = None, options: ExtractOptions | None = None) -> ChunkResult:
    chunks = [Chunk("/x/a.csv", 0, 2, one, ChunkKind.EXTRACT, names=NAMES, dialect=Dialect()) for one in data]
    tools = Tools(Decoder(tables_by_type()), lateness=lateness or Lateness())
    return transform_extracts(chunks, tools, FieldReader(), AS_OF, options or ExtractOptions(MAPPING))


def test_every_record_is_counted_once() -> None:
    """Whatever is wrong with it, by whichever entry; in the quarantine it stands once."""
    draw = random.Random(4)
    values = {
        "K": ["k", "k", "k", ""],
        "L": ["1", "2", '"a\nb"', '"q""q"'],
        "P": ["p", "p", "p!"],
        "V": ["1", "<2", "x", "1,5".join('""'), "7"],
        "S": ["F", "F", "F", "X"],
        "U": ["2024-01-01T00:00:00Z", "", "yesterday"],
        "B": ["1980", "80", ""],
    }
    lines = []
    for _ in range(400):
        line = ",".join(draw.choice(values[name]) for name in NAMES)
        lines.append(draw.choice([line] * 12 + [line + ",", line.rpartition(",")[0], "", line.replace("k", "\xff")]))
    data = "\n".join(lines).encode("latin-1")
    records = int((separate(data, Dialect(), final=True).fields != BLANK).sum())
    result = run(data)
    (inputs,) = result.inputs
    assert inputs["Record"].read == records == inputs["Record"].applied + inputs["Record"].quarantined
    places = {(rejection.line, rejection.payload) for rejection in result.rejections}
    assert len(places) == len(result.rejections) == inputs["Record"].quarantined > 100
    counts = result.counts
    good = inputs["Record"].applied
    assert counts["Observation"].read - counts["Observation"].quarantined == good > 20
    assert counts["Patient"].read - counts["Patient"].quarantined == good
    assert {name: frame.height for name, frame in result.rows} == {"observation": good, "patient": good}
    for rejection in result.rejections:
        assert rejection.payload.decode("latin-1") + "\n" in data.decode("latin-1") + "\n"


def test_rows_do_not_depend_on_their_neighbours() -> None:
    """Each record gives the same rows, with the same hash, alone and among others."""
    lines = [
        b"k,%d,p%d,%s,F,2024-01-0%dT00:00:00Z,1980" % (n, n, (b"x", b"1.50", b"<3")[n % 3], n + 1) for n in range(6)
    ]
    together = run(b"\n".join(lines) + b"\n")
    alone = [run(line + b"\n") for line in lines]
    for at, name in enumerate(("observation", "patient")):
        whole = together.rows[at][1]
        parts = pl.concat([one.rows[at][1] for one in alone], how="diagonal").select(whole.columns)
        assert together.rows[at][0] == name
        assert whole.equals(parts, null_equal=True)


@pytest.mark.parametrize(
    ("policy", "quarantined", "suppressed", "landed"),
    [(LatePolicy.MERGE, 0, 0, 2), (LatePolicy.QUARANTINE, 1, 0, 1), (LatePolicy.DISCARD, 0, 1, 1)],
)
def test_late_rows(policy: LatePolicy, quarantined: int, suppressed: int, landed: int) -> None:
    """By the time of change that the mapping names."""
    lateness = Lateness(policy, {"Observation": datetime(2024, 1, 2, tzinfo=UTC)})
    data = b"k,1,p,1,F,2024-01-01T00:00:00Z,\nk,2,p,1,F,2024-01-03T00:00:00Z,\n"
    result = run(data, lateness=lateness)
    counts = result.counts["Observation"]
    assert (counts.read, counts.quarantined, counts.suppressed) == (2, quarantined, suppressed)
    assert dict(result.rows)["observation"].height == landed
    assert [str(one.code) for one in result.rejections] == ["late"] * quarantined
    assert result.held[0] == (0 if policy is LatePolicy.MERGE else 1)


def test_a_changed_mapping_makes_newer_rows() -> None:
    """The number of an entry is the version of its rows, from the second on."""
    data = b"k,1,p,1,F,,\n"
    versions = tuple((entry.name, number) for entry, number in zip(MAPPING.entries, (2, 1), strict=True))
    made = dict(run(data, options=ExtractOptions(MAPPING, versions=versions)).rows)
    assert made["observation"]["version_id"].to_list() == ["2"]
    assert made["patient"]["version_id"].to_list() == [None]
    assert made["observation"]["last_updated"].to_list() == [AS_OF]


def test_wall_clocks_order_versions() -> None:
    """A time of change without offset counts as if it were UTC where no zone is known, a date by its first instant."""
    data = b"k,1,p,1,F,2024-01-01 10:00,\nk,2,p,1,F,2024-01-02,\n"
    made = dict(run(data).rows)["observation"]
    assert made["last_updated"].to_list() == [datetime(2024, 1, 1, 10, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC)]
    zoned = dict(run(data, options=ExtractOptions(MAPPING, "America/New_York")).rows)["observation"]
    assert zoned["last_updated"].to_list()[0] == datetime(2024, 1, 1, 15, tzinfo=UTC)


def test_no_value_is_told() -> None:
    """What is refused is said in words, without what stands in the line."""
    secret = b"Canary9"
    data = b"\n".join(
        [b"k,1," + secret + b"!,1,F,,", b"k,1,p,1,F," + secret + b",", b"k,1,p,1," + secret + b",,", secret]
    )
    result = run(data)
    assert len(result.rejections) == 4
    for rejection in result.rejections:
        assert secret.decode() not in rejection.message + str(rejection.column) + str(rejection.check)
