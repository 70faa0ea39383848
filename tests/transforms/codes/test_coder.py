"""Columns of coded elements: canonical systems, the choice among them, and what a crosswalk gives."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.elements import build, field
from tests.transforms.codes import plain
from tests.transforms.codes.plain import LAB, LOINC, SCT, Entry, crosswalk, entry
from transforms.codes.coder import Coder
from transforms.codes.targets import Outcome, targets_of
from transforms.normalise import Meaning, normalise

CODE = build("Observation", (field("code", prefer=(LOINC, SCT)),))
CODING = pl.Struct({"system": pl.String, "code": pl.String, "display": pl.String})
CODINGS = pl.List(pl.Struct({"system": pl.String, "code": pl.String, "display": pl.String, "text": pl.String}))
Pair = tuple[str | None, str | None]


def raw(rows: list[list[Pair] | None], chosen: list[Pair | None] | None = None) -> pl.DataFrame:
    """Concepts of these codings as they are read; the first of each is chosen unless told."""
    picks = chosen or [row[0] if row else None for row in rows]
    return pl.DataFrame(
        {
            "code~coding": pl.Series(
                [p and {"system": p[0], "code": p[1], "display": p[1]} for p in picks], dtype=CODING
            ),
            "code_text": [f"t{n}" for n in range(len(rows))],
            "code_codings": pl.Series(
                [
                    row if row is None else [{"system": s, "code": c, "display": c, "text": None} for s, c in row]
                    for row in rows
                ],
                dtype=CODINGS,
            ),
        }
    )


def coded(rows: list[list[Pair] | None], *entries: Entry, **more: Any) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The columns of these concepts, and what was counted."""
    coder = Coder(targets_of(crosswalk(*entries)) if entries else None)
    return normalise(raw(rows, **more), CODE, Meaning(coder)), coder.counts()


