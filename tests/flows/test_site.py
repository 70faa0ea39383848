"""The documentation as pages: all links hold, and nothing is fetched from elsewhere when they are read."""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.commands.build import build
from mkdocs.config import load_config

ROOT = Path(__file__).parents[2]


def test_pages_fetch_nothing(tmp_path: Path) -> None:
    """Scripts, styles, pictures and fonts are files of the site; every page of the folder is in the navigation."""
    config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(tmp_path / "site"), strict=True)
    told = set(re.findall(r"[a-z0-9_-]+\.md", (ROOT / "mkdocs.yml").read_text()))
    assert told == {page.name for page in (ROOT / "docs").glob("*.md")}
    build(config)
    pages = list((tmp_path / "site").glob("*.html"))
    assert len(pages) > len(told)
    for page in pages:
        text = page.read_text()
        fetched = re.findall(r'<(?:script|img|iframe|source)[^>]+src="([^"]+)"|<link[^>]+href="([^"]+)"', text)
        assert not [one for pair in fetched for one in pair if one.startswith(("http", "//"))], page.name
    styles = "".join(style.read_text() for style in (tmp_path / "site").rglob("*.css"))
    assert not re.search(r"(?:url\(|@import )['\"]?(?:https?:)?//", styles)
