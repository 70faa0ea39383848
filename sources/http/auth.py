"""Who asks: nobody, or a name with a password. Tokens are in :mod:`sources.smart`."""

from __future__ import annotations

import base64
from typing import Protocol

from schemas.errors import UsageError


class Authorization(Protocol):
    """The header ``Authorization`` of a request."""

    async def header(self) -> str | None:
        """Its value now, None without one."""
        ...

    async def renew(self, stale: str | None) -> bool:
        """True when :meth:`header` gives another value than ``stale``, which was refused, from now on."""
        ...


class NoAuthorization:
    """No header at all."""

    async def header(self) -> str | None:
        """None."""
        return None

    async def renew(self, stale: str | None) -> bool:  # noqa: ARG002 - the protocol has it
        """False: there is nothing to renew."""
        return False


class BasicAuthorization:
    """A user's name and password (RFC 7617), in UTF-8."""

    def __init__(self, user: str, password: str) -> None:
        if ":" in user:
            raise UsageError("--user: a name for basic authentication has no colon")
        self._header = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    async def header(self) -> str | None:
        """Name and password as the scheme has them."""
        return self._header

    async def renew(self, stale: str | None) -> bool:  # noqa: ARG002 - the protocol has it
        """False: there is nothing to renew."""
        return False
