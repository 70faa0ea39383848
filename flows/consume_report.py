"""What a consumer did, counted as it goes."""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.records import LoadReport


@dataclass(slots=True)
class ConsumeReport:
    """Counts of messages beside the counts of what they hold; :meth:`as_dict` is what ``clinmart consume --json``
    prints at its end.

    Of the messages received ``acknowledged`` were settled with the broker; ``fenced`` were not, for a rebalance or a
    lost connection took them away, and come again.
    """

    place: str = ""
    load: LoadReport | None = None
    received: int = 0
    again: int = 0  # of them, those that were delivered, or committed, before
    acknowledged: int = 0
    fenced: int = 0
    refused: int = 0  # something of them is in the quarantine
    dead_lettered: int = 0  # of these, handed to the broker's dead letters
    blank: int = 0  # hold nothing
    batches: int = 0
    pauses: int = 0  # the broker was told to wait for the mart
    connections: int = 0
    lag: dict[str, int] = field(default_factory=dict)  # by place, when it was last asked

    def as_dict(self) -> dict[str, object]:
        """The report as plain JSON values: that of the load, and `messages`."""
        told = {} if self.load is None else self.load.as_dict()
        names = ("received", "again", "acknowledged", "fenced", "refused", "dead_lettered", "blank")
        return told | {
            "place": self.place,
            "messages": {name: getattr(self, name) for name in names},
            "batches": self.batches,
            "pauses": self.pauses,
            "connections": self.connections,
            "lag": dict(sorted(self.lag.items())),
        }
