"""PID-10 and PID-22: race and ethnicity as US Core has them, and nothing lost of other codes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from schemas.records import Chunk, ChunkKind
from tests.transforms.decode.hl7v2.messages import msh, only
from tests.transforms.one_chunk import decoder
from transforms.decode.hl7v2.maps.ethnicity import ETHNICITY, RACE
from transforms.messages import CLEARED, transform_messages
from transforms.options import MessageOptions
from transforms.partition import Tools

CDC = "urn:oid:2.16.840.1.113883.6.238"
V2 = "http://terminology.hl7.org/CodeSystem/v2-"


def _pid(race: str, ethnicity: str) -> str:
    fields = ["PID", "1", "", "1^^^H^MR", "", "Doe", "", "", "", "", race, *[""] * 11, ethnicity]
    return "|".join(fields)


def _parts(race: str, ethnicity: str, url: str) -> list[tuple[str, ...]]:
    """The parts of one of the extensions, as tuples."""
    found: list[dict[str, Any]] = only("Patient", msh("ADT^A01"), _pid(race, ethnicity)).get("extension", [])
    made: list[tuple[str, ...]] = []
    for part in (part for one in found if one["url"] == url for part in one["extension"]):
        value = part.get("valueCoding")
        said = (part["valueString"],) if value is None else (value["system"], value["code"], value.get("display", ""))
        made.append((part["url"], *said))
    return made


@pytest.mark.parametrize(
    ("sent", "parts"),
    [
        ("2106-3^WHITE^HL70005", [("ombCategory", CDC, "2106-3", "White"), ("text", "WHITE")]),
        (
            "2106-3^White~2028-9",
            [
                ("ombCategory", CDC, "2106-3", "White"),
                ("ombCategory", CDC, "2028-9", "Asian"),
                ("text", "White; 2028-9"),
            ],
        ),
        ("2034-7^Chinese^CDCREC", [("detailed", CDC, "2034-7", "Chinese"), ("text", "Chinese")]),
        ("W", [("detailed", V2 + "0005", "W", ""), ("text", "W")]),
        ("A^White - British^L", [("detailed", "L", "A", "White - British"), ("text", "White - British")]),
        ("^said", [("text", "said")]),
        ('""', []),
        ("", []),
    ],
)
def test_race(sent: str, parts: list[tuple[str, ...]]) -> None:
    """Categories by their codes, other codes with their system, words as text."""
    assert _parts(sent, "", RACE) == parts


@pytest.mark.parametrize(
    ("sent", "parts"),
    [
        ("H", [("ombCategory", CDC, "2135-2", "Hispanic or Latino"), ("text", "H")]),
        ("N^not^HL70189", [("ombCategory", CDC, "2186-5", "Not Hispanic or Latino"), ("text", "not")]),
        (
            "U",
            [("ombCategory", "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "UNK", "Unknown"), ("text", "U")],
        ),
        ("2186-5^no^CDCREC", [("ombCategory", CDC, "2186-5", "Not Hispanic or Latino"), ("text", "no")]),
        ("H^Han^L", [("detailed", "L", "H", "Han"), ("text", "Han")]),  # not of table 0189
    ],
)
def test_ethnicity(sent: str, parts: list[tuple[str, ...]]) -> None:
    """Table 0189 means categories, and only where the sender does not name another system."""
    assert _parts("", sent, ETHNICITY) == parts


def test_columns() -> None:
    """The table has columns for both; the JSON of all extensions has no nulls; what is cleared is told alone."""
    text = "\r".join(
        [msh("ADT^A01"), _pid("2106-3", "H").replace("Doe||", 'Doe|a","b":null,"c|'), 'PID|1||2^^^H^MR||Roe|||||""']
    )
    chunk = Chunk("f", 0, 1, text.encode(), ChunkKind.HL7V2, (0,), lengths=(len(text),))
    result = transform_messages([chunk], Tools(decoder()), datetime(2024, 1, 1, tzinfo=UTC), MessageOptions())
    ((_, rows, _),) = [patch for patch in result.patches if patch[0] == "patient"]
    first, second = rows.select("race", "ethnicity", "mothers_maiden_name", "extension", CLEARED).rows()
    assert first[:3] == ("2106-3", "2135-2", 'a","b":null,"c')
    assert first[3] == (
        '[{"url":"http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName","valueString":"a\\",\\"b\\":null,'
        f'\\"c"}},{{"url":"{RACE}","extension":[{{"url":"ombCategory","valueCoding":{{"system":"{CDC}",'
        '"code":"2106-3","display":"White"}},{"url":"text","valueString":"2106-3"}]},'
        f'{{"url":"{ETHNICITY}","extension":[{{"url":"ombCategory","valueCoding":{{"system":"{CDC}",'
        '"code":"2135-2","display":"Hispanic or Latino"}},{"url":"text","valueString":"H"}]}]'
    )
    assert second == (None, None, None, None, [f"extension('{RACE}')"])
    assert isinstance(rows, pl.DataFrame)
