"""A table from one call: its elements after those that every resource has, its own rules and those of its types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from schemas.elements import Field, build
from schemas.item_rules import derived_rules
from schemas.naming import table_name
from schemas.rules import Rule
from schemas.standard import STANDARD
from schemas.table import Column, Element, Table

RuleOf = Callable[[tuple[Element, ...]], Rule]  # a rule that looks up the columns of the table's elements


def declare(
    resource_type: str,
    description: str,
    *fields: str | Field | Element,
    rules: tuple[Rule | RuleOf, ...] = (),
    personal: bool = True,
) -> Table:
    """The table of a resource type. Raises UsageError for an element that FHIR R4 does not have.

    ``personal``: names, addresses and identifiers in it are those of people, not of places, organizations or goods.
    """
    elements = build(resource_type, (*STANDARD, *fields))
    if not personal:
        elements = tuple(_impersonal(element) for element in elements)
    own = tuple(rule if isinstance(rule, Rule) else rule(elements) for rule in rules)
    return Table(table_name(resource_type), resource_type, description, elements, (*own, *derived_rules(elements)))


def _impersonal(element: Element) -> Element:
    return replace(
        element,
        columns=tuple(_plain(column) for column in element.columns),
        children=tuple(_impersonal(child) for child in element.children),
    )


def _plain(column: Column) -> Column:
    return replace(column, phi=False) if column.phi else column
