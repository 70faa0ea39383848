"""The documentation of extracts: its worked mappings are those of the project, and it names what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from schemas.reasons import Reason
from sources.mapping import parse_mapping
from sources.mapping.expressions import _KEYS
from sources.mapping.read import _ENTRY

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "extracts.md").read_text()
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("file", sorted((ROOT / "data" / "mappings").glob("*.yaml")), ids=lambda path: path.name)
def test_worked_mappings_are_shown_as_they_are(file: Path) -> None:
    """Whole, to the letter."""
    assert file.read_text() in BLOCKS


@pytest.mark.parametrize("block", BLOCKS)
def test_mappings_that_are_shown_are_right(block: str) -> None:
    """Each can be read."""
    assert parse_mapping(block.encode(), "docs").entries


def test_all_keys_and_reasons_are_told() -> None:
    """Every key of an entry and of a value, and every reason that only extracts have."""
    for key in (*_ENTRY, *_KEYS):
        assert f"`{key}" in TEXT or f"{{{key}:" in TEXT or f", {key}:" in TEXT or f"    {key}:" in TEXT, key
    for reason in (Reason.RAGGED_LINE, Reason.MALFORMED_RECORD, Reason.WRONG_ENCODING, Reason.MISSING_KEY,
                   Reason.NOT_A_NUMBER, Reason.DATE_FORMAT, Reason.AMBIGUOUS_DATE, Reason.NOT_IN_LOOKUP):  # fmt: skip
        assert f"`{reason}`" in TEXT
