"""Where events of OpenLineage go: a file of JSON lines or a server's address, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from openlineage.client.transport.file import FileConfig, FileTransport
from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport, TokenProvider
from requests import RequestException, Session

from schemas.errors import UsageError

_SECONDS = 5.0  # that a server has to answer


class SendError(Exception):
    """An event did not arrive; its text names neither address nor content."""


class Sender(Protocol):
    """Sends one event, as the dictionary that its JSON stands for."""

    def send(self, event: dict[str, object]) -> None:
        """Raises SendError when it did not arrive."""
        ...


def is_address(where: str) -> bool:
    """Whether events go to a server."""
    return where.startswith(("http://", "https://"))


def sender_to(where: str, api_key: str = "") -> Sender:
    """Who sends to a file or an address. UsageError for one that has a password in it."""
    if not is_address(where):
        return _ToFile(Path(where))
    parts = urlsplit(where)
    if parts.username or parts.password:
        raise UsageError("--lineage has a name or password in its address: give the key as CLINMART_LINEAGE_KEY")
    return _ToServer(where, api_key)


class _ToFile:
    def __init__(self, path: Path) -> None:
        if not path.absolute().parent.is_dir():
            raise UsageError(f"--lineage: there is no folder {path.absolute().parent}")
        self._transport = FileTransport(FileConfig(log_file_path=str(path), append=True))
        self._path = path

    def send(self, event: dict[str, object]) -> None:
        try:
            if not self._path.exists():
                self._path.touch(mode=0o600)
            self._transport.emit(event)  # type: ignore[arg-type] # it takes what an event is written as too
        except (OSError, RuntimeError) as error:
            raise SendError(type(error).__name__) from None


class _ToServer:
    def __init__(self, address: str, api_key: str) -> None:
        parts = urlsplit(address)
        endpoint = parts.path.strip("/")
        session = Session()
        session.max_redirects = 0  # nothing goes to another host than the one that was named
        auth = ApiKeyTokenProvider({"api_key": api_key}) if api_key else TokenProvider({})
        config = HttpConfig(
            url=f"{parts.scheme}://{parts.netloc}", timeout=_SECONDS, auth=auth, session=session,
            retry={"total": 2, "backoff_factor": 0.2},
        )  # fmt: skip
        if endpoint:
            config.endpoint = endpoint
        self._transport = HttpTransport(config)

    def send(self, event: dict[str, object]) -> None:
        try:
            self._transport.emit(event)  # type: ignore[arg-type] # it takes what an event is written as too
        except (RequestException, OSError, RuntimeError) as error:
            raise SendError(type(error).__name__) from None
