"""The in-memory twin of a broker, for tests: it does what brokers do on the day that things go wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from schemas.consumed import Place
from sources.brokers.broker import Delivery
from sources.pace import PassingError


@dataclass
class MemoryLog:
    """What the broker itself keeps, whoever is connected: messages by partition, and up to where each is settled."""

    partitions: dict[int, list[bytes]] = field(default_factory=dict)
    committed: dict[int, int] = field(default_factory=dict)
    dead: list[tuple[bytes, str]] = field(default_factory=list)
    reached: dict[int, int] = field(default_factory=dict)  # up to where messages were ever delivered

    def put(self, *messages: bytes, partition: int = 0) -> None:
        """Add messages."""
        self.partitions.setdefault(partition, []).extend(messages)


class MemoryBroker:
    """One consumer of a :class:`MemoryLog`; ``down`` makes every call fail, ``take_away`` is a rebalance."""

    def __init__(self, log: MemoryLog, name: str = "labs") -> None:
        self.log = log
        self.down = False
        self.opened = 0
        self.paused = 0
        self._name = name
        self._next: dict[int, int] = {}
        self._epochs: dict[int, int] = {}
        self._away: set[int] = set()

    def place(self, partition: int) -> Place:
        """A partition's place."""
        return Place("memory", self._name, partition)

    def take_away(self, partition: int) -> None:
        """Give a partition to another consumer."""
        self._epochs[partition] = self._epochs.get(partition, 0) + 1
        self._away.add(partition)

    def give_back(self, partition: int) -> None:
        """Give it back: delivery begins where it is settled up to."""
        self._away.discard(partition)
        self._next[partition] = self.log.committed.get(partition, 0)

    async def open(self) -> None:
        """See :class:`Broker`."""
        self._must_be_up()
        self.opened += 1
        for partition in {*self.log.partitions, *self._next}:
            self._epochs[partition] = self._epochs.get(partition, 0) + 1
            self._next[partition] = self.log.committed.get(partition, 0)

    async def receive(self, most: int, seconds: float) -> Sequence[Delivery]:
        """See :class:`Broker`."""
        self._must_be_up()
        found: list[Delivery] = []
        for partition, messages in sorted(self.log.partitions.items()):
            begin = self._next.get(partition, self.log.committed.get(partition, 0))
            if partition in self._away:
                continue
            for position in range(begin, min(len(messages), begin + most - len(found))):
                again = position < self.log.reached.get(partition, 0)
                token = self._epochs.get(partition, 0)
                found.append(Delivery(messages[position], self.place(partition), position, again, None, token))
                self._next[partition] = position + 1
                self.log.reached[partition] = max(position + 1, self.log.reached.get(partition, 0))
        if not found:
            await asyncio.sleep(min(seconds, 0.005))
        return found

    def held(self, delivery: Delivery) -> bool:
        """See :class:`Broker`."""
        partition = delivery.place.partition or 0
        return delivery.token == self._epochs.get(partition, 0)

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> int:
        """See :class:`Broker`."""
        self._must_be_up()
        held = [delivery for delivery in deliveries if self.held(delivery)]
        for delivery in held:
            assert delivery.position is not None
            partition = delivery.place.partition or 0
            self.log.committed[partition] = max(self.log.committed.get(partition, 0), delivery.position + 1)
        return len(held)

    async def refuse(self, delivery: Delivery, reason: str) -> bool:
        """See :class:`Broker`."""
        self._must_be_up()
        if not self.held(delivery):
            return False
        self.log.dead.append((delivery.data, reason))
        return True

    async def pause(self) -> None:
        """See :class:`Broker`."""
        self.paused += 1

    async def resume(self) -> None:
        """See :class:`Broker`."""

    async def lag(self) -> Mapping[Place, int]:
        """See :class:`Broker`."""
        return {
            self.place(partition): len(messages) - self.log.committed.get(partition, 0)
            for partition, messages in self.log.partitions.items()
        }

    async def close(self) -> None:
        """See :class:`Broker`."""

    def _must_be_up(self) -> None:
        if self.down:
            raise PassingError("the broker in memory is down")
