"""What is refused when a path is compiled, and how it is said."""

from __future__ import annotations

import pytest

from schemas.errors import UsageError
from transforms.fhirpath import PathError, Scope, compile_json, compile_path, constant


@pytest.mark.parametrize(
    ("path", "at", "message"),
    [
        ("code.codding.code", 5, "CodeableConcept has no element 'codding', did you mean 'coding'"),
        ("code.coding.first().cod", 20, "did you mean 'code'"),
        ("valu.exists()", 0, "did you mean 'value'.*value\\[x\\]"),
        ("value", 0, "pick one with ofType"),
        ("component.value.first()", 16, "pick one with ofType"),
        ("value.ofType(Address)", 6, "never a Address.*Quantity"),
        ("value.ofType(Quantiti)", 6, "no type 'Quantiti'"),
        ("value.extension", 6, "several types have"),
        ("status.ofType(Quantity)", 7, "code is never a Quantity"),
        ("status.foo", 7, "single value"),
        ("code = code", 5, "single values, not CodeableConcept"),
        ("status = 1", 7, "never holds between code and integer"),
        ("status + 1", 7, "takes numbers"),
        ("status.frst()", 7, "no function frst"),
        ("status.where()", 7, "takes 1 argument"),
        ("status.first(1)", 7, "takes 0 argument"),
        ("status.startsWith(1)", 7, "argument 1 is a text, not integer"),
        ("code.upper()", 5, "takes text or date or time, not CodeableConcept"),
        ("contained.name", 10, "Pick the type of the resource"),
        ("%nope", 0, "no constant %nope"),
        ("$index", 0, "no meaning"),
        ("where(status = 'x')", 0, "itself, not a value"),
        ("$this", 0, "itself, not a value"),
        ("subject = 'Patient/1'", 8, "between Reference and string"),
        ("value.ofType(Quantity) > 5 'mg'", 25, "compare .value"),
        ("code.coding[status]", 12, "index is an integer, not code"),
        ("code.coding['a']", 12, "index is an integer"),
        ("issued > @2020-01-01T10:00Z", 7, "needs its seconds"),
        ("(1 + 1.5).lowBoundary()", 10, "digits as sent"),
        ("status.getReferenceKey()", 7, "takes a Reference"),
        ("subject.getReferenceKey(Patiant)", 8, "no resource type"),
        ("status is 1", 10, "name of a type"),
    ],
)
def test_wrong_paths_say_where_and_what_would_do(path: str, at: int, message: str) -> None:
    """The error has the position in the path and a hint."""
    with pytest.raises(PathError, match=message) as caught:
        compile_path(path, Scope.root("Observation"))
    assert caught.value.at == at
    assert isinstance(caught.value, UsageError)
    assert f"character {at + 1}" in str(caught.value)


def test_unknown_resource_type() -> None:
    """A scope of a type that R4 lacks is refused."""
    with pytest.raises(UsageError, match="no type 'Patiant'"):
        Scope.root("Patiant")


def test_constants_have_the_type_they_say() -> None:
    """A number for a code is a mistake."""
    with pytest.raises(ValueError, match="a code is a string"):
        constant("code", 1)
    with pytest.raises(ValueError, match="a integer is a integer"):
        constant("integer", 1.5)
    assert constant("decimal", 1).type == "decimal"


def test_changing_how_an_element_is_read_after_its_sql_was_rendered_is_refused() -> None:
    """Rather than SQL that no longer fits the columns."""
    scope = Scope.root("Patient")
    assert compile_path("name.given", scope).sql
    with pytest.raises(RuntimeError, match="'name' is asked for as JSON"):
        compile_json("name", scope)
