"""The shared HL7 v2 messages and the FHIR that other converters made of them.

Their output is no law: what differs is sorted into kinds, each explained in ``docs/hl7v2-maps.md`` with the counts that
this test finds.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from fhir.resources.R4B import get_fhir_model_class

from schemas.fhir_types import element
from tests.conformance.hl7v2_facts import facts_of, times_of
from transforms.decode.hl7v2.fhir_json import fhir_lines
from transforms.decode.hl7v2.maps.rows import FIXED, Made
from transforms.decode.hl7v2.resources import made_of
from transforms.decode.hl7v2.segments import segments_of
from transforms.decode.hl7v2.separators import Separators, separators_of

pytestmark = pytest.mark.conformance

SHARED = Path(os.environ.get("CLINMART_SHARED", Path(__file__).parents[3] / "shared"))
FOLDER = SHARED / "data" / "hl7v2"
DOCS = Path(__file__).parents[2] / "docs" / "hl7v2-maps.md"
FILES = sorted(FOLDER.rglob("*.hl7")) if FOLDER.exists() else []
MISSING = f"SKIPPED LOUDLY: no HL7 v2 messages in {FOLDER}; set CLINMART_SHARED"

# Segments that say who else had to do with it, what it costs and how the message travelled: kept whole, not mapped.
_WITHOUT_MAP = frozenset((
    "ACC", "AIG", "AIS", "ARV", "AUT", "BLG", "CDO", "CM0", "CM1", "CON", "CSR", "CTD", "CTI",
    "DB1", "DRG", "EVN", "FT1", "GOL", "GT1", "IN2", "INV", "MSH", "OH1", "PCR", "PDA", "PDC",
    "PRD", "PRT", "PTH", "RF1", "RGS", "ROL", "RXC", "RXD", "RXG", "SAC", "SFT", "UAC", "UB1",
    "UB2", "VAR",
))  # fmt: skip
_BY_TYPE = {
    "Practitioner": "people without identifier, or in fields without map",
    "Organization": "organisations in fields without map",
    "RelatedPerson": "people of IN1 and IAM as RelatedPerson",
    "Specimen": "specimens of an OBR beside those of SPM",
    "DiagnosticReport": "reports of orders and of single OBX",
    "ServiceRequest": "requests of an ORC without OBR, and group numbers",
}
_ELSE = "decided otherwise above"


def test_the_messages_are_there() -> None:
    """Without the messages nothing is shown; say so."""
    if not FILES:
        pytest.skip(MISSING)
    assert len(FILES) == 198


def test_what_is_made_is_valid_fhir() -> None:
    """Every row of every message, as FHIR JSON, passes `fhir.resources`; errors name the element, never the value."""
    if not FILES:
        pytest.skip(MISSING)
    count = 0
    for file in FILES:
        for made in _made(file):
            model = get_fhir_model_class(made.resource_type)
            for line in fhir_lines(made, "America/New_York"):
                model.model_validate_json(line)
                count += 1
    assert count > 1600


def test_messages_together_and_alone_give_the_same() -> None:
    """How messages are cut into batches changes nothing of what is made of them."""
    if not FILES:
        pytest.skip(MISSING)
    files = [file for file in FILES if all(separators_of(t[3], t[4:8]) == Separators() for t in _texts(file))]
    texts = [text for file in files for text in _texts(file)]
    alone = Counter(line for file in files for made in _made(file) for line in _canonical(made))
    batch = made_of(segments_of(pl.Series(texts), range(len(texts)), Separators(), "UTC"))
    assert len(texts) > 70
    assert Counter(line for made in batch for line in _canonical(made)) == alone


def _canonical(made: Made) -> Iterator[str]:
    return (json.dumps(json.loads(line), sort_keys=True) for line in fhir_lines(made, "UTC"))


def test_all_columns_are_elements_of_fhir() -> None:
    """Names at any depth are those of FHIR R4; beside them stand the digits of decimals and the `_` of extensions."""
    if not FILES:
        pytest.skip(MISSING)
    unknown = {
        name
        for file in FILES
        for made in _made(file)
        for name, dtype in made.frame.drop(FIXED).schema.items()
        for name in _not_elements(made.resource_type, name, dtype)
    }
    assert unknown == set()


def _not_elements(kind: str, name: str, dtype: pl.DataType) -> set[str]:
    if name == "#value":
        return set()
    inner = dtype.inner if isinstance(dtype, pl.List) else dtype
    if name.startswith("_"):
        of = "Element"
    else:
        known = element(kind, name)
        if known is None or known.many != isinstance(dtype, pl.List):
            return {f"{kind}.{name}"}
        of = known.type
    fields = inner.fields if isinstance(inner, pl.Struct) else []
    return {wrong for field in fields for wrong in _not_elements(of, field.name, field.dtype)}


def test_what_differs_from_other_converters_is_explained() -> None:
    """The table in the docs has every kind of difference with its count, and the number of facts that agree."""
    if not FILES:
        pytest.skip(MISSING)
    found: Counter[str] = Counter()
    files = 0
    for file in FILES:
        expected = _expected(file)
        if expected is None:
            continue
        files += 1
        ours = {fact for made in _made(file) for line in fhir_lines(made, "UTC") for fact in facts_of(json.loads(line))}
        where = _segments_with(file)
        for path, value in expected:
            found["agrees" if (path, value) in ours else _kind(path, where.get(value, set()))] += 1
    assert files == 190
    assert dict(found) == _table()


def _kind(path: str, segments: set[str]) -> str:
    if not segments:
        return "not in the message"
    if segments <= _WITHOUT_MAP:
        return "segments without map"
    return _BY_TYPE.get(path.partition(".")[0], _ELSE)


def _table() -> dict[str, int]:
    rows = re.findall(r"^\| ([^|]+?) \| ([0-9]+) \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    return {kind: int(count) for kind, count in rows}


@cache
def _texts(file: Path) -> tuple[str, ...]:
    text = re.sub(r"\r\n?", "\n", file.read_bytes().decode("utf-8-sig", errors="replace"))
    messages = re.split(r"(?m)^(?=MSH)", text)
    return tuple(re.sub(r"\n+", "\r", m.strip("\n")) for m in messages if m.startswith("MSH"))


@cache
def _made(file: Path) -> tuple[Made, ...]:
    made: list[Made] = []
    for text in _texts(file):
        separators = separators_of(text[3], text[4:].split(text[3], 1)[0])
        assert separators is not None
        made += made_of(segments_of(pl.Series([text]), [0], separators, "UTC"))
    return tuple(made)


def _expected(file: Path) -> set[tuple[str, str]] | None:
    beside = file.with_suffix(".fhir.json")
    vendor = file.parent / "expected" / f"{file.stem}.json"
    path = beside if beside.exists() else vendor
    if not path.exists():
        return None
    bundle: dict[str, Any] = json.loads(path.read_bytes())
    return {fact for entry in bundle.get("entry", []) for fact in facts_of(entry["resource"])}


def _segments_with(file: Path) -> dict[str, set[str]]:
    """The names of the segments that have a text, a number or a time, written as facts are."""
    where: defaultdict[str, set[str]] = defaultdict(set)
    for text in _texts(file):
        for segment in text.split("\r"):
            for piece in re.split(r"[|^~&]", segment):
                said = {piece.strip()} | times_of(piece)
                if re.fullmatch(r"-?[0-9]+(?:\.[0-9]+)?", piece):
                    said.add(repr(float(piece)))
                for word in said:
                    where[word].add(segment[:3])
    return where
