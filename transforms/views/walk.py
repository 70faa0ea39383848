"""``repeat`` of a ViewDefinition in SQL: the nodes of a tree of unknown depth, as one expression.

Nodes are JSON texts, as a tree of unknown depth has no STRUCT type. A ``list_reduce`` takes one step down
per turn: its state holds the nodes of the last level and all that were found. As many turns are made as
objects are nested in ``json_structure`` of the start, which merges the items of arrays and so grows with
the depth, not with the nodes. Each node knows its place (number of the path, number of the item, for every
level); sorting by it gives the order of a traversal that visits a node before its children.
"""

from __future__ import annotations

from transforms.fhirpath import Compiled
from transforms.fhirpath.shape import text_literal
from transforms.views.plan import Walk

_DEEPER = text_literal("repeat: the tree is deeper than its JSON structure shows")


def walk_sql(walk: Walk) -> str:
    """The SQL of the LIST of the nodes that a walk finds, in the order of the traversal."""
    starts = _level([(start, "") for start in walk.starts])
    steps = _level([(step, f"{walk.variable}.place") for step in walk.steps])
    turns = (
        "ifnull(list_max(list_transform(w, lambda j:"
        " len(string_split(CAST(json_structure(j.node) AS VARCHAR), '{')))), 0) + 1"
    )
    below = f"flatten(list_transform(a.level, lambda {walk.variable}: {steps}))"
    down = f"list_transform([{below}], lambda d: {{'level': d, 'found': list_concat(a.found, d)}})[1]"
    turn = f"CASE WHEN len(a.level) > 0 THEN {down} ELSE a END"
    reduced = f"list_reduce(list_resize([{{'level': w, 'found': w}}], {turns}), lambda a, t: {turn})"
    checked = f"CASE WHEN len(z.level) > 0 THEN error({_DEEPER}) ELSE z.found END"
    shape = walk.item.shape
    read = "CAST(p.node AS JSON)"
    if not shape.reads_text():
        read = f"from_json(p.node, {text_literal(shape.structure())})"
    found = f"list_transform([{reduced}], lambda z: {checked})[1]"
    return f"list_transform([{starts}], lambda w: list_transform(list_sort({found}), lambda p: {read}))[1]"


def _level(paths: list[tuple[Compiled | None, str]]) -> str:
    """The nodes to which paths lead, each with its place below the place of the node they start from."""
    lists = []
    for i, (path, place) in enumerate(paths):
        if path is None:
            continue
        own = f"[{i}::BIGINT, k]"
        here = f"list_concat({place}, {own})" if place else own
        node = f"{{'place': {here}, 'node': CAST(m AS VARCHAR)}}"
        lists.append(f"list_transform({path.sql}, lambda m, k: {node})")
    empty = "[]::STRUCT(place BIGINT[], node VARCHAR)[]"
    return f"list_concat({', '.join([empty, *lists])})"
