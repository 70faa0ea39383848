"""Names of zones: what is one, and what is said of what is none."""

from __future__ import annotations

import pytest

from schemas.errors import UsageError
from schemas.zones import known_zone


@pytest.mark.parametrize("name", ["Europe/Berlin", "UTC", "America/Argentina/Ushuaia", "Etc/GMT+5", "US/Eastern"])
def test_names_of_the_database(name: str) -> None:
    """They are returned as they are, links and fixed offsets too."""
    assert known_zone(name) == name


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("europe/berlin", "Europe/Berlin"),
        ("Europe/Berln", "Europe/Berlin"),
        ("berlin", "Europe/Berlin"),
        ("America/New York", "America/New_York"),
    ],
)
def test_a_near_name_is_told(name: str, near: str) -> None:
    """Case, spelling, a city alone."""
    with pytest.raises(UsageError, match=rf"^there is no time zone '{name}' \(did you mean {near}\?\): give a name"):
        known_zone(name)


@pytest.mark.parametrize("name", ["", "xyzzy", "../../../etc/passwd", "+02:00"])
def test_other_names(name: str) -> None:
    """Nothing is opened for them, and nothing is guessed."""
    with pytest.raises(UsageError, match=r"^there is no time zone"):
        known_zone(name)
