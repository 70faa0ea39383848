"""docs/compliance.md: every test that it names is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "compliance.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", PAGE)))
LINKED = sorted(set(re.findall(r"\]\(([\w-]+\.md)(?:#[\w-]+)?\)", PAGE)))


@pytest.mark.parametrize("named", NAMED)
def test_named_tests_exist(named: str) -> None:
    """The file, and the function in it."""
    file, _, function = named.partition("::")
    path = ROOT / file
    assert path.is_file(), file
    if function:
        there = {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}
        assert function in there, named


@pytest.mark.parametrize("page", LINKED)
def test_linked_pages_exist(page: str) -> None:
    """Each document that it points to."""
    assert (ROOT / "docs" / page).is_file()


def test_every_row_has_a_test() -> None:
    """A control without one is a claim."""
    rows = [
        line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith(("| ---", "| requirement"))
    ]
    assert len(rows) > 20
    assert [row for row in rows if "`tests/" not in row] == []
