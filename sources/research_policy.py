"""Policies of copies for analysts as YAML files: what a user decides about dates, ids and columns."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import yaml

from schemas.errors import UsageError
from schemas.research import MOST_DAYS, Ids, Method, ResearchPolicy, Wish
from sources.yaml_file import compose, read_limited

_LONGEST = 1_000_000  # bytes
_FEWEST_DAYS = 14  # fewer hide little, and a whole week each way must be there to keep weekdays
_KNOWN = ("method", "ids", "most_days", "weekdays", "code_systems", "columns", "quasi_identifiers")
_Word = TypeVar("_Word", bound=StrEnum)


def read_policy(path: Path, columns: Mapping[str, Collection[str]]) -> ResearchPolicy:
    """The policy in a file; ``columns`` are those of each table of a mart.

    UsageError, with file and line, for whatever is not understood.
    """
    name = str(path)
    data = read_limited(path, "--policy", _LONGEST, "a policy")
    root = compose(data, name, what="a policy", empty="leave --policy out for the defaults")
    return _Reader(name, columns).policy(root)


class _Reader:
    def __init__(self, name: str, columns: Mapping[str, Collection[str]]) -> None:
        self._name = name
        self._columns = columns

    def policy(self, root: yaml.Node) -> ResearchPolicy:
        told = self._mapping(root, "the policy")
        for key, (at, _) in told.items():
            if key not in _KNOWN:
                raise self._wrong(at, f"{key!r} is not known{_near(key, _KNOWN)}")

        def one(key: str, read: Callable[[yaml.Node], object]) -> dict[str, object]:
            return {key: read(told[key][1])} if key in told else {}

        values = (
            one("method", lambda n: self._word(n, Method))
            | one("ids", lambda n: self._word(n, Ids))
            | one("most_days", self._days)
            | one("weekdays", self._truth)
            | one("code_systems", self._texts)
            | one("columns", self._wishes)
            | one("quasi_identifiers", self._quasi)
        )
        return ResearchPolicy(**values)  # type: ignore[arg-type] # each is read as what it is

    def _mapping(self, node: yaml.Node, what: str) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            raise self._wrong(node, f"{what} is no list of `name: value`")
        found: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            text = self._text(key)
            if text in found:
                raise self._wrong(key, f"{text!r} stands here twice")
            found[text] = (key, value)
        return found

    def _text(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode) or not node.value:
            raise self._wrong(node, "a word is expected here")
        return str(node.value)

    def _texts(self, node: yaml.Node) -> Sequence[str]:
        if not isinstance(node, yaml.SequenceNode):
            raise self._wrong(node, "a list is expected here: - one, - another")
        return tuple(self._text(item) for item in node.value)

    def _word(self, node: yaml.Node, words: type[_Word]) -> _Word:
        value = self._text(node)
        if value not in [str(word) for word in words]:
            raise self._wrong(node, f"{value!r} is not known: give {' or '.join(words)}")
        return words(value)

    def _days(self, node: yaml.Node) -> int:
        value = self._text(node)
        if not value.isdecimal() or not _FEWEST_DAYS <= int(value) <= 10 * MOST_DAYS:
            raise self._wrong(node, f"most_days is {value!r}: give a number from {_FEWEST_DAYS} to {10 * MOST_DAYS}")
        return int(value)

    def _truth(self, node: yaml.Node) -> bool:
        value = self._text(node)
        if value not in ("true", "false"):
            raise self._wrong(node, f"{value!r} is not known: give true or false")
        return value == "true"

    def _wishes(self, node: yaml.Node) -> Mapping[str, Wish]:
        found = {}
        for name, (at, value) in self._mapping(node, "columns").items():
            table, _, column = name.partition(".")
            self._table(at, table)
            if column not in self._columns[table]:
                raise self._wrong(at, f"{table} has no column {column!r}{_near(column, self._columns[table])}")
            found[name] = self._word(value, Wish)
        return found

    def _quasi(self, node: yaml.Node) -> Mapping[str, Sequence[str]]:
        found = {}
        for table, (at, value) in self._mapping(node, "quasi_identifiers").items():
            self._table(at, table)
            found[table] = self._texts(value)
        return found

    def _table(self, node: yaml.Node, name: str) -> None:
        if name not in self._columns:
            raise self._wrong(node, f"there is no table {name!r}{_near(name, self._columns)}")

    def _wrong(self, node: yaml.Node, what: str) -> UsageError:
        return UsageError(f"{self._name}, line {node.start_mark.line + 1}: {what}")


def _near(word: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(word, known, 1)
    return f": did you mean {near[0]}?" if near else ""
