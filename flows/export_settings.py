"""What is asked of a far FHIR server, and as whom."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from flows.settings import LoadSettings, environment
from schemas.errors import UsageError
from schemas.formats import Format
from sources.bulk_export import ExportRequest, Level, export_request
from sources.http import BasicAuthorization, Caller, Reach, open_caller
from sources.pace import Deadline, Pace, PaceLimits
from sources.smart import BackendServices, Client, discover, read_key


def must_be_alone(inputs: Sequence[str], deletes: Sequence[str], settings: LoadSettings) -> None:
    """UsageError for what does not go with an address."""
    if len(inputs) != 1 or deletes:
        raise UsageError("an address is loaded alone: give files, and other addresses, in loads of their own")
    if settings.mapping is not None:
        raise UsageError("--mapping does not go with an address: it is for files of rows")
    if settings.format not in (Format.AUTO, Format.FHIR):
        raise UsageError(f"--format {settings.format} does not go with an address: an $export holds FHIR")
    if settings.replaces is not None:
        raise UsageError("--replaces is for one line of a file, not for an address")


def level_named(name: str | None) -> Level | None:
    """The level of an export by its name; UsageError for another."""
    if name is None:
        return None
    try:
        return Level(name)
    except ValueError:
        raise UsageError(f"--level {name[:40]!a} is not known: give {', '.join(Level)}") from None


@dataclass(frozen=True, slots=True)
class Credentials:
    """SMART backend services with ``client_id`` and ``key``, basic with ``user``, else none.

    Keys and passwords stand in files or the environment, so that no list of processes and no orchestrator shows them.
    """

    client_id: str | None = None
    key: Path | None = None
    kid: str | None = None
    token_url: str | None = None
    scope: str | None = None
    jwks_url: str | None = None
    user: str | None = None
    password_file: Path | None = None

    def __post_init__(self) -> None:
        if (self.client_id is None) != (self.key is None):
            raise UsageError("SMART backend services need both --client-id and --key")
        if self.user is not None and self.client_id is not None:
            raise UsageError("--user and --client-id do not go together: give one of them")
        if self.password_file is not None and self.user is None:
            raise UsageError("--password-file needs --user")
        told = {"--token-url": self.token_url, "--scope": self.scope, "--kid": self.kid, "--jwks-url": self.jwks_url}
        for option, value in told.items():
            if value is not None and self.client_id is None:
                raise UsageError(f"{option} is for SMART backend services: give --client-id and --key too")

    def password(self) -> str:
        """The first line of the file, else what the environment has; UsageError when there is none."""
        if self.password_file is None:
            found = environment("PASSWORD", "")
            if not found:
                raise UsageError("--user needs a password: --password-file FILE, or CLINMART_PASSWORD")
            return found
        try:
            lines = self.password_file.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            raise UsageError(f"{self.password_file}: the password cannot be read") from None
        if not lines or not lines[0]:
            raise UsageError(f"{self.password_file}: there is no password in its first line")
        return lines[0]


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """Everything that a fetch needs to know besides where it lands. ``hours``: after which it gives up."""

    url: str
    credentials: Credentials = field(default_factory=Credentials)
    level: Level | None = None
    group: str | None = None
    types: tuple[str, ...] = ()
    type_filters: tuple[str, ...] = ()
    elements: tuple[str, ...] = ()
    organize_by: str | None = None
    since: datetime | None = None
    full: bool = False  # all of it, whatever is in the mart
    overlap: timedelta = timedelta(minutes=10)
    allowed_hosts: tuple[str, ...] = ()
    plain_http: bool = False
    parallel: int = 4
    hours: float = 24.0
    counts: bool = True  # whether a file with fewer resources than the manifest says is cut

    def __post_init__(self) -> None:
        if self.full and self.since is not None:
            raise UsageError("--full and --since do not go together: give one of them")
        if not self.hours > 0:
            raise UsageError(f"--hours is {self.hours}: give more than 0")
        if self.parallel < 1:
            raise UsageError(f"--parallel is {self.parallel}: give 1 or more")

    def request(self) -> ExportRequest:
        """What is asked; UsageError for what cannot be."""
        self.reach()
        return export_request(
            self.url,
            level=self.level,
            group=self.group,
            types=self.types,
            type_filters=self.type_filters,
            elements=self.elements,
            organize_by=self.organize_by,
            since=self.since,
        )

    def reach(self) -> Reach:
        """The addresses that may be asked: the server's, the token endpoint's if it was named, and allowed hosts."""
        reach = Reach(self.url, self.allowed_hosts, plain_http=self.plain_http)
        return reach.with_url(self.credentials.token_url) if self.credentials.token_url else reach

    def since_when(self, cursor: datetime | None) -> ExportSettings:
        """The same, from ``cursor`` less the overlap on, unless the user said from when."""
        if self.full or self.since is not None or cursor is None:
            return self
        return replace(self, since=cursor - self.overlap)

    @asynccontextmanager
    async def caller(self, request: ExportRequest, deadline: Deadline) -> AsyncIterator[Caller]:
        """Connections to the server, with what it has to know of us."""
        pace = Pace(PaceLimits(concurrency=self.parallel))
        async with open_caller(self.reach(), pace) as caller:
            told = self.credentials
            if told.user is not None:
                yield caller.with_auth(BasicAuthorization(told.user, told.password()))
            elif told.client_id is not None and told.key is not None:
                key = read_key(told.key, told.kid)
                endpoint, scope = told.token_url, told.scope
                if endpoint is None:
                    endpoint, known = await discover(caller, request.base, deadline)
                    caller.reach.check(endpoint)
                    scope = scope or known
                client = Client(told.client_id, key, endpoint, scope or "system/*.read", told.jwks_url)
                yield caller.with_auth(BackendServices(client, caller, deadline))
            else:
                yield caller
