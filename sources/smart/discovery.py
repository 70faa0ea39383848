"""Where a FHIR server's tokens are given out (SMART App Launch 2.2, "Conformance")."""

from __future__ import annotations

import json

from schemas.errors import UsageError
from sources.http import Caller, RefusedError, host_of
from sources.pace import Deadline

_PATH = "/.well-known/smart-configuration"
_V2 = "permission-v2"


async def discover(caller: Caller, base: str, deadline: Deadline) -> tuple[str, str]:
    """The token endpoint of the server at ``base``, and the scope to read everything in the form that it knows.

    Raises UsageError when the server does not tell, TryAgainError when it does not answer.
    """
    try:
        answer = await caller.ask("GET", base + _PATH, "SMART configuration", deadline=deadline)
        members = json.loads(answer.body)
        endpoint = members["token_endpoint"]
    except (RefusedError, ValueError, KeyError, TypeError):
        raise UsageError(
            f"{host_of(base)}: the server does not say where it gives out tokens; give the address by --token-url"
        ) from None
    capabilities = members.get("capabilities")
    scope = "system/*.rs" if isinstance(capabilities, list) and _V2 in capabilities else "system/*.read"
    return str(endpoint), scope
