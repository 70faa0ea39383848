"""The sample data in ``data/`` is what its README says, and is made by the code in its README."""

from __future__ import annotations

import csv
import gzip
import re
from pathlib import Path

import pytest

_DATA = Path(__file__).resolve().parents[3] / "data"


def _contents(folder: Path) -> dict[str, bytes]:
    """The bytes inside each file: zlib's versions compress the same bytes differently."""
    return {
        path.name: gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for path in folder.iterdir()
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder ``data`` as the README's code makes it elsewhere."""
    found = re.search(r"```python\n(.*?)```", (_DATA / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    root = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        exec(compile(found[1], "data/README.md", "exec"), {})
    return root / "data"


@pytest.mark.parametrize("folder", ["sample", "faulty"])
def test_the_readme_makes_the_same_bytes(made: Path, folder: str) -> None:
    """Running the README's code gives, file by file, what is kept in the project."""
    assert _contents(made / folder) == _contents(_DATA / folder)


def test_the_readme_counts_right() -> None:
    """The numbers of lines, types and faults in the README are those of the files."""
    text = (_DATA / "README.md").read_text(encoding="utf-8")
    sample = {name: data for name, data in _contents(_DATA / "sample").items() if ".ndjson" in name}
    lines = sum(data.count(b"\n") for data in sample.values())
    assert f"12 patients: {len(sample)} resource types, {lines:,} lines" in text
    spoiled = list(csv.DictReader((_DATA / "faulty" / "faults.csv").read_text().splitlines()))
    faulty = sum(data.count(b"\n") for name, data in _contents(_DATA / "faulty").items() if ".ndjson" in name)
    assert f"3 patients, {faulty} lines, of which {len(spoiled)} are spoiled" in text
    assert len({row["fault"] for row in spoiled}) == 29


def test_the_sample_is_small() -> None:
    """All of ``data`` is under two megabytes."""
    assert sum(path.stat().st_size for path in _DATA.rglob("*") if path.is_file()) < 2_000_000
