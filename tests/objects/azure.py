"""As much of Azure Blob Storage as reading and writing need: list, properties, ranges with If-Match, blocks."""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

Environ = dict[str, Any]
_DATE = "Wed, 21 Oct 2026 07:28:00 GMT"


class AzureStore:
    """One account with the container ``clinic``; ``blobs`` are its objects by name."""

    def __init__(self) -> None:
        self.url = ""
        self.blobs: dict[str, bytes] = {}
        self._blocks: dict[tuple[str, str], bytes] = {}

    def __call__(self, environ: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request (Blob service REST API)."""
        method, query = environ["REQUEST_METHOD"], parse_qs(environ.get("QUERY_STRING", ""))
        name = environ["PATH_INFO"].removeprefix("/clinic").removeprefix("/")
        if method == "PUT":
            return self._put(environ, start, name, query)
        if query.get("comp") == ["list"]:
            return self._list(start, query.get("prefix", [""])[0])
        content = self.blobs.get(name)
        if content is None:
            return _answer(start, "404 Not Found", b"<Error><Code>BlobNotFound</Code></Error>", method)
        etag = _etag(content)
        if environ.get("HTTP_IF_MATCH", etag) != etag:
            return _answer(start, "412 Precondition Failed", b"<Error><Code>ConditionNotMet</Code></Error>", method)
        headers = [("ETag", etag), ("Last-Modified", _DATE)]
        asked = environ.get("HTTP_RANGE") or environ.get("HTTP_X_MS_RANGE")
        if asked is None:
            return _answer(start, "200 OK", content, method, headers)
        begin, end = map(int, asked.removeprefix("bytes=").split("-"))
        headers.append(("Content-Range", f"bytes {begin}-{min(end, len(content) - 1)}/{len(content)}"))
        return _answer(start, "206 Partial Content", content[begin : end + 1], method, headers)

    def _list(self, start: Callable[..., Any], prefix: str) -> Iterable[bytes]:
        blobs = "".join(
            f"<Blob><Name>{escape(name)}</Name><Properties><Last-Modified>{_DATE}</Last-Modified>"
            f"<Content-Length>{len(content)}</Content-Length><Content-Type>x</Content-Type>"
            f"<Etag>{escape(_etag(content))}</Etag></Properties></Blob>"
            for name, content in sorted(self.blobs.items())
            if name.startswith(prefix)
        )
        body = (
            '<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="clinic">'
            f"<Prefix>{escape(prefix)}</Prefix><Blobs>{blobs}</Blobs><NextMarker/></EnumerationResults>"
        )
        return _answer(start, "200 OK", body.encode(), "GET", [("Content-Type", "application/xml")])

    def _put(
        self, environ: Environ, start: Callable[..., Any], name: str, query: dict[str, list[str]]
    ) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if query.get("comp") == ["block"]:
            self._blocks[name, query["blockid"][0]] = body
        elif query.get("comp") == ["blocklist"]:
            ids = re.findall(r"<(?:Uncommitted|Latest)>([^<]+)<", body.decode())
            assert all(base64.b64decode(one) for one in ids)
            self.blobs[name] = b"".join(self._blocks[name, one] for one in ids)
        else:
            self.blobs[name] = body
        return _answer(start, "201 Created", b"", "PUT", [("ETag", _etag(self.blobs.get(name, b"")))])


@contextmanager
def serving() -> Iterator[AzureStore]:
    """The account on a free port of loopback."""
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log(self, *_: object) -> None: ...

    store = AzureStore()
    server = make_server("127.0.0.1", 0, store, threaded=True, request_handler=Quiet)
    store.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield store
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _etag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:16]}"'


def _answer(
    start: Callable[..., Any], status: str, body: bytes, method: str, headers: Iterable[tuple[str, str]] = ()
) -> Iterable[bytes]:
    start(status, [*headers, ("Content-Length", str(len(body))), ("x-ms-version", "2023-11-03")])
    return [b"" if method == "HEAD" else body]
