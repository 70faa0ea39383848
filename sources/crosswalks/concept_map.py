"""A crosswalk as a FHIR ConceptMap in JSON: R4 (4.10) and STU3 with `equivalence`, R5 with `relationship`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.code_systems import system_of_value_set
from schemas.crosswalk import CLOSENESS, FIXED, PROVIDED, UNMATCHED, Closeness
from sources.crosswalks.rows import ReadMap, Row, fault, shown, system_of

_SCOPES = {"source": ("sourceUri", "sourceCanonical", "sourceScopeUri", "sourceScopeCanonical"),
           "target": ("targetUri", "targetCanonical", "targetScopeUri", "targetScopeCanonical")}  # fmt: skip
_STU3_DEFAULT = "equivalent"  # STU3 4.7.16: default value of `equivalence`; R4 and R5 have none
# R4 and STU3 `unmapped.mode` (conceptmap-unmapped-mode), R5's name for the same in the second place.
_FIXED, _PROVIDED, _OTHER = ("fixed",), ("provided", "use-source-code"), ("other-map",)


def read_concept_map(uri: str, place: str, resource: Mapping[str, Any]) -> ReadMap:
    """The rows of a ConceptMap; ``place`` is its JSON path. UsageError for the first thing that is not right."""
    json = _Json(uri)
    read = ReadMap(json.text(resource, "url", place), json.text(resource, "version", place))
    for at, group in json.items(resource, "group", place):
        _group(_Group.of(json, resource, group, at), read)
    if not read.rows and not read.others:
        if "element" in resource or "concept" in resource:
            raise fault(uri, place, "is a ConceptMap of DSTU2 or older: convert it to R4, which has `group`")
        raise fault(uri, f"{place}.group", "the map maps nothing: give it a group with elements")
    return read


@dataclass(frozen=True, slots=True)
class _Json:
    """Takes parsed JSON apart; what is of another type than FHIR says is a fault of the file ``uri``."""

    uri: str

    def text(self, thing: Mapping[str, Any], key: str, place: str) -> str | None:
        """A text that is not empty, or None."""
        value = thing.get(key)
        if value is None:
            return None
        if not isinstance(value, str) or not value.strip():
            said = shown(value) if isinstance(value, str) else f"a {type(value).__name__}"
            raise fault(self.uri, f"{place}.{key}", f"is {said}: give a text, or leave it out")
        return value

    def code(self, thing: Mapping[str, Any], key: str, place: str) -> str | None:
        """A text without spaces around it, or None."""
        value = self.text(thing, key, place)
        if value is not None and value != value.strip():
            raise fault(self.uri, f"{place}.{key}", f"{shown(value)} has spaces around it: take them away")
        return value

    def items(self, thing: Mapping[str, Any], key: str, place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The objects of a list, each with its place."""
        value = thing.get(key, [])
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise fault(self.uri, f"{place}.{key}", "is no list: FHIR has one here, in brackets")
        for number, item in enumerate(value):
            at = f"{place}.{key}[{number}]"
            if not isinstance(item, Mapping):
                raise fault(self.uri, at, "is no object: FHIR has one here, in braces")
            yield at, item


@dataclass(frozen=True, slots=True)
class _Group:
    """A group with its systems; ``default`` is the equivalence of targets that give none."""

    json: _Json
    place: str
    body: Mapping[str, Any]
    source: tuple[str, str | None]
    target: tuple[str | None, str | None]
    default: str | None

    @classmethod
    def of(cls, json: _Json, resource: Mapping[str, Any], body: Mapping[str, Any], place: str) -> _Group:
        """The group; a system that it does not name is that of the map's value set, where that is of one system."""
        source, target = (_system(json, resource, body, place, end) for end in ("source", "target"))
        if source is None:
            raise fault(json.uri, f"{place}.source", "the group names no source system, without which a code has no "
                        "meaning: write the system's URI there")  # fmt: skip
        stu3 = "sourceReference" in resource or "targetReference" in resource  # R4 has neither
        return cls(json, place, body, source, target or (None, None), _STU3_DEFAULT if stu3 else None)


