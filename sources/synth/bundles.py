"""Writes a plan as FHIR Bundles, one for each patient, in which references are ``urn:uuid``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from schemas.errors import UsageError
from sources.synth.clock import Zone, moment
from sources.synth.draws import uuid
from sources.synth.ndjson import sink
from sources.synth.plan import SynthPlan
from sources.synth.records import batches
from sources.synth.write import empty_folder

_HEAD = re.compile(r'\{"resourceType":"(\w+)","id":"([^"]+)"')
_REFERENCE = re.compile(r'"reference":"[A-Za-z]+/([0-9a-f-]{36})"')
_BUNDLES = 0x6275_6E64_6C65_7300_0000_0000_0000_0000  # the beginning of the Bundles' own ids


def write_bundles(plan: SynthPlan, folder: Path) -> tuple[Path, ...]:
    """Write the records that :func:`sources.synth.write_synth` writes as Bundles, and return the files.

    ``patient.000000.json`` and so on hold a patient and, so that every reference resolves, the organizations,
    places and people of the region: collections and transactions (PUT) in turn. The Groups of a region, which
    name patients of many Bundles, follow in ``group.000.json`` with relative references.

    Raises :class:`schemas.errors.UsageError` for a plan with ``dirty``, ``versions``, ``size`` or
    ``file_bytes``, which Bundles do not have, and when ``folder`` holds anything already.
    """
    if plan.dirty or plan.versions or plan.size or plan.file_bytes:
        raise UsageError("Bundles have no faults, later versions, size or parts: leave these out of the plan")
    empty_folder(folder)
    suffix = f".json.{plan.compress}" if plan.compress else ".json"
    written: list[Path] = []
    region: Mapping[str, list[str]] = {}
    groups = 0
    for batch in batches(plan, lambda patients: patients >= plan.patients):
        if batch.index is None and "Group" not in batch.lines:
            region = batch.lines
            continue
        kind = "transaction" if (batch.index or 0) % 2 else "collection"
        if batch.index is None:
            name, lines = f"group.{groups:03d}", batch.lines["Group"]
            groups += 1
        else:
            name = f"patient.{batch.index:06d}"
            lines = _within([line for part in (region, batch.lines) for own in part.values() for line in own])
        path = folder / (name + suffix)
        with closing(sink(path, plan.compress)) as file:
            file.write(_bundle(plan, len(written), kind, lines).encode())
        written.append(path)
    return tuple(written)


def _within(lines: list[str]) -> list[str]:
    """The resources, with ``urn:uuid`` references to those that are among them."""
    known = {found[2] for line in lines if (found := _HEAD.match(line))}

    def refer(found: re.Match[str]) -> str:
        return f'"reference":"urn:uuid:{found[1]}"' if found[1] in known else found[0]

    return [_REFERENCE.sub(refer, line) for line in lines]


def _entries(lines: list[str], transaction: bool) -> list[str]:
    """The resources as Bundle entries; in a transaction each with its request (bdl-3)."""
    entries = []
    for line in lines:
        head = _HEAD.match(line)
        if head is None:
            raise AssertionError("every record begins with its type and id")
        request = f',"request":{{"method":"PUT","url":"{head[1]}/{head[2]}"}}' if transaction else ""
        entries.append(f'{{"fullUrl":"urn:uuid:{head[2]}","resource":{line}{request}}}')
    return entries


def _bundle(plan: SynthPlan, number: int, kind: str, lines: list[str]) -> str:
    """The Bundle, one entry a line."""
    entries = _entries(lines, kind == "transaction")
    return (
        f'{{"resourceType":"Bundle","id":"{uuid(_BUNDLES + plan.seed, number)}","type":"{kind}",'
        f'"timestamp":"{moment(plan.now(), Zone.UTC)}","entry":[\n' + ",\n".join(entries) + "\n]}\n"
    )
