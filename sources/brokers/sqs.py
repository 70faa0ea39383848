"""Amazon SQS: one queue, received in parallel, kept invisible to others until it is settled."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError, PartialCredentialsError

from schemas.consumed import Place
from schemas.errors import UsageError
from sources.brokers.address import BrokerAddress
from sources.brokers.broker import BrokerLimits, Delivery
from sources.brokers.tls import ClientTls
from sources.pace import PassingError

_T = TypeVar("_T")
_TOGETHER = 10  # messages of one call (SQS API reference, ReceiveMessage and DeleteMessageBatch)
_CALLS = 10  # at the same time
_INVISIBLE = 60  # seconds that a message is ours without our asking anew
_LONGEST_POLL = 20  # seconds (WaitTimeSeconds)
_NO_QUEUE = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
_FORBIDDEN = (
    "AccessDenied",
    "AccessDeniedException",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "InvalidSecurity",
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Token:
    epoch: int
    number: int
    receipt: str
    group: str | None  # of a FIFO queue


class SqsBroker:
    """A queue of SQS by name or URL. What is refused goes to ``dead``, else where the queue's redrive policy says."""

    def __init__(
        self,
        address: BrokerAddress,
        queue: str,
        limits: BrokerLimits,
        tls: ClientTls | None = None,
        dead: str | None = None,
    ) -> None:
        self._address = address
        self._queue = queue
        self._place = Place("sqs", queue.rpartition("/")[2])
        self._limits = limits
        self._tls = tls or ClientTls()
        self._given_dead = dead
        self._dead: str | None = None  # URL
        self._stack = AsyncExitStack()
        self._client: Any = None
        self._url = ""
        self._epoch = 0
        self._numbers = 0
        self._held: dict[int, tuple[str, int]] = {}  # number: receipt, bytes
        self._keeping: asyncio.Task[None] | None = None
        self._was_open = False
        self._was_full = False

    async def open(self) -> None:
        """See :class:`Broker`. UsageError when the queue is not there or we may not read it."""
        await self.close()
        self._epoch += 1
        host, port = self._address.hosts[0]
        region = host if self._address.scheme == "sqs" else self._address.query["region"]
        endpoint = None if self._address.scheme == "sqs" else f"http{'s' * self._address.tls}://{host}:{port}"
        tls = self._tls
        pair = (str(tls.certificate), str(tls.key)) if tls.certificate else None
        self._client = await self._stack.enter_async_context(
            get_session().create_client(
                "sqs",
                region_name=region,
                endpoint_url=endpoint,
                verify=str(tls.authority) if tls.authority else None,
                aws_access_key_id=self._address.user,
                aws_secret_access_key=self._address.password,
                config=AioConfig(
                    retries={"max_attempts": 0},  # who calls tries again, by its own pace
                    connect_timeout=10,
                    read_timeout=_LONGEST_POLL + 10,
                    max_pool_connections=2 * _CALLS,
                    client_cert=pair,
                ),
            )
        )
        self._url = await self._url_of(self._queue)
        wanted = ["RedrivePolicy"]
        told = await self._call(self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=wanted))
        self._dead = await self._dead_letters(told.get("Attributes", {}).get("RedrivePolicy", ""))
        self._keeping = asyncio.get_running_loop().create_task(self._keep())
        self._was_open = True

    async def receive(self, most: int, seconds: float) -> Sequence[Delivery]:
        """See :class:`Broker`. While there are many, several calls ask at once."""
        self._must_be_open()
        room = min(most, self._limits.messages - len(self._held))
        if room <= 0 or sum(size for _, size in self._held.values()) >= self._limits.bytes:
            await asyncio.sleep(min(seconds, 0.05))
            return ()
        calls = min(_CALLS, -(-room // _TOGETHER)) if self._was_full else 1
        asked = [
            self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=min(_TOGETHER, room),
                WaitTimeSeconds=0 if calls > 1 else min(_LONGEST_POLL, round(seconds)),
                VisibilityTimeout=_INVISIBLE,
                MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp", "MessageGroupId"],
            )
            for _ in range(calls)
        ]
        found: list[Delivery] = []
        problem: BaseException | None = None
        for answer in await asyncio.gather(*map(self._call, asked), return_exceptions=True):
            if isinstance(answer, BaseException):
                problem = answer
            else:
                found += [self._delivery(message) for message in answer.get("Messages", ())]
        if problem is not None and not found:
            raise problem
        self._was_full = len(found) >= _TOGETHER
        if not found and seconds < 1:
            await asyncio.sleep(seconds)
        return found

    def held(self, delivery: Delivery) -> bool:
        """See :class:`Broker`."""
        token = _token(delivery)
        return token.epoch == self._epoch and token.number in self._held

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> int:
        """See :class:`Broker`. SQS deletes ten a call; one that it could not delete comes again."""
        self._must_be_open()
        held = [delivery for delivery in deliveries if self.held(delivery)]
        lots = [held[at : at + _TOGETHER] for at in range(0, len(held), _TOGETHER)]
        places = asyncio.Semaphore(_CALLS)

        async def delete(lot: Sequence[Delivery]) -> int:
            entries = [{"Id": str(n), "ReceiptHandle": _token(one).receipt} for n, one in enumerate(lot)]
            async with places:
                told = await self._call(self._client.delete_message_batch(QueueUrl=self._url, Entries=entries))
            for one in lot:
                self._held.pop(_token(one).number, None)
            return len(lot) - len(told.get("Failed", ()))

        return sum(await asyncio.gather(*map(delete, lots)))

    async def refuse(self, delivery: Delivery, reason: str) -> bool:
        """See :class:`Broker`."""
        if self._dead is None or not self.held(delivery):
            return False
        token = _token(delivery)
        told = {"clinmart-reason": reason, "clinmart-place": delivery.place.uri}
        attributes = {name: {"DataType": "String", "StringValue": value} for name, value in told.items()}
        group = {"MessageGroupId": token.group or "clinmart"} if self._dead.endswith(".fifo") else {}
        body = delivery.data.decode("utf-8")
        await self._call(
            self._client.send_message(QueueUrl=self._dead, MessageBody=body, MessageAttributes=attributes, **group)
        )
        return True

    async def pause(self) -> None:
        """See :class:`Broker`. Nothing comes that is not asked for."""

    async def resume(self) -> None:
        """See :class:`Broker`."""

    async def lag(self) -> Mapping[Place, int]:
        """See :class:`Broker`. About as many, says SQS."""
        self._must_be_open()
        name = "ApproximateNumberOfMessages"
        told = await self._call(self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=[name]))
        return {self._place: int(told["Attributes"][name])}

    async def close(self) -> None:
        """See :class:`Broker`. What is not settled is visible to others at once."""
        task, self._keeping = self._keeping, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if self._client is not None:
            try:
                await self._show(0)
            except PassingError:
                self._held.clear()  # they show themselves when their time is over
        self._held.clear()
        self._client = None
        stack, self._stack = self._stack, AsyncExitStack()
        await stack.aclose()

    def _delivery(self, message: Mapping[str, Any]) -> Delivery:
        told = message.get("Attributes", {})
        self._numbers += 1
        data = message["Body"].encode()
        self._held[self._numbers] = message["ReceiptHandle"], len(data)
        sent = told.get("SentTimestamp")
        at = _EPOCH + timedelta(milliseconds=int(sent)) if sent else None
        again = int(told.get("ApproximateReceiveCount", 1)) > 1
        token = _Token(self._epoch, self._numbers, message["ReceiptHandle"], told.get("MessageGroupId"))
        return Delivery(data, self._place, None, again, at, token)

    async def _keep(self) -> None:
        """Keep what is held invisible, for as long as it is held."""
        while True:
            await asyncio.sleep(_INVISIBLE / 3)
            try:
                await self._show(_INVISIBLE)
            except PassingError:
                continue  # two thirds of the time are left to try again

    async def _show(self, seconds: int) -> None:
        """Let what is held be visible in so many seconds."""
        receipts = [receipt for receipt, _ in self._held.values()]
        for at in range(0, len(receipts), _TOGETHER * _CALLS):
            some = receipts[at : at + _TOGETHER * _CALLS]
            lots = [some[first : first + _TOGETHER] for first in range(0, len(some), _TOGETHER)]
            calls = [
                self._client.change_message_visibility_batch(
                    QueueUrl=self._url,
                    Entries=[
                        {"Id": str(n), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
                        for n, receipt in enumerate(lot)
                    ],
                )
                for lot in lots
            ]
            await asyncio.gather(*map(self._call, calls))

    async def _url_of(self, queue: str) -> str:
        if "://" in queue:
            return queue
        return str((await self._call(self._client.get_queue_url(QueueName=queue)))["QueueUrl"])

    async def _dead_letters(self, policy: str) -> str | None:
        """The queue of dead letters: the one that was given, else the one of the redrive policy, a JSON text."""
        if self._given_dead is not None:
            return await self._url_of(self._given_dead)
        if not policy:
            return None
        target = str(json.loads(policy).get("deadLetterTargetArn", ""))
        return await self._url_of(target.rpartition(":")[2]) if target else None

    async def _call(self, call: Awaitable[_T]) -> _T:
        """The answer; PassingError or UsageError, without what the library says, when there is none."""
        try:
            return await call
        except (NoCredentialsError, PartialCredentialsError):
            raise UsageError(f"{self._address}: there are no credentials: see the documentation") from None
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))[:80]
            fault = code in _NO_QUEUE or code.startswith(_FORBIDDEN)
            if fault and not self._was_open:
                raise UsageError(f"{self._address}: queue {self._place.name!r}: {code}") from None
            raise PassingError(f"{self._address}: {code}") from None
        except (BotoCoreError, HTTPClientError, OSError, TimeoutError) as error:
            raise PassingError(f"{self._address}: not reachable ({type(error).__name__})") from None

    def _must_be_open(self) -> None:
        if self._client is None:
            raise PassingError(f"{self._address}: not connected")


def _token(delivery: Delivery) -> _Token:
    token = delivery.token
    assert isinstance(token, _Token)
    return token
