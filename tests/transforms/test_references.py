"""References as ids: which forms give one, and which keep their text."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.expand import reference_element
from tests.transforms.one_chunk import observation, rows, run, written
from transforms.references import reference_columns

UUID = "0b7e3c2a-8f3f-4a55-9d4e-2f1f6a3c9d10"


def subject_of(reference: dict[str, Any]) -> dict[str, Any]:
    """The columns of `Observation.subject` after all steps."""
    (row,) = rows(run([written(observation(subject=reference))]))
    names = ("patient_id", "subject_type", "subject_id", "subject_reference", "subject_display")
    return {name: row[name] for name in names if row.get(name) is not None}


def test_a_patient() -> None:
    """`Type/id` gives type and id; a Patient its own column too, and no text is kept."""
    expected = {"patient_id": "p1", "subject_type": "Patient", "subject_id": "p1", "subject_display": "Pat"}
    assert subject_of({"reference": "Patient/p1", "display": "Pat"}) == expected


def test_a_version_is_no_part_of_the_id() -> None:
    """`Type/id/_history/version` gives the id."""
    expected = {"patient_id": "a.b-C9", "subject_type": "Patient", "subject_id": "a.b-C9"}
    assert subject_of({"reference": "Patient/a.b-C9/_history/3"}) == expected


def test_another_type_is_no_patient() -> None:
    """A Group has type and id but no ``patient_id``."""
    assert subject_of({"reference": "Group/g1"}) == {"subject_type": "Group", "subject_id": "g1"}


def test_a_urn_uuid_says_no_type() -> None:
    """Its id is the uuid; the type is the declared one, or not told among several."""
    assert subject_of({"reference": f"urn:uuid:{UUID}"}) == {"subject_id": UUID}
    expected = {"patient_id": UUID, "subject_type": "Patient", "subject_id": UUID}
    assert subject_of({"reference": f"urn:uuid:{UUID}", "type": "Patient"}) == expected


@pytest.mark.parametrize(
    "text",
    [
        "https://ehr.example/fhir/Patient/p1",
        "http://ehr.example/fhir/Patient/p1/_history/2",
        "#contained",
        "#",
        "Patient?identifier=http://mrn.example|77",
        "Patient/" + "x" * 65,
        "Patient/has space",
        "Patient/p1/extra",
        "patient/p1",
        "/Patient/p1",
        "Patient/",
        "p1",
        "urn:oid:1.2.3",
    ],
)
def test_everything_else_keeps_its_text(text: str) -> None:
    """Absolute, contained, conditional and broken references have no id, and nothing of them is lost."""
    assert subject_of({"reference": text}) == {"subject_reference": text}


def test_an_identifier_alone() -> None:
    """The identifier's value stands for the text; the declared type is known, the id is not."""
    found = subject_of({"identifier": {"system": "http://mrn.example", "value": "77"}, "display": "Pat"})
    assert found == {"subject_reference": "77", "subject_display": "Pat"}


def test_a_type_that_the_element_does_not_allow() -> None:
    """Where one type is meant, a reference to another gives no id but keeps its text."""
    (row,) = rows(run([written(observation(encounter={"reference": "EpisodeOfCare/e1"}))]))
    assert (row.get("encounter_id"), row["encounter_reference"]) == (None, "EpisodeOfCare/e1")
    (row,) = rows(run([written(observation(encounter={"reference": "Encounter/e1"}))]))
    assert (row["encounter_id"], row.get("encounter_reference")) == ("e1", None)
    (row,) = rows(run([written(observation(encounter={"reference": f"urn:uuid:{UUID}"}))]))
    assert row["encounter_id"] == UUID


def test_rows_of_a_column_do_not_mix() -> None:
    """Each row by itself, nulls between them; columns that are null throughout are left out."""
    element = reference_element("subject", "subject", ("Patient", "Group"), label="Subject")
    texts = ["Patient/a", None, "urn:uuid:b", "#c", "Group/d"]
    made = pl.DataFrame(reference_columns(pl.DataFrame({"subject~reference": texts}), element))
    assert made.to_dict(as_series=False) == {
        "patient_id": ["a", None, None, None, None],
        "subject_type": ["Patient", None, None, None, "Group"],
        "subject_id": ["a", None, "b", None, "d"],
        "subject_reference": [None, None, None, "#c", None],
    }
    assert (
        reference_columns(pl.DataFrame({"subject~reference": [None]}, schema={"subject~reference": pl.String}), element)
        == []
    )


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.text(min_size=1, max_size=20) | st.from_regex(r"[A-Z][a-z]{2,8}/[a-z0-9]{1,5}", fullmatch=True), min_size=1
    )
)
def test_a_reference_is_an_id_or_a_text(texts: list[str]) -> None:
    """Never both, never neither."""
    element = reference_element("focus", "focus", (), label="Focus")
    columns = reference_columns(pl.DataFrame({"focus~reference": texts}), element)
    made = pl.DataFrame(columns).to_dicts()
    for text, row in zip(texts, made, strict=True):
        ident, kept = row.get("focus_id"), row.get("focus_reference")
        assert (ident is None) != (kept is None), text
        if kept is None:
            assert text in (f"{row['focus_type']}/{ident}", f"urn:uuid:{ident}")
        else:
            assert kept == text