def told(frame: pl.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    """These columns, null where they are left out."""
    missing = [pl.lit(None).alias(c) for c in columns if c not in frame.columns]
    return frame.with_columns(missing).select(columns).rows()


def test_columns_keep_their_order() -> None:
    """Code, system, display, mapped, text, codings; without a crosswalk nothing is mapped."""
    made, counts = coded([[(LAB, "A")]], entry("A", "1"))
    assert made.columns == [
        "code", "code_system", "code_display", "code_mapped", "code_mapped_system", "code_text", "code_codings",
    ]  # fmt: skip
    assert told(made, "code", "code_system", "code_mapped", "code_mapped_system") == [("A", LAB, "1", LOINC)]
    assert counts.is_empty()
    bare, counts = coded([[(LAB, "A")]])
    assert bare.columns == ["code", "code_system", "code_display", "code_text", "code_codings"]
    assert counts.is_empty()


def test_aliases_become_canonical_everywhere() -> None:
    """The column and all codings, counted by spelling; what is canonical is not counted."""
    made, counts = coded([[("LN", "718-7"), (LAB, "A")], [(LOINC, "1")], None, [("LN", "2")]])
    assert [r["system"] for row in made["code_codings"].to_list() for r in row or []] == [LOINC, LAB, LOINC, LOINC]
    assert told(made, "code_system", "code", "code_text") == [
        (LOINC, "718-7", "t0"), (LOINC, "1", "t1"), (None, None, "t2"), (LOINC, "2", "t3"),
    ]  # fmt: skip
    assert made["code_codings"].dtype == CODINGS
    assert made["code_codings"].is_null().to_list() == [False, False, True, False]
    assert counts.select("column_name", "met", "sent", "system", "codings").rows() == [
        ("code", "alias", "LN", LOINC, 2)
    ]


def test_a_preferred_system_is_chosen_under_an_alias() -> None:
    """The first coding of the first preferred system by its canonical name; else what was chosen stays."""
    sct, ln = "urn:oid:2.16.840.1.113883.6.96", "2.16.840.1.113883.6.1"
    rows: list[list[Pair] | None] = [
        [(LAB, "A"), (sct, "9"), (ln, "1"), (ln, "2")],  # LOINC before SNOMED, the first of two
        [(LAB, "A"), (sct, "9")],
        [(LAB, "A"), ("HL70001", "F")],  # an alias, but of nothing preferred
        [(LAB, "A"), (SCT, "9"), (ln, "1")],  # SNOMED was chosen; LOINC is preferred to it
        [(LAB, "A")],
    ]
    made, _ = coded(rows, chosen=[(LAB, "A"), (LAB, "A"), (LAB, "A"), (SCT, "9"), (LAB, "A")])
    assert told(made, "code", "code_system", "code_display") == [
        ("1", LOINC, "1"), ("9", SCT, "9"), ("A", LAB, "A"), ("1", LOINC, "1"), ("A", LAB, "A"),
    ]  # fmt: skip


def test_single_codings_have_no_list() -> None:
    """An element of type Coding: its own system is renamed and mapped."""
    elements = build("Encounter", ("class",))
    one = pl.Series([{"system": "HL70004", "code": "I", "display": None}, None], dtype=CODING)
    name = elements[0].name
    coder = Coder(
        targets_of(crosswalk(entry("I", "IMP", source_system="http://terminology.hl7.org/CodeSystem/v2-0004")))
    )
    made = normalise(pl.DataFrame({f"{name}~coding": one, f"?{name}": [True, True]}), elements, Meaning(coder))
    assert told(made, name, f"{name}_system", f"{name}_mapped") == [
        ("I", "http://terminology.hl7.org/CodeSystem/v2-0004", "IMP"), (None, None, None),
    ]  # fmt: skip


def test_a_code_alone_is_never_joined() -> None:
    """The same code of another system, of none, and a system without a code."""
    made, counts = coded([[(SCT, "A")], [(None, "A")], [(LAB, None)], None, []], entry("A", "1"))
    assert "code_mapped" not in made.columns
    assert counts.is_empty()


def test_what_has_no_target_is_counted() -> None:
    """By code and reason, one for each field; what does not look like a code stands under null."""
    long = "x" * 65
    rows: list[list[Pair] | None] = [
        [(LAB, "Q")], [(LAB, "Q")], [(LAB, "N")], [(LAB, "I")], [(LAB, "M")], [(LAB, long)], [(LAB, "two  spaces")],
        [(LAB, "two words")], [(LAB, "Q"), (LAB, "M")], [(LAB, "Q"), (LAB, "A")], [(LAB, "A")],
    ]  # fmt: skip
    made, counts = coded(
        rows,
        entry("A", "1"),
        entry("N", None, "unmatched"),
        entry("I", "1", "narrower"),
        entry("M", "1"),
        entry("M", "2"),
    )
    assert counts.select("met", "system", "code", "codings").rows() == [
        ("ambiguous", LAB, "M", 2), ("inexact", LAB, "I", 1), ("no_target", LAB, "N", 1), ("not_listed", LAB, None, 2),
        ("not_listed", LAB, "Q", 2), ("not_listed", LAB, "two words", 1),
    ]  # fmt: skip
    assert made["code_mapped"].to_list() == [None] * 9 + ["1", "1"]


def test_defaults_are_for_codes_that_are_not_listed() -> None:
    """Not for one that is said to have no target."""
    made, counts = coded(
        [[(LAB, "Q")], [(LAB, "N")], [(LAB, "A")]],
        entry("A", "1"), entry("N", None, "unmatched"), entry(None, "OTHER", "fixed"),
    )  # fmt: skip
    assert told(made, "code_mapped", "code_mapped_system") == [("OTHER", LOINC), (None, None), ("1", LOINC)]
    assert counts.select("met", "code").rows() == [("no_target", "N")]
    made, _ = coded([[(LAB, "Q")]], entry("A", "1"), entry(None, None, "provided"))
    assert told(made, "code_mapped", "code_mapped_system") == [("Q", LOINC)]


def test_items_of_lists_are_mapped_too() -> None:
    """In their own columns; counted under the list and the column."""
    elements = build("Observation", (field("component", "code"),))
    item = pl.Struct({"code~coding": CODING, "code_text": pl.String, "code_codings": CODINGS, "?code": pl.Boolean})
    codes = [[("LN", "A"), (LAB, "A")], None, [(LAB, "Q")], []]
    lists = [
        c and [
            {
                "code~coding": {"system": s, "code": x, "display": None}, "code_text": None, "?code": True,
                "code_codings": [{"system": s, "code": x, "display": None, "text": None}],
            }
            for s, x in c
        ]
        for c in codes
    ]  # fmt: skip
    coder = Coder(targets_of(crosswalk(entry("A", "1"))))
    made = normalise(pl.DataFrame({"components": pl.Series(lists, dtype=pl.List(item))}), elements, Meaning(coder))
    assert [[(i["code_system"], i["code_mapped"]) for i in row or []] for row in made["components"].to_list()] == [
        [(LOINC, None), (LAB, "1")], [], [(LAB, None)], [],
    ]  # fmt: skip
    assert coder.counts().select("column_name", "met", "code", "codings").rows() == [
        ("components.code", "alias", None, 1), ("components.code", "not_listed", "Q", 1),
    ]  # fmt: skip


SYSTEMS = st.sampled_from([LAB, SCT, LOINC, "urn:oid:2.16.840.1.113883.6.96", "other", None])
PAIRS = st.tuples(SYSTEMS, st.sampled_from(["A", "B", "C", "D", None]))
WORDS = st.sampled_from(["equal", "equivalent", "wider", "subsumes", "narrower", "unmatched", "disjoint", None])
ENTRIES = st.builds(
    entry,
    st.sampled_from(["A", "B", "C"]),
    st.sampled_from(["1", "2", "3"]),
    WORDS,
    source_system=st.sampled_from([LAB, SCT]),
    target_system=st.sampled_from([LOINC, SCT]),
    conditional=st.sampled_from([False, False, False, True]),
    map=st.sampled_from([0, 1]),
) | st.builds(
    entry,
    st.none(),
    st.sampled_from(["X", "Y"]),
    st.sampled_from(["fixed", "provided"]),
    source_system=st.sampled_from([LAB, SCT]),
    map=st.sampled_from([0, 1]),
)
ROWS = st.lists(st.none() | st.lists(PAIRS, max_size=4), min_size=1, max_size=12)


@settings(deadline=None, max_examples=300)
@given(ROWS, st.lists(ENTRIES, min_size=1, max_size=10), st.sampled_from([(0, 0), (0, 1)]))
def test_the_joins_agree_with_a_dict(
    rows: list[list[Pair] | None], entries: list[Entry], levels: tuple[int, int]
) -> None:
    """Row by row, and in what is counted."""
    coder = Coder(targets_of(crosswalk(*entries, levels=levels)))
    made = normalise(raw(rows), CODE, Meaning(coder))
    canonical = {"urn:oid:2.16.840.1.113883.6.96": SCT}
    counted: Counter[Any] = Counter()
    expected = []
    for row in rows:
        pairs = [(canonical.get(s or "", s), c) for s, c in row or []]
        known = [p for system in (LOINC, SCT) for p in pairs if p[0] == system] if row else []
        chosen = (
            known[0] if known and any(s in canonical for s, _ in row or []) else pairs[0] if pairs else (None, None)
        )
        found = plain.field(entries, levels, chosen, pairs if len(pairs) > 1 else [])
        expected.append((found[1], found[2]) if found else (None, None))
        if found and found[0]:
            counted[Outcome(found[0]).word, found[3]] += 1
    assert told(made, "code_mapped", "code_mapped_system") == expected
    missed = coder.counts().filter(pl.col("met") != "alias")
    assert {(met, (s, c)): n for met, s, c, n in missed.select("met", "system", "code", "codings").rows()} == counted


@settings(deadline=None, max_examples=60)
@given(ROWS, st.lists(ENTRIES, min_size=1, max_size=8), st.integers(0, 99))
def test_the_order_of_rows_changes_nothing(rows: list[list[Pair] | None], entries: list[Entry], seed: int) -> None:
    """Shuffled rows and entries give the same rows, shuffled, and the same counts."""
    order = list(range(len(rows)))
    random.Random(seed).shuffle(order)
    coders = [Coder(targets_of(crosswalk(*e, levels=(0, 0)))) for e in (entries, entries[::-1])]
    first, second = (
        normalise(raw(r), CODE, Meaning(coder))
        for r, coder in zip((rows, [rows[n] for n in order]), coders, strict=True)
    )
    columns = ("code", "code_system", "code_mapped", "code_mapped_system", "code_codings")
    assert [told(first, *columns)[n] for n in order] == told(second, *columns)
    assert coders[0].counts().equals(coders[1].counts())


@pytest.mark.parametrize("size", [0, 1])
def test_nothing_to_code(size: int) -> None:
    """No rows, and a row without a concept."""
    made, counts = coded([None] * size, entry("A", "1"))
    assert (made.height, counts.height) == (size, 0)
