"""From the kick-off to the manifest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urljoin

from schemas.errors import TryAgainError, UsageError
from sources.bulk_export.answer import Listing, in_words, next_page, read_listing
from sources.http import Answer, Caller, RefusedError, host_of, read_whole
from sources.pace import Deadline, PassingError, retry_after_seconds

_OK, _ACCEPTED = 200, 202
_GONE = frozenset({404, 410})
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0  # seconds between polls of a server that names none
_SHORTEST_WAIT = 0.1  # of what a server names
_MOST_PAGES = 10_000
_JSON = {"Accept": "application/json"}

Pages = list[tuple[str, bytes]]


class GoneError(Exception):
    """The server does not know the export any more."""


async def kick_off(caller: Caller, url: str, deadline: Deadline) -> str:
    """Start the export at ``url``; the address of its state.

    Raises RefusedError when the server will not, UsageError when it does not export asynchronously.
    """
    headers = {"Accept": "application/fhir+json", "Prefer": "respond-async"}
    answer = await caller.ask("GET", url, "$export", headers=headers, deadline=deadline)
    where = answer.headers.get("content-location")
    if answer.status != _ACCEPTED or not where:
        raise UsageError(
            f"{host_of(url)}: the server answers {answer.status} ({in_words(answer.body)}) and starts no export; "
            "is the address that of a FHIR server with Bulk Data?"
        )
    return caller.reach.check(urljoin(answer.url, where))


async def wait_for_pages(caller: Caller, status_url: str, deadline: Deadline, say: Callable[[str], None]) -> Pages:
    """The pages of the manifest, once the export is done: each with the address it came from.

    Raises :class:`GoneError`, RefusedError, TryAgainError when the deadline comes first.
    """
    pages: Pages = []
    url: str | None = status_url
    while url is not None:
        answer = await _wait_for(caller, url, deadline, say)
        pages.append((answer.url, answer.body))
        url = next_page(answer.body, answer.url)
        if len(pages) > _MOST_PAGES or any(url == seen for seen, _ in pages):
            raise UsageError(f"{host_of(status_url)}: the pages of its manifest have no end")
    return pages


def listing_of(pages: Pages) -> Listing:
    """The pages as one; TryAgainError for a manifest that is wrong."""
    try:
        return read_listing(pages)
    except PassingError as error:
        raise TryAgainError(f"{error}; try again later") from None


async def _wait_for(caller: Caller, url: str, deadline: Deadline, say: Callable[[str], None]) -> Answer:
    wait = _FIRST_WAIT
    while True:
        answer = await _state(caller, url, deadline)
        if answer.status != _ACCEPTED:
            return answer
        asked = retry_after_seconds(
            answer.headers.get("retry-after"), datetime.now(UTC), caller.pace.limits.longest_retry_after, _SHORTEST_WAIT
        )
        seconds = wait if asked is None else asked
        say(f"the server prepares the export; asking again in {seconds:.0f} s")
        await deadline.sleep(seconds, "the export is not ready")
        wait = min(2 * wait, _LONGEST_WAIT)


async def _state(caller: Caller, url: str, deadline: Deadline) -> Answer:
    """One answer to "is it done?": 202, or 200 with a page that can be read."""

    async def attempt() -> Answer:
        async with caller.stream("GET", url, "state of the export", headers=_JSON) as response:
            body = await read_whole(response, "state of the export")
            answer = Answer(str(response.url), response.status_code, response.headers, body)
        if answer.status != _ACCEPTED:
            next_page(answer.body, answer.url)
        return answer

    try:
        return await caller.pace.call(attempt, deadline)
    except RefusedError as error:
        if error.status in _GONE:
            raise GoneError from None
        raise


async def forget(caller: Caller, status_url: str, deadline: Deadline) -> bool:
    """Tell the server that it may delete the export; False when it does not listen, which does no harm."""
    try:
        await caller.ask("DELETE", status_url, "DELETE of the export", deadline=deadline)
    except RefusedError as error:
        return error.status in _GONE
    except (TryAgainError, UsageError):
        return False
    return True
