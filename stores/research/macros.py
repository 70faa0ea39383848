"""The SQL macros that make a copy's columns of the mart's: ids, dates, codes, units and places.

They live in the connection. The key stands in a variable of the session and in no statement, so in no error and no log.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import date

import duckdb

from schemas.code_systems import aliases
from schemas.fhir_types import resource_types
from schemas.research import ResearchPolicy
from stores.research.zip3 import restricted
from stores.sql import text

_BLOCK = 64  # bytes of a block of SHA-256, RFC 2104
_ID_DIGITS = 32  # hexadecimal digits of an id: 128 bits, so that no two ever meet
_OLDEST = 90  # years before today: an earlier date tells of an age over 89 (45 CFR 164.514(b)(2)(i)(C))

# Code systems of HL7 itself, each a public list; `sid` also has numbers of people (us-ssn, us-mbi), which are not.
_PUBLIC = (
    r"http://terminology\.hl7\.org/[A-Za-z0-9/_.-]+",
    r"http://hl7\.org/fhir/(?:us/[a-z-]+/)?(?:CodeSystem/)?[A-Za-z0-9_.-]+",
    r"http://hl7\.org/fhir/sid/(?:icd|icpc|cvx|mvx|ndc|ca-hc-din)[A-Za-z0-9_.-]*",
    r"urn:iso:std:iso:[0-9:]+",
    r"urn:ietf:bcp:[0-9]+",
    r"https://bluebutton\.cms\.gov/resources/[A-Za-z0-9/_.-]+",
)
_CODE = r"[A-Za-z0-9][A-Za-z0-9._:/+*-]{0,31}"  # no spaces, so no names of people
_STATES = (
    "AL Alabama,AK Alaska,AZ Arizona,AR Arkansas,CA California,CO Colorado,CT Connecticut,DE Delaware,"
    "DC District of Columbia,FL Florida,GA Georgia,HI Hawaii,ID Idaho,IL Illinois,IN Indiana,IA Iowa,KS Kansas,"
    "KY Kentucky,LA Louisiana,ME Maine,MD Maryland,MA Massachusetts,MI Michigan,MN Minnesota,MS Mississippi,"
    "MO Missouri,MT Montana,NE Nebraska,NV Nevada,NH New Hampshire,NJ New Jersey,NM New Mexico,NY New York,"
    "NC North Carolina,ND North Dakota,OH Ohio,OK Oklahoma,OR Oregon,PA Pennsylvania,RI Rhode Island,"
    "SC South Carolina,SD South Dakota,TN Tennessee,TX Texas,UT Utah,VT Vermont,VA Virginia,WA Washington,"
    "WV West Virginia,WI Wisconsin,WY Wyoming,AS American Samoa,GU Guam,MP Northern Mariana Islands,PR Puerto Rico,"
    "VI Virgin Islands"
)
_PRECISIONS = ("year", "month", "day", "hour", "minute", "second", "fraction")
_SEXES = ("F", "M", "UNK", "ASKU", "OTH")


def make_macros(
    connection: duckdb.DuckDBPyConnection, policy: ResearchPolicy, key: bytes, today: date, units: Collection[str]
) -> None:
    """Give a connection the macros for a copy. ``key`` (32 bytes) makes ids and shifts, ``units`` are understood."""
    padded = key.ljust(_BLOCK, b"\0")
    for name, pad in (("research_inner", 0x36), ("research_outer", 0x5C)):
        connection.execute(f"SET VARIABLE {name} = ?", [bytes(byte ^ pad for byte in padded)])
    connection.execute(
        "SET VARIABLE research_units = map_from_entries(list_transform(?::VARCHAR[], lambda u: (u, true)))", [[*units]]
    )
    for statement in _macros(policy, today):
        connection.execute(f"CREATE OR REPLACE TEMP MACRO {statement}")


def _macros(policy: ResearchPolicy, today: date) -> Sequence[str]:
    first = f"DATE '{today.year - _OLDEST:04d}-{today:%m}-{min(today.day, 28):02d}'"
    now = f"DATE '{today.isoformat()}'"
    public = "|".join((*map(re.escape, _systems(policy)), *_PUBLIC))
    ended = f"least(coalesce(died + CASE precision WHEN 'year' THEN 365 WHEN 'month' THEN 30 ELSE 0 END, {now}), {now})"
    return (
        # HMAC-SHA256 (RFC 2104) of texts that are told apart by what they are for and their lengths
        "research_hmac(what, source, id) AS sha256(getvariable('research_outer') || unhex(sha256("
        "getvariable('research_inner') || encode(what || ':' || strlen(source) || ':' || source || id))))",
        f"research_id(source, id) AS left(research_hmac('id', source, id), {_ID_DIGITS})",
        f"research_days(source, id) AS {_shift(policy)}",
        f"research_old(born, died, precision) AS date_sub('year', born, {ended}) >= {_OLDEST}",
        "research_birth_year(born, died, precision) AS "
        "CASE WHEN NOT research_old(born, died, precision) THEN year(born) END",
        f"research_year(day) AS CASE WHEN day >= {first} THEN year(day) END",
        f"research_instant(instant, day, days) AS CASE WHEN day >= {first} THEN instant + to_days(days::INTEGER) END",
        f"research_day(day, precision, days) AS CASE WHEN day >= {first} THEN CASE precision "
        "WHEN 'year' THEN date_trunc('year', day + 182 + days::INTEGER)::DATE "
        "WHEN 'month' THEN date_trunc('month', day + 14 + days::INTEGER)::DATE ELSE day + days::INTEGER END END",
        f"research_precision(word) AS CASE WHEN word IN ({_words(_PRECISIONS)}) THEN word END",
        "research_years(number, unit) AS number * CASE unit WHEN 'mo' THEN 1 / 12.0 WHEN 'wk' THEN 7 / 365.25 "
        "WHEN 'd' THEN 1 / 365.25 WHEN 'h' THEN 1 / 8766.0 WHEN 'min' THEN 1 / 525960.0 ELSE 1 END",
        f"research_system(system) AS CASE WHEN regexp_full_match(system, {text(public)}) THEN system END",
        f"research_code(system, code) AS CASE WHEN regexp_full_match(system, {text(public)}) "
        f"AND regexp_full_match(code, {text(_CODE)}) THEN code END",
        "research_codings(codings) AS list_filter(list_transform(codings, lambda k: {'system': "
        "research_system(k.system), 'code': research_code(k.system, k.code)}), lambda k: k.code IS NOT NULL)",
        "research_unit(unit) AS CASE WHEN map_contains(getvariable('research_units'), unit) THEN unit END",
        f"research_type(name) AS CASE WHEN name IN ({_words(resource_types())}) THEN name END",
        f"research_sex(code) AS CASE WHEN code IN ({_words(_SEXES)}) THEN code END",
        "research_digits(literal) AS CASE WHEN regexp_full_match(literal, '[-+0-9.eE]{1,40}') THEN literal END",
        "research_currency(code) AS CASE WHEN regexp_full_match(code, '[A-Z]{3}') THEN code END",
        "research_country(name) AS CASE WHEN regexp_full_match(name, '[A-Z]{2,3}') THEN name END",
        f"research_state(name) AS CASE WHEN lower(name) IN ({_words(_states())}) THEN name END",
        "research_zip3(code) AS CASE WHEN NOT regexp_full_match(trim(code), '[0-9]{5}(-?[0-9]{4})?') THEN NULL "
        f"WHEN left(trim(code), 3) IN ({_words(restricted())}) THEN '000' ELSE left(trim(code), 3) END",
    )


def _shift(policy: ResearchPolicy) -> str:
    """Days from -most to most, never none; whole weeks where weekdays are to stay."""
    step = 7 if policy.weekdays else 1
    most = policy.most_days // step
    drawn = f"(('0x' || left(research_hmac('days', source, id), 12))::BIGINT % {2 * most})::INTEGER"
    return f"(CASE WHEN {drawn} < {most} THEN {drawn} - {most} ELSE {drawn} - {most} + 1 END) * {step}"


def _systems(policy: ResearchPolicy) -> list[str]:
    return sorted({*aliases().values(), *policy.code_systems})


def _states() -> list[str]:
    pairs = (one.split(" ", 1) for one in _STATES.split(","))
    return sorted(word.lower() for pair in pairs for word in pair)


def _words(words: Collection[str]) -> str:
    return ", ".join(text(word) for word in sorted(words))
