"""Files of retention policies (``--policy``), YAML, with the line of every fault.

.. code-block:: yaml

    keep:
      records: 6 years
      landing: 90 days
      audit: 6 years
    records_since: load
    holds:
      - why: case 12/2026
        source: epic
"""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from schemas.naming import is_source_name
from schemas.retention import AUDIT_MINIMUM_YEARS, Age, DataClass, HeldBy, Policy, Since
from schemas.suppression import TOKEN_BYTES
from sources.mapping.nodes import Nodes, hint
from sources.yaml_file import compose, read_limited

_LONGEST = 1024 * 1024
_AGE = re.compile(r"([0-9]{1,5}) (day|week|month|year)s?")
_FOREVER = "forever"
_CLASSES = tuple(str(one) for one in DataClass)
_HOLD = ("why", "class", "source", "patient")


def read_policy(path: Path) -> Policy:
    """The policy of a file. UsageError, with file and line, when it cannot be read or is not right."""
    return parse_policy(read_limited(path, "--policy", _LONGEST, "a policy"), str(path))


def parse_policy(data: bytes, name: str) -> Policy:
    """The policy of a text that stands in the file ``name``; as :func:`read_policy`."""
    root = compose(data, f"--policy: {name}", what="a policy", empty="say how long classes of data are kept under keep")
    nodes = Nodes(f"--policy: {name}")
    top = nodes.pairs(root, ("keep", "records_since", "holds"), "the file")
    if not {"keep", "holds"} & top.keys():
        nodes.fault(root, "there is nothing under keep or holds: give at least one")
    ages: dict[DataClass, Age] = {}
    if "keep" in top:
        for key, value in nodes.pairs(top["keep"], _CLASSES, "keep").items():
            age = _age(nodes, value, DataClass(key))
            if age is not None:
                ages[DataClass(key)] = age
    since = _since(nodes, top["records_since"]) if "records_since" in top else Since.RESOURCE
    holds = tuple(_hold(nodes, node) for node in nodes.items(top["holds"], "holds")) if "holds" in top else ()
    return Policy(ages, since, holds)


def _age(nodes: Nodes, node: yaml.Node, of: DataClass) -> Age | None:
    """How long a class is kept; None: for ever."""
    text = nodes.text(node)
    if text == _FOREVER:
        return None
    found = _AGE.fullmatch(text)
    if found is None:
        nodes.fault(
            node, f"{text!r} is no age: give a number with days, weeks, months or years, as 90 days, or forever"
        )
    number, unit = int(found[1]), found[2]
    months = number * {"month": 1, "year": 12}.get(unit, 0)
    days = number * {"day": 1, "week": 7}.get(unit, 0)
    if months > 12 * 1000 or days > 366_000:
        nodes.fault(node, f"{text!r} is longer than 1000 years: give forever")
    least = AUDIT_MINIMUM_YEARS
    if of is DataClass.AUDIT and (months < 12 * least and days < 366 * least):
        nodes.fault(
            node, f"{text!r} is too short for the audit trail: give {least} years or more (45 CFR 164.316(b)(2))"
        )
    return Age(months, days, text)


def _since(nodes: Nodes, node: yaml.Node) -> Since:
    text = nodes.text(node)
    if text not in tuple(Since):
        nodes.fault(node, f"records_since is {text!r}: give {', '.join(Since)}{hint(text, tuple(Since))}")
    return Since(text)


def _hold(nodes: Nodes, node: yaml.Node) -> HeldBy:
    told = nodes.pairs(node, _HOLD, "a hold")
    if "why" not in told:
        nodes.fault(node, "a hold says why: give why, without naming a patient")
    kind, source, made = None, None, None
    if "class" in told:
        text = nodes.text(told["class"])
        if text not in _CLASSES:
            nodes.fault(
                told["class"], f"there is no class {text!r}; known are {', '.join(_CLASSES)}{hint(text, _CLASSES)}"
            )
        kind = DataClass(text)
    if "source" in told:
        source = nodes.text(told["source"])
        if not is_source_name(source):
            nodes.fault(told["source"], f"the source is called {source!r}: give it a short name on one line")
    if "patient" in told:
        text = nodes.text(told["patient"])
        if not re.fullmatch(rf"[0-9a-f]{{{2 * TOKEN_BYTES}}}", text):
            nodes.fault(
                told["patient"], "a patient is held by token, which clinmart retain token prints, not by name or id"
            )
        made = bytes.fromhex(text)
    return HeldBy(nodes.text(told["why"]), kind, source, made)
