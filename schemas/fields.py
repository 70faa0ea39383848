"""How an element is declared, and what repeated and single data types hold unless a table says otherwise."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Field:
    """One declared element. ``path`` is the JSON name, dotted through parents, or the base of a choice (``value``)."""

    path: str
    name: str | None = None
    label: str | None = None
    prefer: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()  # of a backbone element
    table: str | None = None  # child table, one row per item
    json: bool = False
    phi: bool = False
    minimum: float | None = None
    plural: str | None = None  # name of the list of all items


def field(
    path: str,
    *fields: str | Field,
    name: str | None = None,
    label: str | None = None,
    prefer: tuple[str, ...] = (),
    table: str | None = None,
    json: bool = False,
    phi: bool = False,
    minimum: float | None = None,
    plural: str | None = None,
) -> Field:
    """Declare one element; ``fields`` are those of a backbone element, by name or declared themselves."""
    return Field(path, name, label, prefer, _declared(fields), table, json, phi, minimum, plural)


def _declared(fields: tuple[str | Field, ...]) -> tuple[Field, ...]:
    return tuple(f if isinstance(f, Field) else Field(f) for f in fields)


_TIMING = (
    "event",
    "code",
    field("repeat.bounds", name="bounds"),
    field("repeat.count", name="count"),
    field("repeat.countMax", name="count_max"),
    field("repeat.duration", name="duration"),
    field("repeat.durationMax", name="duration_max"),
    field("repeat.durationUnit", name="duration_unit"),
    field("repeat.frequency", name="frequency"),
    field("repeat.frequencyMax", name="frequency_max"),
    field("repeat.period", name="period"),
    field("repeat.periodMax", name="period_max"),
    field("repeat.periodUnit", name="period_unit"),
    field("repeat.dayOfWeek", name="day_of_week"),
    field("repeat.timeOfDay", name="time_of_day"),
    field("repeat.when", name="when"),
    field("repeat.offset", name="offset"),
)

# What the items of repeated data types hold.
ITEM_FIELDS: dict[str, tuple[Field, ...]] = {
    "Identifier": _declared(("use", "type", "system", "value", "period", "assigner")),
    "HumanName": _declared(("use", "text", "family", "given", "prefix", "suffix", "period")),
    "Address": _declared(
        ("use", "type", "text", "line", "city", "district", "state", "postalCode", "country", "period")
    ),
    "ContactPoint": _declared(("system", "value", "use", "rank", "period")),
    "Annotation": _declared((field("text", phi=True), "time", "author")),
    "Attachment": _declared(("contentType", "language", "url", "title", "size", "hash", "creation")),
    "Period": _declared(("start", "end")),
    "Quantity": _declared(("value", "comparator", "unit", "system", "code")),
    "Signature": _declared(("type", "when", "who", "onBehalfOf", "targetFormat", "sigFormat")),
    "Dosage": _declared(
        (
            "sequence",
            "text",
            "additionalInstruction",
            "patientInstruction",
            field("timing", *_TIMING),
            "asNeeded",
            "site",
            "route",
            "method",
            field("doseAndRate.dose", name="dose"),
            field("doseAndRate.rate", name="rate"),
            field("doseAndRate", "type", "dose", "rate", plural="doses_and_rates"),
            "maxDosePerPeriod",
            "maxDosePerAdministration",
            "maxDosePerLifetime",
        )
    ),
}

# What stands in the row for the first item of a repeated data type.
PRIMARY_FIELDS: dict[str, tuple[Field, ...]] = {
    "Identifier": _declared(("system", "value")),
    "HumanName": _declared(("use", "text", "family", "given")),
    "Address": _declared(("line", "city", "district", "state", "postalCode", "country")),
    "Annotation": _declared((field("text", phi=True),)),
    "Attachment": _declared(("contentType", "url", "title")),
    "Dosage": _declared(("text", "asNeeded", "route", field("doseAndRate.dose", name="dose"))),
}

# What stands in the row, or in the item, for a single one.
SINGLE_FIELDS: dict[str, tuple[Field, ...]] = {
    "Identifier": _declared(("system", "value")),
    "HumanName": _declared(("text", "family", "given")),
    "Address": _declared(("line", "city", "district", "state", "postalCode", "country")),
    "Attachment": _declared(("contentType", "url", "title", "size")),
    "Annotation": _declared((field("text", phi=True),)),
    "ContactPoint": _declared(("system", "value")),
}
