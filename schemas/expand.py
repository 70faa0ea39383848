"""FHIR data types as columns: which reads an element of a type needs and which columns it becomes.

Each function returns ``(reads, columns)`` parts or whole elements; names follow the mart's contract:
``x_at/x_date/x_precision/x_offset`` for times, ``x``, ``x_system``, ``x_display`` for codes, ``x_number`` ... for
quantities.
"""

from __future__ import annotations

from schemas.naming import harmonized_names
from schemas.table import CODING_MARK, INVALID, MAPPED, MAPPED_SYSTEM, Column, Element, Kind, Mode, Read

TIME_TYPES = ("date", "dateTime", "instant")
QUANTITY_TYPES = ("Quantity", "Age", "Duration", "Count", "Distance", "SimpleQuantity")
WHOLE_TYPES = ("integer", "positiveInt", "unsignedInt")
PLAIN_DTYPES = {"boolean": "BOOLEAN", "decimal": "DOUBLE"} | dict.fromkeys(WHOLE_TYPES, "BIGINT")
CODING_FIELDS = (
    Read("system", ("system",)),
    Read("code", ("code",)),
    Read("display", ("display",)),
)
CODINGS_DTYPE = "STRUCT(system VARCHAR, code VARCHAR, display VARCHAR, text VARCHAR)[]"


def time_element(
    name: str, paths: tuple[str, ...], fhir_type: str, *, label: str, required: bool = False, phi: bool = False
) -> Element:
    """A `date`, `dateTime` or `instant` (FHIR R4 2.24.0.1): one text read, four columns."""
    path = paths[0]
    return Element(
        name=name,
        path=path,
        fhir_type=fhir_type,
        kind=Kind.TIME,
        reads=(Read(name, paths),),
        columns=(
            Column(
                f"{name}_at",
                "TIMESTAMP WITH TIME ZONE",
                f"{label}: instant in UTC, null unless sent as one.",
                path,
                phi=phi,
            ),
            Column(
                f"{name}_date",
                "DATE",
                f"{label}: calendar date as sent; first day of a partial date.",
                path,
                required=required,
                phi=phi,
            ),
            Column(
                f"{name}_precision",
                "VARCHAR",
                f"{label}: precision sent (year, month, day, second or fraction).",
                path,
            ),
            Column(f"{name}_offset", "SMALLINT", f"{label}: offset from UTC as sent, in minutes.", path),
        ),
        time_type=fhir_type,
    )


def times_element(name: str, path: str, fhir_type: str, item: str, *, label: str) -> Element:
    """A repeated `date`, `dateTime` or `instant`: a list of structs with the four columns of a time, called after
    ``item``.
    """
    one = time_element(item, ("$this",), fhir_type, label=label)
    struct = ", ".join(f'"{c.name}" {c.dtype}' for c in one.columns)
    return Element(
        name=name,
        path=path,
        fhir_type=fhir_type,
        kind=Kind.ITEMS,
        reads=(Read(name, (path,), Mode.ITEMS, fields=one.reads),),
        columns=(Column(name, f"STRUCT({struct})[]", f"{label}: all times, in the order sent.", path),),
        children=(one,),
    )


