"""YAML nodes as Python values; whatever is not as it should be is a UsageError with file and line."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NoReturn

import yaml

from schemas.errors import UsageError

_TRUTHS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@dataclass(frozen=True, slots=True)
class Nodes:
    """Reads the nodes of the file ``name``."""

    name: str

    def pairs(self, node: yaml.Node, keys: Collection[str], what: str) -> dict[str, yaml.Node]:
        """The values of a mapping by key; no key but ``keys`` (empty: any), none twice."""
        if not isinstance(node, yaml.MappingNode):
            self.fault(node, f"{what} must be KEY: VALUE pairs" + (f" of {', '.join(keys)}" if keys else ""))
        found: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
            if keys and name not in keys:
                self.fault(key, f"{what} has a key {name!r}; known are {', '.join(keys)}{hint(name, keys)}")
            if name in found:
                self.fault(key, f"{what} has the key {name} twice: keep one")
            found[name] = value
        return found

    def text(self, node: yaml.Node, *, empty: bool = False) -> str:
        """A scalar as it is written: ``0123`` keeps its zero, ``no`` is no truth and ``NULL`` a text."""
        if not isinstance(node, yaml.ScalarNode):
            self.fault(node, "a list or KEY: VALUE pairs stand where one value is expected")
        bare = node.style not in ("'", '"')
        if not node.value and (bare or not empty):
            self.fault(node, "nothing stands where a value is expected")
        return str(node.value)

    def texts(self, node: yaml.Node, *, empty: bool = False) -> tuple[str, ...]:
        """A list of scalars, or one alone."""
        items = node.value if isinstance(node, yaml.SequenceNode) else [node]
        return tuple(self.text(item, empty=empty) for item in items)

    def items(self, node: yaml.Node, what: str) -> list[yaml.Node]:
        """The items of a list that is not empty."""
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            self.fault(node, f"{what} must be a list, each item beginning with a hyphen")
        return list(node.value)

    def truth(self, node: yaml.Node) -> bool:
        """``true`` or ``false``."""
        found = _TRUTHS.get(self.text(node).casefold())
        if found is None:
            self.fault(node, f"{self.text(node)!r} stands where true or false is expected")
        return found

    def number(self, node: yaml.Node, least: int, most: int) -> int:
        """A whole number within bounds."""
        text = self.text(node)
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            self.fault(node, f"{text!r} stands where a whole number from {least} to {most} is expected")
        return int(text)

    def pairs_of_texts(self, node: yaml.Node, what: str) -> Iterator[tuple[str, str]]:
        """Pairs of scalars, in order."""
        for key, value in self.pairs(node, (), what).items():
            yield key, self.text(value)

    def line(self, node: yaml.Node) -> int:
        """The line on which a node begins, from 1 on."""
        return int(node.start_mark.line) + 1

    def fault(self, node: yaml.Node, said: str) -> NoReturn:
        """Raise the UsageError of a node."""
        raise UsageError(f"{self.name}, line {self.line(node)}: {said}")


def hint(given: str, known: Collection[str]) -> str:
    """The name that was meant, perhaps."""
    folded = {one.casefold(): one for one in known}
    near = difflib.get_close_matches(given.casefold(), folded, 1)
    return f" (did you mean {folded[near[0]]}?)" if near else ""
