"""One bucket, with flow control: its objects listed, looked at, and read range by range."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from schemas.errors import TryAgainError, UsageError
from sources.objects.access import ObjectAccess
from sources.objects.address import ObjectAddress
from sources.objects.credentials import aws_profile, azure_must_be_known, google_must_be_known
from sources.objects.faults import changed, fault
from sources.objects.loop import begin
from sources.pace import Deadline, Pace, PassingError

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

_Answer = TypeVar("_Answer")
_CONNECT, _REQUEST = timedelta(seconds=10), timedelta(seconds=60)
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as its store tells of it: ``etag`` is its name for this content, ``size`` in bytes."""

    uri: str
    size: int
    etag: str


class Bucket:
    """Calls of one bucket. obstore makes each once; :class:`sources.pace.Pace` decides when, and whether again.

    The methods block and may be called from any thread. They raise FileNotFoundError for what is not there, and
    StorageError, UsageError or TryAgainError as :func:`sources.objects.faults.fault` says.
    """

    def __init__(self, address: ObjectAddress, access: ObjectAccess) -> None:
        self._root = address.root
        self._address = address
        self._access = access
        self._store = connected(address, access, {"max_retries": 0})
        self._pace: Pace | None = None

    def head(self, key: str) -> Listed:
        """What the store says of one object."""
        return begin(self._head(key)).result()

    def below(self, prefix: str) -> list[Listed]:
        """All objects below a prefix, which ends where a part of the key does; sorted by key."""
        return begin(self._list(prefix)).result()

    def read(self, key: str, etag: str, start: int, end: int) -> Future[bytes]:
        """The bytes in ``[start, end)``, which must not be empty, of just that content; ChangedError for another."""
        return begin(self._read(key, etag, start, end))

    async def _head(self, key: str) -> Listed:
        import obstore  # noqa: PLC0415 - only where an object store is used

        found = await self._call(key, "read", lambda: obstore.head_async(self._store, key))
        return self._listed(found)

    async def _list(self, prefix: str) -> list[Listed]:
        import obstore  # noqa: PLC0415

        found: list[Listed] = []
        last: str | None = None

        async def go_on() -> None:  # a listing that broke off goes on behind what it gave
            nonlocal last
            async for page in obstore.list(self._store, prefix or None, offset=last, chunk_size=_PAGE):
                for one in page:
                    found.append(self._listed(one))
                    last = one["path"]

        await self._call(prefix, "listed", go_on)
        return sorted(found, key=lambda one: one.uri)

    async def _read(self, key: str, etag: str, start: int, end: int) -> bytes:
        import obstore  # noqa: PLC0415

        options: GetOptions = {"range": (start, end), "if_match": etag}
        uri = self._address.at(key)

        async def once() -> bytes:
            answer = await obstore.get_async(self._store, key, options=options)
            if answer.meta["e_tag"] not in (etag, None):  # a store that knows no If-Match
                raise changed(uri)
            data = bytes(await answer.bytes_async())
            if len(data) != end - start:
                raise PassingError(f"{uri}: {len(data):,} bytes came where {end - start:,} were asked for")
            return data

        try:
            return await self._call(key, "read", once)
        except FileNotFoundError:
            raise changed(uri) from None

    async def _call(self, key: str, doing: str, attempt: Callable[[], Awaitable[_Answer]]) -> _Answer:
        from obstore.exceptions import BaseError  # noqa: PLC0415

        uri = self._address.at(key)

        async def once() -> _Answer:
            try:
                return await attempt()
            except (BaseError, OSError) as error:
                raise fault(error, uri, doing) from None

        if self._pace is None:  # it belongs to the loop, on which this runs
            self._pace = Pace(self._access.pace)
        try:
            return await self._pace.call(once, Deadline.after(self._access.patience))
        except TryAgainError as error:
            raise type(error)(str(error) if uri in str(error) else f"{uri}: {error}") from None

    def _listed(self, found: Any) -> Listed:
        etag = found["e_tag"]
        uri = self._address.at(found["path"])
        if not etag:
            raise UsageError(f"{uri}: its store tells no ETag, so that it cannot be known when the object changes")
        return Listed(uri, found["size"], etag)


@functools.lru_cache(maxsize=64)
def bucket_of(scheme: str, bucket: str, access: ObjectAccess) -> Bucket:
    """The bucket; the same for all who ask, so that they share its pace."""
    return Bucket(ObjectAddress(scheme, bucket, ""), access)


def connected(address: ObjectAddress, access: ObjectAccess, retry: RetryConfig) -> ObjectStore:
    """obstore's client of the bucket. Raises UsageError when it cannot be made of what the environment says."""
    from obstore.exceptions import BaseError  # noqa: PLC0415
    from obstore.store import AzureStore, GCSStore, S3Store  # noqa: PLC0415

    options = _client(address.scheme, access)
    try:
        if address.scheme == "s3":
            return S3Store(address.bucket, client_options=options, retry_config=retry, **aws_profile(access))
        if address.scheme == "gs":
            google_must_be_known(access)
            return GCSStore(address.bucket, client_options=options, retry_config=retry)
        azure_must_be_known(access)
        return AzureStore(address.bucket, client_options=options, retry_config=retry)
    except (BaseError, ValueError, TypeError) as error:
        raise UsageError(
            f"{address.root}: the settings of this store cannot be used ({type(error).__name__}): check the AWS_*, "
            "GOOGLE_* or AZURE_* variables"
        ) from None


def _client(scheme: str, access: ObjectAccess) -> ClientConfig:
    prefix = {"s3": "AWS", "gs": "GOOGLE", "az": "AZURE"}[scheme]
    endpoint = access.variable("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT") if scheme == "s3" else None
    allowed = access.is_on(f"{prefix}_ALLOW_HTTP") or (scheme == "az" and access.is_on("AZURE_STORAGE_USE_EMULATOR"))
    if endpoint is not None and endpoint.lower().startswith("http://") and not allowed:
        from sources.http.reach import host_of, is_loopback  # noqa: PLC0415 - heavy

        allowed = is_loopback(host_of(endpoint))
        if not allowed:
            raise UsageError("AWS_ENDPOINT_URL is http, not https: set AWS_ALLOW_HTTP=true if the way there is safe")
    options: ClientConfig = {
        "allow_http": allowed,
        "connect_timeout": _CONNECT,
        "timeout": _REQUEST,
        "user_agent": "clinmart",
    }
    bundle = access.variable("AWS_CA_BUNDLE")
    if bundle is not None:
        try:
            options["root_certificate"] = Path(bundle).read_bytes()
        except OSError as error:
            raise UsageError(f"AWS_CA_BUNDLE: {bundle} cannot be read: {error.strerror}") from None
    return options
