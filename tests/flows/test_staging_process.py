"""The process that stages."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from flows.opening import open_session
from flows.settings import LoadSettings
from flows.staging_process import ProcessDiedError, StagingProcess
from flows.worker import Worker


def test_a_process_that_stages_and_dies_is_begun_anew(tmp_path: Path) -> None:
    """Also when it dies with nothing to do."""
    with open_session(LoadSettings(tmp_path / "m", "s")) as session:
        process = StagingProcess([session.worker])
        try:
            for _ in range(2):
                pid = process.run(_pid)
                os.kill(pid, signal.SIGKILL)
                with pytest.raises(ProcessDiedError):
                    for _ in range(1000):
                        process.run(_pid)
            assert process.run(_pid) not in (pid, os.getpid())
        finally:
            process.close()


def _pid(workers: Sequence[Worker]) -> int:
    assert len(workers) == 1
    return os.getpid()
