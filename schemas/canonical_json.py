"""What a JSON text says, apart from how it is written: tells what was only written anew from what has changed."""

from __future__ import annotations

import json


class _Number(str):
    """A number as it is written: 1.0 and 1.00 are two."""

    __slots__ = ()


def canonical(text: str) -> str:
    """The same JSON value with sorted keys and without white space; number literals stay as they are written.

    Equal for two texts exactly when they say the same. A text that is no JSON, or is nested too deeply to be read, is
    given back as it is.
    """
    try:
        value = json.loads(text, parse_float=_Number, parse_int=_Number, object_pairs_hook=_Pairs)
        return _written(value)
    except (ValueError, RecursionError):
        return text


class _Pairs(list[tuple[str, object]]):
    """The members of an object, sorted by key; those with the same key keep their order."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(sorted(pairs, key=lambda pair: pair[0]))


def _written(value: object) -> str:
    if isinstance(value, _Number):
        return value
    if isinstance(value, _Pairs):
        return "{" + ",".join(f"{json.dumps(key)}:{_written(member)}" for key, member in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    return json.dumps(value)
