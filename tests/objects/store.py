"""moto's S3 in this process, behind a layer that counts what is asked and answers with faults by switch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx
import pytest

_SIGNED = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
Environ = dict[str, Any]
Answer = Iterable[bytes] | None
Fault = Callable[[Environ, Callable[..., Any]], Answer]


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    query: str
    range: str | None

    @property
    def reads(self) -> bool:
        """True for one that asks for bytes of an object."""
        return self.method == "GET" and "list-type" not in self.query


@dataclass
class Store:
    """A store with one bucket, ``clinic``."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    fault: Fault | None = None  # answers in place of the store, or None to let it answer
    most: int = 0  # requests at the same time
    _now: int = 0
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def make_bucket(self) -> None:
        """The bucket, empty."""
        httpx.put(f"{self.url}/clinic", headers={"Authorization": _SIGNED, "X-Test": "1"}).raise_for_status()

    def put(self, key: str, content: bytes) -> None:
        """An object, by another client than the one under test."""
        self.request("PUT", key, content).raise_for_status()

    def get(self, key: str) -> bytes:
        """The content of an object."""
        answer = self.request("GET", key)
        answer.raise_for_status()
        return answer.content

    def request(self, method: str, key: str, content: bytes | None = None) -> httpx.Response:
        """Any request about an object, past the faults."""
        url = f"{self.url}/clinic/{quote(key)}"
        return httpx.request(method, url, content=content, headers={"Authorization": _SIGNED, "X-Test": "1"})

    def all_keys(self, prefix: str = "") -> list[str]:
        """All keys that begin so."""
        answer = httpx.get(
            f"{self.url}/clinic",
            params={"list-type": "2", "prefix": prefix},
            headers={"Authorization": _SIGNED, "X-Test": "1"},
        )
        return [part.partition("</Key>")[0] for part in answer.text.split("<Key>")[1:]]

    @property
    def reads(self) -> list[str]:
        """The paths of the objects whose bytes were asked for, once for each request."""
        return [one.path for one in self.asked if one.reads]

    def clear(self) -> None:
        """Forget what was asked, and remove the faults and the objects."""
        self.fault = None
        httpx.post(f"{self.url}/moto-api/reset", headers={"X-Test": "1"}).raise_for_status()
        self.make_bucket()
        self.asked.clear()
        self.most = 0

    def wrapping(self, app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        """The WSGI application that counts and fails."""

        def answer(environ: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
            if environ.get("HTTP_X_TEST"):
                return app(environ, start)
            if not environ.get("HTTP_AUTHORIZATION", "").startswith("AWS4"):  # Google's client
                environ["HTTP_AUTHORIZATION"] = _SIGNED
            with self._guard:
                self._now += 1
                self.most = max(self.most, self._now)
                self.asked.append(
                    Asked(
                        environ["REQUEST_METHOD"],
                        environ["PATH_INFO"],
                        environ.get("QUERY_STRING", ""),
                        environ.get("HTTP_RANGE"),
                    )
                )
            try:
                found = self.fault(environ, start) if self.fault is not None else None
                return app(environ, start) if found is None else found
            finally:
                with self._guard:
                    self._now -= 1

        return answer


@contextmanager
def serving() -> Iterator[Store]:
    """A store on a free port of loopback."""
    server_app = pytest.importorskip("moto.server", reason="moto[server] is not installed: no S3 to test against")
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"  # connections stay, as those of a store do

        def log(self, *_: object) -> None: ...

    store = Store()
    app = server_app.DomainDispatcherApplication(server_app.create_backend_app)
    server = make_server("127.0.0.1", 0, store.wrapping(app), threaded=True, request_handler=Quiet)
    store.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        store.make_bucket()
        yield store
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def environment(store: Store, patch: pytest.MonkeyPatch) -> None:
    """Let this process find the store, as a user would."""
    for name, value in {
        "AWS_ENDPOINT_URL": store.url,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "Zzyzx-secret",
        "AWS_REGION": "us-east-1",
    }.items():
        patch.setenv(name, value)


def error(status: str, code: str) -> Fault:
    """An answer that refuses."""

    def fault(_: Environ, start: Callable[..., Any]) -> Answer:
        body = f"<Error><Code>{code}</Code><Message>Canary Zzyzx</Message></Error>".encode()
        start(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        return [body]

    return fault


def times(number: int, fault: Fault, when: Callable[[Environ], bool] = lambda _: True) -> Fault:
    """The fault for the first ``number`` requests that ``when`` is true of."""
    left = threading.Semaphore(number)

    def some(environ: Environ, start: Callable[..., Any]) -> Answer:
        return fault(environ, start) if when(environ) and left.acquire(blocking=False) else None

    return some


def is_read(environ: Environ) -> bool:
    """True for a request for bytes."""
    return environ["REQUEST_METHOD"] == "GET" and "list-type" not in environ.get("QUERY_STRING", "")


def cut(etag: str, size: int) -> Fault:
    """A body that breaks off after its first half: the connection ends."""
    return _half(etag, size, honest=True)


def lying(etag: str, size: int) -> Fault:
    """A whole answer that holds half of what it says."""
    return _half(etag, size, honest=False)


def _half(etag: str, size: int, *, honest: bool) -> Fault:
    def fault(environ: Environ, start: Callable[..., Any]) -> Answer:
        begin, _, last = environ["HTTP_RANGE"].removeprefix("bytes=").partition("-")
        asked = int(last) - int(begin) + 1
        half = asked // 2
        start(
            "206 Partial Content",
            [
                ("Content-Length", str(asked if honest else half)),
                ("Content-Range", f"bytes {begin}-{last}/{size}"),
                ("ETag", etag),
                ("Last-Modified", "Wed, 21 Oct 2026 07:28:00 GMT"),
                ("Connection", "close"),
            ],
        )
        return [b"x" * half]

    return fault
