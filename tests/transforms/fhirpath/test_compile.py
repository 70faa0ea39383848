"""Compiled paths run on DuckDB over small resources: what comes out is what FHIRPath says."""

from __future__ import annotations

import duckdb
import pytest

from tests.transforms.fhirpath.resources import OBSERVATION, Run, on
from transforms.fhirpath import PathError, Scope, compile_condition, compile_json, compile_path, constant


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        # navigation
        ("id", "p1"),
        ("Patient.id", "p1"),
        ("name.family", ["Smith"]),
        ("name.given", ["Ann", "Bea", "Annie"]),
        ("name[0].given", ["Ann", "Bea"]),
        ("name[0].given[1]", "Bea"),
        ("name[1].family", None),
        ("name.first().use", "official"),
        ("name.last().use", "usual"),
        ("name.given.last()", "Annie"),
        ("name.given[0]", "Ann"),
        ("name[%one].use", "usual"),
        ("name.given.tail()", ["Bea", "Annie"]),
        ("name.given.skip(2)", ["Annie"]),
        ("name.given.take(1)", ["Ann"]),
        ("name.where(use = 'usual').given.single()", "Annie"),
        ("name.select(given.first())", ["Ann", "Annie"]),
        ("name.select(given)", ["Ann", "Bea", "Annie"]),
        ("`name`.`given`.first()", "Ann"),
        ("contact.name.given", None),
        ("{}", None),
        # filters and existence
        ("name.where(use = 'official').family", ["Smith"]),
        ("name.where(given.exists($this = 'Annie')).use", ["usual"]),
        ("name.where($index = 1).use", ["usual"]),
        ("name.given.where($this.startsWith('Ann'))", ["Ann", "Annie"]),
        ("name.exists()", True),
        ("name.exists(use = 'nickname')", False),
        ("contact.exists()", False),
        ("contact.empty()", True),
        ("name.all(given.exists())", True),
        ("name.all(family.exists())", False),
        ("name.count()", 2),
        ("contact.count()", 0),
        ("id.count()", 1),
        ("active.exists()", True),
        ("active.where($this = false).exists()", False),
        ("maritalStatus.exists()", False),
        ("active.not()", False),
        ("where(active).id", "p1"),
        ("where(active.not()).id", None),
        ("where(active.not()).exists()", False),
        ("name.given.where(false)", []),
        # choices
        ("multipleBirth.ofType(integer)", 2),
        ("multipleBirthInteger", 2),
        ("(multipleBirth as integer) + 1", 3),
        ("multipleBirth.exists()", True),
        ("multipleBirth is integer", True),
        ("multipleBirth is boolean", False),
        ("deceased is boolean", None),
        ("deceased.empty()", True),
        # extensions
        ("extension('race').extension('omb').value.ofType(Coding).code", ["2106-3"]),
        ("extension('sex').value.ofType(code).first()", "F"),
        ("extension(%url).url", ["sex"]),
        ("birthDate.extension('time').value.ofType(dateTime).first()", "1970-06-01T10:00:00+02:00"),
        ("name.given.id", ["g2"]),
        # references and resources within
        ("getResourceKey()", "p1"),
        ("generalPractitioner.getReferenceKey()", ["d1", "d2", "d5"]),
        ("generalPractitioner.getReferenceKey(Practitioner)", ["d1", "d2"]),
        ("generalPractitioner.getReferenceKey(Organization)", ["d2", "d5"]),
        ("generalPractitioner.getReferenceKey('Organization')", ["d2", "d5"]),
        ("managingOrganization.getReferenceKey()", None),
        ("contained.ofType(Practitioner).name.family", ["Doc"]),
        ("contained.ofType(Organization).name", ["Ward"]),
        ("contained.id", ["d3", "o"]),
        ("contained.where(id = 'o').ofType(Organization).name.first()", "Ward"),
        # logic: empty is unknown
        ("true and {}", None),
        ("false and {}", False),
        ("true or {}", True),
        ("false or {}", None),
        ("true xor false", True),
        ("true xor {}", None),
        ("{} implies true", True),
        ("{} implies false", None),
        ("false implies {}", True),
        ("true implies {}", None),
        ("{}.not()", None),
        ("id and true", True),
        # comparison
        ("id = 'p1'", True),
        ("id != 'p1'", False),
        ("name.family = 'Smith'", True),
        ("name.use = 'official'", False),
        ("name.given = name.given", True),
        ("contact.name.family = 'x'", None),
        ("name.family = maritalStatus.text", None),
        ("'a' < 'b'", True),
        ("telecom.rank >= 2", True),
        ("2 > 2.5", False),
        ("'Ab  c' ~ 'aB c'", True),
        ("{} ~ {}", True),
        ("id !~ 'P1'", False),
        ("'phone' in telecom.system", True),
        ("telecom.system contains 'fax'", False),
        ("{} in telecom.system", None),
        ("'a' in contact.gender", False),
        # dates
        ("birthDate = @1970-06", True),
        ("birthDate = '1970-06'", True),
        ("birthDate = @1970", None),
        ("birthDate = @1970-06-01", None),
        ("birthDate = @1971", False),
        ("birthDate < @1971", True),
        ("birthDate < @1970-06-15", None),
        ("@1970-07-01 > birthDate", True),
        ("birthDate <= @1970-06", True),
        ("birthDate.lowBoundary()", "1970-06-01"),
        ("birthDate.highBoundary()", "1970-06-30"),
        ("@1970.highBoundary()", "1970-12-31"),
        ("@T12:34.lowBoundary()", "12:34:00.000"),
        ("@T12:34.highBoundary()", "12:34:59.999"),
        ("@T12:34:00 = @T12:34:00.000", True),
        ("@T12:34 = @T12:34:00", None),
        ("@T12:34 < @T13:00:00", True),
        # arithmetic
        ("1 + 2 * 3", 7),
        ("0.1 + 0.2", 0.3),
        ("0.3 / 0.1", 3.0),
        ("7 div 2", 3),
        ("-7 div 2", -3),
        ("7 mod 4", 3),
        ("0.3 mod 0.1", 0.0),
        ("1 / 0", None),
        ("1 div 0", None),
        ("1 mod 0", None),
        ("1 + {}", None),
        ("-telecom.rank.first()", -2),
        ("'a' + 'b'", "ab"),
        ("'a' + {}", None),
        ("'a' & {} & 'b'", "ab"),
        ("(2).power(3)", 8.0),
        ("(-4).sqrt()", None),
        ("1.7.floor() + 1.2.ceiling() - (-1.5).truncate() + (-3).abs()", 7),
        # texts
        ("name.given.join(', ')", "Ann, Bea, Annie"),
        ("contact.name.given.join()", ""),
        ("id.join(',')", "p1"),
        ("id.upper() & id.length().toString()", "P12"),
        ("'abc'.substring(1)", "bc"),
        ("'abc'.substring(1, 1)", "b"),
        ("'abc'.substring(3)", None),
        ("'abc'.indexOf('c')", 2),
        ("'a,b'.split(',')", ["a", "b"]),
        ("'abc'.matches('^a.c$')", True),
        ("'abc'.replace('b', 'x').replaceMatches('[ac]', '-')", "-x-"),
        ("' a '.trim()", "a"),
        ("'12'.toInteger() + '0.5'.toDecimal()", 12.5),
        ("'1x'.toInteger()", None),
        ("(0.5 + 2.5).toString()", "3"),
        ("active.toString()", "true"),
        ("'it\\'s \\u0041'", "it's A"),
        # the rest
        ("name.use | telecom.system | 'usual'", ["official", "usual", "phone", "email"]),
        ("(name | contact.name).given", ["Ann", "Bea", "Annie"]),
        ("telecom.system.distinct().count()", 2),
        ("iif(active, 'yes', 'no')", "yes"),
        ("iif({}, 'yes')", None),
        ("iif(active, name.given, id)", ["Ann", "Bea", "Annie"]),
        ("iif(active.not(), contact.name, name).family", ["Smith"]),
        ("%loinc", "http://loinc.org"),
        ("%resource.id", "p1"),
        ("name.where(%resource.active).count()", 2),
        ("%rowIndex", 0),
    ],
)
def test_path_gives(run: Run, path: str, expected: object) -> None:
    """One path over the patient, with the value that the specification gives it."""
    found = run(path, one=("integer", 1), url=("uri", "sex"))
    assert (found or None) == (expected or None) if isinstance(expected, list) else found == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("code.coding.where(system = 'http://loinc.org').first().code", "1-1"),
        ("value.ofType(Quantity).value", 1.1),
        ("value.unit", "mg"),
        ("value.ofType(Quantity).value.lowBoundary()", 1.095),
        ("value.ofType(Quantity).value.highBoundary()", 1.105),
        ("value.ofType(Quantity).value.toString()", "1.10"),
        ("component.value.exists()", True),
        ("component.value.count()", 3),
        ("component.where(value.exists()).code.text", ["a", "b", "c"]),
        ("component.where(value is string).code.text", ["c"]),
        ("component.value.ofType(Quantity).value", [0.00012, 5.0]),
        ("effective.ofType(dateTime) = issued", True),
        ("effective.ofType(dateTime) = @2020-02-03T03:05:06Z", True),
        ("effective.ofType(dateTime) = @2020-02-03T03:05:06", True),
        ("effective.ofType(dateTime) < issued", False),
        ("effective.ofType(dateTime) > @2020-02-02", True),
        ("effective.ofType(dateTime) > @2020-02-03", None),
        ("effective.ofType(dateTime) = @2020-02-03", None),
        ("effective.ofType(dateTime).highBoundary()", "2020-02-03T04:05:06.999+01:00"),
        ("issued.lowBoundary()", "2020-02-03T03:05:06.000Z"),
        ("identifier.first().period.lowBoundary()", "2020-02-01T00:00:00.000+14:00"),
        ("identifier.first().period.highBoundary()", "2020-02-29T23:59:59.999-12:00"),
        ("effective.ofType(Period).lowBoundary()", None),
    ],
)
def test_path_on_an_observation_gives(run: Run, path: str, expected: object) -> None:
    """Choices, decimals and instants."""
    assert run(path, OBSERVATION) == expected


