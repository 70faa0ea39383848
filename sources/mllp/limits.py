"""What an MLLP server grants its senders, so that no sender can take all of it."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.errors import UsageError

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class MllpLimits:
    """Sizes in bytes, times in seconds; all positive.

    ``frame_bytes``    data of one frame
    ``held_bytes``     of all frames together that are not complete; above it the oldest of them is given up
    ``waiting_bytes``  of all messages that wait for their answer; above it nothing more is read
    ``waiting``        messages of one connection that wait for their answer before no more is read of it
    ``connections``    at the same time; a further one takes the place of the longest silent one
    ``frame_seconds``  for a frame to become complete, for a TLS handshake, and for a sender to take its answers
    ``idle_seconds``   between the messages of a connection
    """

    frame_bytes: int = 16 * _MIB
    held_bytes: int = 256 * _MIB
    waiting_bytes: int = 64 * _MIB
    waiting: int = 256
    connections: int = 1000
    frame_seconds: float = 60.0
    idle_seconds: float = 3600.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not getattr(self, name) > 0:
                raise UsageError(f"the limit {name} of the listener is {getattr(self, name)}: it must be above 0")
