"""How far the messages of a broker are in a mart."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Where messages come from: a queue, or a partition of a topic; of ``kafka``, ``rabbitmq`` or ``sqs``."""

    broker: str
    name: str
    partition: int | None = None

    @property
    def uri(self) -> str:
        """The place in words, in place of the name of a file: ``kafka:labs/3``, ``rabbitmq:labs``."""
        return f"{self.broker}:{self.name}" + ("" if self.partition is None else f"/{self.partition}")


@dataclass(frozen=True, slots=True)
class Consumed:
    """What one commit takes in of a place: so many ``messages``.

    ``position`` is that of the first message after them where the broker numbers its messages, ``lag`` how many were
    waiting there when it was last asked; None where it does not tell.
    """

    place: Place
    messages: int
    position: int | None = None
    lag: int | None = None
