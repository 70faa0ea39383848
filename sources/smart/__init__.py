"""SMART Backend Services: keys, client assertions and access tokens (SMART App Launch 2.2, "Backend Services")."""

from __future__ import annotations

from sources.smart.discovery import discover
from sources.smart.keys import SigningKey, read_key
from sources.smart.tokens import BackendServices, Client

__all__ = ["BackendServices", "Client", "SigningKey", "discover", "read_key"]