def test_items_of_a_collection_are_a_scope(run: Run) -> None:
    """Paths inside an item share the shape of the collection and count its rows."""
    scope = Scope.root("Patient", {"use": constant("code", "usual")})
    names = compile_path("name", scope)
    item = scope.within(names, "x1", "(n1 - 1)")
    given = compile_path("given.where($this != %resource.id).join(' ')", item)
    usual = compile_path("use = %use", item)
    index = compile_path("%rowIndex", item)
    whole = compile_json("period", item)
    fields = f"[{given.sql}, {usual.sql}::VARCHAR, {index.sql}::VARCHAR, {whole.sql}]"
    sql = f"list_transform({names.sql}, lambda x1, n1: {fields})"
    names.__dict__["sql"] = sql
    assert run(lambda s: on(scope, names, s)) == [
        ["Ann Bea", "false", "0", None],
        ["Annie", "true", "1", None],
    ]


def test_shape_reads_only_what_was_touched() -> None:
    """Columns and leaves are those of the paths, no more."""
    scope = Scope.root("Observation")
    compile_path("code.coding.first().code", scope)
    compile_path("value.ofType(Quantity).value", scope, literal=True)
    compile_path("status", scope)
    compile_path("component.exists()", scope)
    compile_json("contained", scope)
    assert scope.shape.columns() == {
        "code": 'STRUCT("coding" STRUCT("code" VARCHAR)[])',
        "valueQuantity": 'STRUCT("value" DOUBLE, "#value" VARCHAR)',
        "status": "VARCHAR",
        "component": "JSON[]",
        "contained": "JSON",
    }
    assert [(leaf.path, leaf.json_type, leaf.many) for leaf in scope.shape.leaves()] == [
        (("code", "coding", "code"), "string", False),
        (("valueQuantity", "value"), "number", False),
        (("status",), "string", False),
    ]
    assert scope.shape.literals() == {"value"}


