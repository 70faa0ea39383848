"""Who was erased and must not come back: keyed hashes of ids, so that the list itself names nobody."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

PERSON = "Patient"
IDENTIFIER = "identifier"  # stands for the type of a token that is of an identifier's value
TOKEN_BYTES = 16
ERASED = "erased"  # in place of a name of somebody within the name of a file
_KIND, _ID = "kind", "id"
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-]*")


def token(key: bytes, source: str, kind: str, value: str) -> bytes:
    """The first 128 bits of HMAC-SHA256 (RFC 2104) over source, resource type and id, each with its length before it.

    ``kind`` is a FHIR resource type, or ``IDENTIFIER`` for the value of an identifier.
    """
    told = bytearray()
    for part in (source.encode(), kind.encode(), value.encode()):
        told += len(part).to_bytes(4, "big") + part
    return hmac.digest(key, bytes(told), hashlib.sha256)[:TOKEN_BYTES]


@dataclass(frozen=True, slots=True)
class Suppression:
    """What of one source must not be loaded: for each key that was in use the tokens that were made with it."""

    source: str
    listed: tuple[tuple[bytes, frozenset[bytes]], ...]

    def has(self, kind: str, value: str) -> bool:
        """True for the type and id, or the identifier, of somebody who was erased."""
        return any(token(key, self.source, kind, value) in tokens for key, tokens in self.listed)

    def has_any(self, kind: str, values: Iterable[str]) -> bool:
        """True when any of the values is listed."""
        return any(self.has(kind, value) for value in values)

    def among(self, kinds: pl.Series, ids: pl.Series) -> pl.Series:
        """For each pair of type and id (String) whether it is listed; false where one is null.

        Each pair is looked up once, however often it comes.
        """
        pairs = pl.DataFrame([kinds.alias(_KIND), ids.alias(_ID)])
        distinct = pairs.unique().drop_nulls()
        hit = [self.has(kind, value) for kind, value in distinct.iter_rows()]
        if not any(hit):
            return pl.repeat(False, len(ids), dtype=pl.Boolean, eager=True)
        known = distinct.with_columns(pl.Series("hit", hit))
        return pairs.join(known, on=[_KIND, _ID], how="left", maintain_order="left")["hit"].fill_null(False)


def without_names(uri: str, suppression: Suppression | None) -> str:
    """The name of a file without ids and identifiers of people who were erased, as whole words of its last part or
    with others before or behind them.
    """
    if suppression is None:
        return uri
    folder, slash, name = uri.rpartition("/")
    for word in _WORD.findall(name):
        parts = word.split("-")
        runs = {"-".join(parts[i:j]) for i in range(len(parts)) for j in range(i + 1, len(parts) + 1)}
        for run in sorted(runs, key=len, reverse=True):
            if suppression.has(IDENTIFIER, run):
                name = name.replace(run, ERASED)
                break
    return folder + slash + name
