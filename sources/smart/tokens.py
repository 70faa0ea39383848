"""Access tokens for client assertions (SMART App Launch 2.2, "Backend Services"; RFC 7523), and their renewal."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time
from dataclasses import dataclass

import jwt

from schemas.errors import UsageError
from sources.http import Caller, RefusedError, host_of, read_whole
from sources.pace import Deadline
from sources.smart.keys import SigningKey

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_SECONDS = 240  # the standard allows 300 at most; the rest is for clocks that differ
_EARLY = 30.0  # seconds before its end that a token is not used any more
_SHORTEST = 5.0  # a token that is said to live shorter is used that long
_DEFAULT_SECONDS = 300.0  # what the standard recommends, for servers that do not tell
_ERROR_CODE = re.compile(r"[a-z_]{1,40}")  # RFC 6749 5.2


@dataclass(frozen=True, slots=True)
class Client:
    """Who we are to a token endpoint. ``jwks_url``: where our public keys are published, if they are (``jku``)."""

    client_id: str
    key: SigningKey
    token_url: str
    scope: str
    jwks_url: str | None = None


class BackendServices:
    """Gives a bearer token, and another one shortly before it ends or when it is refused. One request at a time.

    ``caller`` asks without authorization.
    """

    def __init__(self, client: Client, caller: Caller, deadline: Deadline) -> None:
        self._client = client
        self._caller = caller
        self._deadline = deadline
        self._one = asyncio.Lock()
        self._token: str | None = None
        self._good_until = 0.0

    async def header(self) -> str | None:
        """``Bearer`` and a token that is good for some time."""
        async with self._one:
            if self._token is None or self._deadline.clock.now() >= self._good_until:
                await self._fetch()
            return self._token

    async def renew(self, stale: str | None) -> bool:
        """Get another token, unless another call did since ``stale`` was used."""
        async with self._one:
            if self._token == stale:
                await self._fetch()
        return True

    async def _fetch(self) -> None:
        client, host = self._client, host_of(self._client.token_url)
        form = {
            "grant_type": "client_credentials",
            "scope": client.scope,
            "client_assertion_type": _ASSERTION,
            "client_assertion": self._assertion(),
        }
        headers = {"Accept": "application/json"}
        began = self._deadline.clock.now()
        try:
            # not at the caller's pace: a call that holds a place waits for this one
            async with self._caller.stream("POST", client.token_url, "access token", headers=headers, form=form) as got:
                body = await read_whole(got, "access token")
        except RefusedError as error:
            raise UsageError(f"{host}: no token for this client: {_code(error.body)}, status {error.status}") from None
        try:
            members = json.loads(body)
            self._token = f"Bearer {members['access_token']}"
            lives = float(members.get("expires_in", _DEFAULT_SECONDS))
        except (ValueError, KeyError, TypeError):
            raise UsageError(f"{host}: the token endpoint gives no token; is --token-url right?") from None
        self._good_until = began + max(lives - _EARLY, min(lives, _SHORTEST))

    def _assertion(self) -> str:
        client = self._client
        headers = {"kid": client.key.kid} | ({"jku": client.jwks_url} if client.jwks_url else {})
        claims = {
            "iss": client.client_id,
            "sub": client.client_id,
            "aud": client.token_url,
            "exp": int(time.time()) + _ASSERTION_SECONDS,
            "jti": secrets.token_urlsafe(24),
        }
        return jwt.encode(claims, client.key.key, algorithm=client.key.algorithm, headers=headers)


def _code(body: bytes) -> str:
    try:
        code = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return "it refuses"
    return code if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else "it refuses"
