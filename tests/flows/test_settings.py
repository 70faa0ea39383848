"""Settings refuse what makes no sense, and are the only reader of the environment."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

import flows
import schemas
import sources
import stores
import transforms
from flows.settings import LoadSettings, environment, new_load_id
from schemas.errors import UsageError
from transforms.sample import Sampling


@pytest.mark.parametrize("source", ["", "a\nb", "a\tb"])
def test_source_names(source: str) -> None:
    """A source needs a name that fits on one line."""
    with pytest.raises(UsageError, match="--source"):
        LoadSettings(Path("m"), source)


def test_numbers() -> None:
    """Jobs are one or more, the sample is a share."""
    for jobs in (0, -1):
        with pytest.raises(UsageError, match="--jobs"):
            LoadSettings(Path("m"), "s", jobs=jobs)
    for rate in (-0.1, 1.1, float("nan")):
        with pytest.raises(UsageError, match="--sample"):
            LoadSettings(Path("m"), "s", sampling=Sampling(rate))


def test_zones() -> None:
    """A zone is one of the IANA database, and the nearest is told of what is none."""
    assert LoadSettings(Path("m"), "s", zone="America/New_York").zone == "America/New_York"
    for zone in ("", "EDT", "+02:00"):
        with pytest.raises(UsageError, match=r"^--zone: there is no time zone"):
            LoadSettings(Path("m"), "s", zone=zone)
    with pytest.raises(UsageError, match=r"did you mean America/New_York\?"):
        LoadSettings(Path("m"), "s", zone="america/new york")


def test_workers() -> None:
    """One thread per processor unless told."""
    assert LoadSettings(Path("m"), "my source").workers >= 1
    assert LoadSettings(Path("m"), "s", jobs=7).workers == 7


def test_load_ids_sort_by_time() -> None:
    """Load ids begin with their time and never come twice."""
    early, late = datetime(2024, 1, 31, 23, 59, 59, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC)
    assert re.fullmatch(r"20240131T235959-[0-9a-f]{8}", new_load_id(early))
    assert new_load_id(early) < new_load_id(late)
    assert len({new_load_id(early) for _ in range(100)}) == 100


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables carry the prefix; the default serves where there is none."""
    monkeypatch.setenv("CLINMART_X", "told")
    assert environment("X", "default") == "told"
    assert environment("Y", "default") == "default"


def test_only_settings_reads_the_environment() -> None:
    """No other module of ours looks at environment variables."""
    rooms = [Path(str(room.__file__)).parent for room in (schemas, sources, transforms, stores, flows)]
    files = [path for room in rooms for path in room.rglob("*.py")]
    assert len(files) > 50
    readers = [path for path in files if re.search(r"os\.environ|getenv", path.read_text())]
    assert readers == [rooms[-1] / "settings.py"]
