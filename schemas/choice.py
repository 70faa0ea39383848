"""Choice elements (``value[x]``): one set of columns for all the types that R4 allows there.

``value_type`` says which type was sent; the columns are filled by kind: ``x_number``, ``x_code``, ``x_text``,
``x_boolean``,
``x_at`` ..., ``x_low``, ``x_high``, ``x_numerator``, ``x_denominator``, ``x_json`` for what has no columns of its own.
"""

from __future__ import annotations

from schemas import fhir_types
from schemas.expand import (
    CODINGS_DTYPE,
    QUANTITY_TYPES,
    TIME_TYPES,
    WHOLE_TYPES,
    bounds_parts,
    coding_element,
    money_parts,
    plain,
    quantity_parts,
    reference_element,
    time_element,
    times_element,
)
from schemas.table import Column, Element, Kind, Mode, Read

MANY_MARK = "#"  # "#value": a raw boolean, true where more than one type was sent

# Choices of which one must be there (FHIR R4: min = 1), which the JSON schema cannot say.
REQUIRED: frozenset[tuple[str, str]] = frozenset(
    {
        ("Claim.diagnosis", "diagnosis"),
        ("Claim.procedure", "procedure"),
        ("Coverage.costToBeneficiary", "value"),
        ("ExplanationOfBenefit.diagnosis", "diagnosis"),
        ("ExplanationOfBenefit.procedure", "procedure"),
        ("Group.characteristic", "value"),
        ("Immunization", "occurrence"),
        ("Immunization.protocolApplied", "doseNumber"),
        ("Medication.ingredient", "item"),
        ("MedicationAdministration", "effective"),
        ("MedicationAdministration", "medication"),
        ("MedicationDispense", "medication"),
        ("MedicationRequest", "medication"),
        ("MedicationRequest.substitution", "allowed"),
        ("MedicationStatement", "medication"),
    }
)

_TEXT_TYPES = ("string", "markdown", "uri", "url", "canonical", "time", "id", "oid", "uuid", "base64Binary")


def choice_elements(
    name: str,
    path: str,
    parent: str,
    base: str,
    *,
    label: str,
    prefer: tuple[str, ...] = (),
    required: bool = False,
) -> list[Element]:
    """The elements that ``base[x]`` of ``parent`` becomes: its type first, then the parts by kind.

    ``required``: the choice stands where it must be, if R4 says so of it at all.
    """
    choices = fhir_types.choices(parent, base)
    at = {c.type: path.removesuffix(base) + c.name for c in choices}
    paths = tuple(at.values())
    head = Element(
        name=f"{name}_type",
        path=path,
        fhir_type="choice",
        kind=Kind.PLAIN,
        reads=(
            Read(f"{name}_type", paths, Mode.TYPE, labels=tuple(at)),
            Read(MANY_MARK + name, paths, Mode.MANY, "BOOLEAN"),
        ),
        columns=(
            Column(
                f"{name}_type",
                "VARCHAR",
                f"{label}: FHIR type that was sent.",
                path,
                required=required and (parent, base) in REQUIRED,
            ),
        ),
    )
    return [head, *_parts(name, at, label, prefer, {c.type: c.targets for c in choices})]


def _parts(
    name: str, at: dict[str, str], label: str, prefer: tuple[str, ...], targets: dict[str, tuple[str, ...]]
) -> list[Element]:
    parts: list[Element] = []
    parts += _numbers(name, at, label)
    parts += _codes(name, at, label, prefer)
    texts = tuple(at[t] for t in _TEXT_TYPES if t in at)
    if "CodeableConcept" in at:
        texts = (*texts, f"{at['CodeableConcept']}.text")
    if texts:
        parts.append(_plain(f"{name}_text", texts, "VARCHAR", f"{label}: text, or the text of the concept."))
    if "time" in at:
        checked = Read(f"{name}~time", (at["time"],))
        parts.append(Element(f"{name}_text", at["time"], "time", Kind.CLOCK, (checked,), ()))
    if "boolean" in at:
        parts.append(_plain(f"{name}_boolean", (at["boolean"],), "BOOLEAN", f"{label}: true or false."))
    parts += _times(name, at, label)
    for kind, ends, names in (
        ("Range", ("low", "high"), ("low", "high")),
        ("Ratio", ("numerator", "denominator"), ("numerator", "denominator")),
    ):
        if kind in at:
            reads, columns = bounds_parts(name, at[kind], ends, names, label=label)
            parts.append(Element(name, at[kind], kind, Kind.PLAIN, tuple(reads), tuple(columns)))
    if "Reference" in at:
        parts.append(
            reference_element(
                name, at["Reference"], targets["Reference"], label=label, type_column=f"{name}_reference_type"
            )
        )
    parts += _json(name, at, label)
    return parts


