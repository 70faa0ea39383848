"""Help is there at once and in plain words."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version

import pytest

from tests.flows.inputs import Outcome

_COMMANDS = [
    "",
    "load",
    "status",
    "publish",
    "synth",
    "quarantine",
    "quarantine list",
    "quarantine show",
    "quarantine replay",
    "refresh",
    "fetch",
]
_HEAVY = ["polars", "duckdb", "prefect", "pandera", "pyarrow", "fhir", "numpy"]
_LOOK = f"""
import json, sys
from flows.cli.main import main
for command in {_COMMANDS!r}:
    sys.argv = ["clinmart", *command.split(), "--help"]
    try:
        main()
    except SystemExit as left:
        assert not left.code, (command, left.code)
    loaded = sorted(set(sys.modules) & set({_HEAVY!r}))
    print(json.dumps([command, loaded]), file=sys.stderr)
"""


def test_help_imports_nothing_heavy() -> None:
    """Printing the help of any command brings in none of the large packages."""
    ran = subprocess.run([sys.executable, "-c", _LOOK], capture_output=True, text=True, check=True)
    assert [json.loads(line) for line in ran.stderr.splitlines()] == [[command, []] for command in _COMMANDS]


@pytest.mark.parametrize("command", _COMMANDS)
def test_help_explains_every_option(clinmart: Callable[..., Outcome], command: str) -> None:
    """Each command says what it does, and each of its options has a text."""
    outcome = clinmart(*command.split(), "--help")
    assert outcome.code == 0
    assert outcome.err == ""
    lines = outcome.out.decode().splitlines()
    assert len([line for line in lines if line.startswith("  ") and line.strip().endswith(".")]) > 0
    for number, line in enumerate(lines):
        if line.startswith("  -"):
            told = line.strip().split("  ", 1)[1:] or [lines[number + 1].strip()]
            assert told[0].strip(), line


def test_version(clinmart: Callable[..., Outcome]) -> None:
    """--version prints the installed version and nothing else."""
    assert clinmart("--version").out.decode() == version("clinmart") + "\n"


def test_no_command_shows_help(clinmart: Callable[..., Outcome]) -> None:
    """Without a command the help is shown and the exit code says that nothing was done."""
    outcome = clinmart()
    assert outcome.code == 2
    assert "load" in outcome.err
    assert "Traceback" not in outcome.err
