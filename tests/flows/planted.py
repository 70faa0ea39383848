"""Inputs of every format in which every field says who it is about, right and wrong, and where that may be seen.

Each text is another one that begins alike, as names of people are.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

from lxml import etree

from schemas import fhir_types
from schemas.tables import all_tables
from tests.transforms.decode.ccda.documents import coded, document, problem, result, section

WORD = "Zyxwqcanary"  # in every text
NUMBER = 473920184550  # in every number
DAY = "1837-03-14"  # in every date; nobody loads a file on it
UPDATED = "2024-01-01T00:00:00Z"
FILE = "Qwzcanaryfile"  # in names of files
_FORMS = (WORD, str(NUMBER), DAY, DAY.replace("-", ""))
_DEPTH = 3


_COUNT = itertools.count()


def word() -> str:
    """Somebody whom nothing else is about."""
    return f"{WORD}{next(_COUNT)}"


def seen(data: bytes | str) -> list[str]:
    """The planted values that stand in some output."""
    text = data.decode(errors="replace") if isinstance(data, bytes) else data
    return [form for form in _FORMS if form.lower() in text.lower()]


def resources() -> Iterator[bytes]:
    """Resources of every type that has a model: whole ones, with each choice in turn, and one more for each element
    that is made of something else than it should be.
    """
    for number, table in enumerate(all_tables()):
        kind = table.resource_type
        for turn in range(2):
            yield _line(_resource(kind, f"{WORD}-{number}-{turn}", turn))
        base = _resource(kind, f"{WORD}-{number}", 0)
        for n, (name, element) in enumerate(fhir_types.elements(kind).items()):
            for wrong in _wrong(element):
                yield _line(base | {"id": f"{WORD}-{number}-{n}-bad", name: wrong})


def hostile_lines() -> Iterator[bytes]:
    """Lines that are no JSON, or no FHIR, each with somebody in it."""
    whole = _line({"resourceType": "Patient", "id": WORD, "name": [{"family": WORD}], "birthDate": DAY})
    yield from (whole[:-20], whole[:-1] + b",}", b"[" + whole + b"]", whole + whole, b'"' + WORD.encode() + b'"')
    yield whole.replace(b'"family"', b'"family":"x","family"')
    yield whole.replace(WORD.encode(), WORD.encode() + b"\xff\xfe")
    yield whole.replace(WORD.encode(), WORD.encode() + b"\\u0000")
    yield whole.replace(WORD.encode(), WORD.encode() + b"\\ud800")
    yield whole.replace(b'"Patient"', f'"{WORD}"'.encode())
    yield whole.replace(b'"birthDate"', f'"{WORD}"'.encode())
    yield whole.replace(f'"{WORD}"'.encode(), str(NUMBER).encode())
    yield whole.replace(f'"{DAY}"'.encode(), b"NaN")
    yield f'{{"resourceType": "Observation", "id": "{WORD}", "valueQuantity": {{"value": {NUMBER}e999}}}}'.encode()
    yield f'{{"{WORD}": "{DAY}"}}'.encode()
    yield _line({"resourceType": "Bundle", "type": "batch", "entry": [{"fullUrl": WORD, "resource": WORD}, {"x": DAY}]})
    yield _line({"resourceType": "Patient", "id": f"{WORD} {WORD}"})
    yield WORD.encode() + b"," + DAY.encode()


def bundle() -> bytes:
    """A Bundle of some of them, some broken."""
    lines = itertools.islice(resources(), 40)
    kept = [{"fullUrl": f"urn:uuid:{WORD}-{n}", "resource": json.loads(line)} for n, line in enumerate(lines)]
    return _line({"resourceType": "Bundle", "id": WORD, "type": "transaction", "entry": [*kept, {"resource": DAY}]})


def messages() -> bytes:
    """HL7 v2 messages: a whole one with somebody in each field, one for each field that is wrong, and rubbish."""
    head = "MSH|^~\\&|LAB|HOSP|EHR|HOSP|20260101||{kind}|{control}|P|2.5.1"
    bases = {
        "ADT^A01": ["EVN||20260101", "PID|1||p1^^^H^MR||Doe^J||19800102|F", "NK1|1|Doe^K", "PV1|1|I|W^1^2||||d^Who",
                    "AL1|1|DA|x^y", "DG1|1||i^z^I10|||A", "GT1|1||g^h", "IN1|1|a|b|c", "ZPD|1|mine"],
        "ORU^R01": ["PID|1||p1^^^H^MR", "ORC|RE|p|f", "OBR|1|p|f|24323-8^P^LN|||20240301", "NTE|1||n",
                    "OBX|1|NM|2345-7^G^LN||5.4|mmol/L^^UCUM|3-5|N|||F|||20240301"],
        "VXU^V04": ["PID|1||p1^^^H^MR", "ORC|RE||o1", "RXA|0|1|20240101|20240101|207^C^CVX|0.5|mL^^UCUM||00^n^NIP001"],
    }  # fmt: skip
    made, control = [], 0

    def add(kind: str, segments: list[str], first: str = head) -> None:
        nonlocal control
        control += 1
        made.append("\r".join((first.format(kind=kind, control=f"c{control}"), *segments)) + "\r")

    for kind, base in bases.items():
        add(kind, [_filled(segment) for segment in base])
        for place, segment in enumerate(base):
            for field in range(1, 15):
                for value in (f"{word()}^{word()}^{DAY}", str(NUMBER)):
                    add(kind, [*base[:place], _with(segment, field, value), *base[place + 1 :]])
    add(f"{word()}^{word()}", bases["ADT^A01"])
    add("ADT^A01", bases["ADT^A01"], first=head.replace("P|2.5.1", f"P|2.5.1||||||{WORD}"))
    made += [f"PID|1||{WORD}\r", f"{WORD}\r{DAY}\r", f"MSH|^~\\&|{WORD}\rPID|{NUMBER}\r", f"MSH|{WORD}\r"]
    return "".join(made).encode()


def documents() -> Iterator[bytes]:
    """C-CDA documents: one with somebody in each text and attribute in turn, and broken ones."""
    value = '<value xsi:type="PQ" value="5.4" unit="mmol/L"/>'
    whole = document(
        section("30954-2", result(value), text=f"{WORD} was here"), section("11450-4", problem(coded("233604007")))
    )
    root = etree.fromstring(whole)
    for element in root.iter():
        for name in element.attrib:
            kept = element.attrib[name]
            for planted in (word(), DAY):
                element.attrib[name] = planted
                yield etree.tostring(root)
            element.attrib[name] = kept
        if element.text and element.text.strip():
            kept, element.text = element.text, word()
            yield etree.tostring(root)
            element.text = kept
    marked = whole.replace(b"Doe", WORD.encode())
    yield marked[: len(marked) // 2]
    yield b'<!DOCTYPE x [<!ENTITY a "' + WORD.encode() + b'">]>' + marked
    yield marked.replace(b"</given>", b"</" + WORD.encode() + b">")
    yield marked.replace(b"<title>", b"<title>&" + WORD.encode() + b";")


def extract() -> bytes:
    """Records of a laboratory: a whole one, and one for each column that is wrong."""
    good = ["A1", "100", "2345-7", "Glucose", "101.5", "mg/dL", "03/01/2024 08:30:00", "F", "03/01/2024 09:00:00"]
    rows = [good]
    for column in range(len(good)):
        rows += [[f"{n}{column}" if not i else x for i, x in enumerate(good)] for n in "BCD"]
        for row, planted in zip(rows[-3:], (WORD, str(NUMBER), DAY), strict=True):
            row[column] = planted
    rows += [[WORD], [*good, WORD, WORD], [f'"{WORD}']]
    return "\n".join(",".join(row) for row in (["ACC,MRN,TEST,NAME,RESULT,UNITS,TAKEN,STATUS,UPDATED"], *rows)).encode()


def deletes() -> bytes:
    """Deletes of somebody, right and wrong."""
    right = (f"Patient,{WORD}", f"Patient,{WORD},{UPDATED}")
    wrong = (f"Patient,{WORD},{DAY}x", f"{WORD},{WORD}", f"Patient,{WORD} {WORD}", str(NUMBER))
    return "".join(f"{line}\n" for line in (*right, *wrong)).encode()


def _filled(segment: str) -> str:
    name, *fields = segment.split("|")
    return "|".join([name, *(field or word() for field in fields), *(word() for _ in range(15))])


def _with(segment: str, field: int, value: str) -> str:
    fields = segment.split("|")
    fields += [""] * (field + 1 - len(fields))
    fields[field] = value
    return "|".join(fields)


def _line(value: object) -> bytes:
    return json.dumps(value).encode()


def _resource(kind: str, ident: str, turn: int) -> dict[str, Any]:
    meta = _object("Meta", turn, 1) | {"lastUpdated": UPDATED}  # which watermarks tell
    return {"resourceType": kind} | _object(kind, turn, 0) | {"id": ident, "meta": meta}


def _object(kind: str, turn: int, depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {}
    chosen: dict[str, list[fhir_types.Element]] = {}
    for name, element in fhir_types.elements(kind).items():
        if element.base is not None:
            chosen.setdefault(element.base, []).append(element)
        elif (value := _value(element, turn, depth)) is not None:
            made[name] = [value] if element.many else value
    for several in chosen.values():
        one = several[turn % len(several)]
        if (value := _value(one, turn, depth)) is not None:
            made[one.name] = value
    return made


_PRIMITIVES: dict[str, Any] = {
    "boolean": True, "decimal": float(NUMBER), "integer": 7, "positiveInt": 7, "unsignedInt": 7, "date": DAY,
    "dateTime": f"{DAY}T03:14:15Z", "instant": f"{DAY}T03:14:15Z", "time": "03:14:15", "id": WORD,
    "base64Binary": "Q2FuYXJ5", "xhtml": f'<div xmlns="http://www.w3.org/1999/xhtml">{WORD}</div>',
}  # fmt: skip


def _value(element: fhir_types.Element, turn: int, depth: int) -> Any:
    kind = element.type
    if fhir_types.is_primitive(kind):
        return element.codes[turn % len(element.codes)] if element.codes else _PRIMITIVES.get(kind, word())
    if kind == "Reference":
        return {"reference": f"Patient/{word()}", "display": word()}
    if kind == "Extension":
        return {"url": f"urn:{word()}", "valueString": word()} if depth < 2 else None
    if kind == "Resource" or depth >= _DEPTH:
        return None
    return _object(kind, turn, depth + 1) or None


def _wrong(element: fhir_types.Element) -> Iterator[Any]:
    if not fhir_types.is_primitive(element.type):
        yield word()
    elif element.type in ("string", "markdown", "id", "code", "uri"):
        yield {word(): word()}
    else:
        yield [word()]
