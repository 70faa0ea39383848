"""Real data: a whole bulk export and the official examples, against Python's json."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import AsyncIterable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.records import Chunk, ChunkKind, OversizedLine
from sources.bundles import bundle_pieces, survey
from sources.files import FileSource
from sources.source import ReadLimits

pytestmark = pytest.mark.conformance
Drain = Callable[[AsyncIterable[Chunk | OversizedLine]], list[Chunk | OversizedLine]]


def test_an_export_comes_line_for_line(shared: Path, drain: Drain) -> None:
    """Every file that the manifest lists, every line as gzip gives it, with the time of the export."""
    folder = shared / "fhir-export"
    manifest = json.loads((folder / "manifest.json").read_bytes())
    source = FileSource([folder], ReadLimits(chunk_bytes=1 << 20))
    partitions = source.partitions()
    assert sorted(Path(each.uri).name for each in partitions) == sorted(each["url"] for each in manifest["output"])
    counts = {each["url"]: each["count"] for each in manifest["output"]}
    for partition in partitions:
        reading = source.read(partition)
        together = b"".join(item.data for item in drain(reading) if isinstance(item, Chunk))
        assert together == gzip.decompress(Path(partition.uri).read_bytes())
        assert reading.lines == counts[Path(partition.uri).name]
        assert source.as_of(partition) == datetime.fromisoformat(manifest["transactionTime"]).astimezone(UTC)


def test_the_official_bundles_are_cut_as_json_cuts_them(shared: Path) -> None:
    """Each official Bundle, as it is and indented."""
    lines = gzip.decompress((shared / "fhir-r4/examples/Bundle.ndjson.gz").read_bytes()).splitlines()
    seen: Counter[str] = Counter()
    for line in lines:
        bundle = json.loads(line)
        for text in (line, json.dumps(bundle, indent=1).encode()):
            outline = survey([text], "u", ReadLimits())
            items = [item for item, _ in bundle_pieces([text], "u", ReadLimits(), outline)]
            entries = [
                json.loads(each)
                for item in items
                if isinstance(item, Chunk) and item.kind is ChunkKind.ENTRY
                for each in item.data.splitlines()
            ]
            assert entries == bundle.get("entry", [])
            seen[bundle["type"]] += len(entries)
    assert len(lines) > 20
    assert seen.total() > 100
