"""PID-10 and PID-22 as the extensions of US Core: race and ethnicity.

The official maps leave both to each country's extension; the tables have columns for those of US Core.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from schemas.systems import US_CORE
from transforms.decode.hl7v2.maps.coded import code_text, system_uri
from transforms.decode.hl7v2.maps.parts import Datatype, Parts
from transforms.decode.hl7v2.maps.rows import Rows
from transforms.decode.hl7v2.maps.segment import Segment
from transforms.decode.hl7v2.maps.shape import joined, listed
from transforms.decode.hl7v2.maps.tables import V2

RACE, ETHNICITY = US_CORE + "us-core-race", US_CORE + "us-core-ethnicity"
_CDC = "urn:oid:2.16.840.1.113883.6.238"  # Race and Ethnicity - CDC
_CDC_NAMES = (_CDC, "CDCREC")  # the second of table 0396
_NULL_FLAVOR = "http://terminology.hl7.org/CodeSystem/v3-NullFlavor"
_CODING = pl.Struct(dict.fromkeys(("system", "code", "display"), pl.String))
_CDC_CODE = r"^[0-9]{4}-[0-9]$"
# The categories of the Office of Management and Budget, of the value sets that US Core requires.
_RACES = {
    "1002-5": (_CDC, "1002-5", "American Indian or Alaska Native"),
    "2028-9": (_CDC, "2028-9", "Asian"),
    "2054-5": (_CDC, "2054-5", "Black or African American"),
    "2076-8": (_CDC, "2076-8", "Native Hawaiian or Other Pacific Islander"),
    "2106-3": (_CDC, "2106-3", "White"),
}
_ETHNICITIES = {
    "2135-2": (_CDC, "2135-2", "Hispanic or Latino"),
    "2186-5": (_CDC, "2186-5", "Not Hispanic or Latino"),
}
_TABLE_0189 = {
    "H": _ETHNICITIES["2135-2"],
    "N": _ETHNICITIES["2186-5"],
    "U": (_NULL_FLAVOR, "UNK", "Unknown"),
}
_Categories = Mapping[str, tuple[str, str, str]]


def races(pid: Segment) -> pl.Series | None:
    """The parts of the race extension (List of Struct) by PID-10."""
    return _parts(pid, 10, _coded(_RACES, {}, "0005"))


def ethnicities(pid: Segment) -> pl.Series | None:
    """The parts of the ethnicity extension by PID-22."""
    return _parts(pid, 22, _coded(_ETHNICITIES, _TABLE_0189, "0189"))


def clear(rows: Rows, pid: Segment) -> None:
    """Note which of the two a sender cleared."""
    for url, number in ((RACE, 10), (ETHNICITY, 22)):
        rows.put(f"extension('{url}')", None, pid.cleared(number))


def _parts(pid: Segment, number: int, coded: Datatype) -> pl.Series | None:
    told = pid.every(coded, number)
    words = pid.every(_words, number)
    if told is None or words is None:
        return None
    said = words.alias("said").to_frame()
    text = pl.struct(
        url=pl.lit("text"),
        valueCoding=pl.lit(None, dtype=_CODING),
        valueString=pl.col("said").list.join("; "),
    )
    whole = said.select(listed(pl.when(pl.col("said").list.len() > 0).then(text))).to_series()
    return joined(told, whole)


def _coded(categories: _Categories, own: _Categories, table: str) -> Datatype:
    """A category, or else the code as it was sent, as a part of the extension; null where there is no code. ``own`` are
    the codes of the HL7 table that mean categories.
    """

    def datatype(parts: Parts) -> pl.Expr:
        code, system = parts.once(code_text(parts(1))), parts.once(system_uri(parts(3)))
        of_table = system.is_null() | (system == V2 + table)
        meant = {**categories, **own}
        is_category = code.is_in(list(categories)) | (code.is_in(list(own)) & of_table)

        def category(at: int) -> pl.Expr:
            return code.replace_strict(
                list(meant), [told[at] for told in meant.values()], default=None, return_dtype=pl.String
            )

        cdc = code.str.contains(_CDC_CODE) & (of_table | system.is_in(_CDC_NAMES))
        sent = pl.struct(
            system=pl.when(cdc).then(pl.lit(_CDC)).otherwise(system.fill_null(V2 + table)), code=code, display=parts(2)
        )
        named = pl.struct(system=category(0), code=category(1), display=category(2))
        part = pl.struct(
            url=pl.when(is_category).then(pl.lit("ombCategory")).otherwise(pl.lit("detailed")),
            valueCoding=pl.when(is_category).then(named).otherwise(sent),
            valueString=pl.lit(None, dtype=pl.String),
        )
        return pl.when(code.is_not_null()).then(part)

    return datatype


def _words(parts: Parts) -> pl.Expr:
    return pl.coalesce(parts(2), parts(9), parts(1))