@pytest.mark.parametrize(
    ("path", "sql"),
    [
        ("status", '"status"'),
        ("subject.reference", '"subject"."reference"'),
        ("code.coding.first().code", '"code"."coding"[1]."code"'),
        ("valueQuantity.value", '"valueQuantity"."value"'),
        ("code.coding.where(system = 'a''b')", ""),
    ],
)
def test_simple_paths_are_simple_sql(path: str, sql: str) -> None:
    """No function stands around a plain reference; a quote is no way out of a literal."""
    scope = Scope.root("Observation")
    if sql:
        assert compile_path(path, scope).sql == sql
    else:
        with pytest.raises(PathError):
            compile_path(path, scope)


def test_text_of_a_path_cannot_leave_its_literal(run: Run) -> None:
    """Quotes, braces and comment signs in literals and constants stay text."""
    for text in ("'; DROP TABLE x; --", "{0}", '"', "\\", "''", "%s {1}"):
        assert run("%text", text=("string", text)) == text
        quoted = text.replace("\\", "\\\\").replace("'", "\\'")
        assert run(f"name.given.join('{quoted}')") == text.join(["Ann", "Bea", "Annie"])
        assert run(f"name.given.first() & '{quoted}'.upper()") == "Ann" + text.upper()


def test_several_items_where_one_is_needed(run: Run) -> None:
    """A singleton function refuses a collection of several at run time, and takes one of one."""
    assert run("name.family.upper()") == "SMITH"
    with pytest.raises(duckdb.InvalidInputException, match="more than one item"):
        run("name.given.upper()")
    with pytest.raises(duckdb.InvalidInputException, match="more than one item"):
        run(lambda s: compile_path("name.use", s, one=True))


def test_condition_is_boolean(run: Run) -> None:
    """A path that is no boolean is true when it has an item."""
    assert run(lambda s: compile_condition("id", s)) is True
    assert run(lambda s: compile_condition("maritalStatus", s)) is None
    assert run(lambda s: compile_condition("active = false", s)) is False
    assert run(lambda s: compile_condition("deceased", s)) is None
