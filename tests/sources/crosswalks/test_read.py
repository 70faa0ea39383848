"""Crosswalk files: what each form says, and one clear line for whatever is wrong with it."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest

from schemas.crosswalk import Crosswalk
from schemas.errors import UsageError
from sources.crosswalks import read_crosswalk

SHARED = Path(os.environ.get("CLINMART_SHARED", Path(__file__).parents[4] / "shared"))
TERMINOLOGY = SHARED / "data" / "terminology"
HEADER = "source_system,source_code,target_system,target_code,equivalence,map_version"
LAB, LOINC = "http://lab.example.org", "http://loinc.org"


def element(code: str, *targets: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An element of a group."""
    return {"code": code, "target": list(targets)} | more


def concept_map(*elements: dict[str, Any], group: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """An R4 ConceptMap of one group; ``group`` replaces parts of it."""
    body = {"source": f"{LAB}|2024", "target": LOINC, "element": list(elements)} | (group or {})
    return {"resourceType": "ConceptMap", "url": "http://m.example.org/a", "version": "1", "group": [body]} | more


def equal(code: str, **more: Any) -> dict[str, Any]:
    """A target that is equal."""
    return {"code": code, "equivalence": "equal"} | more


GOOD = element("HB", equal("718-7"))


@pytest.fixture
def read(tmp_path: Path) -> Any:
    """Reads contents as files: text as CSV, anything else as JSON."""

    def reader(*contents: Any) -> Crosswalk:
        paths = []
        for number, content in enumerate(contents):
            path = tmp_path / f"map{number}"
            data = content if isinstance(content, bytes) else content.encode() if isinstance(content, str) else None
            path.write_bytes(json.dumps(content).encode() if data is None else data)
            paths.append(path)
        made = read_crosswalk(paths)
        assert made is not None
        return made

    return reader


def rows(crosswalk: Crosswalk, *columns: str) -> list[tuple[Any, ...]]:
    """Columns of the entries."""
    return crosswalk.entries.select(columns).rows()


PAIR = ("source_system", "source_code", "target_system", "target_code", "equivalence")


def test_r4(read: Any) -> None:
    """Several groups; versions are kept beside the systems; displays of both ends; conditions."""
    second = {"source": "urn:oid:2.16.840.1.113883.6.96", "sourceVersion": "2024-03", "target": "LN", "element": [
        element("1", equal("718-7", display="Hb", dependsOn=[{"property": "p", "value": "v"}]), display="Haemoglobin"),
    ]}  # fmt: skip
    made = concept_map(element("HB", equal("718-7"), {"code": "x", "equivalence": "inexact"}), element("ZZ"))
    made["group"].append(second)
    crosswalk = read(made)
    assert rows(crosswalk, *PAIR) == [
        (LAB, "HB", LOINC, "718-7", "equal"),
        (LAB, "HB", LOINC, "x", "inexact"),
        (LAB, "ZZ", LOINC, None, None),
        ("http://snomed.info/sct", "1", LOINC, "718-7", "equal"),
    ]
    assert rows(crosswalk, "source_version", "source_display", "target_display", "conditional")[3] == (
        "2024-03", "Haemoglobin", "Hb", True,
    )  # fmt: skip
    assert rows(crosswalk, "source_version")[0] == ("2024",)
    (told,) = crosswalk.maps
    assert (told.url, told.version, told.level, told.entries) == ("http://m.example.org/a", "1", 0, 4)
    assert len(told.sha256) == 64


@pytest.mark.parametrize("key", ["dependsOn", "product"])
def test_conditions(read: Any, key: str) -> None:
    """A target that holds only together with other elements is told apart; an empty list is no condition."""
    made = concept_map(element("HB", equal("1", **{key: [{"property": "p", "value": "v"}]}), equal("2", **{key: []})))
    assert rows(read(made), "target_code", "conditional") == [("1", True), ("2", False)]


def test_r5(read: Any) -> None:
    """`relationship`, which is told from the source's side, and `noMap`."""
    narrower = {"code": "718-7", "relationship": "source-is-narrower-than-target"}
    crosswalk = read(concept_map(element("HB", narrower), {"code": "QQ", "noMap": True}))
    assert rows(crosswalk, "source_code", "equivalence") == [
        ("HB", "source-is-narrower-than-target"), ("QQ", "unmatched"),
    ]  # fmt: skip


def test_stu3(read: Any) -> None:
    """A target without equivalence is equivalent in STU3, whose maps alone have a `sourceReference`."""
    bare = element("HB", {"code": "718-7"})
    old = concept_map(bare, sourceReference={"reference": "ValueSet/x"})
    assert rows(read(old), "equivalence") == [("equivalent",)]
    with pytest.raises(UsageError, match=r"element\[0\]\.target\[0\]: the target has no equivalence"):
        read(concept_map(bare))


@pytest.mark.parametrize(
    ("unmapped", "row"),
    [
        ({"mode": "fixed", "code": "X", "display": "d"}, (None, "X", "fixed")),
        ({"mode": "provided"}, (None, None, "provided")),
        ({"mode": "use-source-code"}, (None, None, "provided")),
    ],
)
def test_unmapped(read: Any, unmapped: dict[str, Any], row: tuple[Any, ...]) -> None:
    """What a group gives for codes that it does not list is an entry without a source code."""
    crosswalk = read(concept_map(GOOD, group={"unmapped": unmapped}))
    assert rows(crosswalk, "source_code", "target_code", "equivalence")[1:] == [row]


def leaves_to(url: str, own: str, key: str = "url") -> dict[str, Any]:
    """A map that leaves other codes to another."""
    return concept_map(GOOD, group={"unmapped": {"mode": "other-map", key: url}}, url=own)


def test_other_maps(read: Any) -> None:
    """A map that others leave codes to comes after them, however the files are given."""
    last = concept_map(element("K", equal("2823-3")), url="http://m.example.org/c", version="2")
    second = leaves_to("http://m.example.org/c|2", "http://m.example.org/b")
    first = leaves_to("http://m.example.org/b", "http://m.example.org/a", "otherMap")
    for given in ((first, second, last), (last, second, first)):
        assert {m.url[-1]: m.level for m in read(*given).maps} == {"a": 0, "b": 1, "c": 2}


def test_other_maps_that_are_not_there(read: Any) -> None:
    """Not given, given in another version, and round in a circle."""
    ask = leaves_to("http://m.example.org/b|2", "http://m.example.org/a")
    with pytest.raises(UsageError, match=r"group\[0\]\.unmapped: leaves codes to the map http://m.example.org/b"):
        read(ask)
    with pytest.raises(UsageError, match=r"leaves codes to version 2 of .*, and version 1 was given"):
        read(ask, concept_map(GOOD, url="http://m.example.org/b"))
    back = leaves_to("http://m.example.org/a", "http://m.example.org/b") | {"version": "2"}
    with pytest.raises(UsageError, match=r"in a circle: http://m\.example\.org/a to http://m\.example\.org/b to"):
        read(ask, back)


def test_a_bundle(read: Any) -> None:
    """All its ConceptMaps, and nothing else of it."""
    entries = [{"resource": concept_map(GOOD)}, {"resource": {"resourceType": "ValueSet"}}, {"fullUrl": "x"}]
    entries.append({"resource": concept_map(element("K", equal("2823-3")), url="http://m.example.org/b")})
    crosswalk = read({"resourceType": "Bundle", "entry": entries})
    assert [m.url for m in crosswalk.maps] == ["http://m.example.org/a", "http://m.example.org/b"]
    assert rows(crosswalk, "map", "source_code") == [(0, "HB"), (1, "K")]


def test_csv(read: Any) -> None:
    """A byte order mark, quoted commas, columns in another order, displays, columns of the user's own."""
    text = (
        "\ufeffmap_version,source_display,source_system,source_code,target_system,target_code,equivalence,who\n"
        f'1,"Hb, total",{LAB}|v2,HB,LN,718-7,equivalent,me\n'
        f"2,,{LAB},QQ,,,unmatched,\n\n"
    )
    crosswalk = read(text)
    assert rows(crosswalk, *PAIR) == [(LAB, "HB", LOINC, "718-7", "equivalent"), (LAB, "QQ", None, None, "unmatched")]
    assert rows(crosswalk, "source_display", "source_version") == [("Hb, total", "v2"), (None, None)]
    assert [(m.version, m.entries) for m in crosswalk.maps] == [("1", 1), ("2", 1)]


def test_the_digest_is_of_the_files(read: Any, tmp_path: Path) -> None:
    """Neither the order of files nor a repetition changes it; a byte does."""
    one, other = f"{HEADER}\n{LAB},HB,LN,718-7,equal,1\n", concept_map(GOOD)
    assert read(one, other) == read(other, one) == read(one, other, one)
    assert hash(read(one, other)) == hash(read(other, one))
    assert read(one) != read(one + "\n") != read(other)
    assert read_crosswalk([]) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "start: is empty"),
        ("<ConceptMap/>", "start: is XML: give the ConceptMap in JSON"),
        ("{", "line 1: is no JSON"),
        ("[]", "start: has no resourceType: give a ConceptMap"),
        ('{"resourceType": "ValueSet"}', "start: is a ValueSet: give a ConceptMap"),
        ('{"resourceType": "Bundle"}', "Bundle: there is no ConceptMap in it"),
        ("{" * 1, "is no JSON"),
        ("a,b\n", "row 1: no column source_system"),
        (HEADER.replace("equivalence", "equivalance"), "row 1: no column equivalence .there is 'equivalance'."),
        (HEADER.replace(",", ";"), "row 1: the columns are not separated by commas"),
        (f"{HEADER},source_code\n", "row 1: there are several columns 'source_code'"),
        (HEADER, "row 2: there are no rows"),
        (f"{HEADER}\n{LAB},,LN,1,equal,", "row 2: source_code is empty"),
        (f"{HEADER}\n,A,LN,1,equal,", "row 2: source_system is empty"),
        (f"{HEADER}\n{LAB},A,LN,1,,", "row 2: equivalence is empty"),
        (f"{HEADER}\n{LAB},A,LN,,equal,", "row 2: target_code is empty, but equivalence is equal"),
        (f"{HEADER}\n{LAB},A,,1,wider,", "row 2: target_system is empty"),
        (f"{HEADER}\n{LAB},A ,LN,1,equal,", "row 2: source_code 'A ' has spaces around it"),
        (f"{HEADER}\n{LAB},A,LN,1,same,", "row 2: equivalence 'same' is not known: give one of equal,"),
        (f"{HEADER}\n{LAB},A,LN", "row 2: has 3 fields"),
        (f'{HEADER}\n{LAB},A,LN,1,equal,1\n{LAB},"A', "row 3: is no CSV"),
        (
            f'{HEADER}\n{LAB},"A\nB",LN,1,equal,1\n{LAB},C,LN,1,equal,1\n{LAB},C,LN,1,wider,1',
            "row 5: 'C' to '1' is 'wider' here and 'equal' in row 4",
        ),
        (
            f"{HEADER}\n{LAB},C,LN,1,equal,1\n{LAB},C,LN,,unmatched,1",
            "row 3: code 'C' has no target here and one in row 2",
        ),
    ],
)
def test_faults_of_texts(read: Any, text: str, said: str) -> None:
    """The file, the row, what was there and what to do, in one line."""
    with pytest.raises(UsageError, match=said) as raised:
        read(text)
    assert str(raised.value).count("\n") == 0
    assert "map0" in str(raised.value)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (concept_map(), "ConceptMap.group: the map maps nothing"),
        ({"resourceType": "ConceptMap", "element": []}, "is a ConceptMap of DSTU2"),
        (concept_map(group={"element": {}}), r"group\[0\]\.element: is no list"),
        (concept_map(group={"element": ["x"]}), r"group\[0\]\.element\[0\]: is no object"),
        (concept_map(GOOD, group={"source": None}), r"group\[0\]\.source: the group names no source system"),
        (concept_map(GOOD, group={"source": 1}), r"group\[0\]\.source: is a int"),
        (concept_map(GOOD, group={"target": None}), r"group\[0\]\.target: the group names no target system"),
        (concept_map(element("", equal("1"))), r"element\[0\]\.code: is ''"),
        (concept_map({"target": [equal("1")]}), r"element\[0\]: has no code"),
        (concept_map({"valueSet": "http://v", "target": []}), r"element\[0\]: maps a whole value set"),
        (concept_map(element(" A", equal("1"))), r"element\[0\]\.code: ' A' has spaces around it"),
        (concept_map(element("A", {"code": "1", "equivalence": "sames"})), r"target\[0\]\.equivalence: 'sames' is not"),
        (concept_map(element("A", {"code": "1", "relationship": "like"})), r"target\[0\]\.relationship: 'like' is not"),
        (concept_map(element("A", {"equivalence": "equal"})), r"target\[0\]: the target is equal and has no code"),
        (concept_map(element("A", equal("1"), noMap=True)), r"element\[0\]: says noMap and has targets"),
        (
            concept_map(element("A", equal("1")), element("A", {"code": "1", "equivalence": "wider"})),
            r"element\[1\].*: 'A' to '1' is 'wider' here and 'equal' in ConceptMap\.group\[0\]\.element\[0\]",
        ),
        (concept_map(GOOD, group={"unmapped": []}), r"unmapped: is no object"),
        (concept_map(GOOD, group={"unmapped": {}}), r"unmapped\.mode: is missing"),
        (concept_map(GOOD, group={"unmapped": {"mode": "guess"}}), r"unmapped\.mode: 'guess' is not known"),
        (concept_map(GOOD, group={"unmapped": {"mode": "fixed"}}), r"unmapped: the mode is fixed and there is no code"),
        (concept_map(GOOD, group={"unmapped": {"mode": "other-map"}}), r"unmapped: the mode is other-map and no url"),
    ],
)
def test_faults_of_concept_maps(read: Any, made: dict[str, Any], said: str) -> None:
    """The JSON path of the first thing that is not right."""
    with pytest.raises(UsageError, match=said) as raised:
        read(made)
    assert str(raised.value).count("\n") == 0


