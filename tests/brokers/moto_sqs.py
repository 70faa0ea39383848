"""SQS as moto's server speaks it, and a client of the tests' own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from aiobotocore.session import get_session
from moto.server import ThreadedMotoServer
from moto.sqs.models import sqs_backends


@contextmanager
def moto() -> Iterator[int]:
    """A server in this process; its port."""
    sqs_backends.reset()  # servers of one process have all the same queues
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        _, port = server.get_host_and_port()
        yield port
    finally:
        server.stop()


@asynccontextmanager
async def client_of(port: int) -> AsyncIterator[Any]:
    """A client of the tests' own."""
    told = {"region_name": "eu-west-1", "aws_access_key_id": "me", "aws_secret_access_key": "s3cret"}
    async with get_session().create_client("sqs", endpoint_url=f"http://127.0.0.1:{port}", **told) as client:
        yield client


def fill(port: int, queue: str, messages: Sequence[bytes], dead: str | None = None) -> None:
    """A queue with messages, whose dead letters go to ``dead``, which is made too."""

    async def run() -> None:
        async with client_of(port) as client:
            attributes = {}
            if dead is not None:
                url = (await client.create_queue(QueueName=dead))["QueueUrl"]
                told = await client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
                policy = {"deadLetterTargetArn": told["Attributes"]["QueueArn"], "maxReceiveCount": "5"}
                attributes = {"RedrivePolicy": json.dumps(policy)}
            url = (await client.create_queue(QueueName=queue, Attributes=attributes))["QueueUrl"]
            for at in range(0, len(messages), 10):
                some = [{"Id": str(n), "MessageBody": m.decode()} for n, m in enumerate(messages[at : at + 10])]
                await client.send_message_batch(QueueUrl=url, Entries=some)

    asyncio.run(run())


def left(port: int, queue: str) -> list[tuple[str, dict[str, str]]]:
    """Bodies and attributes of up to ten messages."""

    async def run() -> list[tuple[str, dict[str, str]]]:
        async with client_of(port) as client:
            url = (await client.get_queue_url(QueueName=queue))["QueueUrl"]
            found = await client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
            return [
                (m["Body"], {name: a["StringValue"] for name, a in m.get("MessageAttributes", {}).items()})
                for m in found.get("Messages", ())
            ]

    return asyncio.run(run())
