"""An export on disk: the same bytes always, the size and number asked for, files and manifest in order."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
import tracemalloc
from collections import Counter
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest
import zstandard

from schemas.errors import UsageError
from sources.synth import TYPES, SynthPlan, SynthReport, write_synth

_ROOT = Path(__file__).resolve().parents[3]


def _digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def _ids(path: Path) -> list[str]:
    return [json.loads(line)["id"] for line in path.read_bytes().splitlines()]


def test_another_process_writes_the_same_bytes(tmp_path: Path) -> None:
    """Neither the hash seed nor the place nor the time of day changes a byte."""
    plan = "SynthPlan(patients=4, seed=9, dirty=0.02, versions=0.1)"
    code = "import sys; from pathlib import Path; from sources.synth import SynthPlan, write_synth; "
    code += f"write_synth({plan}, Path(sys.argv[1]))"
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / seed)],
            check=True,
            cwd=_ROOT,
            env=os.environ | {"PYTHONHASHSEED": seed, "TZ": f"UTC{seed}"},
        )
    assert _digests(tmp_path / "1") == _digests(tmp_path / "2")
    assert "faults.csv" in _digests(tmp_path / "1")


def test_another_seed_writes_other_people(tmp_path: Path) -> None:
    """Two seeds share neither ids nor lines."""
    for seed in (1, 2):
        write_synth(SynthPlan(patients=3, seed=seed), tmp_path / str(seed))
    for kind in ("Patient", "Observation", "Organization"):
        name = f"{kind}.000.ndjson"
        assert not set(_ids(tmp_path / "1" / name)) & set(_ids(tmp_path / "2" / name))


def test_a_subset_of_types_has_the_same_bytes(tmp_path: Path, clean: tuple[Path, SynthReport]) -> None:
    """Leaving types out changes nothing in those that are left."""
    kinds = {"Observation", "Claim", "Group", "Location"}
    report = write_synth(SynthPlan(patients=90, seed=3, types=kinds), tmp_path / "some")
    assert set(report.lines) == kinds
    whole = _digests(clean[0])
    for name, digest in _digests(tmp_path / "some").items():
        assert name == "manifest.json" or whole[name] == digest


def test_more_patients_only_add(tmp_path: Path) -> None:
    """The first patients of a larger export are those of a smaller one."""
    for count in (2, 5):
        write_synth(SynthPlan(patients=count, types={"Patient", "Encounter"}), tmp_path / str(count))
    for name in ("Patient.000.ndjson", "Encounter.000.ndjson"):
        small = (tmp_path / "2" / name).read_bytes()
        assert (tmp_path / "5" / name).read_bytes().startswith(small)


@pytest.mark.parametrize(
    ("size", "types"), [(1_000_000, None), (4_000_000, None), (2_000_000, {"Observation"}), (300_000, {"Patient"})]
)
def test_the_size_is_about_what_was_asked(tmp_path: Path, size: int, types: set[str] | None) -> None:
    """An export of a size is within a tenth of it, and the report tells its true bytes."""
    report = write_synth(SynthPlan(size=size, types=types), tmp_path / "export")
    written = sum(path.stat().st_size for path in report.files if path.suffix == ".ndjson")
    assert report.bytes == written
    assert abs(written - size) <= size / 10


def test_half_an_export_is_observations(clean: tuple[Path, SynthReport]) -> None:
    """Observations are about half of the bytes of a mixed export."""
    share = (clean[0] / "Observation.000.ndjson").stat().st_size / clean[1].bytes
    assert 0.4 < share < 0.6


@pytest.mark.parametrize(("count", "patients"), [(1, 1), (5, 9), (1234, 7), (2500, 2)])
def test_the_number_of_observations_is_exact(tmp_path: Path, count: int, patients: int) -> None:
    """So many observations as asked, spread over the patients, wide rows all."""
    plan = SynthPlan(patients=patients, observations=count, types={"Observation"})
    report = write_synth(plan, tmp_path / "export")
    lines = (tmp_path / "export" / "Observation.000.ndjson").read_bytes().splitlines()
    assert report.lines == {"Observation": count} and len(lines) == count
    by_patient = Counter(json.loads(line)["subject"]["reference"] for line in lines)
    assert max(by_patient.values()) - min(by_patient.values()) <= 1
    assert len(by_patient) == min(count, patients)
    assert len(set(_ids(tmp_path / "export" / "Observation.000.ndjson"))) == count
    if count > 1000:
        assert sum(map(len, lines)) / count > 700


def test_files_are_cut_between_lines(tmp_path: Path, clean: tuple[Path, SynthReport]) -> None:
    """With a limit no file is larger than it, and the parts put together are the whole."""
    limit = 400_000
    report = write_synth(SynthPlan(patients=90, seed=3, file_bytes=limit), tmp_path / "parts")
    parts = sorted((tmp_path / "parts").glob("Observation.*"))
    assert len(parts) > 10
    assert all(part.stat().st_size <= limit for part in parts)
    assert b"".join(part.read_bytes() for part in parts) == (clean[0] / "Observation.000.ndjson").read_bytes()
    assert report.lines == clean[1].lines


def test_the_manifest_counts_lines(clean: tuple[Path, SynthReport]) -> None:
    """The manifest names every file with its type and number of lines."""
    folder, report = clean
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert manifest["transactionTime"] == report.transaction_time
    listed = {entry["url"]: entry for entry in manifest["output"]}
    assert set(listed) == {path.name for path in folder.glob("*.ndjson")}
    for name, entry in listed.items():
        assert entry["type"] == name.split(".")[0]
        assert entry["count"] == len((folder / name).read_bytes().splitlines())
    assert set(report.files) == set(folder.iterdir())


@pytest.mark.parametrize("compress", ["gz", "zst"])
def test_compressed_files_hold_the_same(tmp_path: Path, compress: str) -> None:
    """Compression changes the files' names and sizes, not what is in them."""
    plain = write_synth(SynthPlan(patients=2), tmp_path / "plain")
    packed = write_synth(SynthPlan(patients=2, compress=compress), tmp_path / "packed")  # type: ignore[arg-type]
    assert plain.bytes == packed.bytes
    unpack = gzip.decompress if compress == "gz" else _unzstd
    for path in (tmp_path / "plain").glob("*.ndjson"):
        other = tmp_path / "packed" / f"{path.name}.{compress}"
        assert unpack(other.read_bytes()) == path.read_bytes()


