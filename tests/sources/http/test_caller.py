"""What is sent to whom: redirects, tokens, certificates, proxies, logs."""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from schemas.errors import TryAgainError, UsageError
from sources.http import Answer, BasicAuthorization, Reach, RefusedError, open_caller
from sources.pace import Deadline, Pace, PaceLimits
from tests.bulk.server import OUTCOME, BulkServer, serving, status
from tests.flows.certificates import self_signed
from tests.sources.pace.time_machine import TimeMachine


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> TimeMachine:
    """Time that only sleeping moves."""
    return TimeMachine(monkeypatch)


@pytest.fixture
def server() -> Iterator[BulkServer]:
    """A server that takes a name and a password."""
    with serving(basic=("u", "secret"), pending=0) as one:
        yield one


def ask(url: str, machine: TimeMachine, method: str = "GET", *, allowed: tuple[str, ...] = ()) -> Answer:
    """One request as user u."""

    async def main() -> Answer:
        pace = Pace(PaceLimits(rate=1e6, tries=2), machine.clock)
        async with open_caller(Reach(url, allowed), pace, silence=20.0) as caller:
            sure = caller.with_auth(BasicAuthorization("u", "secret"))
            headers = {"Prefer": "respond-async"}
            return await sure.ask(method, url, "thing", headers=headers, deadline=Deadline.after(60, machine.clock))

    return asyncio.run(main())


def test_redirects_within_a_server(server: BulkServer, machine: TimeMachine) -> None:
    """Are followed with the same authorization."""
    server.faults["kickoff"].append(status(307, Location="/other/$export"))
    assert ask(server.url + "/fhir/$export", machine).status == 202
    assert [one.path for one in server.asked] == ["/fhir/$export", "/other/$export"]
    assert all("authorization" in one.headers for one in server.asked)


def test_redirects_to_another_port_get_no_token(server: BulkServer, machine: TimeMachine) -> None:
    """Another port is another server: it may be asked, and does not learn who we are."""
    with serving(pending=0) as other:
        server.faults["kickoff"].append(status(302, Location=other.url + "/x/$export"))
        assert ask(server.url + "/fhir/$export", machine).status == 202
        assert "authorization" not in other.asked[0].headers


def test_redirects_to_another_host_are_refused(
    server: BulkServer, machine: TimeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless it was allowed."""
    monkeypatch.setattr("sources.http.reach._known_as", lambda host: host)  # else localhost is no other host
    with serving(pending=0) as other:
        far = other.url.replace("127.0.0.1", "localhost") + "/x/$export"
        server.faults["kickoff"].extend([status(302, Location=far)] * 2)
        with pytest.raises(UsageError, match="--allow-host localhost"):
            ask(server.url + "/fhir/$export", machine)
        assert other.asked == []
        assert ask(server.url + "/fhir/$export", machine, allowed=("localhost",)).status == 202


def test_redirects_without_end(server: BulkServer, machine: TimeMachine) -> None:
    """Are given up."""
    server.faults["kickoff"].extend([status(302, Location="/fhir/$export")] * 100)
    with pytest.raises(TryAgainError, match="redirects, or ends"):
        ask(server.url + "/fhir/$export", machine)


def test_nothing_listens(machine: TimeMachine) -> None:
    """Try again later."""
    with serving() as gone:
        url = gone.url
    with pytest.raises(TryAgainError, match="thing: no connection; tried 2 times"):
        ask(url + "/fhir/$export", machine)


def test_refusals_tell_only_a_code(server: BulkServer, machine: TimeMachine) -> None:
    """One of FHIR's; what else stands where codes stand is not told."""
    for body, says in ((OUTCOME % b"not-supported", r"422 \(not-supported\)"), (OUTCOME % b"zzyzx", "422$")):
        server.faults["kickoff"].append(status(422, body))
        with pytest.raises(RefusedError, match=says):
            ask(server.url + "/fhir/$export", machine)


def test_logs_hold_no_address(server: BulkServer, machine: TimeMachine, caplog: pytest.LogCaptureFixture) -> None:
    """A signature in an address, a password and what is answered are in no log, whatever its level."""
    with caplog.at_level(logging.DEBUG):
        ask(server.url + "/fhir/$export?signature=Zzyzx", machine)
    assert "Zzyzx" not in caplog.text
    assert "secret" not in caplog.text
    assert "$export" not in caplog.text


class _Ok(BaseHTTPRequestHandler):
    """Answers everything; ``seen`` is what it was asked."""

    seen: list[str]

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        self.seen.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")


@pytest.fixture
def plain() -> Iterator[tuple[ThreadingHTTPServer, list[str]]]:
    """A server that may be wrapped in TLS."""
    seen: list[str] = []
    handler = type("Handler", (_Ok,), {"seen": seen})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # handshakes are meant to fail
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server, seen
    server.shutdown()
    server.server_close()
    thread.join()


def test_certificates_are_checked(
    plain: tuple[ThreadingHTTPServer, list[str]],
    machine: TimeMachine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that nobody vouches for is refused at once; with its authority in SSL_CERT_FILE it is taken."""
    server, seen = plain
    certificate, key = self_signed(tmp_path, "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = f"https://localhost:{server.server_address[1]}/x"
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with pytest.raises(UsageError, match="localhost: its certificate is not trusted"):
        ask(url, machine)
    assert seen == []
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert ask(url, machine).body == b"ok"


def test_proxies_of_the_environment(
    plain: tuple[ThreadingHTTPServer, list[str]], machine: TimeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Are used, for hosts that NO_PROXY does not name."""
    server, seen = plain
    for name in ("http_proxy", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{server.server_address[1]}")
    assert ask("http://clinic.localhost:1/x", machine).body == b"ok"
    assert seen == ["http://clinic.localhost:1/x"]
    monkeypatch.setenv("NO_PROXY", "clinic.localhost")
    with pytest.raises(TryAgainError):
        ask("http://clinic.localhost:1/x", machine)
