"""Seeds and identifiers: where everything random comes from.

Only :meth:`random.Random.random` and :meth:`~random.Random.getrandbits` are used, and on what they give only
``+ - *`` and ``int()``: these are the same on every machine and Python version. ``choice``, ``shuffle``,
``gauss`` and the functions of libm are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")

# Kinds of streams beside the resource types, which use their place in TYPES.
REGION, LIFE, VERSIONS, FAULTS = 200, 201, 202, 203

_STEP = 0x9E3779B97F4A7C15F39CC0605CEDC835  # 2**128 / golden ratio, odd: a full cycle that looks random
_MASK = (1 << 128) - 1


def stream(seed: int, kind: int, number: int = 0) -> Random:
    """An independent stream of numbers for one purpose (``kind`` < 256) and one patient, region or file."""
    return Random((seed << 72) | (kind << 64) | number)  # noqa: S311 -- made-up data, not secrets


def uuid(base: int, number: int) -> str:
    """The ``number``-th identifier after ``base`` (128 bits), in the form of a version 4 UUID."""
    text = f"{(base + number * _STEP) & _MASK:032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def pick(rng: Random, choices: Sequence[T]) -> T:
    """One of ``choices``, each as likely as the others."""
    return choices[int(rng.random() * len(choices))]


def between(rng: Random, low: int, high: int) -> int:
    """A whole number from ``low`` up to ``high``, both included."""
    return low + int(rng.random() * (high - low + 1))


def few(rng: Random, choices: Sequence[T], count: int) -> list[T]:
    """``count`` different ones of ``choices`` (or all, when there are fewer), in an order of their own."""
    left = list(choices)
    return [left.pop(int(rng.random() * len(left))) for _ in range(min(count, len(left)))]
