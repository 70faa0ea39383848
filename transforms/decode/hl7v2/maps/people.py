"""Names, telephones and people: XPN, XTN and XCN."""

from __future__ import annotations

import polars as pl

from transforms.decode.hl7v2.maps.identifiers import NO_TEXT, authority, identifier
from transforms.decode.hl7v2.maps.ids import key_of
from transforms.decode.hl7v2.maps.parts import Datatype, Parts
from transforms.decode.hl7v2.maps.shape import listed, struct
from transforms.decode.hl7v2.maps.tables import NAME_USE, TELECOM_SYSTEM, TELECOM_USE, V2

_DIALLED = r"^[-+()./ 0-9xX*#,]+$"  # what a number to dial is written with


def _name(
    family: pl.Expr,
    given: tuple[pl.Expr, ...],
    suffix: tuple[pl.Expr, ...],
    prefix: pl.Expr,
    use: pl.Expr = NO_TEXT,
    period: tuple[pl.Expr, pl.Expr] = (NO_TEXT, NO_TEXT),
) -> pl.Expr:
    made = pl.struct(
        use=use.replace_strict(NAME_USE, default=None, return_dtype=pl.String),
        family=family,
        given=listed(*given),
        prefix=listed(prefix),
        suffix=listed(*suffix),
        period=struct(start=period[0], end=period[1]),
    )
    named = pl.any_horizontal(*(part.is_not_null() for part in (family, *given, *suffix, prefix)))
    return pl.when(named).then(made)


def xpn(parts: Parts) -> pl.Expr:
    """HumanName of an XPN (HL7 v2.9 2A.2.89)."""
    period = (pl.coalesce(parts(12), parts(10, 1)), pl.coalesce(parts(13), parts(10, 2)))
    suffix = (parts(4), parts(6), parts(14))
    return _name(parts(1), (parts(2), parts(3)), suffix, parts(5), parts(7), period)


def called(parts: Parts) -> pl.Expr:
    """HumanName of what a person is called by (XPN.15)."""
    use = pl.when(parts(15).is_not_null()).then(pl.lit("N"))
    return _name(NO_TEXT, (parts(15),), (NO_TEXT,), NO_TEXT, use)


def xcn_name(parts: Parts) -> pl.Expr:
    """HumanName of an XCN (HL7 v2.9 2A.2.88)."""
    period = (pl.coalesce(parts(19), parts(17, 1)), pl.coalesce(parts(20), parts(17, 2)))
    return _name(parts(2), (parts(3), parts(4)), (parts(5), parts(21)), parts(6), parts(10), period)


def xcn_identifier(parts: Parts) -> pl.Expr:
    """Identifier of the person of an XCN."""
    return identifier(parts(1), _xcn_system(parts), parts(13), parts(9))


def xcn_degree(parts: Parts) -> pl.Expr:
    """The code (table 0360) of the degree of an XCN, as a CodeableConcept."""
    made = pl.struct(system=pl.lit(V2 + "0360"), version=NO_TEXT, code=parts(7), display=NO_TEXT)
    return struct(coding=listed(pl.when(parts(7).is_not_null()).then(made)), text=NO_TEXT)


def xcn_key(parts: Parts) -> pl.Expr:
    """The key of the person of an XCN: authority and identifier; null without identifier."""
    return pl.when(parts(1).is_not_null()).then(key_of("Practitioner", _xcn_system(parts), parts(1)))


def xcn_words(parts: Parts) -> pl.Expr:
    """The name of an XCN in words, as people write it; null without name."""
    words = pl.concat_str(*(parts(at) for at in (6, 3, 4, 2, 5)), separator=" ", ignore_nulls=True)
    return pl.when(words != "").then(words)


def _xcn_system(parts: Parts) -> pl.Expr:
    return authority(parts(9, 1), parts(9, 2), parts(9, 3))


def xtn(use: str | None = None) -> Datatype:
    """ContactPoint of an XTN (HL7 v2.9 2A.2.90); ``use`` where none is sent."""

    def datatype(parts: Parts) -> pl.Expr:
        net = parts(3).is_in(["Internet", "X.400"]).fill_null(False) | (
            parts(3).is_null() & parts(1).is_null() & parts(4).is_not_null()
        )
        number = pl.coalesce(parts(12), _dialled(parts), parts(1))
        value = pl.when(net).then(pl.coalesce(parts(4), parts(1))).otherwise(pl.coalesce(number, parts(4)))
        guess = pl.when(value.str.contains(_DIALLED)).then(pl.lit("phone")).otherwise(pl.lit("other"))
        told = parts(3).replace_strict(TELECOM_SYSTEM, default=None, return_dtype=pl.String)
        told = pl.coalesce(told, pl.when(parts(2) == "BPN").then(pl.lit("pager")), guess)
        system = pl.when(net).then(pl.lit("email")).otherwise(told)
        sent_use = parts(2).replace_strict(TELECOM_USE, default=None, return_dtype=pl.String)
        mobile = pl.when((parts(3) == "CP") & (sent_use.is_null() | (sent_use == "home"))).then(pl.lit("mobile"))
        made = pl.struct(
            system=system,
            value=value,
            use=pl.coalesce(mobile, sent_use, pl.when(parts(2).is_null()).then(pl.lit(use, dtype=pl.String))),
            rank=pl.when(parts(18).str.contains(r"^[1-9][0-9]{0,5}$")).then(parts(18)).cast(pl.Int32, strict=False),
            period=struct(start=parts(13), end=parts(14)),
        )
        return pl.when(value.is_not_null()).then(made)

    return datatype


def _dialled(parts: Parts) -> pl.Expr:
    """``+country area local ext. extension``; null without local number."""
    country = "+" + parts(5).str.strip_prefix("+")
    extension = "ext. " + parts(8)
    made = pl.concat_str(country, parts(6), parts(7), extension, separator=" ", ignore_nulls=True)
    return pl.when(parts(7).is_not_null()).then(made)
