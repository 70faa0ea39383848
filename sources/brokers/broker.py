"""What a broker is to us: it hands out messages, and is told when they are safe or that nothing can be made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from schemas.consumed import Place
from schemas.errors import UsageError

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class BrokerLimits:
    """How much is taken from a broker before it is acknowledged.

    ``messages`` and ``bytes`` are what is under way at most: received, and not acknowledged. A broker may exceed the
    bytes by what it has sent before it learns of it.
    """

    messages: int = 10_000
    bytes: int = 256 * MIB

    def __post_init__(self) -> None:
        if self.messages < 1 or self.bytes < 1:
            raise UsageError(f"the prefetch is {self.messages} messages, {self.bytes} bytes: give 1 or more of both")


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as it was delivered.

    ``position`` is its number in the place where the broker gives it one, ``again`` whether the broker says that it was
    delivered before, ``sent_at`` (UTC) when the broker or the sender says that it was sent. ``token`` is the broker's
    own.
    """

    data: bytes
    place: Place
    position: int | None
    again: bool
    sent_at: datetime | None
    token: object


class Broker(Protocol):
    """A connection to a broker; belongs to one event loop. Deliveries are settled in the order in which they came.

    A method that needs the other side raises :class:`sources.pace.PassingError` when that is not there; then
    :meth:`open` is called again, and what was delivered before is no longer :meth:`held`. UsageError and its kin mean
    that calling again is of no use.
    """

    async def open(self) -> None:
        """Connect, anew if need be."""
        ...

    async def receive(self, most: int, seconds: float) -> Sequence[Delivery]:
        """Up to ``most`` messages; none when none came within so many seconds."""
        ...

    def held(self, delivery: Delivery) -> bool:
        """True while the delivery is ours to settle: its connection lives, and its partition was not taken away."""
        ...

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> int:
        """Say that messages are safe, so that they are not delivered again; how many of them were still ours.

        Those that were refused are passed over.
        """
        ...

    async def refuse(self, delivery: Delivery, reason: str) -> bool:
        """Put a message into the dead letters, with the code of the reason; False when it has no such place, or was no
        longer ours.
        """
        ...

    async def pause(self) -> None:
        """Take nothing more, and stay connected."""
        ...

    async def resume(self) -> None:
        """Go on."""
        ...

    async def lag(self) -> Mapping[Place, int]:
        """How many messages wait in each place, where the broker tells it."""
        ...

    async def close(self) -> None:
        """Disconnect; what is not settled is delivered again, to whomever."""
        ...
