"""What may go well the next time."""

from __future__ import annotations


class PassingError(Exception):
    """A call failed in a way that may pass. The text names what was called and what came of it, no value.

    ``retry_after``: seconds that the other side asks to wait, None when it does not.
    ``busy``: the other side is there and only wants to be asked less often, so its circuit stays closed.
    """

    def __init__(self, what: str, *, retry_after: float | None = None, busy: bool = False) -> None:
        super().__init__(what)
        self.retry_after = retry_after
        self.busy = busy
