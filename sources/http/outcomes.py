"""What may be told of an OperationOutcome: its code, one of a fixed list. Its texts may name patients."""

from __future__ import annotations

import json

# IssueType (FHIR R4, valueset-issue-type): transient and what is below it
PASSING_ISSUES = frozenset({"transient", "lock-error", "no-store", "exception", "timeout", "incomplete", "throttled"})
_ISSUES = PASSING_ISSUES | frozenset(
    {
        "invalid",
        "structure",
        "required",
        "value",
        "invariant",
        "security",
        "login",
        "unknown",
        "expired",
        "forbidden",
        "suppressed",
        "processing",
        "not-supported",
        "duplicate",
        "multiple-matches",
        "not-found",
        "deleted",
        "too-long",
        "code-invalid",
        "extension",
        "too-costly",
        "business-rule",
        "conflict",
        "informational",
    }
)


def issue_code(body: bytes) -> str | None:
    """The code of the first issue; None for what is no OperationOutcome, or has another code than FHIR's."""
    if b"OperationOutcome" not in body:
        return None
    try:
        code = json.loads(body)["issue"][0]["code"]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return None
    return code if isinstance(code, str) and code in _ISSUES else None
