"""``organization``: hospitals, departments, payers, companies (FHIR R4 8.6)."""

from __future__ import annotations

import polars as pl

from schemas.declare import declare
from schemas.elements import at, field
from schemas.invariants import each_is, row_has

_NPI = "identifier.where(system = 'http://hl7.org/fhir/sid/us-npi').value.first()"

ORGANIZATION = declare(
    "Organization",
    "Hospitals, departments, payers, companies.",
    field("identifier", table="organization_identifier"),
    at("npi", _NPI, "string", label="National Provider Identifier (United States)"),
    "active",
    "type",
    field("name", name="organization_name"),
    field("alias", name="aliases"),
    field("telecom", table="organization_telecom"),
    field("address", table="organization_address"),
    "partOf",
    field("contact", "purpose", "name", "telecom", "address", plural="contacts", table="organization_contact"),
    "endpoint",
    personal=False,
    rules=(
        row_has("org-1", "organization_name", "identifiers"),
        each_is("org-2", "addresses", "No address is a home.", pl.col("use") != "home", "use"),
        each_is("org-3", "telecoms", "No contact point is at home.", pl.col("use") != "home", "use"),
    ),
)
