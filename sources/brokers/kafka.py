"""Kafka: topics, consumed as a member of a group that commits its offsets itself."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    CommitFailedError,
    ConsumerStoppedError,
    GroupAuthorizationFailedError,
    IllegalGenerationError,
    IllegalStateError,
    KafkaError,
    RebalanceInProgressError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnknownMemberIdError,
    UnsupportedSaslMechanismError,
)

from schemas.consumed import Place
from schemas.errors import UsageError
from sources.brokers.address import BrokerAddress
from sources.brokers.broker import BrokerLimits, Delivery
from sources.pace import PassingError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FENCED = (
    CommitFailedError,
    IllegalGenerationError,
    IllegalStateError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
_FORBIDDEN = (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    GroupAuthorizationFailedError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)
_ALIVE_SECONDS = 5.0  # a member that polls seldomer than every five minutes is put out of its group


class KafkaBroker:
    """Topics of Kafka, read by a member of ``group`` from its committed offsets on, else from the beginning.

    ``known``: where the mart stands; of a partition named there whose group is further, or not as far, it is begun
    there if ``from_mart``. ``dead``: the topic of dead letters.
    """

    def __init__(
        self,
        address: BrokerAddress,
        topics: Sequence[str],
        group: str,
        limits: BrokerLimits,
        context: ssl.SSLContext | None = None,
        dead: str | None = None,
        known: Mapping[Place, int] | None = None,
        *,
        from_mart: bool = False,
    ) -> None:
        self._address = address
        self._topics = tuple(topics)
        self._group = group
        self._limits = limits
        self._context = context
        self._dead = dead
        self._known = dict(known or {}) if from_mart else {}
        self._epochs: dict[TopicPartition, int] = {}
        self._consumer: AIOKafkaConsumer | None = None
        self._producer: AIOKafkaProducer | None = None
        self._alive: asyncio.Task[None] | None = None
        self._early: list[Delivery] = []  # came while paused
        self._was_open = False

    async def open(self) -> None:
        """See :class:`Broker`. UsageError when a topic is not there or the broker refuses us."""
        await self.close()
        consumer = AIOKafkaConsumer(
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_bytes=max(1, self._limits.bytes // 4),
            max_partition_fetch_bytes=max(1, self._limits.bytes // 16),
            **self._access(),
        )
        consumer.subscribe(self._topics, listener=_Rebalance(self, consumer))
        try:
            await consumer.start()
            self._consumer = consumer
            there = await consumer.topics()
            wanted = [*self._topics, *([self._dead] if self._dead else ())]
            if missing := [topic for topic in wanted if topic not in there]:
                raise self._failed(f"has no topic {missing[0]!r}")
            if self._dead is not None:
                self._producer = AIOKafkaProducer(acks="all", enable_idempotence=True, **self._access())
                await self._producer.start()
        except (PassingError, UsageError):
            await self._drop(consumer)
            raise
        except (KafkaError, ConsumerStoppedError, OSError, ValueError) as error:
            await self._drop(consumer)
            raise self._why(error) from None
        except BaseException:
            await self._drop(consumer)
            raise
        self._was_open = True

    async def receive(self, most: int, seconds: float) -> Sequence[Delivery]:
        """See :class:`Broker`."""
        if self._early:
            early, self._early = self._early[:most], self._early[most:]
            return early
        consumer = self._must_be_open()
        try:
            found = await consumer.getmany(timeout_ms=int(seconds * 1000), max_records=most)
        except (KafkaError, ConsumerStoppedError, OSError) as error:
            raise self._why(error) from None
        return [self._delivery(record) for records in found.values() for record in records]

    def held(self, delivery: Delivery) -> bool:
        """See :class:`Broker`."""
        partition, epoch, _ = _token(delivery)
        return self._consumer is not None and self._epochs.get(partition) == epoch

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> int:
        """See :class:`Broker`. What a rebalance took away between is not committed; its next owner gets it again."""
        consumer = self._must_be_open()
        held = [delivery for delivery in deliveries if self.held(delivery)]
        offsets: dict[TopicPartition, int] = {}
        for delivery in held:
            partition, _, offset = _token(delivery)
            offsets[partition] = max(offsets.get(partition, 0), offset + 1)
        if not offsets:
            return 0
        try:
            await consumer.commit(offsets)
        except _FENCED:
            return 0
        except (KafkaError, ConsumerStoppedError, OSError) as error:
            raise self._why(error) from None
        return len(held)

    async def refuse(self, delivery: Delivery, reason: str) -> bool:
        """See :class:`Broker`."""
        if self._producer is None or self._dead is None or not self.held(delivery):
            return False
        place = f"{delivery.place.uri}@{delivery.position}".encode()
        headers = [("clinmart-reason", reason.encode()), ("clinmart-place", place)]
        try:
            await self._producer.send_and_wait(self._dead, delivery.data, headers=headers)
        except (KafkaError, OSError) as error:
            raise self._why(error) from None
        return True

    async def pause(self) -> None:
        """See :class:`Broker`. The group is told that we live: a member that is silent for minutes is put out."""
        consumer = self._must_be_open()
        consumer.pause(*consumer.assignment())
        if self._alive is None:
            self._alive = asyncio.get_running_loop().create_task(self._keep_alive(consumer))

    async def resume(self) -> None:
        """See :class:`Broker`."""
        await self._end_alive()
        consumer = self._must_be_open()
        consumer.resume(*(consumer.paused() & consumer.assignment()))

    async def lag(self) -> Mapping[Place, int]:
        """See :class:`Broker`. As of the last fetch."""
        consumer = self._must_be_open()
        found = {}
        for partition in consumer.assignment():
            end = consumer.highwater(partition)
            if end is not None:
                at = await consumer.position(partition)
                found[_place(partition)] = max(0, end - at)
        return found

    async def close(self) -> None:
        """See :class:`Broker`."""
        await self._end_alive()
        self._early = []
        for one in (self._consumer, self._producer):
            if one is not None:
                await _stopped(one)
        self._consumer = self._producer = None

    def lose(self, partitions: Sequence[TopicPartition]) -> None:
        """A rebalance took these away, or gave them: what was delivered of them before is no longer ours."""
        for partition in partitions:
            self._epochs[partition] = self._epochs.get(partition, 0) + 1
        self._early = [delivery for delivery in self._early if self.held(delivery)]

    async def begin(self, consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]) -> None:
        """Go to where the mart stands, in partitions that were just assigned."""
        for partition in partitions:
            at = self._known.pop(_place(partition), None)
            if at is not None:
                consumer.seek(partition, at)

    def _delivery(self, record: Any) -> Delivery:
        partition = TopicPartition(record.topic, record.partition)
        sent = _EPOCH + timedelta(milliseconds=record.timestamp) if record.timestamp and record.timestamp > 0 else None
        token = (partition, self._epochs.get(partition), record.offset)
        return Delivery(record.value or b"", _place(partition), record.offset, False, sent, token)

    async def _keep_alive(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            await asyncio.sleep(_ALIVE_SECONDS)
            # A partition that came in a rebalance since is not paused, and may give something.
            found = await consumer.getmany(timeout_ms=0, max_records=1)
            self._early += [self._delivery(record) for records in found.values() for record in records]
            consumer.pause(*consumer.assignment())

    async def _end_alive(self) -> None:
        task, self._alive = self._alive, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _access(self) -> dict[str, Any]:
        address = self._address
        hosts = [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in address.hosts]
        told: dict[str, Any] = {"bootstrap_servers": hosts, "client_id": "clinmart"}
        security = "SSL" if address.tls else "PLAINTEXT"
        if address.user is not None:
            security = f"SASL_{security}"
            told |= {
                "sasl_mechanism": address.query.get("mechanism", "PLAIN"),
                "sasl_plain_username": address.user,
                "sasl_plain_password": address.password or "",
            }
        return told | {"security_protocol": security, "ssl_context": self._context}

    async def _drop(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = None
        await _stopped(consumer)

    def _must_be_open(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise PassingError(f"{self._address}: not connected")
        return self._consumer

    def _failed(self, what: str) -> Exception:
        """A fault of what was asked, unless it was right before: a broker that starts does not know all at once."""
        said = f"{self._address} {what}"
        return PassingError(said) if self._was_open else UsageError(said)

    def _why(self, error: Exception) -> Exception:
        """What we make of an error of the library, whose text may hold anything."""
        if isinstance(error, _FORBIDDEN):
            return self._failed(f"refuses us ({type(error).__name__})")
        return PassingError(f"{self._address}: not reachable ({type(error).__name__})")


class _Rebalance(ConsumerRebalanceListener):  # type: ignore[misc] # the library has no types
    """Tells what a rebalance takes and gives."""

    def __init__(self, broker: KafkaBroker, consumer: AIOKafkaConsumer) -> None:
        self._broker = broker
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Called before others get them."""
        self._broker.lose(list(revoked))

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Called before anything is fetched of them."""
        self._broker.lose(list(assigned))
        await self._broker.begin(self._consumer, list(assigned))


async def _stopped(one: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """Stop it; a broker that is gone cannot be told."""
    try:
        await asyncio.wait_for(one.stop(), 10.0)
    except (KafkaError, OSError, TimeoutError):
        return


def _place(partition: TopicPartition) -> Place:
    return Place("kafka", str(partition.topic), int(partition.partition))


def _token(delivery: Delivery) -> tuple[TopicPartition, int | None, int]:
    """Partition, which assignment of it, and offset."""
    token = delivery.token
    assert isinstance(token, tuple)
    partition, epoch, offset = token
    return partition, epoch, offset