def reference_element(
    name: str,
    path: str,
    targets: tuple[str, ...],
    *,
    label: str,
    present: str | None = None,
    type_column: str | None = None,
) -> Element:
    """A `Reference` (FHIR R4 2.3.0): ids by the mart's contract, the text only where no id can be told."""
    patient = "patient_id" if name in ("patient", "subject") and (not targets or "Patient" in targets) else None
    if patient is None and targets == ("Patient",):
        patient = f"{name}_id"
    encounter = f"{name}_id" if targets == ("Encounter",) else None
    if name == "context" and "Encounter" in targets:
        encounter = "encounter_id"
    columns = []
    if patient:
        columns.append(Column(patient, "VARCHAR", f"{label}: id of the patient.", path, phi=True))
    if encounter:
        columns.append(Column(encounter, "VARCHAR", f"{label}: id of the encounter.", path))
    if targets not in (("Patient",), ("Encounter",)):
        if len(targets) != 1:
            columns.append(
                Column(type_column or f"{name}_type", "VARCHAR", f"{label}: resource type referred to.", path)
            )
        columns.append(Column(f"{name}_id", "VARCHAR", f"{label}: id of the resource referred to.", path))
    columns += [
        Column(f"{name}_reference", "VARCHAR", f"{label}: text of a reference that gives no id.", path, phi=True),
        Column(f"{name}_display", "VARCHAR", f"{label}: name shown for it, as sent.", path, phi=True),
    ]
    return Element(
        name=name,
        path=path,
        fhir_type="Reference",
        kind=Kind.REFERENCE,
        reads=(
            Read(f"{name}~reference", (f"{path}.reference",)),
            Read(f"{name}~type", (f"{path}.type",)),
            Read(f"{name}~identifier", (f"{path}.identifier.value",)),
            Read(f"{name}_display", (f"{path}.display",)),
        ),
        columns=tuple(columns),
        present=present,
        patient=patient,
        encounter=encounter,
        targets=targets,
    )


def coding_element(
    name: str,
    path: str,
    fhir_type: str,
    *,
    label: str,
    many: bool = False,
    prefer: tuple[str, ...] = (),
    codes: tuple[str, ...] = (),
    present: str | None = None,
    code: str | None = None,
) -> Element:
    """A `Coding` or `CodeableConcept` (FHIR R4 2.24.0.4, 2.24.0.5), or a list of either.

    ``code`` is the column that takes the code, ``name`` unless told otherwise (choice elements call it ``x_code``).
    """
    code = code or name
    reads = [Read(f"{name}{CODING_MARK}", (path,), Mode.CODING, prefer=prefer)]
    columns = [
        Column(code, "VARCHAR", f"{label}: code of the preferred coding, else of the first sent.", path, codes=codes),
        Column(f"{code}_system", "VARCHAR", f"{label}: code system of that code, its canonical URI.", path),
        Column(f"{code}_display", "VARCHAR", f"{label}: display of that code, as sent.", path),
        Column(f"{code}{MAPPED}", "VARCHAR", f"{label}: the code that the load's crosswalk gives.", path),
        Column(f"{code}{MAPPED_SYSTEM}", "VARCHAR", f"{label}: code system of the code given.", path),
    ]
    if fhir_type == "CodeableConcept":
        text, whose = (f"{path}.text.first()", "the first concept") if many else (f"{path}.text", "the concept")
        reads.append(Read(f"{name}_text", (text,)))
        columns.append(Column(f"{name}_text", "VARCHAR", f"{label}: text of {whose}.", path))
    if fhir_type == "CodeableConcept" or many:
        reads.append(Read(f"{name}_codings", (path,), Mode.CODINGS))
        columns.append(Column(f"{name}_codings", CODINGS_DTYPE, f"{label}: all codings.", path))
    return Element(
        name=name,
        path=path,
        fhir_type=fhir_type,
        kind=Kind.CODING,
        reads=tuple(reads),
        columns=tuple(columns),
        present=present,
    )


