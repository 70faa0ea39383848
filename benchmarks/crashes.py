"""Loads that die: a process with everything imported forks a loader, and strace injects a signal or an error into it.

A fork instead of a start saves the imports, which are most of a small load's time. It is the same program from
``flows.cli.main.main`` on. The process that forks must never have used Polars or DuckDB, whose threads a fork loses;
whatever uses them runs in a fork of its own.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

_PR_SET_PTRACER, _ANYONE = 0x59616D61, ctypes.c_ulong(-1)  # prctl(2): with Yama only a parent may trace, strace is none
_UNIT_BYTES = 6_000  # so that a small load has several commits
_FIXED = "load"  # the name of a load that is traced, so that its staged files can be named to strace
CALLS = ("fdatasync", "fsync", "write", "pwrite64", "unlink", "rename")


@dataclass(frozen=True)
class Ended:
    """How a loader ended: ``code`` is its exit code, or minus the signal that killed it."""

    code: int
    said: str  # on stderr


def ready() -> None:
    """Import what a load imports."""
    for name in ("flows.cli.main", "flows.runner", "flows.drain", "flows.cli.progress", "sources.files", "polars"):
        importlib.import_module(name)


def forked(
    act: Callable[[], int],
    trace: Callable[[int], subprocess.Popen[str]] | None = None,
    seconds: float | None = None,
) -> Ended:
    """Run ``act`` in a fork, once ``trace`` has attached itself to it; kill -9 after so many seconds."""
    go_read, go_write = os.pipe()
    with tempfile.TemporaryFile("w+") as said:
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            os.close(go_write)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(said.fileno(), 2)
            ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANYONE)
            os.read(go_read, 1)
            code = 70
            try:
                code = act()
            finally:
                sys.stderr.flush()
                os._exit(code)
        os.close(go_read)
        tracer = trace(child) if trace else None
        os.close(go_write)
        if seconds is not None:
            time.sleep(seconds)
            os.kill(child, signal.SIGKILL)  # the process is there until it is waited for
        _, status = os.waitpid(child, 0)
        if tracer is not None:
            tracer.communicate()
        said.seek(0)
        return Ended(os.waitstatus_to_exitcode(status), said.read())


def loader(inputs: Path, mart: Path, *, fixed: bool = False) -> Callable[[], int]:
    """``clinmart load`` with commits of few bytes; the load's name is known beforehand when it is ``fixed``."""

    def act() -> int:
        from flows import session, settings
        from flows.cli.main import main

        settings.LoadSettings = functools.partial(settings.LoadSettings, unit_bytes=_UNIT_BYTES)  # type: ignore
        if fixed:
            session.new_load_id = lambda _now: _FIXED
        sys.argv = ["clinmart", "load", str(inputs), "--mart", str(mart), "--source", "s", "--sample", "0", "--json"]
        try:
            main()
        except SystemExit as left:
            return left.code if isinstance(left.code, int) else 0
        return 0

    return act


def synth(folder: Path, options: Sequence[str]) -> None:
    """Write an input with the project's own `clinmart synth`."""

    def act() -> int:
        from flows.cli.main import main

        sys.argv = ["clinmart", "synth", str(folder), *options]
        try:
            main()
        except SystemExit as left:
            return left.code if isinstance(left.code, int) else 0
        return 0

    if (ended := forked(act)).code:
        raise SystemExit(f"torture: {ended.said}")


def strace(
    log: Path, paths: Sequence[Path], calls: Sequence[str], inject: str | None
) -> Callable[[int], subprocess.Popen[str]]:
    """Attaches strace to a process and its threads, for calls that concern these paths."""

    def attach(process: int) -> subprocess.Popen[str]:
        command = ["strace", "-f", "-y", "-o", str(log), "-e", f"trace={','.join(calls)}"]
        command += [part for path in paths for part in ("-P", str(path))]
        command += ["-e", f"inject={calls[0]}:{inject}"] if inject else []
        tracer = subprocess.Popen([*command, "-p", str(process)], stderr=subprocess.PIPE, text=True)
        assert tracer.stderr is not None
        while "attached" not in (line := tracer.stderr.readline()):
            if not line or "denied" in line or "not permitted" in line:
                raise PermissionError(f"strace cannot attach: {line.strip()}")
        return tracer

    return attach


def differences(mart: Path, expected: Path) -> tuple[int, int]:
    """Rows of the expected tables that the mart lacks, and rows that it has beyond them."""

    def act() -> int:
        wanted, found = (Counter(map(tuple, json.loads(path.read_text()))) for path in (expected, _dumped(mart)))
        print((wanted - found).total(), (found - wanted).total(), file=sys.stderr)
        return 0

    lost, more = forked(act).said.split()[-2:]
    return int(lost), int(more)


def expect(mart: Path, expected: Path) -> None:
    """Write down what a mart holds."""
    assert forked(lambda: int(_dumped(mart).replace(expected) is None)).code == 0


def _dumped(mart: Path) -> Path:
    """Every row of main, history and quarantine, without what names a load or its time, as (table, text)."""
    rows: list[tuple[str, str]] = []
    with duckdb.connect(str(mart), read_only=True, config={"threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        names = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema IN ('main', 'history') "
            "OR table_name = 'quarantine'"
        ).fetchall()
        kept = "COLUMNS(lambda c: c NOT IN ('load_id', 'superseded_by', 'quarantined_at'))"
        for schema, table in names:
            found = connection.execute(f'SELECT {kept} FROM {schema}."{table}"').fetchall()
            rows += [(f"{schema}.{table}", repr(row)) for row in found]
    dump = mart.with_name("dump.json")
    dump.write_text(json.dumps(rows))
    return dump
