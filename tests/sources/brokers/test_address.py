"""The address of a broker."""

from __future__ import annotations

import pytest

from schemas.errors import UsageError
from sources.brokers.address import BrokerKind, parse_address

SECRET = "s3cret"


def test_every_part_is_found() -> None:
    """Names and passwords are unquoted, ports have defaults."""
    rabbit = parse_address(f"amqps://me:{SECRET}%40@rabbit.example.org/a%2Fb")
    assert (rabbit.kind, rabbit.hosts, rabbit.tls) == (BrokerKind.RABBITMQ, (("rabbit.example.org", 5671),), True)
    assert (rabbit.user, rabbit.password, rabbit.path) == ("me", f"{SECRET}@", "a/b")
    kafka = parse_address("kafka://127.0.0.1:1,localhost:2,[::1]:3")
    assert kafka.hosts == (("127.0.0.1", 1), ("localhost", 2), ("::1", 3))
    assert kafka.user is None
    assert parse_address("kafka+tls://a:b@k1:9093?mechanism=SCRAM-SHA-512").query == {"mechanism": "SCRAM-SHA-512"}
    assert parse_address("sqs://eu-west-1").hosts == (("eu-west-1", 443),)
    assert parse_address("sqs+http://127.0.0.1:5000/?region=x").query == {"region": "x"}


def test_a_password_is_not_shown() -> None:
    """Neither in words nor when an address is printed by accident."""
    address = parse_address(f"amqps://me:{SECRET}@host")
    assert SECRET not in str(address) + repr(address)
    assert str(address) == "rabbitmq at host:5671"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"http://me:{SECRET}@host", "begins with none of"),
        (f"me:{SECRET}@host", "begins with none of"),
        (f"amqp://me:{SECRET}@", "names 0 hosts"),
        (f"amqp://me:{SECRET}@localhost,localhost", "names 2 hosts"),
        (f"amqp://me:{SECRET}@localhost:port", "valid port"),
        (f"kafka+tls://me:{SECRET}@h?mechanisms=x", "mechanism"),
        (f"sqs+https://me:{SECRET}@h", "names no region"),
        (f"amqp://me:{SECRET}@hospital.example.org", "without TLS"),
    ],
)
def test_what_is_no_address_is_told_without_the_password(url: str, said: str) -> None:
    """One line each, and what to do."""
    with pytest.raises(UsageError, match=said) as refused:
        parse_address(url)
    assert SECRET not in str(refused.value)


def test_without_tls_only_where_it_is_allowed() -> None:
    """This machine is."""
    assert not parse_address("amqp://hospital.example.org", plain=True).tls
    assert not parse_address("amqp://127.0.0.1").tls