def _unzstd(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


def test_later_versions_are_later(tmp_path: Path, clean: tuple[Path, SynthReport]) -> None:
    """A share of the rows comes twice: same id, greater versionId and lastUpdated, other content."""
    report = write_synth(SynthPlan(patients=90, seed=3, versions=0.1), tmp_path / "export")
    once = sum(clean[1].lines.values())
    assert sum(report.lines.values()) == once + report.versions
    assert report.versions == pytest.approx(once / 10, rel=0.1)
    earlier = total = 0
    for path in (tmp_path / "export").glob("*.ndjson"):
        lines = [json.loads(line) for line in path.read_bytes().splitlines()]
        places: dict[str, list[int]] = {}
        for place, line in enumerate(lines):
            places.setdefault(line["id"], []).append(place)
        for twice in (found for found in places.values() if len(found) > 1):
            assert len(twice) == 2
            one, two = sorted((lines[place] for place in twice), key=lambda line: int(line["meta"]["versionId"]))
            assert _seconds(one) < _seconds(two)
            assert {**one, "meta": None} != {**two, "meta": None}
            earlier += lines[twice[0]] is two
            total += 1
    assert total == report.versions
    assert 0.1 < earlier / total < 0.4


def _seconds(resource: dict[str, dict[str, str]]) -> float:
    return datetime.fromisoformat(resource["meta"]["lastUpdated"]).timestamp()


def test_without_meta_only_meta_is_gone(tmp_path: Path) -> None:
    """A server that sends no meta sends everything else, later versions too."""
    write_synth(SynthPlan(patients=3, versions=0.2), tmp_path / "with")
    write_synth(SynthPlan(patients=3, versions=0.2, meta=False), tmp_path / "without")
    for path in (tmp_path / "with").glob("*.ndjson"):
        with_meta = [json.loads(line) for line in path.read_bytes().splitlines()]
        for line in with_meta:
            del line["meta"]
        bare = (tmp_path / "without" / path.name).read_bytes().splitlines()
        assert [json.loads(line) for line in bare] == with_meta
        assert len(set(bare)) == len(bare)  # a later version is another line, even so


def test_progress_tells_all_bytes(tmp_path: Path) -> None:
    """What progress is told adds up to the report's bytes."""
    told: list[int] = []
    report = write_synth(SynthPlan(patients=5), tmp_path / "export", progress=told.append)
    assert sum(told) == report.bytes
    assert len(told) > 5


def test_memory_does_not_grow_with_the_export(tmp_path: Path) -> None:
    """Eight times the patients need no more memory than once: nothing is kept but a region's lists of ids."""
    write_synth(SynthPlan(patients=5), tmp_path / "first")  # fills the caches
    peaks = []
    for count in (20, 160):
        tracemalloc.start()
        write_synth(SynthPlan(patients=count), tmp_path / str(count))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.3


def test_a_region_is_shared_by_500_patients(tmp_path: Path) -> None:
    """The 501st patient brings another hospital and other Groups."""
    report = write_synth(SynthPlan(patients=501, types={"Organization", "Group", "Patient"}), tmp_path / "export")
    assert report.lines == {"Organization": 16, "Patient": 501, "Group": 4}


def test_files_in_the_way_are_refused(tmp_path: Path) -> None:
    """A folder that holds anything is left alone."""
    (tmp_path / "Patient.007.ndjson").write_text("{}\n")
    with pytest.raises(UsageError, match="not an empty folder"):
        write_synth(SynthPlan(patients=1), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["Patient.007.ndjson"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"types": {"Patients"}}, "no such type to make: Patients"),
        ({"types": set()}, "no types"),
        ({"patients": 0}, "patients is 0"),
        ({"dirty": 1.5}, "dirty is 1.5"),
        ({"versions": -0.1}, "versions is -0.1"),
        ({"seed": -1}, "seed is -1"),
        ({"size": 10, "observations": 10}, "exclude each other"),
        ({"compress": "bz2"}, "compress is bz2"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(wrong: dict[str, object], message: str) -> None:
    """The message names what is wrong and what was there."""
    with pytest.raises(UsageError, match=message):
        SynthPlan(**wrong)  # type: ignore[arg-type]  # wrong on purpose


def test_types_are_in_order_and_differ() -> None:
    """The order of the types is part of the bytes: each once, what others refer to first."""
    assert len(set(TYPES)) == len(TYPES)
    order = ("Organization", "Patient", "Encounter", "Observation", "DiagnosticReport", "Group")
    assert all(TYPES.index(one) < TYPES.index(two) for one, two in pairwise(order))


def test_many_observations_make_no_overlapping_visits(tmp_path: Path) -> None:
    """However many observations one patient has, each visit ends before the next begins."""
    plan = SynthPlan(patients=2, observations=40_000, types={"Encounter"})
    write_synth(plan, tmp_path / "export")
    visits: dict[str, list[tuple[datetime, datetime]]] = {}
    for line in (tmp_path / "export" / "Encounter.000.ndjson").read_bytes().splitlines():
        encounter = json.loads(line)
        start, end = (datetime.fromisoformat(encounter["period"][name]) for name in ("start", "end"))
        visits.setdefault(encounter["subject"]["reference"], []).append((start, end))
    assert all(len(spans) > 1000 for spans in visits.values())
    for spans in visits.values():
        assert all(start < end for start, end in spans)
        assert all(one[1] < two[0] for one, two in pairwise(sorted(spans)))
