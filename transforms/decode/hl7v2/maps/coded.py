"""Coded datatypes: CE, CWE, CNE, CF, IS, ID to CodeableConcept, Coding and code."""

from __future__ import annotations

import re
from collections.abc import Mapping

import polars as pl

from schemas.code_systems import canonical
from transforms.decode.hl7v2.maps.parts import Datatype, Parts
from transforms.decode.hl7v2.maps.shape import listed, struct
from transforms.decode.hl7v2.maps.tables import V2, Translation

CODING_FIELDS = ("system", "version", "code", "display")


def fixed(system: str, code: str, display: str | None = None) -> pl.Expr:
    """CodeableConcept of one coding that is the same for all rows."""
    made = pl.struct(system=pl.lit(system), code=pl.lit(code), display=pl.lit(display, dtype=pl.String))
    return pl.struct(coding=pl.concat_list(made))


def system_uri(name: pl.Expr) -> pl.Expr:
    """The URI of a coding system that is called by its name of table 0396, by its OID or by its URI; another name as
    sent, its blanks written ``%20``, for no URI has any.
    """
    return name.map_batches(_uris, return_dtype=pl.String)


def _uris(names: pl.Series) -> pl.Series:
    known = names.unique().drop_nulls()
    if known.is_empty():
        return names
    return names.replace_strict(known, [re.sub(r"\s", "%20", canonical(name)) for name in known], default=None)


def code_text(value: pl.Expr) -> pl.Expr:
    """A FHIR code: no blanks around it, and one at a time within (FHIR R4 2.24.0.1)."""
    made = value.str.replace_all(r"\s+", " ").str.strip_chars()
    return pl.when(made != "").then(made)


def translated(table: Mapping[str, str]) -> Datatype:
    """The code of FHIR that the first component, or a primitive value, means; null where the table has none."""

    def datatype(parts: Parts) -> pl.Expr:
        return parts(1).str.strip_chars().replace_strict(dict(table), default=None, return_dtype=pl.String)

    return datatype


def concept(
    table: str | None = None, translation: Translation | None = None, *, first: int = 1, sub: bool = False
) -> Datatype:
    """CodeableConcept: ``coding`` (one of each triplet, before them that of the translation) and ``text``.

    ``table`` is the number of the HL7 table that a code without system is one of. The components begin at ``first``;
    with ``sub`` they are the subcomponents of component ``first``.
    """

    def datatype(parts: Parts) -> pl.Expr:
        def at(number: int) -> pl.Expr:
            return parts(first, number) if sub else parts(first - 1 + number)

        def has(number: int) -> bool:
            return parts.has(first, number) if sub else parts.has(first - 1 + number)

        own = translation.table if translation else table
        codings = [_coding(at(1), at(2), at(3), at(7), own)]
        if translation:
            codings.insert(0, _of_translation(at(1), at(3), translation))
        codings += [
            _coding(at(code), at(code + 1), at(code + 2), at(version), None)
            for code, version in ((4, 8), (10, 13))
            if has(code)
        ]
        alone = pl.when(at(1).is_null()).then(at(2))
        kept = parts.once(listed(*(parts.once(one) for one in codings)))
        return struct(coding=kept, text=parts.once(pl.coalesce(at(9), alone)))

    return datatype


def coding(table: str | None = None) -> Datatype:
    """Coding: the first triplet."""

    def datatype(parts: Parts) -> pl.Expr:
        return _coding(parts(1), parts(2), parts(3), parts(7), table)

    return datatype


def class_coding(translation: Translation) -> Datatype:
    """Coding: that of the translation, else the one that was sent."""

    def datatype(parts: Parts) -> pl.Expr:
        sent = _coding(parts(1), parts(2), parts(3), parts(7), translation.table)
        return pl.coalesce(_of_translation(parts(1), parts(3), translation), sent)

    return datatype


def code_key(first: int = 1) -> Datatype:
    """What tells one code from another, whatever it is displayed as: its code and system, of the first triplet that
    has a code, else its words (String).
    """

    def datatype(parts: Parts) -> pl.Expr:
        code, words, system, code2, _, system2 = (parts(first + at) for at in range(6))
        return pl.coalesce(
            _keyed(code, system_uri(system)), _keyed(code2, system_uri(system2)), "text:" + words, "text:" + parts(9)
        )

    return datatype


def _keyed(code: pl.Expr, system: pl.Expr) -> pl.Expr:
    return pl.concat_str(pl.lit("code:"), code, pl.lit("|"), system.fill_null(""))


def _coding(code: pl.Expr, display: pl.Expr, system: pl.Expr, version: pl.Expr, table: str | None) -> pl.Expr:
    uri = system_uri(system)
    made = pl.struct(
        system=uri.fill_null(V2 + table) if table else uri, version=version, code=code_text(code), display=display
    )
    return pl.when(code_text(code).is_not_null()).then(made)


def _of_translation(code: pl.Expr, system: pl.Expr, translation: Translation) -> pl.Expr:
    own = system.is_null() | (system_uri(system) == V2 + translation.table)
    plain = code.str.strip_chars()
    keys = list(translation.to)

    def part(values: list[str]) -> pl.Expr:
        return plain.replace_strict(keys, values, default=None, return_dtype=pl.String)

    made = pl.struct(
        system=part([t[2] if len(t) > 2 else translation.system for t in translation.to.values()]),
        version=pl.lit(None, dtype=pl.String),
        code=part([t[0] for t in translation.to.values()]),
        display=part([t[1] for t in translation.to.values()]),
    )
    return pl.when(own & plain.is_in(keys)).then(made)
