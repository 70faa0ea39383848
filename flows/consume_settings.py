"""What a consumer is told: which broker, as whom, what of it, and how much at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flows.consume_run import ConsumeLimits
from flows.settings import environment
from schemas.consumed import Place
from schemas.errors import UsageError
from sources.brokers.address import BrokerAddress, BrokerKind, parse_address
from sources.brokers.broker import Broker, BrokerLimits
from sources.brokers.tls import ClientTls

_MIB = 1024 * 1024
_MOST_URL = 64 * 1024


@dataclass(frozen=True, slots=True)
class ConsumeSettings:
    """Everything that a consumer needs to know besides its mart.

    The address stands in a file or in the environment, so that no list of processes shows a password; ``url`` is one
    without.
    """

    queue: str | None = None
    topics: tuple[str, ...] = ()
    group: str = "clinmart"
    url: str | None = None
    url_file: Path | None = None
    plain: bool = False
    tls: ClientTls = field(default_factory=ClientTls)
    dead: str | None = None
    tries: int = 3
    prefetch: int | None = None
    from_mart: bool = False
    limits: ConsumeLimits = field(default_factory=ConsumeLimits)

    def __post_init__(self) -> None:
        if (self.queue is None) == (not self.topics):
            raise UsageError("say what to consume: --queue NAME of RabbitMQ or SQS, or --topic NAME of Kafka")
        if self.tries < 1:
            raise UsageError(f"--tries is {self.tries}: give 1 or more")

    def address(self) -> BrokerAddress:
        """Where the broker is. UsageError when it is not told, or not told well."""
        if self.url is not None and self.url_file is not None:
            raise UsageError("--url and --url-file do not go together: give one of them")
        url = self.url if self.url is not None else self._secret_url()
        address = parse_address(url, plain=self.plain)
        if self.url is not None and address.password is not None:
            raise UsageError(
                "--url has a password, which every list of processes shows: put the address into a file and give "
                "--url-file, or into CLINMART_BROKER_URL"
            )
        if (address.kind is BrokerKind.KAFKA) != bool(self.topics):
            wanted = "--topic" if address.kind is BrokerKind.KAFKA else "--queue"
            raise UsageError(f"a broker of {address.kind} needs {wanted}")
        if self.tls.is_told and not address.tls:
            raise UsageError("--tls-ca, --tls-cert and --tls-key are for an address with TLS (amqps, kafka+tls, ...)")
        if self.from_mart and address.kind is not BrokerKind.KAFKA:
            raise UsageError(f"--from-mart is for Kafka: {address.kind} does not keep what was acknowledged")
        return address

    def _secret_url(self) -> str:
        if self.url_file is None:
            found = environment("BROKER_URL", "")
            if not found:
                raise UsageError("the broker's address is not told: --url-file FILE, --url URL or CLINMART_BROKER_URL")
            return found
        try:
            with self.url_file.open(encoding="utf-8") as file:
                found = file.read(_MOST_URL).strip()
        except (OSError, UnicodeDecodeError):
            raise UsageError(f"--url-file {self.url_file}: the address cannot be read") from None
        if not found or "\n" in found:
            raise UsageError(f"--url-file {self.url_file}: give one line, the broker's address")
        return found

    def broker(self, known: Mapping[Place, int]) -> Broker:
        """The broker; ``known`` is how far the mart is in places whose messages are numbered."""
        address = self.address()
        most = self.prefetch if self.prefetch is not None else self.limits.under_way
        limits = BrokerLimits(most, max(64 * _MIB, 4 * self.limits.bytes))
        context = self.tls.context() if address.tls else None
        if address.kind is BrokerKind.KAFKA:
            from sources.brokers.kafka import KafkaBroker  # noqa: PLC0415 # each library is heavy

            return KafkaBroker(
                address, self.topics, self.group, limits, context, self.dead, known, from_mart=self.from_mart
            )
        assert self.queue is not None
        if address.kind is BrokerKind.RABBITMQ:
            from sources.brokers.rabbitmq import RabbitBroker  # noqa: PLC0415

            return RabbitBroker(address, self.queue, limits, context, self.dead)
        from sources.brokers.sqs import SqsBroker  # noqa: PLC0415

        return SqsBroker(address, self.queue, limits, self.tls, self.dead)
