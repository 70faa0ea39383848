"""Mapping files: what they say, and the line of whatever is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import UsageError
from schemas.mapping import Column, Concat, Constant, Dialect, First, KeyOf
from sources.mapping import parse_mapping, read_mapping

WHOLE = """
zone: Europe/Berlin
encoding: windows-1252
files:
  - file: "labs_*.csv"
    table: observation
    delimiter: semicolon
    quote: none
    header: [A, B, C, D]
    nulls: [NULL, "-"]
    trim: true
    keys: [A, B]
    last_updated: {column: D, format: ["%d.%m.%y", "%Y"], years_from: 1930, zone: Europe/Paris}
    columns:
      patient_id: {key: [A], required: true}
      status: {constant: final}
      code: {concat: [A, {column: B, split: {by: "^", part: 2}}], separator: "-", skip_missing: true}
      code_display: {first: [B, C]}
      value: {column: C, decimal: ",", thousands: ".", unit: {constant: mg/dL}}
      interpretation: {column: D, lookup: {1: H, 02: L, no: N}, otherwise: A}
"""


def test_all_that_can_be_said() -> None:
    """Texts stay as they are written: 02 keeps its zero, no is no truth."""
    mapping = parse_mapping(WHOLE.encode(), "m.yaml")
    (entry,) = mapping.entries
    assert entry.dialect == Dialect(";", "", "cp1252", ("A", "B", "C", "D"))
    assert (entry.nulls, entry.trim, entry.keys, entry.zone) == (("NULL", "-"), True, ("A", "B"), "Europe/Berlin")
    assert entry.last_updated is not None
    told = entry.last_updated
    assert (told.formats, told.years_from, told.zone) == (("%d.%m.%y", "%Y"), 1930, "Europe/Paris")
    columns = dict(entry.columns)
    assert columns["patient_id"].origin == KeyOf(("A",))
    assert columns["patient_id"].required
    assert columns["status"].origin == Constant("final")
    code = columns["code"].origin
    assert isinstance(code, Concat)
    assert (code.separator, code.skip_missing, len(code.parts)) == ("-", True, 2)
    display = columns["code_display"].origin
    assert isinstance(display, First)
    assert [part.origin for part in display.parts] == [Column("B"), Column("C")]
    assert (columns["value"].decimal, columns["value"].thousands) == (",", ".")
    assert columns["value_unit"].origin == Constant("mg/dL")
    lookup = columns["interpretation"].lookup
    assert lookup is not None
    assert (lookup.entries, lookup.otherwise) == ((("1", "H"), ("02", "L"), ("no", "N")), "A")
    assert {name for name, _ in entry.reads()} == {"A", "B", "C", "D"}


def test_what_files_it_is_for() -> None:
    """By name, packed or not, whatever the case; nothing is said of others."""
    mapping = parse_mapping(WHOLE.encode(), "m.yaml")
    assert mapping.of("/x/LABS_2024.csv.gz") == mapping.entries
    assert not mapping.of("/x/labs.csv")
    with pytest.raises(UsageError, match=r"it is for labs_\*\.csv"):
        mapping.dialect("/x/labs.csv")
    odd = parse_mapping(WHOLE.replace("labs_*.csv", "a[1].csv").encode(), "m.yaml")
    assert (bool(odd.of("a[1].csv")), bool(odd.of("a1.csv"))) == (True, False)


def test_the_digest_is_of_what_is_said() -> None:
    """Comments, order of lines above and blank lines are none of it; anything else is."""
    mapping = parse_mapping(WHOLE.encode(), "m.yaml")
    again = parse_mapping(("# why\n\n" + WHOLE).encode(), "n.yaml")
    assert mapping.digest("labs_1.csv") == again.digest("labs_1.csv")
    for old, new in (("final", "amended"), ("1930", "1931"), ("Berlin", "Paris"), ("trim: true", "trim: false")):
        other = parse_mapping(WHOLE.replace(old, new).encode(), "m.yaml")
        assert other.digest("labs_1.csv") != mapping.digest("labs_1.csv")


GOOD = """files:
  - file: a.csv
    table: observation
    id: A
    columns:
      code: B
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("files:", "filse:", 1, "did you mean files?"),
        ("  - file: a.csv\n", "  -\n", 3, "the entry has no key file"),
        ("observation", "observations", 3, "did you mean observation?"),
        ("    id: A\n", "", 2, "give either keys"),
        ("    id: A\n", "    id: A\n    keys: [A]\n", 2, "give either keys"),
        ("code: B", "cod: B", 6, "did you mean code?"),
        ("code: B", "code: B\n      code: C", 7, "the key code twice"),
        ("code: B", "code:", 6, "nothing stands"),
        ("code: B", "code: {colum: B}", 6, "did you mean column?"),
        ("code: B", "code: {split: {by: '^', part: 1}}", 6, "where it comes from"),
        ("code: B", "code: {column: B, constant: C}", 6, "says column and constant"),
        ("code: B", "code: {column: B, split: {by: '^', part: 0}}", 6, "from 1 to 1000"),
        ("code: B", "code: {column: B, otherwise: x}", 6, "goes with lookup only"),
        ("code: B", "code: {column: B, separator: x}", 6, "goes with concat only"),
        ("code: B", "code: {column: B, format: '%Y'}", 6, "is no time"),
        ("code: B", "code: {column: B, decimal: ','}", 6, "is no number"),
        ("code: B", "code: {column: B, unit: C}", 6, "has a unit"),
        ("code: B", "code: {concat: [{column: B, required: true}]}", 6, "of a whole value"),
        ("code: B", "status: {constant: finale}", 6, "did you mean final?"),
        ("code: B", "status: {column: B, lookup: {F: fin}}", 6, "cannot be 'fin'"),
        ("code: B", "effective: {column: B, format: '%d/%m'}", 6, "has no year"),
        ("code: B", "effective: {column: B, format: '%d/%m/%y'}", 6, "give years_from"),
        ("code: B", "effective: {column: B, format: '%Y', years_from: 1930}", 6, "goes with a format that has %y"),
        ("code: B", "effective: {column: B, zone: Berlin}", 6, "Berlin"),
        ("code: B", "effective: B\n      effective_date: C", 7, "fills what effective fills on line 6"),
        ("code: B", "value: B\n      value_text: C", 7, "fills what value fills"),
        ("code: B", "value: {column: B, decimal: ',', thousands: ','}", 6, "both ','"),
        ("code: B", "subject_id: B", 6, "give subject_type too"),
        ("code: B", "subject_id: B\n      subject_type: {constant: Grup}", 7, "did you mean Group?"),
        ("    id: A\n", "    id: A\n    delimiter: ab\n", 5, "one ASCII character"),
        ("    id: A\n", "    id: A\n    encoding: utf-9\n", 5, "no character set"),
        ("    id: A\n", "    id: A\n    header: [A, A]\n", 5, "the same name"),
        ("    id: A\n", "    id: A\n    trim: maybe\n", 5, "true or false"),
        ("code: B", "code: [B", 7, "is no YAML"),
        ("code: B", "code: &b B\n      method: *b", 7, "an alias"),
    ],
)
def test_a_fault_is_told_with_its_line(old: str, new: str, line: int, said: str) -> None:
    """In one line that says what is wrong and what to do."""
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    with pytest.raises(UsageError) as raised:
        parse_mapping(text.encode(), "m.yaml")
    message = str(raised.value)
    assert message.startswith(f"m.yaml, line {line}: "), message
    assert said in message
    assert "\n" not in message


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\xff", b"- 1", b"[" * 5000, b"files: {}", b"a: &a [*a]"])
def test_no_mapping(data: bytes) -> None:
    """What is no mapping at all."""
    with pytest.raises(UsageError, match=r"m\.yaml"):
        parse_mapping(data, "m.yaml")


def test_no_file(tmp_path: Path) -> None:
    """A file that is not there, and one that is the data."""
    with pytest.raises(UsageError, match="cannot be read"):
        read_mapping(tmp_path / "none.yaml")
    (tmp_path / "data.yaml").write_bytes(b"a" * 5_000_000)
    with pytest.raises(UsageError, match="not the data"):
        read_mapping(tmp_path / "data.yaml")
