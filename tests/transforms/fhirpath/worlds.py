"""Random resources and random paths that fit them, for the property tests.

Few elements and few values, so that filters hit and comparisons are now true, now false, now empty.
"""

from __future__ import annotations

from random import Random
from typing import Any

from schemas import fhir_types
from schemas.fhir_types import Element

# The elements that occur, by type; paths may also name choices by their base.
ELEMENTS: dict[str, tuple[str, ...]] = {
    "Patient": (
        "id", "active", "gender", "birthDate", "name", "contact", "multipleBirthInteger",
        "deceasedBoolean", "deceasedDateTime", "extension", "generalPractitioner",
    ),
    "HumanName": ("use", "family", "given", "period", "extension"),
    "Period": ("start", "end"),
    "Patient.contact": ("gender", "name", "relationship"),
    "CodeableConcept": ("text", "coding"),
    "Coding": ("system", "code", "userSelected"),
    "Reference": ("reference", "display"),
    "Extension": ("url", "valueString", "valueInteger", "valueCoding", "extension"),
    "Observation": (
        "id", "status", "code", "category", "effectiveDateTime", "effectivePeriod", "issued",
        "valueQuantity", "valueString", "valueInteger", "component", "referenceRange",
    ),
    "Observation.component": ("code", "valueQuantity", "valueString", "valueBoolean"),
    "Observation.referenceRange": ("low", "text"),
    "Quantity": ("value", "unit"),
    "QuestionnaireResponse": ("id", "status", "item", "authored"),
    "QuestionnaireResponse.item": ("linkId", "text", "item", "answer"),
    "QuestionnaireResponse.item.answer": ("valueString", "valueInteger", "valueDecimal", "item"),
}  # fmt: skip
ROOTS = ("Patient", "Observation", "QuestionnaireResponse")
_TEXTS = ("a", "b", "A", "a b")
_VALUES: dict[str, tuple[Any, ...]] = {
    "boolean": (True, False),
    "integer": (0, 1, 2, 3),
    "decimal": (0.1, 0.2, 0.3, 1.5, 2.0),
    "date": ("1970", "1970-06", "1970-06-01", "1971-01-02"),
    "dateTime": (
        "1970", "1970-06", "1970-06-01", "1970-06-01T10:00:00Z", "1970-06-01T12:00:00+02:00",
        "1970-06-01T09:00:00.5Z",
    ),
    "instant": ("1970-06-01T10:00:00Z", "1970-06-01T12:00:00.000+02:00", "1970-06-01T11:00:00Z"),
}  # fmt: skip
_LITERALS = {
    "text": ("'a'", "'b'", "'A'", "%text"),
    "number": ("0", "1", "2", "0.1", "1.5", "%number"),
    "boolean": ("true", "false"),
    "date": ("@1970", "@1970-06", "@1970-06-01", "@1970-06-01T10:00:00Z", "@1970-06-01T11:00:00+01:00"),
}


_PICKS = (".first()", ".last()", "[1]", "[%one]")


def kind(type_name: str) -> str:
    """text, number, boolean, date or complex."""
    if not fhir_types.is_primitive(type_name):
        return "complex"
    if type_name in ("date", "dateTime", "instant"):
        return "date"
    return {"string": "text", "boolean": "boolean"}.get(fhir_types.json_type(type_name), "number")


