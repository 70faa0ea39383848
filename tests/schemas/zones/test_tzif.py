"""TZif files (RFC 8536)."""

from __future__ import annotations

import importlib.resources

import pytest

from schemas.zones.tzif import parse_tzif


def _file(name: str) -> bytes:
    return importlib.resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()


def test_a_zone() -> None:
    """Berlin: local mean time first, then the transitions in order, at last the rule of today."""
    found = parse_tzif(_file("Europe/Berlin"))
    assert found.first == 53 * 60 + 28
    assert found.transitions[0] == (-2422054408, 3600)
    assert [moment for moment, _ in found.transitions] == sorted(moment for moment, _ in found.transitions)
    assert found.footer == "CET-1CEST,M3.5.0,M10.5.0/3"


def test_a_fixed_offset() -> None:
    """No transitions at all."""
    found = parse_tzif(_file("Etc/GMT-5"))
    assert (found.first, found.transitions, found.footer) == (5 * 3600, (), "<+05>-5")


def test_what_is_no_file_of_a_zone() -> None:
    """Other bytes, and version 1, which has no rule for later times."""
    berlin = _file("Europe/Berlin")
    for data in (b"GIF8" + berlin[4:], berlin[:4] + b"\0" + berlin[5:]):
        with pytest.raises(ValueError, match="no TZif file of version 2"):
            parse_tzif(data)
