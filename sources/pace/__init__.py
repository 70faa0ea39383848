"""Flow control for sources that are far away: how many calls, how often, how they are repeated, and when to give up."""

from __future__ import annotations

from sources.pace.clock import Clock, Deadline
from sources.pace.limits import PaceLimits
from sources.pace.pace import Pace
from sources.pace.passing import PassingError
from sources.pace.retry_after import retry_after_seconds

__all__ = ["Clock", "Deadline", "Pace", "PaceLimits", "PassingError", "retry_after_seconds"]
