"""Identifiers: CX, EI, HD and what else names a thing with the authority that gave the name."""

from __future__ import annotations

import polars as pl

from transforms.decode.hl7v2.maps.ids import key_of
from transforms.decode.hl7v2.maps.parts import Datatype, Parts
from transforms.decode.hl7v2.maps.shape import listed, struct
from transforms.decode.hl7v2.maps.tables import IDENTIFIER_TYPE

_OID = r"^(?:urn:oid:)?[0-2](?:\.(?:0|[1-9][0-9]*))+$"
_UUID = r"^(?i:urn:uuid:)?[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
NO_TEXT = pl.lit(None, dtype=pl.String)


def authority(namespace: pl.Expr, universal: pl.Expr, kind: pl.Expr) -> pl.Expr:
    """The URI of an authority (HD): ``urn:oid:`` and ``urn:uuid:`` where its universal id is one, the universal id as
    sent where it is of another kind, else the namespace as sent. Blanks are written ``%20``, for no URI has any.
    """
    oid = ((kind == "ISO") | kind.is_null()) & universal.str.contains(_OID)
    uuid = universal.str.contains(_UUID)
    made = (
        pl.when(oid)
        .then("urn:oid:" + universal.str.strip_prefix("urn:oid:"))
        .when(uuid)
        .then("urn:uuid:" + universal.str.tail(36).str.to_lowercase())
        .otherwise(pl.coalesce(universal, namespace))
    )
    return made.str.replace_all(r"\s", "%20")


def _typed(code: pl.Expr) -> pl.Expr:
    made = pl.struct(system=pl.lit(IDENTIFIER_TYPE), version=NO_TEXT, code=code, display=NO_TEXT)
    coding = pl.when(code.is_not_null()).then(made)
    return struct(coding=listed(coding), text=NO_TEXT)


def identifier(
    value: pl.Expr,
    system: pl.Expr = NO_TEXT,
    code: pl.Expr = NO_TEXT,
    assigner: pl.Expr = NO_TEXT,
    start: pl.Expr = NO_TEXT,
    end: pl.Expr = NO_TEXT,
) -> pl.Expr:
    """Identifier, null without value: the same shape for all of them, so that they can stand in one list."""
    made = pl.struct(
        type=_typed(code),
        system=system,
        value=value,
        period=struct(start=start, end=end),
        assigner=struct(display=assigner),
    )
    return pl.when(value.is_not_null()).then(made)


def cx(kind: str | None = None) -> Datatype:
    """Identifier of a CX (HL7 v2.9 2A.2.14); ``kind`` (table 0203) where none is sent."""

    def datatype(parts: Parts) -> pl.Expr:
        return identifier(
            parts(1),
            _cx_system(parts),
            parts(5).fill_null(kind) if kind else parts(5),
            parts(4),
            parts(7),
            parts(8),
        )

    return datatype


def cx_key(label: str) -> Datatype:
    """The key of what a CX names: its assigning authority and its value; null without value."""

    def datatype(parts: Parts) -> pl.Expr:
        return pl.when(parts(1).is_not_null()).then(key_of(label, _cx_system(parts), parts(1)))

    return datatype


def cx_type(parts: Parts) -> pl.Expr:
    """The type of a CX as sent (table 0203), empty text where it has none; null without value."""
    return pl.when(parts(1).is_not_null()).then(parts(5).fill_null(""))


def _cx_system(parts: Parts) -> pl.Expr:
    return authority(parts(4, 1), parts(4, 2), parts(4, 3))


def ei(kind: str | None = None) -> Datatype:
    """Identifier of an EI (HL7 v2.9 2A.2.28) of that type (table 0203)."""

    def datatype(parts: Parts) -> pl.Expr:
        code = pl.lit(kind, dtype=pl.String)
        return identifier(parts(1), authority(parts(2), parts(3), parts(4)), code, parts(2))

    return datatype


def eip(number: int, kind: str | None = None) -> Datatype:
    """Identifier of one half of an EIP: 1 is the placer's, 2 the filler's."""

    def datatype(parts: Parts) -> pl.Expr:
        code = pl.lit(kind, dtype=pl.String)
        return identifier(parts(number, 1), _eip_system(parts, number), code, parts(number, 2))

    return datatype


def ei_key(label: str) -> Datatype:
    """The key of what an EI names; null without value."""

    def datatype(parts: Parts) -> pl.Expr:
        named = key_of(label, authority(parts(2), parts(3), parts(4)), parts(1))
        return pl.when(parts(1).is_not_null()).then(named)

    return datatype


def eip_key(label: str, number: int) -> Datatype:
    """The key of what one half of an EIP names; null without value."""

    def datatype(parts: Parts) -> pl.Expr:
        named = key_of(label, _eip_system(parts, number), parts(number, 1))
        return pl.when(parts(number, 1).is_not_null()).then(named)

    return datatype


def _eip_system(parts: Parts, number: int) -> pl.Expr:
    return authority(parts(number, 2), parts(number, 3), parts(number, 4))


def numbered(system: str, kind: str) -> Datatype:
    """Identifier of a bare number of one well-known system, such as PID-19."""

    def datatype(parts: Parts) -> pl.Expr:
        return identifier(parts(1), pl.lit(system), pl.lit(kind))

    return datatype


def licence(parts: Parts) -> pl.Expr:
    """Identifier of a DLN: a driver's licence; the state that gave it is the assigner."""
    return identifier(parts(1), NO_TEXT, pl.lit("DL"), parts(2), NO_TEXT, parts(3))


def policy(parts: Parts) -> pl.Expr:
    """Identifier of a coded value that names a plan or a policy: CWE to Identifier."""
    return identifier(parts(1), authority(parts(3), NO_TEXT, NO_TEXT))