def quantity_parts(name: str, paths: tuple[str, ...], *, label: str) -> tuple[list[Read], list[Column]]:
    """A `Quantity` (FHIR R4 2.24.0.7): number, digits as sent, comparator and unit."""
    path = paths[0]
    reads = [
        Read(f"{name}_number", tuple(f"{p}.value" for p in paths), dtype="DOUBLE"),
        Read(f"{name}_literal", tuple(f"{p}.value" for p in paths), Mode.LITERAL),
        Read(f"{name}_comparator", tuple(f"{p}.comparator" for p in paths)),
        Read(f"{name}_unit", tuple(f"{p}.unit" for p in paths)),
        Read(f"{name}_unit_code", tuple(f"{p}.code" for p in paths)),
        Read(f"{name}_unit_system", tuple(f"{p}.system" for p in paths)),
    ]
    columns = [
        Column(f"{name}_number", "DOUBLE", f"{label}: number.", path),
        Column(f"{name}_literal", "VARCHAR", f"{label}: digits as sent.", path),
        Column(
            f"{name}_comparator",
            "VARCHAR",
            f"{label}: the number is a bound (<, <=, >=, >), not a measurement.",
            path,
            codes=("<", "<=", ">=", ">"),
        ),
        Column(f"{name}_unit", "VARCHAR", f"{label}: unit as people read it.", path),
        Column(f"{name}_unit_code", "VARCHAR", f"{label}: unit as a code.", path),
        Column(f"{name}_unit_system", "VARCHAR", f"{label}: system of the unit's code.", path),
        *_harmonized(name, path, label),
    ]
    return reads, columns


def _harmonized(name: str, path: str, label: str) -> list[Column]:
    """What the normaliser adds to a quantity; nothing is read for it."""
    names = harmonized_names(name)
    return [
        Column(names.value, "DOUBLE", f"{label}: number in the harmonised unit; null where that needs a guess.", path),
        Column(names.unit, "VARCHAR", f"{label}: the harmonised unit, UCUM.", path),
        Column(
            names.status,
            "VARCHAR",
            f"{label}: the unit is ucum, mapped, ambiguous, not_a_unit, unknown, absent or incompatible.",
            path,
        ),
    ]


def money_parts(name: str, paths: tuple[str, ...], *, label: str) -> tuple[list[Read], list[Column]]:
    """A `Money` (FHIR R4 2.24.0.11): amount, digits as sent, currency."""
    path = paths[0]
    values = tuple(f"{p}.value" for p in paths)
    return (
        [
            Read(f"{name}_number", values, dtype="DOUBLE"),
            Read(f"{name}_literal", values, Mode.LITERAL),
            Read(f"{name}_currency", tuple(f"{p}.currency" for p in paths)),
        ],
        [
            Column(f"{name}_number", "DOUBLE", f"{label}: amount.", path),
            Column(f"{name}_literal", "VARCHAR", f"{label}: digits of the amount as sent.", path),
            Column(f"{name}_currency", "VARCHAR", f"{label}: currency (ISO 4217).", path),
        ],
    )


def bounds_parts(
    name: str, path: str, ends: tuple[str, str], names: tuple[str, str], *, label: str
) -> tuple[list[Read], list[Column]]:
    """A `Range` or `Ratio`: two numbers with their units."""
    reads, columns = [], []
    for end, called in zip(ends, names, strict=True):
        reads += [
            Read(f"{name}_{called}", (f"{path}.{end}.value",), dtype="DOUBLE"),
            Read(f"{name}_{called}_unit", (f"{path}.{end}.code", f"{path}.{end}.unit")),
        ]
        columns += [
            Column(f"{name}_{called}", "DOUBLE", f"{label}: {called} number.", path),
            Column(f"{name}_{called}_unit", "VARCHAR", f"{label}: unit of the {called} number.", path),
        ]
    return reads, columns


def plain(
    name: str, path: str, fhir_type: str, reads: list[Read], columns: list[Column], *, quantity: str = ""
) -> Element:
    """An element whose columns are what was read; those of a ``quantity`` get harmonised ones beside them, and a `time`
    (FHIR R4 2.24.0.1) is checked too.
    """
    kind = Kind.CLOCK if fhir_type == "time" else Kind.PLAIN
    return Element(name, path, fhir_type, kind, tuple(reads), tuple(columns), quantity=quantity)


def invalid_flag(name: str) -> str:
    """The raw boolean that says that the time ``name`` as sent is none."""
    return INVALID + name
