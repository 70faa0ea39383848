"""What a listener did, counted as it goes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from schemas.records import Counts


@dataclass(slots=True)
class ListenReport:
    """Counts of messages and connections; :meth:`as_dict` is what ``clinmart listen --json`` prints at its end.

    ``inputs`` are the messages that were taken in; what was not is counted by reason in ``not_taken``, and its sender
    was told so or waits for its answer still.
    """

    source: str
    inputs: Counts = field(default_factory=Counts)
    unrouted: int = 0  # of them, new ones that no rule takes
    not_taken: Counter[str] = field(default_factory=Counter)  # rejected, conflict, not_stored
    faults: Counter[str] = field(default_factory=Counter)  # bytes that were no message, by FaultReason
    acknowledgments: int = 0  # messages that are answers themselves, and are not answered
    accepted: int = 0  # connections
    refused: int = 0
    ended: dict[str, int] = field(default_factory=dict)  # connections that we ended, by reason
    batches: int = 0
    checked: int = 0  # messages that were checked before they were answered
    resources: dict[str, Counts] = field(default_factory=dict)  # what rows were made of, by resource type
    rows_waiting: int = 0  # messages of which the next listener makes the rows
    bytes: int = 0
    seconds: float = 0.0

    @property
    def status(self) -> str:
        """`drained`: a listener ends only when it is asked to."""
        return "drained"

    def as_dict(self) -> dict[str, object]:
        """The report as plain JSON values."""
        return {
            "status": self.status,
            "source": self.source,
            "inputs": self.inputs.as_dict(),
            "unrouted": self.unrouted,
            "not_taken": dict(sorted(self.not_taken.items())),
            "faults": dict(sorted(self.faults.items())),
            "acknowledgments": self.acknowledgments,
            "connections": {
                "accepted": self.accepted,
                "refused": self.refused,
                "ended": dict(sorted(self.ended.items())),
            },
            "batches": self.batches,
            "checked": self.checked,
            "resources": {kind: counts.as_dict() for kind, counts in sorted(self.resources.items())},
            "rows_waiting": self.rows_waiting,
            "bytes": self.bytes,
            "seconds": round(self.seconds, 3),
        }
