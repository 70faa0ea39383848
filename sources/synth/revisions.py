"""Later versions of records: the same id, a greater versionId and lastUpdated, other content."""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import Random

from sources.synth.clock import DAY, HOUR, Zone, moment
from sources.synth.render import concept

_META = re.compile(r'"meta":\{"versionId":"(\d+)","lastUpdated":"[^"]+"\},')
_HEAD = re.compile(r'\{"resourceType":"\w+","id":"[^"]+",')
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"

# What a later version says instead; a type or record without one of these gains a language.
_CHANGES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "Patient": (('"use":"home"},{"system":"email"', '"use":"mobile"},{"system":"email"'),),
    "Observation": (
        ('"status":"final"', '"status":"corrected"'),
        ('"status":"preliminary"', '"status":"final"'),
    ),
    "DiagnosticReport": (('"status":"final"', '"status":"corrected"'),),
    "Encounter": (('"status":"unknown"', '"status":"finished"'), ('"use":"official"', '"use":"usual"')),
    "Condition": (
        (concept(_CLINICAL, "active", "Active"), concept(_CLINICAL, "inactive", "Inactive")),
        (concept(_CLINICAL, "remission", "Remission"), concept(_CLINICAL, "resolved", "Resolved")),
    ),
    "MedicationRequest": (('"status":"active"', '"status":"completed"'),),
    "Claim": (('"status":"active"', '"status":"cancelled"'),),
    "Coverage": (('"status":"active"', '"status":"cancelled"'),),
    "Organization": (('"active":true', '"active":false'),),
    "Practitioner": (('"active":true', '"active":false'),),
}


def revised(lines: list[str], kind: str, share: float, rng: Random, now: int) -> tuple[list[str], int]:
    """The lines with later versions of a ``share`` of them, and how many of these there are.

    Most later versions come at the end, after what they replace; a quarter comes just before it.
    """
    given: list[str] = []
    after: list[str] = []
    for line in lines:
        chance = rng.random()
        if chance >= share:
            given.append(line)
        elif chance < share / 4:
            given += [_later(line, kind, rng, now), line]
        else:
            given.append(line)
            after.append(_later(line, kind, rng, now))
    return given + after, len(given) + len(after) - len(lines)


def _later(line: str, kind: str, rng: Random, now: int) -> str:
    """A version of the record from the last two days before the export."""
    at = now - 2 * DAY + HOUR + int(rng.random() * 46 * HOUR)
    zone = (Zone.UTC, Zone.EASTERN, Zone.INDIA)[int(rng.random() * 3)]
    found = _META.search(line, 0, 300)
    if found:
        meta = f'"meta":{{"versionId":"{int(found[1]) + 1}","lastUpdated":"{moment(at, zone)}"}},'
        line = line[: found.start()] + meta + line[found.end() :]
    for old, new in _CHANGES.get(kind, ()):
        if old in line:
            return line.replace(old, new, 1)
    head = _HEAD.match(line)
    end = head.end() if head else 1
    return f'{line[:end]}"language":"en-US",{line[end:]}'
