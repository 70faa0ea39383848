"""Files of rules for HL7 v2 messages (``--routes``), YAML, with the line of every fault.

.. code-block:: yaml

    routes:
      - match: {MSH-3: "LAB*", MSH-9: [ORU, "ORM^O01"]}
        source: lab
        zone: America/New_York
      - match: {MSH-9: DFT}
        decoder: keep
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import yaml

from schemas.charsets import codec_named
from schemas.errors import UsageError
from schemas.naming import is_source_name
from schemas.routes import FIELDS, MessageDecoder, Routes, Rule
from schemas.zones.names import known_zone
from sources.yaml_file import compose, read_limited

_LONGEST = 1024 * 1024  # bytes; a rule has about a hundred
_KEYS = ("match", "source", "zone", "charset", "decoder")
_DECODERS = tuple(str(decoder) for decoder in MessageDecoder)
_NULL = "tag:yaml.org,2002:null"


def read_routes(path: Path) -> Routes:
    """The rules of a file. UsageError, with file and line, when it cannot be read or is not right."""
    data = read_limited(path, "--routes", _LONGEST, "a file of rules")
    return parse_routes(data, str(path))


def parse_routes(data: bytes, name: str) -> Routes:
    """The rules of a text that stands in the file ``name``; as :func:`read_routes`."""
    root = compose(data, f"--routes: {name}", what="rules", empty="give rules under the key routes")
    return _File(name).routes(root)


@dataclass(slots=True)
class _File:
    name: str
    _rules: list[Rule] = field(default_factory=list)

    def routes(self, root: yaml.Node) -> Routes:
        for key, value in self._pairs(root, ("routes",), "the file"):
            if not isinstance(value, yaml.SequenceNode):
                self._fault(value, f"{key.value} must be a list of rules, each beginning with a hyphen")
            for node in value.value:
                self._rule(node)
        if not self._rules:
            self._fault(root, "there is no rule: give at least one under the key routes")
        return Routes(tuple(self._rules), uri=self.name)

    def _rule(self, node: yaml.Node) -> None:
        told: dict[str, str] = {}
        match: tuple[tuple[str, tuple[str, ...]], ...] = ()
        for key, value in self._pairs(node, _KEYS, "a rule"):
            if key.value == "match":
                match = tuple(
                    (name.value, tuple(self._patterns(patterns)))
                    for name, patterns in self._pairs(value, FIELDS, "match")
                )
            else:
                told[key.value] = self._checked(key.value, value)
        before = next((rule for rule in self._rules if not rule.match), None)
        if before is not None:
            self._fault(node, f"the rule is never reached: the one of line {before.line} takes every message")
        self._rules.append(
            Rule(
                tuple(sorted(match)),
                told.get("source"),
                told.get("zone"),
                told.get("charset"),
                MessageDecoder(told.get("decoder", MessageDecoder.TABLES)),
                node.start_mark.line + 1,
            )
        )

    def _checked(self, key: str, node: yaml.Node) -> str:
        value = self._text(node)
        if key == "decoder" and value not in _DECODERS:
            self._fault(node, f"the decoder is {value!r}: give {', '.join(_DECODERS)}{_hint(value, _DECODERS)}")
        if key == "source" and not is_source_name(value):
            self._fault(node, f"the source is called {value!r}: give it a short name on one line")
        of: Callable[[str], str] | None = {"zone": known_zone, "charset": codec_named}.get(key)
        try:
            return of(value) if of is not None else value
        except UsageError as error:
            self._fault(node, str(error))

    def _patterns(self, node: yaml.Node) -> Iterator[str]:
        for one in node.value if isinstance(node, yaml.SequenceNode) and node.value else [node]:
            yield self._text(one, empty=True)

    def _text(self, node: yaml.Node, *, empty: bool = False) -> str:
        """A scalar as it is written: ``2.5`` is a version, not a number."""
        if not isinstance(node, yaml.ScalarNode):
            self._fault(node, "a list or a mapping stands where one value is expected")
        if node.tag == _NULL or (not node.value and not empty):
            self._fault(node, 'nothing stands where a value is expected: give one, "" in a match for an absent field')
        return str(node.value)

    def _pairs(self, node: yaml.Node, keys: Collection[str], what: str) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            self._fault(node, f"{what} must be a mapping of {', '.join(keys)}")
        seen: set[str] = set()
        for key, value in node.value:
            named = key.value if isinstance(key, yaml.ScalarNode) else ""
            if named not in keys:
                self._fault(key, f"{what} has a key {named!r}; known are {', '.join(keys)}{_hint(named, keys)}")
            if named in seen:
                self._fault(key, f"{what} has the key {named} twice: keep one")
            seen.add(named)
            yield key, value

    def _fault(self, node: yaml.Node, said: str) -> NoReturn:
        raise UsageError(f"--routes: {self.name}, line {node.start_mark.line + 1}: {said}")


def _hint(given: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(given.casefold(), {one.casefold(): one for one in known}, 1)
    return f" (did you mean {next(one for one in known if one.casefold() == near[0])}?)" if near else ""