def _system(
    json: _Json, resource: Mapping[str, Any], group: Mapping[str, Any], place: str, end: str
) -> tuple[str, str | None] | None:
    named = json.code(group, end, place)
    if named is None:
        scopes = (resource.get(key) for key in _SCOPES[end])
        scope = next((scope for scope in scopes if isinstance(scope, str)), None)
        named = None if scope is None else system_of_value_set(scope)
        if named is None:
            return None
    system, version = system_of(named)
    return system, json.text(group, f"{end}Version", place) or version


def _group(group: _Group, read: ReadMap) -> None:
    json = group.json
    for place, element in json.items(group.body, "element", group.place):
        code = json.code(element, "code", place)
        if code is None:
            what = "maps a whole value set" if "valueSet" in element else "has no code"
            raise fault(json.uri, place, f"{what}: give the code of each concept that is mapped")
        display = json.text(element, "display", place)
        targets = list(json.items(element, "target", place))
        if element.get("noMap") is True:  # R5
            if targets:
                raise fault(json.uri, place, "says noMap and has targets: keep one of them")
            read.rows.append(_row(group, place, code, display, None, None, UNMATCHED))
        elif not targets:  # no statement, so that `unmapped` decides (R4 ConceptMap.group.unmapped)
            read.rows.append(_row(group, place, code, display, None, None, None))
        read.rows += [_target(group, at, code, display, target) for at, target in targets]
    if "unmapped" in group.body:
        _unmapped(group, read)


def _target(group: _Group, place: str, code: str, display: str | None, target: Mapping[str, Any]) -> Row:
    json = group.json
    relation = json.text(target, "relationship", place) or json.text(target, "equivalence", place) or group.default
    if relation is None:
        raise fault(json.uri, place, "the target has no equivalence (R5: relationship), so what it is worth is not "
                    "known: add it")  # fmt: skip
    closeness = CLOSENESS.get(relation)
    if closeness is None:
        key = "relationship" if "relationship" in target else "equivalence"
        known = ", ".join(CLOSENESS)
        raise fault(json.uri, f"{place}.{key}", f"{shown(relation)} is not known: give one of {known}")
    to = json.code(target, "code", place)
    if closeness is not Closeness.NONE:
        if to is None:
            raise fault(json.uri, place, f"the target is {relation} and has no code: give it, or say unmatched")
        if group.target[0] is None:
            raise fault(json.uri, f"{group.place}.target", "the group names no target system, without which a code has "
                        "no meaning: write the system's URI there")  # fmt: skip
    conditional = bool(target.get("dependsOn") or target.get("product"))
    return _row(group, place, code, display, to, json.text(target, "display", place), relation, conditional)


def _unmapped(group: _Group, read: ReadMap) -> None:
    """What the group gives for codes that it does not list (R4 ConceptMap.group.unmapped)."""
    json, place = group.json, f"{group.place}.unmapped"
    unmapped = group.body["unmapped"]
    if not isinstance(unmapped, Mapping):
        raise fault(json.uri, place, "is no object: FHIR has one here, in braces")
    mode = json.text(unmapped, "mode", place)
    if mode in _OTHER:
        url = json.text(unmapped, "otherMap", place) or json.text(unmapped, "url", place)  # R5, R4
        if url is None:
            raise fault(json.uri, place, "the mode is other-map and no url says which: give it")
        read.others.append((url, place))
        return
    if mode not in (*_FIXED, *_PROVIDED):
        said = "is missing" if mode is None else f"{shown(mode)} is not known"
        raise fault(json.uri, f"{place}.mode", f"{said}: give fixed, provided (R5: use-source-code) or other-map")
    code = json.code(unmapped, "code", place)
    if mode in _FIXED and code is None:
        raise fault(json.uri, place, "the mode is fixed and there is no code: give it")
    if group.target[0] is None:
        raise fault(json.uri, f"{group.place}.target", "the group names no target system, without which a code has no "
                    "meaning: write the system's URI there")  # fmt: skip
    to = code if mode in _FIXED else None
    display = json.text(unmapped, "display", place) if to else None
    read.rows.append(_row(group, place, None, None, to, display, FIXED if mode in _FIXED else PROVIDED))


def _row(
    group: _Group,
    place: str,
    code: str | None,
    display: str | None,
    to: str | None,
    to_display: str | None,
    relation: str | None,
    conditional: bool = False,
) -> Row:
    return Row(place, *group.source, code, display, *group.target, to, to_display, relation, conditional)
