"""A sample of the rows looked at closely: `fhir.resources` validates them whole, and paths that no column reads are
counted.

Sampled by a hash of the row's id, so the choice does not depend on how files are cut. Findings are notes; only when
every
row is sampled may they refuse rows (else the tables would depend on the sample).
"""

from __future__ import annotations

import functools
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import polars as pl
from pydantic import BaseModel, ValidationError

from schemas.fhir_types import told
from schemas.records import Finding
from schemas.table import Table
from transforms.codes.displays import Displays, contradicted
from transforms.fhirpath.shape import Shape
from transforms.project import projection

_BUCKETS = 1_000_000


@dataclass(frozen=True, slots=True)
class Sampling:
    """``rate`` of rows from 0 to 1; at most ``share`` of the time is spent on them (rate 1: no limit)."""

    rate: float = 0.01
    share: float = 0.05

    @property
    def decides(self) -> bool:
        """True when every row is looked at, so that a finding may refuse a row."""
        return self.rate >= 1.0


@dataclass(slots=True)
class Sampled:
    """What the sample of a batch showed; ``invalid`` are the rows that `fhir.resources` refuses."""

    rows: int = 0
    invalid: dict[int, Finding] = field(default_factory=dict)
    unread: Counter[str] = field(default_factory=Counter)
    displays: dict[int, list[Finding]] = field(default_factory=dict)  # that a crosswalk contradicts; never a refusal


class Sampler:
    """Looks at the sampled rows of one batch after the other, on one thread, and keeps within its share of the time."""

    def __init__(self, plan: Sampling, displays: Displays | None = None) -> None:
        self.decides = plan.decides
        self._plan = plan
        self._displays = displays
        self._born = time.monotonic()
        self._used = 0.0  # seconds that the sample took

    def look(self, ids: pl.Series, payload: Callable[[int], bytes], resource_type: str, table: Table | None) -> Sampled:
        """Look at the sampled rows of a batch. ``payload`` gives a row's JSON."""
        found, plan = Sampled(), self._plan
        if plan.rate <= 0:
            return found
        chosen = range(len(ids)) if plan.decides else (ids.hash(seed=0) % _BUCKETS < plan.rate * _BUCKETS).arg_true()
        began = time.monotonic()
        deadline = began + (began - self._born) * plan.share - self._used
        valid = resource_type in _LOADED or plan.decides or deadline - began > _FIRST_USE
        for row in chosen:
            if not plan.decides and time.monotonic() > deadline:
                break
            line = payload(row)
            found.rows += 1
            finding = _validator(resource_type)(line) if valid else None
            if finding is not None:
                path, code = finding
                said = f"fhir.resources does not take it: {code}."
                found.invalid[row] = Finding(resource_type, ids[row] or "", "sample", path, code, said)
            if table is not None or self._displays is not None:
                resource = json.loads(line)
                if table is not None:
                    found.unread.update(set(unread_paths(resource, projection(table).shape)))
                if self._displays is not None and (
                    wrong := _wrong_displays(resource, resource_type, ids[row] or "", self._displays)
                ):
                    found.displays[row] = wrong
        self._used += time.monotonic() - began
        return found


def _wrong_displays(resource: object, resource_type: str, ident: str, displays: Displays) -> list[Finding]:
    paths = contradicted(resource, displays)
    return [Finding(resource_type, ident, "display", path, "display_differs", _OTHERWISE) for path in paths]


_OTHERWISE = "The crosswalk calls this code otherwise."
_FIRST_USE = 0.1  # seconds that it takes to make the model of a type
_LOADED: set[str] = set()  # types whose model is made


def unread_paths(value: object, shape: Shape, path: str = "") -> Sequence[str]:
    """Element paths of a parsed resource that a table does not read, e.g. ``photo`` or ``name.period``; lists
    count once.
    """
    if isinstance(value, list):
        return [p for item in value for p in unread_paths(item, shape, path)]
    if not isinstance(value, dict):
        return []
    paths: list[str] = []
    for key, inner in value.items():
        here = f"{path}.{told(key)}" if path else told(key)
        children = shape.variants(key)
        if key == "resourceType" and not path:
            continue
        if not children:
            paths.append(here)
        elif not any(child.reads_text() or child.as_items or child.is_leaf() for child in children):
            paths += unread_paths(inner, children[0], here)
    return paths


@functools.cache
def _validator(resource_type: str) -> Callable[[bytes], tuple[str, str] | None]:
    """The first complaint of `fhir.resources` (R4B) about a resource: where, and of what kind. Never a value."""
    from fhir.resources.R4B import get_fhir_model_class  # noqa: PLC0415 - pydantic models are slow to import

    try:
        model: type[BaseModel] = get_fhir_model_class(resource_type)
    except (KeyError, ValueError):
        return lambda _: None  # R4B dropped the type

    _LOADED.add(resource_type)

    def validate(line: bytes) -> tuple[str, str] | None:
        try:
            model.model_validate_json(line)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False, include_context=False)[0]
            return ".".join(told(part) for part in first["loc"]), str(first["type"])
        except (ValueError, TypeError, RecursionError) as error:
            return "", type(error).__name__
        return None

    return validate
