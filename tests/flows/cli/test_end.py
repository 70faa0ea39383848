"""How the process of a command ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_COMMAND = [sys.executable, "-m", "flows.cli.main"]


def test_the_exit_code_and_all_that_was_said_leave_the_process() -> None:
    """Though it ends at once: what is in the buffers is written, to a pipe too."""
    ran = subprocess.run([*_COMMAND, "view", "show", "observation"], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.endswith("}\n") and len(ran.stdout) > 10_000
    ran = subprocess.run([*_COMMAND, "view", "show", "nothing"], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("clinmart: no built-in table")


def test_what_is_held_back_is_written() -> None:
    """What nobody flushed, too: the process does not do it any more."""
    script = "import sys; from flows.cli.main import main; sys.stdout.write('held back'); "
    script += "sys.argv = ['clinmart', 'view', 'show', 'nothing']; main()"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, "held back")


def test_what_is_to_be_done_at_the_end_is_done_before(tmp_path: Path) -> None:
    """Threads that work are waited for."""
    told = tmp_path / "told"
    script = f"""
import sys, threading
from pathlib import Path
from flows.cli.main import main
def late():
    threading.main_thread().join()
    Path({str(told)!r}).write_text("waited for")
threading.Thread(target=late).start()
sys.argv = ["clinmart", "view", "show", "nothing"]
main()
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert told.read_text() == "waited for"


def test_a_process_of_somebody_else_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Called by another program the command leaves it as it is."""
    from flows.cli.main import main

    registered: list[object] = []
    monkeypatch.setattr("atexit.register", lambda *given: registered.append(given))
    monkeypatch.setattr(sys, "argv", ["clinmart", "view", "show", "nothing"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert registered == []
