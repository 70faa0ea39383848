"""The messages taken in lately: a control id that comes again need not go to the mart to be known."""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol

from transforms.acknowledge.answer import Decision

Key = tuple[str, str, str]  # sending application, sending facility, control id
_LATELY = 100_000  # messages remembered, about 40 MB


class Seen(Protocol):
    """What is known of messages by key."""

    def find(self, key: Key) -> tuple[bytes, Decision] | None:
        """SHA-256 of the message's data and what was decided of it; None when it is not known here."""
        ...

    def add(self, key: Key, sha256: bytes, decision: Decision) -> None:
        """Remember a message that is durable."""
        ...


class SeenLately:
    """The last messages, in memory. Older ones the committer finds among the mart's receipts."""

    def __init__(self, lately: int = _LATELY) -> None:
        self._lately = lately
        self._known: OrderedDict[Key, tuple[bytes, Decision]] = OrderedDict()

    def find(self, key: Key) -> tuple[bytes, Decision] | None:
        """See :class:`Seen`."""
        return self._known.get(key)

    def add(self, key: Key, sha256: bytes, decision: Decision) -> None:
        """See :class:`Seen`."""
        self._known[key] = sha256, decision
        self._known.move_to_end(key)
        if len(self._known) > self._lately:
            self._known.popitem(last=False)
