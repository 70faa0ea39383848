"""ViewDefinitions are read whole, and what is wrong with one is said in a line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.errors import UsageError
from schemas.view_definition import ViewError, parse_view

ID = {"name": "id", "path": "id"}


def _view(**parts: object) -> dict[str, Any]:
    return {"resource": "Patient", "select": [{"column": [ID]}], **parts}


def test_all_parts_are_read() -> None:
    """Names, types, tags, constants and nesting arrive as they stand."""
    view = parse_view(
        json.dumps(
            _view(
                resourceType="ViewDefinition",
                name="patients",
                status="draft",
                constant=[
                    {"name": "use", "valueCode": "official"},
                    {"name": "big", "valueInteger64": "9007199254740993"},
                    {"name": "rate", "valueDecimal": 1},
                ],
                where=[{"path": "active", "description": "only active ones"}],
                select=[
                    {
                        "column": [
                            {
                                "name": "born",
                                "path": "birthDate",
                                "type": "http://hl7.org/fhir/StructureDefinition/date",
                                "tag": [{"name": "ansi/type", "value": "DATE"}],
                            }
                        ],
                        "unionAll": [
                            {"forEach": "name", "column": [{"name": "n", "path": "family"}]},
                            {"forEachOrNull": "contact", "column": [{"name": "n", "path": "name.family"}]},
                        ],
                    },
                    {"repeat": ["link"], "select": [{"column": [{"name": "l", "path": "id", "collection": True}]}]},
                ],
            )
        )
    )
    assert view.column_names() == ["born", "n", "l"]
    born = view.select[0].column[0]
    assert (born.fhir_type, born.sql_type, born.collection) == ("date", "DATE", False)
    assert [(c.name, c.type_name, c.value) for c in view.constant] == [
        ("use", "code", "official"),
        ("big", "integer", 9007199254740993),
        ("rate", "decimal", 1),
    ]
    assert view.select[0].union_all[1].for_each_or_null == "contact"
    assert view.select[1].repeat == ("link",)
    assert view.where[0].path == "active"


def test_system_types_are_fhir_types() -> None:
    """`System.String` is FHIR's string; integer64, which R4 lacks, an integer."""
    columns = [
        {"name": "a", "path": "id", "type": "http://hl7.org/fhirpath/System.String"},
        {"name": "b", "path": "1", "type": "integer64"},
    ]
    view = parse_view(_view(select=[{"column": columns}]))
    assert [column.fhir_type for column in view.select[0].column] == ["string", "integer"]


@pytest.mark.parametrize(
    ("view", "message"),
    [
        ({}, "missing required field `resource`"),
        (_view(resource="Patiant"), "no resource type 'Patiant'"),
        (_view(resourceType="Patient"), "a ViewDefinition is expected, this is a Patient"),
        (_view(select=[]), "at least one selection"),
        (_view(select=[{}]), "no column"),
        (_view(select={"column": [ID]}), r"Expected `array`, got `object`.*select"),
        (_view(select=[{"column": [ID], "forEach": 1}]), r"Expected `str . null`.*forEach"),
        (_view(select=[{"column": [{"name": "id"}]}]), "missing required field `path`"),
        (_view(select=[{"column": [{"path": "id"}]}]), "missing required field `name`"),
        (_view(select=[{"column": [ID | {"name": "a b"}]}]), "column 'a b': a name is made of letters"),
        (_view(select=[{"column": [ID | {"name": "_a"}]}]), "begins with a letter"),
        (_view(name="a-b"), "name 'a-b'"),
        (_view(select=[{"column": [ID, ID]}]), "column 'id': the name is given twice"),
        (_view(select=[{"column": [ID], "select": [{"column": [ID]}]}]), "given twice"),
        (_view(select=[{"foreach": "name", "column": [ID]}]), "'foreach', did you mean 'forEach'"),
        (_view(select=[{"column": [ID | {"pth": "id"}]}]), "'pth', did you mean 'path'"),
        (_view(selects=[]), "'selects', did you mean 'select'"),
        (_view(select=[{"column": [ID], "forEach": "name", "repeat": ["link"]}]), "only one of forEach"),
        (_view(constant=[{"name": "x"}]), "exactly one value is needed"),
        (_view(constant=[{"name": "x", "valueCode": "a", "valueId": "a"}]), "found: valueCode, valueId"),
        (_view(constant=[{"name": "x", "valueQuantity": {}}]), "found: valueQuantity"),
        (_view(constant=[{"name": "x", "valueInteger": 1.5}]), "valueInteger is a JSON integer"),
        (_view(constant=[{"name": "x", "valueBoolean": 1}]), "valueBoolean is a JSON boolean"),
        (_view(constant=[{"name": "x", "valueDate": 2020}]), "valueDate is a JSON string"),
        (_view(constant=[{"name": "x", "valueId": "a"}, {"name": "x", "valueId": "b"}]), "constant 'x'"),
        (_view(constant=[{"valueId": "a"}]), "a constant needs a name"),
        (_view(constant={}), "a list of constants"),
        (
            _view(select=[{"unionAll": [{"column": [ID]}, {"column": [ID | {"name": "other"}]}]}]),
            r"unionAll\[1\]: its columns are other, those of the first branch id",
        ),
    ],
)
def test_faults_are_named(view: dict[str, Any], message: str) -> None:
    """The error says where, what was there and what would do."""
    with pytest.raises(ViewError, match=message) as caught:
        parse_view(json.dumps(view))
    assert isinstance(caught.value, UsageError)


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "nope", b"\xff"])
def test_what_is_no_json_object(text: str | bytes) -> None:
    """No traceback for a file that is something else."""
    with pytest.raises(ViewError, match="JSON"):
        parse_view(text)
