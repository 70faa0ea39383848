"""``gs://`` and ``az://``: addresses, listing, ranges, changes and writing, each by its own client of obstore."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import NamedTuple

import pytest

import flows.settings
from flows.outputs import written_whole
from schemas.errors import ChangedError, UsageError
from schemas.records import Chunk
from sources.files import FileSource
from tests.objects import azure
from tests.objects.store import Store

pytestmark = pytest.mark.integration
KEYS = ("in/1.ndjson", "in/deep/a b.ndjson", "in/.hidden/2.ndjson")


class Other(NamedTuple):
    """A store of another kind: its scheme, and how its test fills it and looks into it."""

    scheme: str
    put: Callable[[str, bytes], None]
    get: Callable[[str], bytes]


@pytest.fixture(params=["gs", "az"])
def other(request: pytest.FixtureRequest, store: Store, monkeypatch: pytest.MonkeyPatch) -> object:
    """Google's XML interface is nearly that of S3, so that moto answers it; Azure's is a server of our own."""
    if request.param == "gs":
        account = {
            "gcs_base_url": store.url,
            "disable_oauth": True,
            "client_email": "",
            "private_key": "",
            "private_key_id": "",
        }
        monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_KEY", json.dumps(account))
        monkeypatch.setenv("GOOGLE_ALLOW_HTTP", "true")
        yield Other("gs", store.put, store.get)
        return
    with azure.serving() as account_server:
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "c2VjcmV0")
        monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", account_server.url)
        monkeypatch.setenv("AZURE_ALLOW_HTTP", "true")
        yield Other("az", account_server.blobs.__setitem__, account_server.blobs.__getitem__)


def _read(source: FileSource) -> list[bytes]:
    async def all_of_it() -> list[bytes]:
        found = []
        for partition in source.partitions():
            found += [item.data async for item in source.read(partition) if isinstance(item, Chunk)]
        return found

    return asyncio.run(all_of_it())


def test_reading_and_writing(other: Other) -> None:
    """A prefix, a pattern, an object; what is missing; what changes; and an object of several parts."""
    for key in KEYS:
        other.put(key, f'{{"k":"{key}"}}\n'.encode())

    def source(key: str) -> FileSource:
        return FileSource([f"{other.scheme}://clinic/{key}"], objects=flows.settings.object_access)

    assert _read(source("in")) == _read(source("in/**/*.nd*")) == [b'{"k":"%s"}\n' % key.encode() for key in KEYS[:2]]
    assert _read(source(KEYS[1])) == [b'{"k":"in/deep/a b.ndjson"}\n']
    with pytest.raises(UsageError, match="there is no such object"):
        source("nothing.ndjson").partitions()

    planned = source("in/1.ndjson")
    planned.partitions()
    other.put("in/1.ndjson", b'{"k":"in/1.jsonnd"}\n')
    with pytest.raises(ChangedError):
        _read(planned)

    content = b"0123456789" * 1_000_000
    with written_whole(f"{other.scheme}://clinic/out.bin") as out:
        for at in range(0, len(content), 3_000_000):
            out.write(content[at : at + 3_000_000])
    assert other.get("out.bin") == content
