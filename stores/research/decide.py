"""What becomes of every column of a table in a copy for analysts (45 CFR 164.514(b)(2)(i)).

An allow-list by the type of the element: what no rule here lets through is dropped. Columns that the models flag as PHI
are never let through as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from schemas.research import Method, ResearchPolicy, Treatment, Wish
from schemas.table import IDENTITY, LITERAL_MARK, MAPPED, MAPPED_SYSTEM, Column, Element, Kind, Mode, Table
from stores.research.ages import without_high_age
from stores.research.decision import Decision, Made, Place, dropped, kept, through
from stores.sql import text

# Lists of what names, reaches or shows people, or is what somebody wrote.
_NEVER = {
    "Identifier": "identifiers (R)",
    "HumanName": "names (A)",
    "ContactPoint": "phone, fax, mail, URL (D, E, F, N)",
    "Annotation": "free text",
    "Attachment": "documents and photos (Q)",
    "Signature": "who signed",
}
_NUMBERS = ("DOUBLE", "BIGINT", "BOOLEAN", "DOUBLE[]", "BIGINT[]", "BOOLEAN[]")
_PLACES = ("longitude", "latitude", "altitude")
_UNIT_STATUSES = ("ucum", "mapped", "ambiguous", "not_a_unit", "unknown", "absent", "incompatible")
_FREE = "free text"
_SEX = "birth_sex"


def decide(table: Table, policy: ResearchPolicy) -> tuple[Decision, ...]:
    """The decisions on all columns of a table, in their order."""
    made = (*_identity(), *(d for e in table.elements for d in _Rules(table.elements, policy.method).of(e)))
    return tuple(_as_wished(d, table.name, policy) for d in made if d.columns)


def _identity() -> Iterator[Decision]:
    for column in IDENTITY:
        if column.name == "source":
            yield kept((column,), "the name that the user gave the source")
        elif column.name == "id":
            yield _id(column)
        else:
            why = "the time of the load would tell by how much dates were shifted; hashes and versions find the row"
            yield dropped((column,), why)


def _id(column: Column) -> Decision:
    return through(column, "research_id", Treatment.PSEUDONYM, "a keyed hash of source and id (R)", "source")


def _as_wished(decision: Decision, table: str, policy: ResearchPolicy) -> Decision:
    wishes = {policy.columns.get(f"{table}.{column.name}") for column in decision.columns}
    if Wish.DROP in wishes:
        return dropped(decision.columns, "the policy drops it")
    if Wish.KEEP in wishes:
        return kept(decision.columns, "the policy keeps it as it is, AGAINST the rules")
    return decision


@dataclass(frozen=True, slots=True)
class _Rules:
    """The rules for the elements of one row or item, which see their neighbours."""

    elements: tuple[Element, ...]
    method: Method

    def of(self, element: Element) -> Iterator[Decision]:
        """What becomes of the columns of one element."""
        if element.kind is Kind.TIME:
            yield self._time(element)
        elif element.kind is Kind.REFERENCE:
            yield from map(_reference, element.columns)
        elif element.kind is Kind.CODING:
            yield from _coding(element)
        elif element.kind is Kind.ITEMS:
            yield self._items(element)
        elif element.kind is Kind.CLOCK:
            yield dropped(element.columns, "times of day")
        else:
            yield from (self._plain(element, column) for column in element.columns)

    def _time(self, element: Element) -> Decision:
        name, columns = element.name, element.columns
        if any(column.phi for column in columns):
            if name != "birth" or not any(e.name == "deceased_type" for e in self.elements):
                return dropped(columns, "dates of birth (C)")
            why = "the year (C); null when it tells an age over 89"
            year = Made("birth_year", lambda at: f"research_birth_year({_life(at)})")
            old = Made("age_90_or_over", lambda at: f"research_old({_life(at)})")
            return Decision(columns, Treatment.GENERALISED, why, (year, old))
        day, precision = f"{name}_date", f"{name}_precision"
        if self.method is Method.SAFE_HARBOR:
            year = Made(f"{name}_year", lambda at: f"research_year({at(day)})")
            return Decision(columns, Treatment.GENERALISED, "the year (C)", (year,))
        shifted = (
            Made(f"{name}_at", lambda at: f"research_instant({at(f'{name}_at')}, {at(day)}, {_DAYS})"),
            Made(day, lambda at: f"research_day({at(day)}, {at(precision)}, {_DAYS})"),
            Made(precision, lambda at: f"CASE WHEN {_DAYS} IS NOT NULL THEN research_precision({at(precision)}) END"),
        )
        return Decision(columns, Treatment.SHIFTED, "moved by the patient's own number of days", shifted)

    def _items(self, element: Element) -> Decision:
        column = element.columns[0]
        if element.fhir_type in _NEVER:
            return dropped(element.columns, _NEVER[element.fhir_type])
        if column.phi and element.fhir_type != "Address":
            return dropped(element.columns, "flagged as PHI by the model")
        rules = _Rules(element.children, self.method)
        inner = tuple(d for child in element.children for d in rules.of(child) if d.columns)
        if not any(d.made for d in inner):
            return replace(dropped(element.columns, "nothing in it may be kept"), inner=inner)
        treatment = Treatment.FILTERED if any(not d.made for d in inner) else Treatment.KEPT
        made = Made(column.name, lambda at: items_sql(at(column.name), inner, at))
        return Decision(element.columns, treatment, "its fields by their own rules", (made,), inner)

    def _plain(self, element: Element, column: Column) -> Decision:
        one = (column,)
        if (placed := _address(column)) is not None:
            return placed
        if column.phi or column.name.endswith(_PLACES):
            return dropped(one, "flagged as PHI by the model" if column.phi else "a place smaller than a state (B)")
        if column.codes:
            return _of_words(column, column.codes)
        if labels := [label for read in element.reads if read.mode is Mode.TYPE for label in read.labels]:
            return _of_words(column, labels)
        if column.name.endswith("unit_status"):
            return _of_words(column, _UNIT_STATUSES)
        if column.name.endswith("harmonized_unit"):
            return kept(one, "UCUM, as the normaliser wrote it")
        if element.fhir_type == "Coding" and column.dtype.startswith("STRUCT"):
            return _codings(column)
        if column.dtype in _NUMBERS:
            return self._number(column)
        if column.name.endswith(LITERAL_MARK):
            return self._number(column, "research_digits")
        if column.name == _SEX:
            return through(column, "research_sex", Treatment.FILTERED, "the codes of US Core are kept")
        if column.name.endswith("_currency"):
            return through(column, "research_currency", Treatment.FILTERED, "three capital letters are kept")
        if element.fhir_type != "code" and column.name.endswith(("_unit", "_unit_code")):
            return through(column, "research_unit", Treatment.FILTERED, "units that are understood are kept")
        return dropped(one, _FREE if element.fhir_type in ("string", "markdown", "primitive") else "no rule keeps it")

    def _number(self, column: Column, macro: str = "") -> Decision:
        limit = without_high_age(column, self.elements, macro)
        if limit is not None:
            return Decision((column,), Treatment.GENERALISED, "an age over 89 becomes null (C)", (limit,))
        if macro:
            return through(column, macro, Treatment.KEPT, "digits")
        return kept((column,), "a number or a truth value")


_ITEM = re.compile(r"i([0-9]+)\.")
_DAYS = 'person."days"'  # of the row's person, see stores.research.copy


def _life(at: Place) -> str:
    return ", ".join(map(at, ("birth_date", "deceased_date", "deceased_precision")))


def items_sql(items: str, inner: tuple[Decision, ...], outer: Place) -> str:
    """A list with the fields that its decisions make; ``source`` is the row's."""
    around = _ITEM.match(items)
    depth = f"i{int(around[1]) + 1 if around else 0}"

    def at(name: str) -> str:
        return outer("source") if name == "source" else f'{depth}."{name}"'

    fields = ", ".join(f'"{made.name}": {made.sql(at)}' for decision in inner for made in decision.made)
    return f"list_transform({items}, lambda {depth}: {{{fields}}})"


