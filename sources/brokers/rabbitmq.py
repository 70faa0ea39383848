"""RabbitMQ (AMQP 0-9-1): one queue, consumed with a bounded prefetch."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC

import aio_pika
from aio_pika.abc import HeadersType
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError, DeliveryError, MessageProcessError
from aiormq.abc import DeliveredMessage
from aiormq.exceptions import (
    AuthenticationError,
    ChannelAccessRefused,
    ChannelLockedResource,
    ChannelNotFoundEntity,
    ConnectionNotAllowed,
    ProbableAuthenticationError,
)

from schemas.consumed import Place
from schemas.errors import UsageError
from sources.brokers.address import BrokerAddress
from sources.brokers.broker import BrokerLimits, Delivery
from sources.pace import PassingError

_CONNECT_SECONDS = 10.0
_MOST_PREFETCH = 65_535  # basic.qos has 16 bits for it
_LOST = (
    AMQPError,
    ChannelInvalidStateError,
    MessageProcessError,
    ConnectionError,
    OSError,
    asyncio.TimeoutError,
    EOFError,
)


class RabbitBroker:
    """A queue of RabbitMQ. What is refused goes to ``dead``, a queue, else to where the queue's own dead letters go."""

    def __init__(
        self,
        address: BrokerAddress,
        queue: str,
        limits: BrokerLimits,
        context: ssl.SSLContext | None = None,
        dead: str | None = None,
    ) -> None:
        self._address = address
        self._place = Place("rabbitmq", queue)
        self._limits = limits
        self._context = context
        self._dead = dead
        self._connection: aio_pika.abc.AbstractConnection | None = None
        self._epoch = 0
        self._was_open = False
        self._came: deque[Delivery] = deque()
        self._held = 0  # bytes received and not settled
        self._rejected: set[int] = set()  # tags of the batch that is being settled
        self._ready = asyncio.Event()
        self._tag: str | None = None  # of our consumer, while it takes messages
        self._consumers: Mapping[str, object] = {}  # those that the channel knows, by tag
        self._stopping: asyncio.Task[None] | None = None
        self._paused = False

    async def open(self) -> None:
        """See :class:`Broker`. UsageError when the queue is not there or the password is wrong."""
        await self._drop()
        self._epoch += 1
        self._came.clear()
        self._rejected.clear()
        self._held, self._tag = 0, None
        try:
            host, port = self._address.hosts[0]
            self._connection = await aio_pika.connect(
                host=host,
                port=port,
                login=self._address.user or "guest",
                password=self._address.password or "guest",
                virtualhost=self._address.path or "/",
                ssl=self._address.tls,
                ssl_context=self._context,
                timeout=_CONNECT_SECONDS,
                client_properties={"connection_name": "clinmart"},
            )
            # A second channel for what is only asked: a refusal closes the channel that it came on.
            self._channel = await self._connection.channel()
            await self._channel.set_qos(prefetch_count=min(self._limits.messages, _MOST_PREFETCH))
            await self._channel.get_queue(self._place.name)
            if self._dead is not None:
                await self._channel.get_queue(self._dead)
            await self._consume()
        except ChannelNotFoundEntity:
            raise self._failed("has no such queue") from None
        except (AuthenticationError, ProbableAuthenticationError, ConnectionNotAllowed, ChannelAccessRefused):
            raise self._failed("refuses name, password or right") from None
        except ChannelLockedResource:
            raise PassingError(f"{self._address}: the queue is used by another alone") from None
        except _LOST as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):  # all that the library leaves of it
                raise self._failed("has a certificate that is not trusted, see --tls-ca") from None
            raise self._gone(error) from None
        self._was_open = True

    async def receive(self, most: int, seconds: float) -> Sequence[Delivery]:
        """See :class:`Broker`."""
        self._must_be_open()
        if self._tag is None and not self._paused and self._held < self._limits.bytes // 2:
            await self._take_up()
        if not self._came:
            self._ready.clear()
            try:
                await asyncio.wait_for(self._ready.wait(), seconds)
            except TimeoutError:
                return ()
            self._must_be_open()
        return [self._came.popleft() for _ in range(min(most, len(self._came)))]

    def held(self, delivery: Delivery) -> bool:
        """See :class:`Broker`."""
        epoch, _ = _token(delivery)
        return epoch == self._epoch and not self._is_closed()

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> int:
        """See :class:`Broker`. One acknowledgment for all up to the last: deliveries are settled in order."""
        held = [delivery for delivery in deliveries if self.held(delivery)]
        # One that was rejected is settled: to acknowledge it too is an error that closes the channel.
        tags = [tag for _, tag in map(_token, held) if tag not in self._rejected]
        self._rejected.clear()
        if tags:
            try:
                underlay = await self._channel.get_underlay_channel()
                await underlay.basic_ack(tags[-1], multiple=True)
            except _LOST as error:
                raise self._gone(error) from None
        self._held -= sum(len(delivery.data) for delivery in held)
        return len(held)

    async def refuse(self, delivery: Delivery, reason: str) -> bool:
        """See :class:`Broker`."""
        if not self.held(delivery):
            return False
        _, tag = _token(delivery)
        try:
            underlay = await self._channel.get_underlay_channel()
            if self._dead is None:
                await underlay.basic_reject(tag, requeue=False)
                self._rejected.add(tag)
                return True
            headers: HeadersType = {"clinmart-reason": reason, "clinmart-place": delivery.place.uri}
            message = aio_pika.Message(delivery.data, headers=headers, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await self._channel.default_exchange.publish(message, self._dead, mandatory=True)
            return True
        except DeliveryError:
            raise PassingError(f"{self._address}: the queue of dead letters does not take a message") from None
        except _LOST as error:
            raise self._gone(error) from None

    async def pause(self) -> None:
        """See :class:`Broker`."""
        self._paused = True
        await self._leave_off()

    async def resume(self) -> None:
        """See :class:`Broker`."""
        self._paused = False
        if self._tag is None:
            await self._take_up()

    async def lag(self) -> Mapping[Place, int]:
        """See :class:`Broker`. Messages that are ready; those that consumers hold are not among them."""
        self._must_be_open()
        assert self._connection is not None
        try:
            async with self._connection.channel() as channel:
                queue = await channel.get_queue(self._place.name)
                return {self._place: queue.declaration_result.message_count or 0}
        except _LOST as error:
            raise self._gone(error) from None

    async def close(self) -> None:
        """See :class:`Broker`."""
        await self._drop()

    async def _on_message(self, message: DeliveredMessage) -> None:
        """A message came; where too much is held, the broker is told to send no more."""
        sent = message.header.properties.timestamp
        if sent is not None and sent.tzinfo is None:
            sent = sent.replace(tzinfo=UTC)
        token = (self._epoch, message.delivery_tag or 0)
        self._came.append(Delivery(message.body, self._place, None, bool(message.redelivered), sent, token))
        self._held += len(message.body)
        self._ready.set()
        if self._held > self._limits.bytes and self._tag is not None and self._stopping is None:
            self._stopping = asyncio.get_running_loop().create_task(self._leave_off())
            self._stopping.add_done_callback(self._stopped)

    def _stopped(self, task: asyncio.Task[None]) -> None:
        self._stopping = None
        if not task.cancelled():
            task.exception()  # a connection that is lost is found so by whoever receives

    async def _consume(self) -> None:
        # The channel below makes no object of a message with all that could be done to it, which takes a third of the
        # time in which one is received.
        underlay = await self._channel.get_underlay_channel()
        self._tag = (await underlay.basic_consume(self._place.name, self._on_message)).consumer_tag
        self._consumers = underlay.consumers  # type: ignore[attr-defined] # its abstract class does not tell it

    async def _take_up(self) -> None:
        self._must_be_open()
        try:
            await self._consume()
        except _LOST as error:
            raise self._gone(error) from None

    async def _leave_off(self) -> None:
        tag, self._tag = self._tag, None
        if tag is None:
            return
        try:
            underlay = await self._channel.get_underlay_channel()
            await underlay.basic_cancel(tag)
        except _LOST as error:
            raise self._gone(error) from None

    def _is_closed(self) -> bool:
        return self._connection is None or self._connection.is_closed or self._channel.is_closed

    def _must_be_open(self) -> None:
        if self._is_closed():
            raise PassingError(f"{self._address}: the connection was closed")
        if self._tag is not None and self._tag not in self._consumers:
            # The queue was deleted, or its node left: the broker sends nothing more, and the connection lives on.
            raise PassingError(f"{self._address}: the broker has ended our consumption")

    def _failed(self, what: str) -> Exception:
        """A fault of what was asked, unless it was right before: a broker that starts does not know all at once."""
        said = f"{self._address} {what}: queue {self._place.name!r}"
        return PassingError(said) if self._was_open else UsageError(said)

    def _gone(self, error: BaseException) -> PassingError:
        return PassingError(f"{self._address}: not reachable ({type(error).__name__})")

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed:
            try:
                await asyncio.wait_for(connection.close(), _CONNECT_SECONDS)
            except _LOST:
                return


def _token(delivery: Delivery) -> tuple[int, int]:
    """Which connection it came by, and its number there."""
    token = delivery.token
    assert isinstance(token, tuple)
    epoch, tag = token
    return epoch, tag
