"""Views on DuckDB: types, tags, nesting, trees, and errors that name the place."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from schemas.view_definition import ViewError, parse_view
from transforms.views import CompiledView, compile_view

Run = Callable[..., list[tuple[Any, ...]]]
PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "active": True,
    "birthDate": "1970-06-01",
    "multipleBirthInteger": 2,
    "name": [{"use": "official", "family": "A", "given": ["x", "y"]}, {"given": ["z"]}],
    "telecom": [{"system": "phone", "value": "1"}, {"system": "email", "value": "2"}],
    "maritalStatus": {"text": "m"},
}
OBSERVATION = {
    "resourceType": "Observation",
    "id": "o1",
    "status": "final",
    "issued": "2020-01-01T12:00:00+02:00",
    "valueQuantity": {"value": 1.1, "#value": "1.10", "unit": "mg"},
    "component": [{"valueQuantity": {"value": 0.00001}}, {"valueQuantity": {"value": 7.0}}],
}


def _compiled(resource: str, *selects: dict[str, Any], **parts: object) -> CompiledView:
    return compile_view(parse_view({"resource": resource, "select": list(selects), **parts}))


def _columns(**paths: str | dict[str, Any]) -> dict[str, Any]:
    return {
        "column": [
            {"name": name, **(path if isinstance(path, dict) else {"path": path})} for name, path in paths.items()
        ]
    }


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a view over resources; the query must work as a subquery and as a table too."""

    def rows(view: CompiledView, *resources: dict[str, Any]) -> list[tuple[Any, ...]]:
        file = tmp_path / "in.ndjson"
        file.write_text("".join(f"{json.dumps(resource)}\n" for resource in resources))
        connection = duckdb.connect()
        connection.execute("SET TimeZone = 'UTC'")
        columns = view.shape.columns() or {"id": "VARCHAR"}
        connection.execute("CREATE TABLE source AS FROM read_ndjson($1, columns=$2)", [str(file), columns])
        connection.execute(f"CREATE TABLE result AS SELECT * FROM ({view.sql('source')})")
        described = connection.execute("SELECT column_name, column_type FROM (DESCRIBE result)").fetchall()
        assert described == [(c.name, c.duckdb_type) for c in view.columns]
        return connection.execute("FROM result").fetchall()

    return rows


def test_default_types(run: Run) -> None:
    """Decimals keep their digits and dates their precision as text; numbers that are exact are BIGINT."""
    view = _compiled(
        "Observation",
        _columns(
            value="value.ofType(Quantity).value",
            twice="value.ofType(Quantity).value * 2",
            first="component.first().value.ofType(Quantity).value",
            all={"path": "component.value.ofType(Quantity).value", "collection": True},
            filtered={"path": "component.value.ofType(Quantity).value.where($this > 1)", "collection": True},
            issued="issued",
            count="component.count()",
            final="status = 'final'",
            nothing="{}",
        ),
    )
    assert [(c.name, c.fhir_type, c.collection, c.duckdb_type) for c in view.columns] == [
        ("value", "decimal", False, "VARCHAR"),
        ("twice", "decimal", False, "VARCHAR"),
        ("first", "decimal", False, "VARCHAR"),
        ("all", "decimal", True, "VARCHAR[]"),
        ("filtered", "decimal", True, "VARCHAR[]"),
        ("issued", "instant", False, "VARCHAR"),
        ("count", "integer", False, "BIGINT"),
        ("final", "boolean", False, "BOOLEAN"),
        ("nothing", "string", False, "VARCHAR"),
    ]
    assert view.shape.literals() == {"value"}
    assert run(view, OBSERVATION) == [
        ("1.10", "2.2", "0.00001", ["0.00001", "7"], ["7"], OBSERVATION["issued"], 2, True, None)
    ]


def test_types_asked_for_by_tags(run: Run) -> None:
    """``ansi/type`` gives native types; a value that does not fit is an error that hides the value."""

    def column(path: str, sql_type: str, **more: object) -> dict[str, Any]:
        return {"path": path, "tag": [{"name": "ansi/type", "value": sql_type}], **more}

    view = _compiled(
        "Observation",
        _columns(
            issued=column("issued", "TIMESTAMP WITH TIME ZONE"),
            value=column("value.ofType(Quantity).value", "double precision"),
            exact=column("value.ofType(Quantity).value", "DECIMAL(10, 3)"),
            all=column("component.value.ofType(Quantity).value", "REAL", collection=True),
        ),
    )
    ((issued, value, exact, every),) = run(view, OBSERVATION)
    assert issued == datetime(2020, 1, 1, 10, tzinfo=UTC)
    assert (value, str(exact), every[1]) == (1.1, "1.100", 7.0)

    born = _compiled("Patient", _columns(born=column("birthDate", "DATE")))
    assert run(born, PATIENT) == [(date(1970, 6, 1),)]
    with pytest.raises(duckdb.InvalidInputException, match="column born: a value is no DATE") as caught:
        run(born, PATIENT | {"birthDate": "1970-06"})
    assert "1970" not in str(caught.value)
    with pytest.raises(ViewError, match="ansi/type is 'DATUM'"):
        _compiled("Patient", _columns(born=column("birthDate", "DATUM")))


