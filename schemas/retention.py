"""How long classes of data are kept, and what is held longer."""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

# What is signed and chained is kept as long as HIPAA asks for documentation: six years (45 CFR 164.316(b)(2)(i)).
AUDIT_MINIMUM_YEARS = 6


class DataClass(StrEnum):
    """What a policy is about."""

    RECORDS = "records"  # current rows
    HISTORY = "history"  # earlier versions
    QUARANTINE = "quarantine"  # refused lines, with their payload
    LANDING = "landing"  # raw files of exports that were loaded
    STAGED = "staged"  # what a dead load left in the staging area
    LOGS = "logs"  # findings and counts of loads, logs of the database that were set aside
    MESSAGES = "messages"  # payloads of HL7 v2 messages that listeners took in
    PUBLISHED = "published"  # Parquet folders that were not published anew
    AUDIT = "audit"  # the audit trail: never shorter than its minimum, and never cut by clinmart


class Since(StrEnum):
    """From when the age of a record counts."""

    RESOURCE = "resource"  # `meta.lastUpdated` of the row
    LOAD = "load"  # the start of the load that brought it


@dataclass(frozen=True, slots=True)
class Age:
    """An age in calendar units. ``text`` is as it was written."""

    months: int
    days: int
    text: str

    def before(self, now: datetime) -> datetime:
        """The instant that many months and days before ``now``; what lies before it is older. The day of a month that
        has fewer is its last one.
        """
        total = now.year * 12 + now.month - 1 - self.months
        year, month = divmod(total, 12)
        day = min(now.day, calendar.monthrange(year, month + 1)[1])
        return now.replace(year=year, month=month + 1, day=day) - timedelta(days=self.days)


@dataclass(frozen=True, slots=True)
class HeldBy:
    """A legal hold, of a class of data, of a source, of a patient by token; None: of any."""

    why: str
    data_class: DataClass | None = None
    source: str | None = None
    token: bytes | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """By class how long it is kept, for what is named at all: all else is kept."""

    ages: Mapping[DataClass, Age]
    since: Since = Since.RESOURCE
    holds: tuple[HeldBy, ...] = field(default=())