def test_faults_of_bytes(read: Any, tmp_path: Path) -> None:
    """Not there, a folder, compressed, another encoding."""
    with pytest.raises(UsageError, match="nowhere cannot be read: No such file"):
        read_crosswalk([tmp_path / "nowhere"])
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        read_crosswalk([tmp_path])
    with pytest.raises(UsageError, match=r"is compressed \(gzip\): unpack it first"):
        read(b"\x1f\x8b\x08")
    with pytest.raises(UsageError, match="byte 2: is no UTF-8"):
        read(b"a,\xff")


def test_a_long_code_is_not_repeated_whole(read: Any) -> None:
    """A message stays one line of a readable length."""
    with pytest.raises(UsageError) as raised:
        read(f"{HEADER}\n{LAB},{'A' * 500} ,LN,1,equal,1")
    assert len(str(raised.value)) < 300


@pytest.mark.conformance
def test_published_maps() -> None:
    """Every entry of the two published maps, read by a few lines of plain Python."""
    if not TERMINOLOGY.exists():
        pytest.skip(f"SKIPPED LOUDLY: no maps in {TERMINOLOGY}; set CLINMART_SHARED")
    for name, (source, target) in {
        "ConceptMap-CF-EncounterStatus.json": (
            "http://terminology.hl7.org/CodeSystem/v3-ActStatus", "http://hl7.org/fhir/encounter-status",
        ),
        "ConceptMap-ndc-cvx.stu3.json": ("http://hl7.org/fhir/sid/ndc", "http://hl7.org/fhir/sid/cvx"),
    }.items():  # fmt: skip
        crosswalk = read_crosswalk([TERMINOLOGY / name])
        assert crosswalk is not None
        plain = json.loads((TERMINOLOGY / name).read_text())
        said = [
            (source, e["code"], target, t["code"], t["equivalence"])
            for group in plain["group"] for e in group["element"] for t in e["target"]
        ]  # fmt: skip
        assert sorted(rows(crosswalk, *PAIR)) == sorted(set(said))
        assert crosswalk.maps[0].version == plain["version"]


@pytest.mark.conformance
def test_official_examples() -> None:
    """R4's own examples: all but those that name no system, no code, or a map that is not among them."""
    import gzip

    file = SHARED / "data" / "fhir-r4" / "examples" / "ConceptMap.ndjson.gz"
    if not file.exists():
        pytest.skip(f"SKIPPED LOUDLY: no examples in {file}; set CLINMART_SHARED")
    from sources.crosswalks.concept_map import read_concept_map

    refused = set()
    for line in gzip.decompress(file.read_bytes()).splitlines():
        resource = json.loads(line)
        try:
            assert read_concept_map("file", "ConceptMap", resource).rows
        except UsageError:
            refused.add(resource["id"])
    assert refused == {"103", "cdshooks-indicator"}


def test_csv_agrees_with_a_plain_reader(read: Any) -> None:
    """What Python's own csv module sees is what is read."""
    lines = [HEADER] + [f'{LAB},"c{n}, ""{n}""",LN,t{n},wider,7' for n in range(50)]
    text = "\n".join(lines)
    plain = [(r["source_code"], r["target_code"]) for r in csv.DictReader(text.splitlines())]
    assert rows(read(text), "source_code", "target_code") == plain