def _numbers(name: str, at: dict[str, str], label: str) -> list[Element]:
    quantities = tuple(at[t] for t in QUANTITY_TYPES if t in at)
    numbers = tuple(at[t] for t in ("decimal", *WHOLE_TYPES) if t in at)
    if quantities:
        reads, columns = quantity_parts(name, quantities, label=label)
    elif "Money" in at:
        reads, columns = money_parts(name, (at["Money"],), label=label)
    elif numbers:
        reads = [
            Read(f"{name}_number", (), dtype="DOUBLE"),
            Read(f"{name}_literal", (), Mode.LITERAL),
        ]
        columns = [
            Column(f"{name}_number", "DOUBLE", f"{label}: number.", numbers[0]),
            Column(f"{name}_literal", "VARCHAR", f"{label}: digits as sent.", numbers[0]),
        ]
    else:
        return []
    amounts = (f"{at['Money']}.value",) if quantities and "Money" in at else ()
    if numbers or amounts:
        number, literal, *rest = reads
        reads = [
            Read(number.name, (*number.paths, *amounts, *numbers), dtype="DOUBLE"),
            Read(literal.name, (*literal.paths, *amounts, *numbers), Mode.LITERAL),
            *rest,
        ]
    if amounts:
        money_reads, money_columns = money_parts(name, (at["Money"],), label=label)
        reads, columns = [*reads, money_reads[-1]], [*columns, money_columns[-1]]
    quantity = name if quantities else ""
    return [plain(name, columns[0].path, "number", reads, columns, quantity=quantity)]


def _codes(name: str, at: dict[str, str], label: str, prefer: tuple[str, ...]) -> list[Element]:
    if "CodeableConcept" in at or "Coding" in at:
        kind = "CodeableConcept" if "CodeableConcept" in at else "Coding"
        made = coding_element(name, at[kind], "Coding", label=label, prefer=prefer, code=f"{name}_code")
        if kind == "Coding":
            return [made]
        codings = Read(f"{name}_codings", (at[kind],), Mode.CODINGS)
        column = Column(f"{name}_codings", CODINGS_DTYPE, f"{label}: all codings.", at[kind])
        return [Element(name, at[kind], kind, Kind.CODING, (*made.reads, codings), (*made.columns, column))]
    if "code" in at:
        return [_plain(f"{name}_code", (at["code"],), "VARCHAR", f"{label}: code.")]
    return []


def _times(name: str, at: dict[str, str], label: str) -> list[Element]:
    starts = tuple(at[t] for t in ("dateTime", "date", "instant") if t in at)
    parts = []
    if starts or "Period" in at:
        paths = starts + ((f"{at['Period']}.start",) if "Period" in at else ())
        kind = next((t for t in TIME_TYPES if t in at and len(starts) == 1 and "Period" not in at), "dateTime")
        parts.append(time_element(name, paths, kind, label=label))
    if "Period" in at:
        parts.append(time_element(f"{name}_end", (f"{at['Period']}.end",), "dateTime", label=f"{label} end"))
    if "Timing" in at:  # whose other parts stand in the JSON
        path = f"{at['Timing']}.event"
        parts.append(times_element(f"{name}_events", path, "dateTime", "event", label=f"{label} event"))
    return parts


def _json(name: str, at: dict[str, str], label: str) -> list[Element]:
    known = {*QUANTITY_TYPES, *TIME_TYPES, *WHOLE_TYPES, *_TEXT_TYPES, "decimal", "Money", "CodeableConcept", "Coding"}
    known |= {"code", "boolean", "Period", "Range", "Ratio", "Reference"}
    rest = tuple(path for kind, path in at.items() if kind not in known)
    if not rest:
        return []
    column = Column(f"{name}_json", "VARCHAR", f"{label}: a type without columns of its own, as JSON.", rest[0])
    return [Element(name, rest[0], "json", Kind.PLAIN, (Read(f"{name}_json", rest, Mode.JSON),), (column,))]


def _plain(name: str, paths: tuple[str, ...], dtype: str, description: str) -> Element:
    return Element(
        name, paths[0], "primitive", Kind.PLAIN, (Read(name, paths, dtype=dtype),), (Column(name, dtype, description),)
    )
