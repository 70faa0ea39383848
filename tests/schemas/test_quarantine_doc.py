"""docs/quarantine.md lists every reason, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from schemas.reasons import Reason

DOC = Path(__file__).parents[2] / "docs" / "quarantine.md"


def test_all_reasons_are_listed() -> None:
    """The table of the reasons has each code once."""
    table = DOC.read_text().split("## Reasons")[1].split("\n\n`view_violated`")[0]
    listed = [code for row in table.splitlines() if row.startswith("| ") for code in re.findall(r"`(\w+)`", row)]
    assert sorted(listed) == sorted(Reason)
