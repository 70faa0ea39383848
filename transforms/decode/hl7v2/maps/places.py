"""Addresses, organisations and locations: XAD, SAD, XON and PL."""

from __future__ import annotations

import polars as pl

from transforms.decode.hl7v2.maps.identifiers import NO_TEXT, authority, identifier
from transforms.decode.hl7v2.maps.ids import key_of
from transforms.decode.hl7v2.maps.parts import Parts
from transforms.decode.hl7v2.maps.shape import listed, struct
from transforms.decode.hl7v2.maps.tables import ADDRESS_TYPE, ADDRESS_USE

# PL components from the smallest place to the largest, with the code of their physical type
_PLACES = ((3, "bd"), (2, "ro"), (1, "wa"), (8, "lvl"), (7, "bu"), (4, "si"))
_PHYSICAL_TYPE = "http://terminology.hl7.org/CodeSystem/location-physical-type"


def address(
    lines: tuple[pl.Expr, ...] = (),
    city: pl.Expr = NO_TEXT,
    district: pl.Expr = NO_TEXT,
    state: pl.Expr = NO_TEXT,
    postal_code: pl.Expr = NO_TEXT,
    country: pl.Expr = NO_TEXT,
    kind: pl.Expr = NO_TEXT,
    period: tuple[pl.Expr, pl.Expr] = (NO_TEXT, NO_TEXT),
) -> pl.Expr:
    """Address, null without place; ``kind`` is a code of table 0190."""
    places = (*lines, city, district, state, postal_code, country)
    made = pl.struct(
        use=kind.replace_strict(ADDRESS_USE, default=None, return_dtype=pl.String),
        type=kind.replace_strict(ADDRESS_TYPE, default=None, return_dtype=pl.String),
        line=listed(*(lines or (NO_TEXT,))),
        city=city,
        district=district,
        state=state,
        postalCode=postal_code,
        country=country,
        period=struct(start=period[0], end=period[1]),
    )
    return pl.when(pl.any_horizontal(*(place.is_not_null() for place in places))).then(made)


def xad(parts: Parts) -> pl.Expr:
    """Address of an XAD (HL7 v2.9 2A.2.87)."""
    lines = (parts(1, 1), parts(1, 2), parts(1, 3), parts(2), parts(19))
    period = (pl.coalesce(parts(13), parts(12, 1)), pl.coalesce(parts(14), parts(12, 2)))
    return address(lines, parts(3), parts(9, 1), parts(4), parts(5), parts(6), parts(7), period)


def county(parts: Parts) -> pl.Expr:
    """Address that has a district only: PID-12."""
    return address(district=parts(1))


def xon_identifier(parts: Parts) -> pl.Expr:
    """Identifier of the organisation of an XON (HL7 v2.9 2A.2.86)."""
    return identifier(_xon_value(parts), _xon_system(parts), parts(7), parts(6))


def xon_name(parts: Parts) -> pl.Expr:
    """Name of the organisation of an XON (String)."""
    return parts(1)


def xon_key(parts: Parts) -> pl.Expr:
    """The key of an organisation: authority and identifier, else its name; null without either."""
    value = _xon_value(parts)
    named = pl.when(parts(1).is_not_null()).then(key_of("Organization name", parts(1)))
    return pl.when(value.is_not_null()).then(key_of("Organization", _xon_system(parts), value)).otherwise(named)


def _xon_value(parts: Parts) -> pl.Expr:
    return pl.coalesce(parts(10), parts(3))


def _xon_system(parts: Parts) -> pl.Expr:
    return authority(parts(6, 1), parts(6, 2), parts(6, 3))


def pl_key(parts: Parts) -> pl.Expr:
    """The key of a location: its whole path from bed to facility; null where all of it is empty."""
    whole = [parts(at, sub) for at, _ in _PLACES for sub in (1, 2)]
    return pl.when(_placed(parts)).then(key_of("Location", *whole))


def pl_name(parts: Parts) -> pl.Expr:
    """The path of a location in words, the largest place first (String)."""
    path = pl.concat_str(*(parts(at) for at, _ in reversed(_PLACES)), separator=", ", ignore_nulls=True)
    return pl.when(path != "").then(path)


def pl_identifier(parts: Parts) -> pl.Expr:
    """Identifier of a location (PL.10, by PL.11)."""
    return identifier(parts(10, 1), pl.coalesce(authority(parts(10, 2), parts(10, 3), parts(10, 4)), parts(11, 1)))


def pl_description(parts: Parts) -> pl.Expr:
    """Description of a location (PL.9)."""
    return parts(9)


def pl_physical_type(parts: Parts) -> pl.Expr:
    """CodeableConcept: what the smallest of the places is that were named."""
    kind = pl.coalesce(*(pl.when(parts(at).is_not_null()).then(pl.lit(code)) for at, code in _PLACES))
    made = pl.struct(system=pl.lit(_PHYSICAL_TYPE), version=NO_TEXT, code=kind, display=NO_TEXT)
    return struct(coding=listed(pl.when(kind.is_not_null()).then(made)), text=NO_TEXT)


def _placed(parts: Parts) -> pl.Expr:
    return pl.any_horizontal(*(parts(at).is_not_null() for at, _ in _PLACES))
