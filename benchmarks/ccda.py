"""One large C-CDA document, made of the entries of real ones, from file to mart: MB/s per CPU-second, and memory.

``python -m benchmarks.ccda [--folder DOCUMENTS] [--megabytes N] [--rounds N]`` prints one table. Every copy of an entry
has ids of its own. ``memory`` is the peak above that of a load of one of the real documents alone. Without real
documents (they are not part of the project) it says so and measures nothing.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

_V3 = "urn:hl7-org:v3"
_HERE = re.compile(rb"<HERE[^>]*/>")
_ID = re.compile(rb"<id\b([^>]*?)/>")
_EXTENSION = re.compile(rb'\s+extension="[^"]*"')


Sections = dict[tuple[bytes, bytes], list[bytes]]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    shared = Path(os.environ.get("CLINMART_SHARED", Path(__file__).parents[2] / "shared"))
    parser.add_argument("--folder", type=Path, default=shared / "data" / "ccda")
    parser.add_argument("--megabytes", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    documents = sorted(given.folder.rglob("*.xml"), key=lambda path: (-path.stat().st_size, path))
    if not documents:
        print(f"no C-CDA documents in {given.folder}: nothing measured")
        return
    with tempfile.TemporaryDirectory() as folder:
        large, small = Path(folder) / "large.xml", Path(folder) / "small.xml"
        head, entries, tail = parts(documents)
        entry_count = write(large, head, entries, tail, given.megabytes * 1_000_000)
        write(small, head, entries, tail, 1)
        runs = [(load(small, Path(folder)), load(large, Path(folder))) for _ in range(given.rounds)]
    size = given.megabytes
    base = min(small[2] for small, _ in runs)
    print(f"{'MB':>6} {'entries':>8} {'wall s':>7} {'CPU s':>7} {'MB/CPU s':>9} {'net MB/CPU s':>13} {'memory MB':>10}")
    for (_, idle, _), (wall, cpu, peak) in runs:
        print(
            f"{size:>6} {entry_count:>8} {wall:>7.1f} {cpu:>7.1f} {size / cpu:>9.1f} {size / (cpu - idle):>13.1f} "
            f"{peak - base:>10.0f}"
        )


def parts(documents: list[Path]) -> tuple[bytes, Sections, bytes]:
    """What comes before the sections of the first document, the entries by what their section has before and behind
    them, and what comes after.
    """
    by_section: Sections = {}
    head = b""
    for path in documents:
        try:
            root = etree.fromstring(path.read_bytes(), etree.XMLParser(resolve_entities=False, no_network=True))
        except etree.XMLSyntaxError:
            continue
        if root.tag != f"{{{_V3}}}ClinicalDocument":
            continue
        for section in root.iter(f"{{{_V3}}}section"):
            entries = [etree.tostring(one, with_tail=False) for one in section.findall(f"{{{_V3}}}entry")]
            for element in section.findall(f"{{{_V3}}}entry") + section.findall(f"{{{_V3}}}component"):
                section.remove(element)
            if entries:
                etree.SubElement(section, "HERE")
                begin, _, end = _HERE.sub(b"\0", etree.tostring(section, with_tail=False)).partition(b"\0")
                by_section[begin, end] = entries
        body = root.find(f"{{{_V3}}}component/{{{_V3}}}structuredBody")
        if not head and body is not None and by_section:
            for child in list(body):
                body.remove(child)
            body.text = "HERE"
            head, _, tail = etree.tostring(root).partition(b"HERE")
    return head, by_section, tail


def write(path: Path, head: bytes, by_section: Sections, tail: bytes, size: int) -> int:
    """Write a document of about so many bytes, each entry as often as the others; how many there are."""
    once = sum(len(entry) for entries in by_section.values() for entry in entries)
    copies, numbers = max(1, size // once), itertools.count()
    with path.open("wb") as file:
        file.write(head)
        for (begin, end), entries in by_section.items():
            file.write(b"<component>" + begin)
            for entry in entries:
                file.writelines(again(entry, numbers, copies))
            file.write(end + b"</component>")
        file.write(tail)
    return next(numbers)


def again(entry: bytes, numbers: Iterator[int], copies: int) -> Iterator[bytes]:
    """Copies of an entry, each with ids of its own."""
    for _ in range(copies):
        own = f' extension="{next(numbers)}"/>'.encode()
        yield _ID.sub(lambda found, own=own: b"<id" + _EXTENSION.sub(b"", found[1]) + own, entry)  # type: ignore[misc]


def load(path: Path, folder: Path) -> tuple[float, float, float]:
    """Wall and CPU seconds of a load by one worker into a new mart, and its peak in MB."""
    mart = folder / "mart.duckdb"
    mart.unlink(missing_ok=True)
    clinmart = [sys.executable, "-c", "from flows.cli.main import main; main()"]
    command = [*clinmart, "load", str(path), "--format", "ccda", "--mart", str(mart), "--source", "bench"]
    began = time.perf_counter()
    pid = os.posix_spawn(sys.executable, [*command, "--jobs", "1", "--json"], os.environ, file_actions=_QUIET)
    _, status, usage = os.wait4(pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 3):
        raise SystemExit("the load failed")
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


_QUIET = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]

if __name__ == "__main__":
    main()
