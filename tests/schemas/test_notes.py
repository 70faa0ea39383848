"""The codes of notes are documented."""

from __future__ import annotations

from pathlib import Path

from schemas.notes import Note

PAGES = Path(__file__).parents[2] / "docs"


def test_every_code_is_in_the_documentation() -> None:
    """With its meaning, word for word."""
    told = "".join(page.read_text(encoding="utf-8") for page in PAGES.glob("*.md"))
    assert [note for note in Note if f"| `{note}` | {note.meaning} |" not in told] == []
