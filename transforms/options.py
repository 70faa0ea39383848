"""How formats other than FHIR are read: what a load tells of its messages and extracts.

Apart from the steps themselves, so that a load of FHIR need not import those.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schemas.mapping.mapping import Entry, Mapping
    from schemas.routes import Routes


@dataclass(frozen=True, slots=True)
class MessageOptions:
    """How messages are read that do not say it themselves: codec of their texts, IANA zone of their times. ``fhir``:
    rows are also wanted as FHIR JSON. ``routes`` says what becomes of each message; then only those of ``source`` are
    taken (None: all).
    """

    charset: str | None = None
    zone: str | None = None
    fhir: bool = False
    routes: Routes | None = None
    source: str | None = None

    @property
    def takes_rubbish(self) -> bool:
        """False when bytes that are no message are another source's: that of the load."""
        return self.routes is None or self.source in (None, self.routes.source)


@dataclass(frozen=True, slots=True)
class ExtractOptions:
    """How extracts are read. ``zone`` is that of local times which the mapping leaves open; ``fhir``: rows are also
    wanted as FHIR JSON. ``versions`` are pairs of an entry's name and its number: at the same time rows of a changed
    mapping are the newer.
    """

    mapping: Mapping
    zone: str | None = None
    fhir: bool = False
    versions: tuple[tuple[str, int], ...] = ()

    def version(self, entry: Entry) -> str | None:
        """The version of the rows of an entry; None while its mapping is the first."""
        number = dict(self.versions).get(entry.name, 1)
        return str(number) if number > 1 else None
