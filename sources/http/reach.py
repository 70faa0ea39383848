"""Which addresses may be asked: the one that the user gave, and those that the user allowed besides."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

from schemas.errors import UsageError


class Reach:
    """Hosts by name; ports do not matter, so that a server may answer on several.

    A server's answers name further addresses (of states, of files, of tokens). One that lies elsewhere is not asked
    unless its host was allowed: what a server names is not what the user named. Without TLS only this machine is
    asked, unless that was allowed.
    """

    def __init__(self, given: str, allowed_hosts: Iterable[str] = (), *, plain_http: bool = False) -> None:
        """Raises UsageError when ``given`` cannot be asked."""
        self._plain_http = plain_http
        self._hosts = frozenset(map(_known_as, (host_of(given), *(host.lower() for host in allowed_hosts))))
        self.check(given)

    def with_url(self, url: str) -> Reach:
        """The same, and the host of another address that the user gave."""
        return Reach(url, self._hosts, plain_http=self._plain_http)

    def check(self, url: str) -> str:
        """``url``, when it may be asked; else UsageError with its host and what to do."""
        parts = _split(url)
        host = host_of(url)
        if parts.scheme not in ("http", "https") or not host:
            raise UsageError(f"{host or 'the address'}: not an address of http or https")
        if parts.username is not None or parts.password is not None:
            raise UsageError(
                f"{host}: the address holds a name or a password; give them apart (--user, --password-file)"
            )
        if parts.scheme == "http" and not self._plain_http and not is_loopback(host):
            raise UsageError(
                f"{host}: http without TLS would show patients' data to the network; --plain-http allows it"
            )
        if _known_as(host) not in self._hosts:
            raise UsageError(
                f"the server names an address on another host, {host}; if it may be asked: --allow-host {host}"
            )
        return url


def host_of(url: str) -> str:
    """The host that ``url`` names, in lower case; empty when it names none. It is safe to show."""
    return (_split(url).hostname or "").lower()


def origin_of(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port (RFC 6454)."""
    parts = _split(url)
    try:
        port = parts.port
    except ValueError:
        raise UsageError(f"{host_of(url)}: the address has no valid port") from None
    return parts.scheme, host_of(url), port or {"http": 80, "https": 443}.get(parts.scheme)


def is_loopback(host: str) -> bool:
    """True for names and addresses of this machine itself."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _known_as(host: str) -> str:
    """All names of this machine are one: a server on it may call itself by another than the user does."""
    return "localhost" if is_loopback(host) else host


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        raise UsageError("the address cannot be read: give one such as https://fhir.example.org/r4") from None