def _of_words(column: Column, words: Sequence[str]) -> Decision:
    """The column where it is one of the words of its value set, which the checks made sure of."""
    listed = ", ".join(map(text, words))

    def sql(at: Place) -> str:
        if column.dtype.endswith("[]"):
            return f"list_filter({at(column.name)}, lambda w: w IN ({listed}))"
        return f"CASE WHEN {at(column.name)} IN ({listed}) THEN {at(column.name)} END"

    return Decision((column,), Treatment.KEPT, "one of a fixed list of words", (Made(column.name, sql),))


def _reference(column: Column) -> Decision:
    if column.name.endswith("_id"):
        return _id(column)
    if column.name.endswith("_type"):
        return through(column, "research_type", Treatment.FILTERED, "names of FHIR resource types are kept")
    return dropped((column,), "text and names of references")


def _coding(element: Element) -> Iterator[Decision]:
    code = element.columns[0]
    for column in element.columns:
        name = column.name
        if column is code and column.codes:
            yield _of_words(column, column.codes)
        elif column is code:
            yield _code(column, f"{name}_system")
        elif name == f"{code.name}_system":
            yield _system(column)
        elif name == f"{code.name}{MAPPED}":
            yield _code(column, f"{code.name}{MAPPED_SYSTEM}")
        elif name == f"{code.name}{MAPPED_SYSTEM}":
            yield _system(column)
        elif column.dtype.startswith("STRUCT"):
            yield _codings(column)
        else:
            yield dropped((column,), "displays and texts may be what somebody typed")


_PUBLIC = "codes of public code systems are kept"


def _code(column: Column, system: str) -> Decision:
    return through(column, "research_code", Treatment.FILTERED, _PUBLIC, system)


def _system(column: Column) -> Decision:
    return through(column, "research_system", Treatment.FILTERED, "public code systems are kept")


def _codings(column: Column) -> Decision:
    made = Made(column.name, lambda at: f"research_codings({at(column.name)})")
    return Decision((column,), Treatment.FILTERED, f"{_PUBLIC}, without display and text", (made,))


def _address(column: Column) -> Decision | None:
    """What becomes of parts of an address: the state, three digits of the ZIP code, the country (B)."""
    if column.name.endswith("postal_code"):
        name, why = (
            column.name.removesuffix("postal_code") + "zip3",
            "three digits of a US ZIP code; 000 where few live (B)",
        )
        made = Made(name, lambda at: f"research_zip3({at(column.name)})")
        return Decision((column,), Treatment.GENERALISED, why, (made,))
    if column.name == "state" or column.name.endswith(("address_state", "birth_place_state")):
        return through(column, "research_state", Treatment.FILTERED, "states of the US by code or name are kept (B)")
    if column.name == "country" or column.name.endswith(("address_country", "birth_place_country")):
        return through(column, "research_country", Treatment.FILTERED, "countries by ISO 3166 code are kept")
    return None
