"""The command line in this process, with its exit code and what it printed."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from flows.cli.main import main
from tests.flows.inputs import Outcome
from tests.flows.listening import ThreadStager


@pytest.fixture
def clinmart(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Runs `clinmart ARGUMENTS...` as its console entry does."""

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["clinmart", *map(str, arguments)])
        capfdbinary.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        sys.stdout.flush()
        said = capfdbinary.readouterr()
        code = left.value.code
        return Outcome(code if isinstance(code, int) else 0, said.out, said.err.decode())

    return run


@pytest.fixture
def staging_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Listeners in this process stage without a process of their own."""
    monkeypatch.setattr("flows.listen_rows.Stager", ThreadStager)
