"""What is planned: requests, and in the mood of a goal goals."""

from __future__ import annotations

import pytest

from tests.transforms.decode.ccda.documents import CCDA, SNOMED, document, rows, section
from transforms.decode.ccda.document import read_document
from transforms.decode.ccda.draft import Draft


def _planned(mood: str, status: str = "new") -> Draft:
    observation = (
        f'<observation classCode="OBS" moodCode="{mood}"><templateId root="{CCDA}44"/><id root="1.2.7" extension="g"/>'
        f'<code code="289169006" codeSystem="{SNOMED}" displayName="Exercising to lose weight"/>'
        f'<statusCode code="{status}"/><effectiveTime><center value="20120815"/></effectiveTime></observation>'
    )
    return read_document(document(section("18776-5", observation)))


def test_goals_of_r1_1() -> None:
    """C-CDA R1.1 has goals as planned observations."""
    (goal,) = rows(_planned("GOL"), "Goal")
    assert goal["description"]["coding"][0]["code"] == "289169006"
    assert (goal["lifecycleStatus"], goal["startDate"]) == ("proposed", "20120815")
    assert rows(_planned("GOL"), "ServiceRequest") == []


@pytest.mark.parametrize(("mood", "intent"), [("INT", "plan"), ("RQO", "order"), ("PRP", "proposal")])
def test_requests(mood: str, intent: str) -> None:
    """All other moods of what is still to come are requests."""
    (request,) = rows(_planned(mood), "ServiceRequest")
    assert (request["intent"], request["status"]) == (intent, "draft")
    assert rows(_planned(mood), "Goal") == []


def test_what_was_done_is_no_plan() -> None:
    """In a plan it is kept as it stands."""
    assert rows(_planned("EVN"), "ServiceRequest") == rows(_planned("EVN"), "Goal") == []