class World:
    """Draws resources and paths; the same seed draws the same."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def resource(self, type_name: str) -> dict[str, Any]:
        """A resource with some of the elements, never an empty object or array."""
        return {"resourceType": type_name, **self._object(type_name, 4)}

    def path(self, type_name: str, depth: int = 2) -> str:
        """A path that starts at a type and can be compiled."""
        text, found, many = self.steps(type_name, depth)
        return self._worked(text, found, many, depth)

    def steps(self, type_name: str, depth: int) -> tuple[str, str, bool]:
        """Navigation from a type: the text, the type it leads to, and whether it may have several items."""
        text = ""
        here, many = type_name, False
        for _ in range(self.random.randint(1, 4)):
            if kind(here) == "complex":
                name = self.random.choice(ELEMENTS[here])
                element = fhir_types.elements(here)[name]
                part = f"{element.base}.ofType({element.type})" if element.base and self._chance(2) else name
                text = f"{text}.{part}" if text else part
                here, many = element.type, many or element.many
            if many:
                step = self._narrowing(here, depth)
                text += step
                many = many and step not in _PICKS
        return text, here, many

    def condition(self, type_name: str, depth: int) -> str:
        """A path from a type to a boolean."""
        if kind(type_name) != "complex":
            return self._compared(type_name, "$this", False)
        text, found, many = self.steps(type_name, 0)
        if kind(found) == "complex" or many or self._chance(4):
            condition = f"{text}.{self.random.choice(('exists()', 'empty()', 'count() = 1'))}"
        else:
            condition = self._compared(found, text, False)
        if depth > 0 and self._chance(2):
            op = self.random.choice(("and", "or", "xor", "implies"))
            condition = f"{condition} {op} {self.condition(type_name, depth - 1)}"
        return f"({condition}).not()" if self._chance(5) else condition

    def _chance(self, one_in: int) -> bool:
        return self.random.randrange(one_in) == 0

    def _object(self, type_name: str, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        taken: set[str] = set()
        for name in self.random.sample(ELEMENTS[type_name], len(ELEMENTS[type_name])):
            element = fhir_types.elements(type_name)[name]
            if element.base in taken or self._chance(3) or (depth == 0 and kind(element.type) == "complex"):
                continue
            items = [self._value(element, depth) for _ in range(self.random.randint(1, 3))]
            items = [item for item in items if item != {}]
            if items and items != [None]:
                found[name] = items if element.many else items[0]
                taken |= {element.base} if element.base else set()
        return found

    def _value(self, element: Element, depth: int) -> Any:
        if kind(element.type) == "complex":
            return self._object(element.type, depth - 1)
        if element.many and self._chance(5):
            return None  # beside an extension of the item
        return self.random.choice(_VALUES.get(element.type, _TEXTS))

    def _narrowing(self, here: str, depth: int) -> str:
        """A function that keeps the type: a filter or a pick, or nothing."""
        options = ["", "", "", "", *_PICKS, ".tail()", ".skip(1)", ".take(1)", ".where($index > 0)"]
        if here == "Extension":
            options += [".extension('a')"]
        if depth > 0:
            options += [f".where({self.condition(here, depth - 1)})"] * 6
        return self.random.choice(options)

    def _compared(self, type_name: str, text: str, many: bool) -> str:
        of_kind = kind(type_name)
        ops = ["=", "!="] if of_kind == "boolean" else ["=", "!=", "<", ">", "<=", ">="]
        if of_kind != "date" and not many:
            ops += ["~", "!~", "in"]
        other = self.random.choice(_LITERALS[of_kind])
        left, right = (text, other) if self._chance(2) else (other, text)
        return f"{left} {self.random.choice(ops)} {right}"

    def _worked(self, text: str, found: str, many: bool, depth: int) -> str:
        """What is done with the items in the end."""
        of_kind = kind(found)
        options = [f"{text}.exists()", f"{text}.empty()", f"{text}.count()"]
        if depth > 0:
            condition = self.condition(found, depth - 1)
            options += [f"{text}.exists({condition})", f"{text}.all({condition})"]
        if of_kind == "complex":
            child, child_type, _ = self.steps(found, 0)
            if kind(child_type) != "complex":
                options += [f"{text}.select({child})"] * 3
            return self.random.choice(options)
        literal = self.random.choice(_LITERALS[of_kind])
        options += [text, text, text, self._compared(found, text, many), self._compared(found, text, many)]
        options += [f"({text} | {literal})", f"{text}.distinct()", f"({text} | {text}).count()"]
        if of_kind == "number":
            op = self.random.choice(("+", "-", "*", "/", "div", "mod"))
            options += [f"{text} {op} {literal}", f"-({text}) + {literal} * 2"]
            options += [f"iif({text} > 1, {text}, {literal})"]
        if of_kind == "text":
            options += [f"{text} + {literal}", f"{text} & {literal}", f"{text}.join('-')", f"{text}.upper()"]
            options += [f"{text}.length() + 1", f"{text}.startsWith('a')", f"{literal} in ({text})"]
        return self.random.choice(options)
