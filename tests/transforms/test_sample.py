"""The sample: how many rows, which, and what it says of them."""

from __future__ import annotations

import json

import polars as pl

from schemas.fhir_types import UNTOLD
from schemas.reasons import Reason
from schemas.tables import tables_by_type
from tests.transforms.one_chunk import observation, rows, run, written
from transforms.project import projection
from transforms.sample import Sampled, Sampler, Sampling, unread_paths

TABLE = tables_by_type()["Observation"]
SOUND = observation("sound")
# FHIR forbids unknown elements; no column reads this one.
UNSOUND = observation("unsound", zz=1)


def look(ids: list[str], plan: Sampling) -> Sampled:
    """The sample of sound rows with these ids."""
    lines = [written(observation(ident)) for ident in ids]
    return Sampler(plan).look(pl.Series(ids), lambda row: lines[row], "Observation", TABLE)


def test_no_sample() -> None:
    """Rate 0 looks at nothing."""
    found = look(["a", "b"], Sampling(0))
    assert (found.rows, found.invalid, found.unread) == (0, {}, {})
    result = run([written(UNSOUND)])
    assert (len(rows(result)), result.findings, result.unread) == (1, [], {})


def test_every_row_and_its_verdict_counts() -> None:
    """Rate 1 looks at all, whatever time it takes, and refuses what `fhir.resources` refuses."""
    result = run([written(SOUND), written(UNSOUND)], Sampling(1.0, share=0.0))
    assert [(bad.resource_id, bad.code, bad.line) for bad in result.rejections] == [
        ("unsound", Reason.SAMPLE_INVALID, 2)
    ]
    assert [row["id"] for row in rows(result)] == ["sound"]
    assert (result.sampled, result.findings) == ({"Observation": 2}, [])
    assert result.counts["Observation"].quarantined == 1


def test_a_part_only_notes() -> None:
    """Below rate 1 a finding is a note and the row stays."""
    lines = [written(UNSOUND | {"id": f"o{i}"}) for i in range(50)]
    result = run(lines, Sampling(0.999, share=1e9))
    assert result.rejections == []
    assert len(rows(result)) == 50
    (found,) = result.findings
    assert found.height == result.sampled["Observation"] >= 45
    finding = found.row(0, named=True)
    assert (finding["resource_type"], finding["finding"], finding["path"]) == ("Observation", "sample", UNTOLD)
    assert finding["code"] == "extra_forbidden"
    assert finding["message"] == "fhir.resources does not take it: extra_forbidden."


def test_the_choice_is_of_the_row() -> None:
    """The same ids are chosen however a file is cut, and about as many as asked."""
    ids = [f"id-{i}" for i in range(400)]
    plan = Sampling(0.1, share=1e9)
    whole = look(ids, plan)
    assert 15 <= whole.rows <= 80
    assert whole.rows == look(ids, plan).rows == look(ids[::-1], plan).rows
    assert whole.rows == sum(look(ids[i : i + 37], plan).rows for i in range(0, len(ids), 37))


def test_no_time_no_rows() -> None:
    """A sample that has used its share of the time ends."""
    lines = [written(SOUND)] * 3
    sampler = Sampler(Sampling(0.9999, share=0.0))
    found = sampler.look(pl.Series(["a", "b", "c"]), lambda row: lines[row], "Observation", TABLE)
    assert found.rows == 0


def test_unread_paths_are_counted() -> None:
    """Each once a row, also where it repeats; names that FHIR does not have are not told."""
    odd = observation("a", zz=1, category=[{"zy": 1, "text": "a"}, {"zy": 2, "text": "b"}], meta={"source": "x"})
    result = run([written(odd), written(odd | {"id": "b"}), written(SOUND)], Sampling(0.99999, share=1e9))
    paths = (UNTOLD, f"category.{UNTOLD}")
    assert [result.unread.get(("Observation", path)) for path in paths] == [2, 2]
    assert not [path for _, path in result.unread if "z" in path.replace(UNTOLD, "")]


def test_what_is_read_is_not_unread() -> None:
    """Columns, lists, choices and what is kept as JSON leave nothing over."""
    full = SOUND | {
        "extension": [{"url": "u", "valueString": "x"}],
        "component": [{"code": {"text": "c"}, "valueInteger": 1}],
    }
    shape = projection(TABLE).shape
    assert list(unread_paths(full, shape)) == []
    assert "valueQuantity.id" in unread_paths(json.loads('{"valueQuantity":{"id":"1","value":2}}'), shape)


def test_types_that_the_validator_does_not_know() -> None:
    """R4B dropped some types of R4: nothing is said of them."""
    result = run([b'{"resourceType":"EffectEvidenceSynthesis","id":"e"}'], Sampling(1.0))
    assert (result.rejections, len(rows(result, "resource"))) == ([], 1)
