"""The address of a broker: what stands in its URL, with which nobody is shown a password."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import parse_qsl, unquote

from schemas.errors import UsageError
from sources.http.reach import is_loopback


class BrokerKind(StrEnum):
    """A kind of broker."""

    KAFKA = "kafka"
    RABBITMQ = "rabbitmq"
    SQS = "sqs"


_KINDS = {  # scheme: kind, TLS, port
    "amqp": (BrokerKind.RABBITMQ, False, 5672),
    "amqps": (BrokerKind.RABBITMQ, True, 5671),
    "kafka": (BrokerKind.KAFKA, False, 9092),
    "kafka+tls": (BrokerKind.KAFKA, True, 9093),
    "sqs": (BrokerKind.SQS, True, 443),  # a region of AWS
    "sqs+https": (BrokerKind.SQS, True, 443),
    "sqs+http": (BrokerKind.SQS, False, 80),
}
_QUERIES = {BrokerKind.KAFKA: {"mechanism"}, BrokerKind.RABBITMQ: {"heartbeat"}, BrokerKind.SQS: {"region"}}


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where a broker is and who asks. ``hosts`` are names and ports; ``path`` is a virtual host of RabbitMQ, ``query``
    what the URL says besides.
    """

    kind: BrokerKind
    scheme: str
    hosts: tuple[tuple[str, int], ...]
    tls: bool
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    path: str = ""
    query: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """The broker in words, without who asks."""
        return f"{self.kind} at {', '.join(f'{host}:{port}' for host, port in self.hosts)}"


def parse_address(url: str, *, plain: bool = False) -> BrokerAddress:
    """The address in a URL: ``amqp[s]://user:password@host:5672/vhost``, ``kafka[+tls]://host:9092,host:9092``,
    ``sqs://region`` or ``sqs+https://host:port/?region=eu-west-1``.

    Without TLS only this machine is spoken to, unless ``plain``. UsageError, without any password, for all else.
    """
    scheme, mark, rest = url.strip().partition("://")
    scheme = scheme.lower()
    if not mark or scheme not in _KINDS:
        known = ", ".join(f"{name}://" for name in _KINDS)
        raise UsageError(f"the broker's address begins with none of {known}")
    kind, tls, port = _KINDS[scheme]
    netloc, _, tail = rest.partition("/")
    path, _, query = tail.partition("?")
    if "?" in netloc:
        netloc, _, query = netloc.partition("?")
    login, at, places = netloc.rpartition("@")
    user, _, password = login.partition(":")
    hosts = tuple(_host(one, port) for one in places.split(",") if one)
    if not hosts or (len(hosts) > 1 and kind is not BrokerKind.KAFKA):
        raise UsageError(f"the broker's address names {len(hosts)} hosts: give {scheme}://HOST")
    told = dict(parse_qsl(query, keep_blank_values=True))
    unknown = sorted(told.keys() - _QUERIES[kind])
    if unknown:
        raise UsageError(f"the broker's address says {unknown[0][:40]!a}; known is {', '.join(_QUERIES[kind])}")
    if kind is BrokerKind.SQS and scheme != "sqs" and "region" not in told:
        raise UsageError(f"the broker's address names no region: give {scheme}://HOST/?region=REGION")
    if not tls and not plain and not all(is_loopback(host) for host, _ in hosts):
        raise UsageError(
            f"{hosts[0][0]}: without TLS patients' data and passwords would show to the network: give an address of "
            f"{kind} with TLS, or allow it with --plain"
        )
    return BrokerAddress(
        kind,
        scheme,
        hosts,
        tls,
        unquote(user) if at and user else None,
        unquote(password) if at and password else None,
        unquote(path),
        told,
    )


def _host(text: str, port: int) -> tuple[str, int]:
    """Name and port of one host; an IPv6 address stands in brackets."""
    name, colon, number = text.rpartition(":")
    if not colon or number.endswith("]"):
        name, number = text, str(port)
    if not number.isdecimal() or not 0 < int(number) < 65536 or not name:
        raise UsageError("the broker's address has a host without a valid port: give HOST or HOST:PORT")
    return name.removeprefix("[").removesuffix("]").lower(), int(number)
