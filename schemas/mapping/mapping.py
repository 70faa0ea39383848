"""A mapping: for each file which table its rows land in, and what each column is made of."""

from __future__ import annotations

import difflib
import fnmatch
import hashlib
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from schemas.errors import UsageError
from schemas.mapping.dialect import Dialect
from schemas.mapping.expression import Expression

_PACKED = (".gz", ".zst")


@dataclass(frozen=True, slots=True)
class Entry:
    """What becomes of the rows of files whose name ``file`` matches (``*`` any text, ``?`` one character).

    ``columns`` are pairs of a target's name and its value. A row's id is the hash of ``keys``, unless ``id`` says what
    it is. ``nulls`` are texts that mean a missing value, as the empty one always does; ``trim``: blanks around values
    are not part of them. ``line`` is where the entry begins in its file.
    """

    file: str
    table: str
    columns: tuple[tuple[str, Expression], ...]
    dialect: Dialect = field(default_factory=Dialect)
    keys: tuple[str, ...] = ()
    id: Expression | None = None
    last_updated: Expression | None = None
    nulls: tuple[str, ...] = ()
    trim: bool = False
    zone: str | None = None
    line: int = field(default=0, compare=False, repr=False)
    keys_line: int = field(default=0, compare=False, repr=False)

    @property
    def name(self) -> str:
        """What tells it from the other entries of its mapping."""
        return f"{self.file} to {self.table}"

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of all that it says."""
        return hashlib.sha256(repr(self).encode()).hexdigest()

    def takes(self, uri: str) -> bool:
        """True for the path of a file that it is for; what says that the file is packed counts for nothing."""
        name = posixpath.basename(uri)
        for ending in _PACKED:
            name = name.removesuffix(ending)
        literal = self.file.casefold().replace("[", "[[]")  # which fnmatch knows too
        return fnmatch.fnmatchcase(name.casefold(), literal)

    def reads(self) -> Iterator[tuple[str, int]]:
        """The columns of the file that it needs, each with the line of the mapping that names it."""
        yield from ((name, self.keys_line) for name in self.keys)
        for value in (self.id, self.last_updated, *(value for _, value in self.columns)):
            if value is not None:
                yield from value.columns()


@dataclass(frozen=True, slots=True)
class Mapping:
    """All entries of a mapping, its text and the file that it stood in."""

    entries: tuple[Entry, ...]
    text: str = field(default="", compare=False)
    uri: str = field(default="", compare=False)

    def of(self, uri: str) -> tuple[Entry, ...]:
        """The entries for a file: each makes rows of its own of every line."""
        return tuple(entry for entry in self.entries if entry.takes(uri))

    def dialect(self, uri: str) -> Dialect:
        """How a file is written. UsageError when no entry is for it."""
        found = self.of(uri)
        if not found:
            patterns = ", ".join(dict.fromkeys(entry.file for entry in self.entries))
            raise UsageError(
                f"{uri}: the mapping {self.uri} says nothing of a file with such a name; it is for {patterns}: "
                "change the key file of an entry"
            )
        return found[0].dialect

    def stored(self, uri: str) -> Dialect:
        """How the records of a file are written once they are read: as :class:`schemas.records.Chunk` holds them."""
        if uri.lower().endswith(".parquet"):
            return Dialect()
        dialect = self.dialect(uri)
        return dialect if dialect.plain else replace(dialect, encoding="utf-8")

    def digest(self, uri: str) -> str:
        """SHA-256, in hex, of all that is said of a file."""
        return hashlib.sha256("".join(entry.digest for entry in self.of(uri)).encode()).hexdigest()

    def must_fit(self, uri: str, names: Sequence[str]) -> None:
        """UsageError, with the line of the mapping, unless a file with these columns has all that is asked of it."""
        if not names:
            raise UsageError(
                f"{uri}: is empty, without even a line that names its columns: get it again, or leave it out"
            )
        for entry in self.of(uri):
            for name, line in entry.reads():
                if (found := names.count(name)) != 1:
                    what = "has no column" if not found else f"has {found} columns called"
                    raise UsageError(f"{self.uri}, line {line}: {uri} {what} {name!r}{_remedy(name, names, found)}")


def _remedy(name: str, names: Sequence[str], found: int) -> str:
    if found:
        return ": give each column a name of its own, by the key header"
    folded = {one.casefold().strip(): one for one in names}
    near = difflib.get_close_matches(name.casefold().strip(), folded, 1)
    if near:
        return f"; did you mean {folded[near[0]]!r}? (a text that is the same in each row is {{constant: TEXT}})"
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"; it has {shown} (a text that is the same in each row is {{constant: TEXT}})"
