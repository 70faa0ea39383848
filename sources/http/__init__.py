"""HTTP for sources that are far away: what may be asked, by whom, and what may go well the next time."""

from __future__ import annotations

from sources.http.auth import Authorization, BasicAuthorization, NoAuthorization
from sources.http.caller import Answer, Caller, RefusedError, open_caller, read_whole
from sources.http.reach import Reach, host_of

__all__ = [
    "Answer",
    "Authorization",
    "BasicAuthorization",
    "Caller",
    "NoAuthorization",
    "Reach",
    "RefusedError",
    "host_of",
    "open_caller",
    "read_whole",
]