def test_complex_columns_are_json(run: Run) -> None:
    """With its type declared, a complex element comes whole; without, the view is in error."""
    view = _compiled(
        "Patient",
        _columns(
            status={"path": "maritalStatus", "type": "CodeableConcept"},
            official={"path": "name.where(use = 'official')", "type": "HumanName"},
            names={"path": "name", "type": "HumanName", "collection": True},
            family="name.family.first()",
        ),
    )
    ((status, official, names, family),) = run(view, PATIENT)
    assert json.loads(status) == PATIENT["maritalStatus"]
    assert json.loads(official) == PATIENT["name"][0]  # type: ignore[index] # a list
    assert [json.loads(name) for name in names] == PATIENT["name"]
    assert family == "A"
    with pytest.raises(ViewError, match="gives CodeableConcept: declare it"):
        _compiled("Patient", _columns(status="maritalStatus"))
    with pytest.raises(ViewError, match="gives HumanName, and the type is declared as Address"):
        _compiled("Patient", _columns(name={"path": "name", "type": "Address", "collection": True}))


@pytest.mark.parametrize(
    ("path", "declared", "works"),
    [
        ("gender", "string", True),
        ("birthDate", "string", True),
        ("active", "string", True),
        ("multipleBirth.ofType(integer)", "decimal", True),
        ("id", "date", True),
        ("id", "boolean", False),
        ("active", "integer", False),
        ("1.5", "integer", False),
        ("active", "date", False),
        ("id", "Coding", False),
        ("id", "strin", False),
    ],
)
def test_declared_types_must_hold_the_values(run: Run, path: str, declared: str, works: bool) -> None:
    """A declared type may be wider than the path's, not another."""
    select = _columns(x={"path": path, "type": declared})
    if works:
        view = _compiled("Patient", select)
        assert view.columns[0].fhir_type == declared
        assert len(run(view, PATIENT)) == 1
    else:
        with pytest.raises(ViewError, match=r"select\[0\].column\[0\] 'x'"):
            _compiled("Patient", select)


def test_selections_are_crossed_and_columns_ordered(run: Run) -> None:
    """Siblings multiply, parents repeat, union columns come last."""
    view = _compiled(
        "Patient",
        {
            **_columns(id="id"),
            "select": [{"forEach": "name", **_columns(given={"path": "given", "collection": True}, n="%rowIndex")}],
            "unionAll": [
                {"forEach": "telecom", **_columns(contact="value")},
                _columns(contact="birthDate"),
            ],
        },
        {"forEach": "maritalStatus", **_columns(status="text")},
    )
    assert [c.name for c in view.columns] == ["id", "given", "n", "contact", "status"]
    assert sorted(run(view, PATIENT)) == sorted(
        ("p1", given, n, contact, "m")
        for n, given in enumerate((["x", "y"], ["z"]))
        for contact in ("1", "2", "1970-06-01")
    )
    assert run(view, {"resourceType": "Patient", "id": "p2"}) == []


def test_rows_for_no_node(run: Run) -> None:
    """``forEachOrNull`` keeps the resource; its row has nulls, and 0 for the number of the row."""
    select = {
        "forEachOrNull": "contact",
        **_columns(n="%rowIndex", text="'constant'", many={"path": "telecom.value", "collection": True}),
        "select": [{"forEach": "telecom", **_columns(deep="value")}],
    }
    view = _compiled("Patient", _columns(id="id"), select)
    assert run(view, PATIENT) == [("p1", 0, None, None, None)]
    assert run(view, PATIENT | {"contact": [{"gender": "male"}]}) == []  # a node, but no row of the inner selection
    found = run(view, PATIENT | {"contact": [{"telecom": [{"value": "a"}, {"value": "b"}]}]})
    assert found == [("p1", 0, "constant", ["a", "b"], "a"), ("p1", 0, "constant", ["a", "b"], "b")]


def _tree(depth: int, width: int = 1) -> dict[str, Any]:
    item: dict[str, Any] = {"linkId": f"{depth}"}
    if depth > 1:
        item["item"] = [_tree(depth - 1, 1) for _ in range(width)]
    return item


