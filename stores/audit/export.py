"""The records of a trail for other programs: CSV, and FHIR R4 AuditEvents."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping

from stores.audit.chain import Values

_DICOM = "http://dicom.nema.org/resources/ontology/DCM"
_LIFECYCLE = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"
_SOURCE_TYPE = "http://terminology.hl7.org/CodeSystem/security-source-type"
_ENTITY_TYPE = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_ACTION = "urn:clinmart:audit-action"  # codes are the trail's own words for what is done
_IMPORT = ("110107", "Import")
_EXPORT = ("110106", "Export")
_QUERY = ("110112", "Query")
_ACTIVITY = ("110100", "Application Activity")
# By the first word of an action: DICOM event, FHIR action (C, R, U, D, E), lifecycle event of ISO 21089.
_KINDS: dict[str, tuple[tuple[str, str], str, tuple[str, str] | None]] = {
    "load": (_IMPORT, "C", ("receive", "Receive/Retain Record Lifecycle Event")),
    "listen": (_IMPORT, "C", ("receive", "Receive/Retain Record Lifecycle Event")),
    "consume": (_IMPORT, "C", ("receive", "Receive/Retain Record Lifecycle Event")),
    "fetch": (_IMPORT, "C", ("receive", "Receive/Retain Record Lifecycle Event")),
    "commit": (_IMPORT, "C", ("originate", "Originate/Retain Record Lifecycle Event")),
    "replay": (_IMPORT, "U", ("amend", "Amend (Update) Record Lifecycle Event")),
    "refresh": (_ACTIVITY, "U", ("transform", "Transform/Translate Record Lifecycle Event")),
    "repair": (_IMPORT, "U", ("restore", "Restore Record Lifecycle Event")),
    "publish": (_EXPORT, "R", ("transmit", "Transmit Record Lifecycle Event")),
    "deidentify": (_EXPORT, "R", ("deidentify", "De-Identify (Anononymize) Record Lifecycle Event")),
    "erase": (_ACTIVITY, "D", ("destroy", "Destroy/Delete Record Lifecycle Event")),
    "retain": (_ACTIVITY, "D", ("destroy", "Destroy/Delete Record Lifecycle Event")),
    "status": (_QUERY, "R", ("access", "Access/View Record Lifecycle Event")),
    "report": (_QUERY, "R", ("report", "Report (Output) Record Lifecycle Event")),
    "quarantine": (_QUERY, "R", ("access", "Access/View Record Lifecycle Event")),
}
_OUTCOMES = {"ok": "0", "quarantined": "4", "drained": "4"}  # else 8, serious failure
_COLUMNS = ("number", "at", "action", "phase", "outcome", "user", "uid", "host", "pid", "program", "source", "load")
_REST = ("where", "why", "re", "detail", "prev", "hash")


def csv_lines(records: Iterable[Values]) -> Iterator[str]:
    """A header, then a line for each record; nested values are JSON texts."""
    yield _csv([*_COLUMNS, *_REST])
    for one in records:
        who, where = _dict(one, "who"), _dict(one, "where")
        rest = {name: value for name, value in where.items() if name not in ("source", "load")}
        head = [one["n"], one["at"], one["action"], one["phase"], one.get("outcome"), who.get("user"), who.get("uid")]
        head += [who.get("host"), who.get("pid"), who.get("program"), where.get("source"), where.get("load")]
        yield _csv([*head, _json(rest), one.get("why"), one.get("re"), _json(_dict(one, "detail")), *_hashes(one)])


def fhir_lines(records: Iterable[Values], trail: str) -> Iterator[str]:
    """NDJSON: an AuditEvent (FHIR R4 6.4) for each record."""
    for one in records:
        yield json.dumps(audit_event(one, trail), ensure_ascii=True) + "\n"


def audit_event(record: Values, trail: str) -> dict[str, object]:
    """A record as an AuditEvent of FHIR R4; ``type`` is DICOM's, ``subtype`` the lifecycle event and our own word."""
    action = str(record["action"])
    event, kind, lifecycle = _KINDS.get(action.partition(".")[0], (_ACTIVITY, "E", None))
    who, why, outcome = _dict(record, "who"), record.get("why"), record.get("outcome")
    subtype: list[dict[str, object]] = [{"system": _ACTION, "code": action, "display": action}]
    if lifecycle is not None:
        subtype.append({"system": _LIFECYCLE, "code": lifecycle[0], "display": lifecycle[1]})
    user = str(who.get("user") or who.get("uid"))
    made: dict[str, object] = {
        "resourceType": "AuditEvent",
        "id": f"{trail[:32]}-{record['n']}",
        "type": {"system": _DICOM, "code": event[0], "display": event[1]},
        "subtype": subtype,
        "action": kind,
        "recorded": record["at"],
        "outcome": "0" if outcome is None else _OUTCOMES.get(str(outcome), "8"),
        "outcomeDesc": f"{record['phase']}: {outcome}" if outcome else str(record["phase"]),
        "agent": [
            {
                "type": {"coding": [{"system": _DICOM, "code": "110153", "display": "Source Role ID"}]},
                "who": {"identifier": {"value": str(who.get("uid"))}, "display": user},
                "name": user,
                "requestor": True,
                "network": {"address": str(who.get("host")), "type": "1"},
            },
            {
                "type": {"coding": [{"system": _DICOM, "code": "110150", "display": "Application"}]},
                "who": {"display": str(who.get("program"))},
                "altId": str(who.get("pid")),
                "requestor": False,
            },
        ],
        "source": {
            "site": str(who.get("host")),
            "observer": {"display": str(who.get("program"))},
            "type": [{"system": _SOURCE_TYPE, "code": "4", "display": "Application Server"}],
        },
        "entity": [_entity(record, trail)],
    }
    if why is not None:
        made["purposeOfEvent"] = [{"text": why}]
    return made


def _entity(record: Values, trail: str) -> dict[str, object]:
    """What it was done to, with all else that the record says as details."""
    where = _dict(record, "where")
    told = {**where, "detail": _json(_dict(record, "detail")), "re": record.get("re"), "prev": record["prev"]}
    told |= {"hash": record["hash"]}
    kind = "load" if "load" in where else "name"
    name = where.get("load") or where.get("table") or where.get("view") or trail
    return {
        "what": {"identifier": {"system": f"urn:clinmart:{kind}", "value": str(name)}},
        "type": {"system": _ENTITY_TYPE, "code": "2", "display": "System Object"},
        "detail": [{"type": key, "valueString": str(value)} for key, value in told.items() if value not in (None, "")],
    }


def _csv(values: list[object]) -> str:
    made = io.StringIO()
    csv.writer(made, lineterminator="\n").writerow(["" if value is None else value for value in values])
    return made.getvalue()


def _json(value: Mapping[str, object]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":")) if value else ""


def _hashes(record: Values) -> tuple[object, object]:
    return record["prev"], record["hash"]


def _dict(record: Values, name: str) -> dict[str, object]:
    value = record.get(name)
    return value if isinstance(value, dict) else {}
