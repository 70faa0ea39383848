"""A RabbitMQ of a test's own: another node name, other ports and folders than any that the machine has."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import aio_pika

from tests.flows.certificates import self_signed

_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # Debian's wrapper in sbin changes the user and the folders
_PATIENCE = 90.0  # seconds until it answers; a machine under load takes 30


def why_not() -> str | None:
    """Why no RabbitMQ can be started here; None when it can."""
    return None if _SERVER.exists() else "there is no rabbitmq-server: apt-get install rabbitmq-server"


class Rabbit:
    """A server that can be killed and started again with what it had."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.tls_port, distribution, epmd = _free_ports(4)
        self.certificate, key = self_signed(folder, "rabbit")
        config = folder / "rabbitmq.conf"
        config.write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            f"listeners.ssl.1 = 127.0.0.1:{self.tls_port}\n"
            f"ssl_options.certfile = {self.certificate}\n"
            f"ssl_options.keyfile = {key}\n"
            "log.console = true\n"
            "log.console.level = error\n"
        )
        self._env = os.environ | {
            "HOME": str(folder),
            "RABBITMQ_NODENAME": f"t{secrets.token_hex(4)}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_DIST_PORT": str(distribution),
            "ERL_EPMD_PORT": str(epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(config),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def begin(self) -> None:
        """Start it, and return when it takes connections."""
        with (self.folder / "said").open("ab") as said:
            self._process = subprocess.Popen(
                [str(_SERVER)], env=self._env, stdout=said, stderr=said, start_new_session=True
            )
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 10).close()  # of which no library logs anything
                asyncio.run(self._knock())
                return
            except (OSError, aio_pika.exceptions.AMQPError):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.folder / "said").read_text()[-2000:]) from None
                time.sleep(0.05)

    def kill(self) -> None:
        """End it as a power cut would."""
        process, self._process = self._process, None
        if process is not None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def end(self) -> None:
        """End it, and its port mapper, which is a daemon of its own."""
        self.kill()
        for _ in range(100):  # it refuses until it has seen that the server is gone
            said = subprocess.run(["epmd", "-kill"], check=False, env=self._env, capture_output=True)
            if b"not allowed" not in said.stdout + said.stderr:
                return
            time.sleep(0.02)

    async def _knock(self) -> None:
        connection = await aio_pika.connect(self.url, timeout=10)
        await connection.close()

    async def declare(self, queue: str, **arguments: str | int) -> None:
        """Make a durable queue."""
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel()
            await channel.declare_queue(queue, durable=True, arguments=dict(arguments))

    async def delete(self, queue: str) -> None:
        """Delete a queue."""
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel()
            await channel.queue_delete(queue)

    async def publish(self, queue: str, messages: Sequence[bytes]) -> None:
        """Put messages into a queue, durable and confirmed."""
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel()
            for at in range(0, len(messages), 500):
                await asyncio.gather(
                    *(
                        channel.default_exchange.publish(
                            aio_pika.Message(data, delivery_mode=aio_pika.DeliveryMode.PERSISTENT), queue
                        )
                        for data in messages[at : at + 500]
                    )
                )

    async def waiting(self, queue: str) -> int:
        """How many messages are ready in a queue."""
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel()
            found = await channel.get_queue(queue)
            return found.declaration_result.message_count or 0

    async def take(self, queue: str) -> list[tuple[bytes, dict[str, object]]]:
        """All messages of a queue with their headers, out of it."""
        found = []
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel()
            got = await channel.get_queue(queue)
            while (message := await got.get(fail=False)) is not None:
                found.append((message.body, dict(message.headers)))
                await message.ack()
        return found


@contextmanager
def rabbit(folder: Path) -> Iterator[Rabbit]:
    """A server that runs, and is gone at the end."""
    made = Rabbit(folder)
    try:
        made.begin()
        yield made
    finally:
        made.end()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
