"""What a server says of an export that is done: the manifest in pages (Bulk Data Access 2.0, "Complete Status")."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urljoin

import msgspec

from sources.pace import PassingError

_MILLISECONDS = re.compile(r"[0-9]{13}")
_TYPE = re.compile(r"[A-Z][A-Za-z]{0,63}")


@dataclass(frozen=True, slots=True)
class Listed:
    """One file that the server lists, and the ``name`` under which it lands, which a later listing gives again."""

    name: str
    section: str  # output, deleted or error
    url: str
    type: str | None
    count: int | None


@dataclass(frozen=True, slots=True)
class Listing:
    """All that the server lists. ``tokens``: whether its files are asked for with the access token."""

    transaction_time: datetime
    tokens: bool
    files: tuple[Listed, ...]


class _File(msgspec.Struct):
    url: str
    type: str | None = None
    count: int | None = None


class _Link(msgspec.Struct):
    relation: str
    url: str


class _Page(msgspec.Struct):
    transactionTime: str
    output: list[_File] | None = None
    deleted: list[_File] | None = None
    error: list[_File] | None = None
    link: list[_Link] | None = None
    requiresAccessToken: bool = True


def next_page(body: bytes, url: str) -> str | None:
    """The address of the page after that with ``body``, which came from ``url``; PassingError for what is no page."""
    links = _read(body).link or []
    return next((urljoin(url, link.url) for link in links if link.relation == "next"), None)


def read_listing(pages: Sequence[tuple[str, bytes]]) -> Listing:
    """The pages, each with the address that it came from, as one.

    Names are ``<type>.<number>.ndjson`` in the order of the server. The time is the least of all pages. Raises
    PassingError for what is no page.
    """
    read = [(url, _read(body)) for url, body in pages]
    files: list[Listed] = []
    seen: dict[str, int] = {}
    for section in ("output", "deleted", "error"):
        for url, page in read:
            for file in getattr(page, section) or ():
                known = file.type if file.type and _TYPE.fullmatch(file.type) else None
                stem = known or "resources" if section == "output" else section
                number = seen[stem] = seen.get(stem, -1) + 1
                name = f"{stem}.{number:03d}.ndjson"
                files.append(Listed(name, section, urljoin(url, file.url), known, file.count))
    times = [_time(page.transactionTime) for _, page in read]
    return Listing(min(times), all(page.requiresAccessToken for _, page in read), tuple(files))


def _read(body: bytes) -> _Page:
    try:
        return msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"), type=_Page)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise PassingError(f"the manifest: the answer is {in_words(body)}, not a manifest") from None


def in_words(body: bytes) -> str:
    """What a body is, without anything of it."""
    head = body[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head:
        return "empty"
    if head.startswith(b"<"):
        return "HTML or XML"
    return "an OperationOutcome" if b"operationoutcome" in head else "something else"


def _time(text: str) -> datetime:
    try:
        # some servers give milliseconds since 1970, which can mean nothing else
        time = (
            datetime.fromtimestamp(int(text) / 1000, UTC)
            if _MILLISECONDS.fullmatch(text)
            else datetime.fromisoformat(text)
        )
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise PassingError("the manifest: its transactionTime is no instant with a zone")
    return time
