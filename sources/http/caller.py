"""One request after the other, told apart: answers, what passes, and what a user must mend."""

from __future__ import annotations

import logging
import ssl
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urljoin

import httpx

from schemas.errors import ClinmartError, UsageError
from sources.http.auth import Authorization, NoAuthorization
from sources.http.outcomes import PASSING_ISSUES, issue_code
from sources.http.reach import Reach, host_of, origin_of
from sources.pace import Deadline, Pace, PassingError, retry_after_seconds

_LARGEST_ANSWER = 64 * 1024 * 1024  # of those that are held whole: manifests, tokens, outcomes
_MOST_HOPS = 8  # redirects and new tokens for one request
_TOKENS_KNOWN = 16
_MOST_REFUSALS = 2  # of new tokens in a row, before who we say we are is what is wrong
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BUSY = frozenset({425, 429})
_PASSING = frozenset({408, 500, 502, 503, 504, 507, 509, 520, 521, 522, 523, 524}) | _BUSY
_UNAUTHORIZED = 401
_SERVER_ERROR = 500


class RefusedError(ClinmartError):
    """The server will not do what was asked, however often. ``status`` is its HTTP status."""

    exit_code = UsageError.exit_code

    def __init__(self, what: str, status: int, body: bytes = b"") -> None:
        code = issue_code(body)
        super().__init__(f"{what}: the server refuses it with status {status}{f' ({code})' if code else ''}")
        self.status = status
        self.body = body


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; ``url`` is where it came from after redirects."""

    url: str
    status: int
    headers: httpx.Headers
    body: bytes


class Caller:
    """Asks within a :class:`Reach`, at a :class:`Pace`, with an :class:`Authorization`."""

    def __init__(self, http: httpx.AsyncClient, reach: Reach, pace: Pace, auth: Authorization | None = None) -> None:
        self._http = http
        self.reach = reach
        self.pace = pace
        self.auth = auth or NoAuthorization()
        self._taken: deque[str] = deque(maxlen=_TOKENS_KNOWN)  # tokens that the server took

    def with_auth(self, auth: Authorization) -> Caller:
        """The same with another authorization."""
        return Caller(self._http, self.reach, self.pace, auth)

    async def ask(
        self,
        method: str,
        url: str,
        what: str,
        *,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        deadline: Deadline | None = None,
    ) -> Answer:
        """The answer to one request, asked again while that may help.

        ``what`` names in messages what was asked for. Raises TryAgainError, RefusedError for any other status than
        2xx, UsageError for an address that may not be asked.
        """

        async def attempt() -> Answer:
            async with self.stream(method, url, what, headers=headers, form=form) as response:
                return Answer(
                    str(response.url), response.status_code, response.headers, await read_whole(response, what)
                )

        return await self.pace.call(attempt, deadline)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        what: str,
        *,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        authorized: bool = True,
    ) -> AsyncIterator[httpx.Response]:
        """One try of one request; the body of the answer, a 2xx, is still to be read.

        Raises PassingError for what may go well the next time, in the body of the ``with`` too; else as :meth:`ask`.
        """
        with _Passing(what, url):
            response = await self._send(method, url, headers or {}, form, authorized=authorized)
            try:
                if not response.is_success:
                    await self._refuse(response, what)
                yield response
            finally:
                await response.aclose()

    async def _send(
        self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None, *, authorized: bool
    ) -> httpx.Response:
        """The answer after redirects, and with a new token if the first was refused."""
        refused, home = 0, origin_of(url)
        for _ in range(_MOST_HOPS):
            self.reach.check(url)
            # a token is for the server that it was asked for, and for no one that this one sends us to
            token = await self.auth.header() if authorized and origin_of(url) == home else None
            sent = {**headers, "Authorization": token} if token else dict(headers)
            request = self._http.build_request(method, url, headers=sent, data=form)
            response = await self._http.send(request, stream=True, follow_redirects=False)
            if response.status_code == _UNAUTHORIZED and token:
                await response.aclose()
                refused += token not in self._taken  # one that was taken before has ended
                if refused > _MOST_REFUSALS or not await self.auth.renew(token):
                    raise UsageError(f"{host_of(url)}: the server does not accept who we say we are (status 401)")
                continue
            if token and token not in self._taken:
                self._taken.append(token)
            if response.status_code in _REDIRECTS and "location" in response.headers and method == "GET":
                await response.aclose()
                url = urljoin(url, response.headers["location"])
            else:
                return response
        raise PassingError(f"{host_of(url)}: it redirects, or ends our tokens, again and again")

    async def _refuse(self, response: httpx.Response, what: str) -> None:
        status = response.status_code
        body = await read_whole(response, what) if status not in _PASSING or status == _SERVER_ERROR else b""
        if status in _PASSING and issue_code(body) in PASSING_ISSUES | {None}:
            asked = retry_after_seconds(
                response.headers.get("retry-after"), datetime.now(UTC), self.pace.limits.longest_retry_after
            )
            raise PassingError(f"{what}: status {status}", retry_after=asked, busy=status in _BUSY)
        raise RefusedError(what, status, body)


@asynccontextmanager
async def open_caller(reach: Reach, pace: Pace, *, silence: float = 60.0) -> AsyncIterator[Caller]:
    """A caller with connections of its own, without authorization.

    Certificates are checked; proxies and certificate authorities of the environment hold. ``silence``: seconds
    without a byte after which an answer is given up.
    """
    # They name whole addresses at INFO, and those may hold signatures.
    for library in ("httpx", "httpcore"):
        logging.getLogger(library).setLevel(logging.WARNING)
    connections = pace.limits.concurrency + 1
    async with httpx.AsyncClient(
        timeout=httpx.Timeout(silence, connect=min(silence, 15.0), pool=None),
        limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        headers={"User-Agent": "clinmart", "Accept-Encoding": "identity"},
        trust_env=True,
    ) as http:
        yield Caller(http, reach, pace)


class _Passing:
    """Turns errors of the network into PassingError, and those of certificates into UsageError."""

    def __init__(self, what: str, url: str) -> None:
        self._what, self._host = what, host_of(url)

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, (httpx.InvalidURL, httpx.UnsupportedProtocol)):
            raise UsageError(f"{self._host}: {self._what}: the address cannot be asked") from None
        if isinstance(error, httpx.TransportError):
            if _certificate_refused(error):
                raise UsageError(
                    f"{self._host}: its certificate is not trusted; SSL_CERT_FILE names authorities to trust"
                ) from None
            raise PassingError(f"{self._what}: {_in_words(error)}") from None


def _certificate_refused(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _in_words(error: httpx.TransportError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    if isinstance(error, httpx.ProxyError):
        return "the proxy refuses"
    if isinstance(error, httpx.ConnectError):
        return "no connection"
    return "the connection was cut"


async def read_whole(response: httpx.Response, what: str) -> bytes:
    """The body of an answer that is held whole; UsageError for one that is too large for that."""
    parts, size = [], 0
    async for part in response.aiter_bytes():
        parts.append(part)
        size += len(part)
        if size > _LARGEST_ANSWER:
            raise UsageError(f"{what}: the answer is larger than {_LARGEST_ANSWER:,} bytes")
    return b"".join(parts)
