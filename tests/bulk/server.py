"""A Bulk Data server on loopback with every fault by switch."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import secrets
import socket
import struct
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt

TIME = "2026-01-31T12:00:00Z"
OUTCOME = b'{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"%s","diagnostics":"Canary Zzyzx"}]}'

Fault = Callable[["_Handler", Callable[[], None]], None]


@dataclass
class File:
    """One exported file."""

    content: bytes
    type: str | None
    section: str = "output"
    count: int | None = None


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Mapping[str, str]


@dataclass
class BulkServer:
    """Answers as the standard says, but where ``faults`` says otherwise: by what is asked for, one after the other.

    What is asked for is ``kickoff``, ``status``, ``token``, ``delete`` or the name of a file.
    """

    files: dict[str, File] = field(default_factory=dict)
    url: str = ""
    transaction_time: str = TIME
    faults: dict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    asked: list[Asked] = field(default_factory=list)
    pending: int = 1  # answers 202 before the export is done
    retry_after: str | None = "0"
    etags: bool = True
    ranges: bool = True
    zipped: bool = False
    digests: bool = False
    tokens: bool | None = None  # requiresAccessToken; None: as the server's authorization is
    pages: int = 1
    basic: tuple[str, str] | None = None
    clients: dict[str, Any] = field(default_factory=dict)  # kid -> public key
    token_uses: int | None = None  # a token is good for so many requests
    expires_in: int = 300
    generation: int = 0  # of the files' addresses; those of others have expired
    deleted: bool = False
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    most_at_once: int = 0
    outage: Callable[[Asked], Fault | None] | None = None  # of the whole server, before anything else
    _at_once: int = 0
    _good: dict[str, int | None] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    gate: threading.Event = field(default_factory=threading.Event)  # what `held` waits for
    reached: threading.Event = field(default_factory=threading.Event)  # that it waits

    def count(self, method: str, part: str) -> int:
        """How often something was asked for."""
        return sum(1 for one in self.asked if one.method == method and part in one.path)

    def files_asked(self, name: str) -> list[Asked]:
        """The requests for a file."""
        return [one for one in self.asked if one.path.endswith("/" + name)]

    def allowed(self, header: str | None) -> bool:
        """Whether a request with this header may be answered; uses a token up."""
        if self.basic is not None:
            wanted = base64.b64encode(":".join(self.basic).encode()).decode()
            return header == f"Basic {wanted}"
        if not self.clients:
            return header is None
        token = (header or "").removeprefix("Bearer ")
        with self._lock:
            left = self._good.get(token, 0)
            if left is not None and left <= 0:
                return False
            if left is not None:
                self._good[token] = left - 1
        return True

    def new_token(self) -> str:
        """A token that is good for ``token_uses`` requests."""
        token = secrets.token_hex(8)
        self._good[token] = self.token_uses
        return token

    def manifest(self, job: str, page: int) -> dict[str, Any]:
        """One page of what the export of ``job`` gave."""
        wanted = self.jobs[job]["types"]
        chosen = {n: f for n, f in self.files.items() if not wanted or f.type in wanted or f.section != "output"}
        names = list(chosen)[page :: self.pages]
        listed: dict[str, Any] = {"output": [], "deleted": [], "error": []}
        for name in names:
            file = chosen[name]
            entry: dict[str, Any] = {"url": f"{self.url}/files/{self.generation}/{name}"}
            entry |= {"type": file.type} if file.type else {}
            entry |= {"count": file.count} if file.count is not None else {}
            listed[file.section].append(entry)
        tokens = bool(self.clients or self.basic) if self.tokens is None else self.tokens
        more = {"link": [{"relation": "next", "url": f"{self.url}/jobs/{job}?page={page + 1}"}]}
        return {
            "transactionTime": self.transaction_time,
            "request": self.url + "/fhir/$export",
            "requiresAccessToken": tokens,
            **listed,
            **(more if page + 1 < self.pages else {}),
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    bulk: BulkServer

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        asked = Asked(self.command, parts.path, parse_qs(parts.query), {k.lower(): v for k, v in self.headers.items()})
        self.form = parse_qs(self.rfile.read(int(self.headers.get("content-length", 0))).decode())
        self.query = asked.query
        bulk = self.bulk
        with bulk._lock:
            bulk.asked.append(asked)
            bulk._at_once += 1
            bulk.most_at_once = max(bulk.most_at_once, bulk._at_once)
        try:
            outage = bulk.outage(asked) if bulk.outage is not None else None
            if outage is not None:
                outage(self, lambda: None)
            else:
                self._route(parts.path)
        finally:
            with bulk._lock:
                bulk._at_once -= 1

    def _route(self, path: str) -> None:
        last = path.rsplit("/", 1)[-1]
        if path.endswith("$export"):
            self._faulty("kickoff", self._kick_off)
        elif path == "/token":
            self._faulty("token", self._token)
        elif path.endswith("/.well-known/smart-configuration"):
            self.json(200, {"token_endpoint": f"{self.bulk.url}/token", "capabilities": ["permission-v2"]})
        elif path.startswith("/jobs/") and self.command == "DELETE":
            self._faulty("delete", lambda: self._delete(last))
        elif path.startswith("/jobs/"):
            self._faulty("status", lambda: self._status(last))
        elif path.startswith("/files/"):
            self._faulty(last, lambda: self._file(path.split("/")[2], last))
        else:
            self.send(404, b"")

    def _faulty(self, what: str, normal: Callable[[], None]) -> None:
        faults = self.bulk.faults[what]
        with self.bulk._lock:
            fault = faults.popleft() if faults else None
        if fault is None:
            normal()
        else:
            fault(self, normal)

    def _refused(self) -> bool:
        if self.bulk.allowed(self.headers.get("authorization")):
            return False
        self.send(401, OUTCOME % b"login")
        return True

    def _kick_off(self) -> None:
        if self._refused():
            return
        assert self.headers["prefer"] == "respond-async"
        job = secrets.token_hex(4)
        types = [one for value in self.query.get("_type", []) for one in value.split(",")]
        self.bulk.jobs[job] = {"pending": self.bulk.pending, "types": types}
        self.send(202, b"", {"Content-Location": f"{self.bulk.url}/jobs/{job}"})

    def _status(self, job: str) -> None:
        if self._refused():
            return
        if job not in self.bulk.jobs:
            self.send(404, OUTCOME % b"not-found")
        elif self.bulk.jobs[job]["pending"] > 0:
            self.bulk.jobs[job]["pending"] -= 1
            more = {"Retry-After": self.bulk.retry_after} if self.bulk.retry_after is not None else {}
            self.send(202, b"", more | {"X-Progress": "Canary Zzyzx"})
        else:
            self.json(200, self.bulk.manifest(job, int(self.query.get("page", ["0"])[0])))

    def _delete(self, job: str) -> None:
        if self._refused():
            return
        self.bulk.jobs.pop(job, None)
        self.bulk.deleted = True
        self.send(202, b"")

    def _token(self) -> None:
        try:
            assertion = self.form["client_assertion"][0]
            head = jwt.get_unverified_header(assertion)
            key = self.bulk.clients[head["kid"]]
            claims = jwt.decode(
                assertion,
                key,
                algorithms=["ES384", "RS384"],
                audience=f"{self.bulk.url}/token",
                options={"require": ["exp", "jti", "iss", "sub"]},
            )
            assert claims["iss"] == claims["sub"]
            assert claims["exp"] - time.time() <= 300
            assert self.form["grant_type"] == ["client_credentials"]
        except (jwt.InvalidTokenError, KeyError, AssertionError):
            self.json(400, {"error": "invalid_client", "error_description": "Canary Zzyzx"})
            return
        self.json(
            200,
            {
                "access_token": self.bulk.new_token(),
                "token_type": "bearer",
                "expires_in": self.bulk.expires_in,
                "scope": self.form["scope"][0],
            },
        )

    def _file(self, generation: str, name: str) -> None:
        if generation != str(self.bulk.generation):
            self.send(403, b"<Error>Request has expired</Error>", {"Content-Type": "application/xml"})
            return
        manifest_tokens = self.bulk.tokens is not False
        if manifest_tokens and self._refused():
            return
        if not manifest_tokens:
            assert "authorization" not in self.headers, "a token where none is wanted"
        self.send_file(self.bulk.files[name].content)

    def prepared(self, content: bytes) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers for a file, with its range."""
        headers = {"Content-Type": "application/fhir+ndjson"}
        if self.bulk.zipped and "gzip" in self.headers.get("accept-encoding", ""):
            content = gzip.compress(content, mtime=0)
            headers["Content-Encoding"] = "gzip"
        tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        if self.bulk.etags:
            headers["ETag"] = tag
        if self.bulk.digests:
            headers["Repr-Digest"] = f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"
        wanted = self.headers.get("range")
        if wanted and self.bulk.ranges and self.headers.get("if-range", tag) == tag:
            begin = int(wanted.removeprefix("bytes=").split("-")[0])
            if begin >= len(content):
                return 416, b"", {"Content-Range": f"bytes */{len(content)}"}
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
            return 206, content[begin:], headers
        return 200, content, headers

    def send_file(self, content: bytes) -> None:
        """A file as it should be."""
        self.send(*self.prepared(content))

    def send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """An answer with its length."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def json(self, status: int, value: object) -> None:
        """An answer in JSON."""
        self.send(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def hang_up(self, *, reset: bool = False) -> None:
        """End the connection here and now."""
        self.close_connection = True
        self.wfile.flush()
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            self.connection.shutdown(socket.SHUT_RDWR)
        self.connection.close()


def status(code: int, body: bytes = b"", **headers: str) -> Fault:
    """Answer with this status."""
    return lambda handler, _: handler.send(code, body, {k.replace("_", "-"): v for k, v in headers.items()})


def html(code: int = 200) -> Fault:
    """A page of a proxy."""
    page = b"<!DOCTYPE html><html>Sign in, Zzyzx</html>"
    return lambda handler, _: handler.send(code, page, {"Content-Type": "text/html; charset=utf-8"})


def disguised(body: bytes) -> Fault:
    """Something else, with the type of data."""
    return lambda handler, _: handler.send(200, body, {"Content-Type": "application/fhir+ndjson"})


def cut(after: int, *, reset: bool = False) -> Fault:
    """The right answer, but the connection ends after so many bytes of its body."""

    def fault(handler: _Handler, _: Callable[[], None]) -> None:
        name = handler.path.rsplit("/", 1)[-1]
        code, body, headers = handler.prepared(handler.bulk.files[name].content)
        handler.send_response(code)
        for key, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(key, value)
        handler.end_headers()
        handler.wfile.write(body[:after])
        handler.wfile.flush()
        handler.hang_up(reset=reset)

    return fault


def held(after: int) -> Fault:
    """The right answer, but after so many bytes it stands still until ``gate`` opens."""

    def fault(handler: _Handler, _: Callable[[], None]) -> None:
        name = handler.path.rsplit("/", 1)[-1]
        code, body, headers = handler.prepared(handler.bulk.files[name].content)
        handler.send_response(code)
        for key, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(key, value)
        handler.end_headers()
        handler.wfile.write(body[:after])
        handler.wfile.flush()
        handler.bulk.reached.set()
        handler.bulk.gate.wait(60)
        try:
            handler.wfile.write(body[after:])
        except OSError:
            handler.close_connection = True

    return fault


def wrong_length(by: int) -> Fault:
    """A body whose Content-Length is off by so many bytes; the connection ends after it."""

    def fault(handler: _Handler, _: Callable[[], None]) -> None:
        name = handler.path.rsplit("/", 1)[-1]
        body = handler.bulk.files[name].content
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body) + by))
        handler.end_headers()
        handler.wfile.write(body)
        handler.hang_up()

    return fault


def without_length(keep: int) -> Fault:
    """A body of which only so many bytes come, without a length that would show it."""

    def fault(handler: _Handler, _: Callable[[], None]) -> None:
        name = handler.path.rsplit("/", 1)[-1]
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(handler.bulk.files[name].content[:keep])
        handler.hang_up()

    return fault


def refuse(handler: _Handler, _: Callable[[], None]) -> None:
    """No answer at all."""
    handler.hang_up(reset=True)


def expire(handler: _Handler, _: Callable[[], None]) -> None:
    """From now on the addresses that were given do not hold."""
    handler.bulk.generation += 1
    handler.send(403, b"<Error>Request has expired</Error>")


def forget(handler: _Handler, normal: Callable[[], None]) -> None:
    """The server loses its exports."""
    handler.bulk.jobs.clear()
    normal()


@contextmanager
def serving(**more: Any) -> Iterator[BulkServer]:
    """A server on loopback, on a port of its own."""
    bulk = BulkServer(**more)

    class Handler(_Handler):
        pass

    Handler.bulk = bulk

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Clients that leave are meant to."""

    server = Quiet(("127.0.0.1", 0), Handler)
    bulk.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield bulk
    finally:
        bulk.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()
