"""Any permutation, repetition and cutting of the same versions ends in the same mart: the fold over K says which."""

from __future__ import annotations

import hashlib
import json
import tempfile
from datetime import datetime
from pathlib import Path

import duckdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.runner import run_load
from flows.settings import LoadSettings
from sources.memory import MemorySource
from sources.source import ReadLimits
from tests.property.histories import IDS, MOMENTS, VERSION_IDS
from tests.stores.desk import Row, Version, at, fold
from transforms.sample import Sampling


# End to end, versions are lines of JSON and hashes are those of the lines.
def _line(kind: str, identity: str, version: str | None, moment: int | None, body: str, turned: bool) -> bytes:
    meta: dict[str, str] = {}
    if version is not None:
        meta["versionId"] = version
    if moment is not None:
        meta["lastUpdated"] = at(moment).isoformat()
    resource: dict[str, object] = {"resourceType": kind, "id": identity}
    if meta:
        resource["meta"] = meta
    resource["code"] = {"text": body}
    return json.dumps(dict(reversed(resource.items())) if turned else resource).encode()


LINES = st.builds(
    _line,
    st.sampled_from(["Medication", "Basic"]),
    IDS,
    VERSION_IDS,
    st.one_of(st.none(), MOMENTS),
    st.sampled_from("xy"),
    st.booleans(),
)


def _delete_line(kind: str, identity: str, moment: int | None) -> bytes:
    entry = {"request": {"method": "DELETE", "url": f"{kind}/{identity}"}}
    meta = {} if moment is None else {"meta": {"lastUpdated": at(moment).isoformat()}}
    return json.dumps({"resourceType": "Bundle", "type": "batch", **meta, "entry": [entry]}).encode()


DELETES = st.builds(_delete_line, st.sampled_from(["Medication", "Basic"]), IDS, st.one_of(st.none(), MOMENTS))
BAD = st.sampled_from([b"{", b'{"resourceType":"Medication"}', b"null"])
FILES = st.lists(
    st.tuples(MOMENTS, st.lists(st.one_of(LINES, LINES, LINES, DELETES, BAD), min_size=1)), min_size=1, max_size=4
)


@given(FILES, st.data())
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_loads_converge(files: list[tuple[int, list[bytes]]], data: st.DataObject) -> None:
    """Files loaded in any order, some twice, in chunks of any size end in the fold over their lines."""
    arrived = [("s", v) for seen, lines in files for line in lines if (v := _version(line, at(seen))) is not None]
    expected = fold(arrived)
    order = data.draw(st.permutations(files + data.draw(st.lists(st.sampled_from(files), max_size=1))))
    limits = ReadLimits(chunk_bytes=data.draw(st.integers(1, 300)))
    with tempfile.TemporaryDirectory() as folder:
        mart = Path(folder) / "mart.duckdb"
        for seen, lines in order:
            source = MemorySource({"lines.ndjson": b"\n".join(lines)}, limits)
            report = run_load(source, LoadSettings(mart, "s", as_of=at(seen), sampling=Sampling(0), jobs=2))
            assert all(c.balanced() for c in report.resources.values())
            assert report.total().read == len(lines)
            assert report.total().quarantined == sum(_version(line, at(0)) is None for line in lines)
        assert _stored(mart, "main") == expected.main
        assert _stored(mart, "history") == expected.history


def _version(line: bytes, seen: datetime) -> _Sent | None:
    try:
        resource = json.loads(line)
    except ValueError:
        return None
    if not isinstance(resource, dict) or not resource.keys() & {"id", "entry"}:
        return None
    meta = resource.get("meta", {})
    time = datetime.fromisoformat(meta["lastUpdated"]) if "lastUpdated" in meta else seen
    if "entry" in resource:
        kind, identity = resource["entry"][0]["request"]["url"].split("/")
        return _Sent(identity, line.decode(), None, time, type=kind, deleted=True)
    return _Sent(
        *(resource["id"], line.decode(), meta.get("versionId"), time),
        type=resource["resourceType"],
        timeless="lastUpdated" not in meta,
    )


class _Sent(Version):
    """A version whose hash is that of the line as sent."""

    @property
    def content_hash(self) -> bytes:
        """SHA-256 of the line."""
        return hashlib.sha256(self.body.encode()).digest()

    @property
    def look(self) -> str:
        """The JSON, whatever the order of its keys."""
        return json.dumps(json.loads(self.body), sort_keys=True)


def _stored(mart: Path, schema: str) -> set[Row]:
    rest = "id, version_id, last_updated, last_updated_nanos, content_hash"
    with duckdb.connect(str(mart), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        rows = connection.execute(
            f"SELECT source, 'Medication', {rest} FROM {schema}.medication "
            f"UNION ALL SELECT source, type, {rest} FROM {schema}.resource"
        ).fetchall()
    assert len(rows) == len(set(rows))
    return set(rows)
