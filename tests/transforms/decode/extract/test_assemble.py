"""Values at their places: structs and lists as FHIR has them, and nothing where nothing is said."""

from __future__ import annotations

import polars as pl

from transforms.decode.extract.assemble import Assembly

CODING = ("coding", "0")


def made(*puts: tuple[tuple[tuple[str, str], ...], list[object]]) -> list[dict[str, object]]:
    work = Assembly()
    for steps, values in puts:
        work.put(steps, pl.Series(values, strict=False))
    return pl.DataFrame(work.columns()).to_dicts()


def test_structs_and_lists() -> None:
    """One below the other; where no part has a value there is no struct and no list."""
    code, system = (("code", ""), CODING, ("code", "")), (("code", ""), CODING, ("system", ""))
    assert made((code, ["a", None, "c"]), (system, ["s", None, None])) == [
        {"code": {"coding": [{"code": "a", "system": "s"}]}},
        {"code": None},
        {"code": {"coding": [{"code": "c", "system": None}]}},
    ]


def test_several_items_of_a_list() -> None:
    """Each with its own fields; those that say nothing are left out."""
    one, two = (("telecom", "phone"), ("value", "")), (("telecom", "email"), ("value", ""))
    mark = (("telecom", "email"), ("system", ""))
    assert made((one, ["1", None, None]), (two, ["a", "b", None]), (mark, ["email", "email", None])) == [
        {"telecom": [{"value": "1", "system": None}, {"value": "a", "system": "email"}]},
        {"telecom": [{"value": "b", "system": "email"}]},
        {"telecom": None},
    ]


def test_lists_of_values() -> None:
    """Primitive ones, and lists within lists."""
    given = (("name", "0"), ("given", "0"))
    assert made((given, ["x", None])) == [{"name": [{"given": ["x"]}]}, {"name": None}]


def test_two_values_for_one_place() -> None:
    """The first that is there counts; a column without any value is none."""
    steps = (("status", ""),)
    assert made((steps, [None, "b"]), (steps, ["a", "c"])) == [{"status": "a"}, {"status": "b"}]
    work = Assembly()
    work.put(steps, pl.Series([None, None], dtype=pl.String))
    assert work.columns() == []