@pytest.mark.parametrize("depth", [1, 2, 30])
def test_trees_of_any_depth(run: Run, depth: int) -> None:
    """``repeat`` finds every node, parents before children, also below other iterations."""
    response = {"resourceType": "QuestionnaireResponse", "id": "q", "item": [_tree(depth), _tree(depth)]}
    view = _compiled(
        "QuestionnaireResponse", {"repeat": ["item"], **_columns(n="%rowIndex", link="linkId", top="item.empty()")}
    )
    expected = [str(i) for i in [*range(depth, 0, -1)] * 2]
    assert run(view, response) == [(n, link, link == "1") for n, link in enumerate(expected)]
    below = _compiled(
        "QuestionnaireResponse",
        {"forEach": "item", **_columns(at="%rowIndex"), "select": [{"repeat": ["item"], **_columns(link="linkId")}]},
    )
    assert run(below, response) == [(at, str(i)) for at in (0, 1) for i in range(depth - 1, 0, -1)]
    assert run(view, {"resourceType": "QuestionnaireResponse", "id": "none"}) == []


def test_wide_trees(run: Run) -> None:
    """The work grows with the depth, not with the number of nodes."""
    leaves = [{"linkId": f"{i}", "text": '{"item": "{{{"}'} for i in range(3000)]
    response = {"resourceType": "QuestionnaireResponse", "item": [{"linkId": "top", "item": leaves}]}
    view = _compiled("QuestionnaireResponse", {"repeat": ["item"], **_columns(n="%rowIndex", link="linkId")})
    assert run(view, response) == [(i, leaf["linkId"]) for i, leaf in enumerate([{"linkId": "top"}, *leaves])]


def test_conditions_and_constants(run: Run) -> None:
    """All conditions must hold; one that is empty does not."""
    where = [{"path": "active"}, {"path": "name.where(use = %use).exists()"}]
    constant = [{"name": "use", "valueCode": "official"}, {"name": "o'clock".replace("'", ""), "valueString": "'"}]
    view = _compiled("Patient", _columns(id="id", quote="%oclock"), where=where, constant=constant)
    others = [{"resourceType": "Patient", "id": "p2"}, PATIENT | {"id": "p3", "active": False}]
    assert run(view, PATIENT, *others) == [("p1", "'")]


def test_several_values_are_an_error_at_run_time(run: Run) -> None:
    """A column that is no collection holds one value; the error shows none."""
    view = _compiled("Patient", _columns(given="name.given"))
    with pytest.raises(duckdb.InvalidInputException, match=re.escape("path name.given: more than one item")):
        run(view, PATIENT)
    assert run(view, {"resourceType": "Patient", "name": [{"given": ["x"]}]}) == [("x",)]


def test_names_that_differ_in_case_or_are_keywords(run: Run) -> None:
    """Columns are told apart inside the query by number, so any valid name may be given."""
    view = _compiled("Patient", {"forEach": "name", **_columns(select="family", order="%rowIndex", r="use", c0="id")})
    assert [row[:2] for row in run(view, PATIENT)] == [("A", 0), (None, 1)]


@pytest.mark.parametrize(
    ("selects", "message"),
    [
        ([_columns(x="nme.family")], r"select\[0\].column\[0\] 'x': path 'nme.family', character 1: .*'name'"),
        ([_columns(x="@@")], r"column\[0\] 'x': path '@@'"),
        ([{"forEach": "nme", **_columns(x="id")}], r"select\[0\].forEach: path 'nme'"),
        ([{"forEachOrNull": "name", **_columns(x="famly")}], r"column\[0\] 'x'.*HumanName has no element 'famly'"),
        ([_columns(a="id"), {"select": [_columns(x="%nope")]}], r"select\[1\].select\[0\].*no constant %nope"),
        ([{"repeat": ["lnk"], **_columns(x="id")}], r"select\[0\].repeat: path 'lnk'"),
        ([{"repeat": ["link", "lnk"], **_columns(x="id")}], r"repeat.*'lnk'"),
        ([{"repeat": ["link", "contact"], **_columns(x="id")}], r"leads to Patient.contact, other paths to Patient"),
        ([{"repeat": ["$this"], **_columns(x="id")}], "repeat"),
        (
            [{"unionAll": [_columns(x="id"), _columns(x="active")]}],
            r"unionAll\[1\]: column 'x' is boolean, in the first branch id",
        ),
    ],
)
def test_faults_name_their_place(selects: list[dict[str, Any]], message: str) -> None:
    """The error says which part of the view, then what is wrong with the path."""
    with pytest.raises(ViewError, match=message):
        _compiled("Patient", *selects)


@pytest.mark.parametrize("path", ["name.family", "id", "maritalStatus", "deceased", "{}", "nme"])
def test_conditions_must_be_boolean(path: str) -> None:
    """A condition that has no truth of its own is a mistake."""
    with pytest.raises(ViewError, match=r"where\[0\]"):
        _compiled("Patient", _columns(id="id"), where=[{"path": path}])
