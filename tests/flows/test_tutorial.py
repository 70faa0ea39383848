"""The tutorial says what happens: every command of it runs, in its order."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flows.inputs import Outcome

ROOT = Path(__file__).parents[2]
COMMANDS = [
    line.partition("#")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "tutorial.md").read_text(), flags=re.S)
    for line in block.splitlines()
]


def test_every_command_runs(clinmart: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder with the project's data; `make demo` is what the Makefile says of it."""
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    demo = re.findall(r"\$\(BIN\)/(clinmart load .*?)(?: \|\| .*)?$", (ROOT / "Makefile").read_text(), flags=re.M)
    (tmp_path / "out" / "demo").mkdir(parents=True)
    said: dict[str, Outcome] = {}
    for command in (*[one.replace("$(DEMO)", "out/demo") for one in demo], *COMMANDS):
        program, *rest = shlex.split(command)
        if program == "make":
            assert command == "make demo"
        elif program.endswith("python"):
            done = subprocess.run([sys.executable, *rest], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
        else:
            said[command] = clinmart(*rest)
            assert said[command].code in (0, 3), (command, said[command].err)
    again = next(
        outcome for command, outcome in said.items() if command.startswith(".venv/bin/clinmart load data/sample")
    )
    assert b"1,523" in again.out
    assert next(one.code for command, one in said.items() if "load out/made" in command) == 3
    assert (tmp_path / "out" / "made.duckdb.html").exists()
