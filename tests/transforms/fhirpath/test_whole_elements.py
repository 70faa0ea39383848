"""Elements whole, as JSON, and the digits of decimals."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.transforms.fhirpath.resources import OBSERVATION, PATIENT, Run, on
from transforms.fhirpath import Scope, compile_json, compile_path
from transforms.fhirpath.compile import Compiled


def test_digits_as_sent_or_the_shortest_text(run: Run) -> None:
    """The sibling of a decimal wins; without one its text has no exponent and no ``.0``."""
    one = run(lambda s: compile_path("value.ofType(Quantity).value", s, literal=True), OBSERVATION)
    assert one == "1.10"
    many = run(lambda s: compile_path("component.value.ofType(Quantity).value", s, literal=True), OBSERVATION)
    assert many == ["0.00012", "5"]
    first = run(lambda s: compile_path("component.valueQuantity.value.first()", s, literal=True), OBSERVATION)
    assert first == "0.00012"


@pytest.mark.parametrize("number", ["0.00001", "-0.0000123456789", "123456.789", "-4", "0", "1e-7", "12"])
def test_text_of_a_double_is_its_digits(run: Run, number: str) -> None:
    """Whatever the size, the text is the plain decimal notation."""
    resource = {"resourceType": "Observation", "valueQuantity": {"value": float(number)}}
    text = run(lambda s: compile_path("valueQuantity.value", s, literal=True), resource)
    assert isinstance(text, str)
    assert "e" not in text
    assert float(text) == float(number)
    if "e" not in number:
        assert text == number


def test_element_whole_is_json(run: Run) -> None:
    """A repeating element is one JSON array, an item that was picked one object."""
    whole = run(lambda s: compile_json("extension", s))
    assert json.loads(str(whole)) == PATIENT["extension"]
    item = run(lambda s: compile_json("name.where(use = 'usual').first()", s))
    assert json.loads(str(item)) == PATIENT["name"][1]
    each = run(lambda s: compile_json("name.where(given.exists())", s))
    assert isinstance(each, list)
    assert [json.loads(text) for text in each] == PATIENT["name"]
    assert run(lambda s: compile_json("photo", s)) is None
    assert run(lambda s: compile_json("birthDate", s)) == '"1970-06"'


def test_element_whole_has_its_digits_as_sent(run: Run) -> None:
    """The siblings that keep digits are no part of the data; a text that looks like one is."""
    look_alike = '1,"#value":"1"'
    quantity = {"value": 1.1, "#value": "1.10", "unit": look_alike}
    resource = {
        "resourceType": "Observation",
        "valueQuantity": quantity,
        "component": [{"valueQuantity": quantity}] * 2,
    }

    def texts(path: str) -> Callable[[Scope], Compiled]:
        def compiled(scope: Scope) -> Compiled:
            compile_path("valueQuantity.value", scope, literal=True)
            return compile_json(path, scope)

        return compiled

    sent = '{"value":1.10,"unit":"1,\\"#value\\":\\"1\\""}'
    assert run(texts("valueQuantity"), resource) == sent
    assert run(texts("component"), resource) == f'[{{"valueQuantity":{sent}}},{{"valueQuantity":{sent}}}]'
    assert run(texts("component.first()"), resource) == f'{{"valueQuantity":{sent}}}'
    assert run(texts("component.where(true)"), resource) == [f'{{"valueQuantity":{sent}}}'] * 2


def test_element_whole_and_its_children_at_once(run: Run) -> None:
    """Where both are asked for, the children come out of the JSON, whichever was compiled first."""
    for order in (True, False):
        scope = Scope.root("Patient")
        first = compile_json("extension", scope) if order else None
        path = compile_path("extension('sex').value.ofType(code).first()", scope)
        whole = first or compile_json("extension", scope)
        assert scope.shape.columns() == {"extension": "JSON"}
        assert run(lambda _, c=path, s=scope: on(s, c, _)) == "F"
        assert json.loads(str(run(lambda _, c=whole, s=scope: on(s, c, _)))) == PATIENT["extension"]
