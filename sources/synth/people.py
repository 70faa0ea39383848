"""Patient, RelatedPerson and Coverage."""

from __future__ import annotations

from sources.synth.clock import DAY, YEAR, Zone, day_text, moment
from sources.synth.draws import between, pick
from sources.synth.ink import Ink
from sources.synth.life import Life
from sources.synth.region import INSURERS
from sources.synth.render import coding, concept, joined, quoted, template
from sources.synth.vocabulary import names

_HL7 = "http://hl7.org/fhir/StructureDefinition"
_IDENTIFIER_TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"

_PATIENT = template("""
    {"resourceType":"Patient","id":"$id",$meta"extension":[$race,$ethnicity,
    {"url":"http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex","valueCode":"$sex"}$more],
    "identifier":[{"use":"usual","type":$mr,"system":"http://hospital.example.org/mrn","value":"$mrn"},
    {"type":$ss,"system":"http://hl7.org/fhir/sid/us-ssn","value":"$ssn"}],"active":true,
    "name":[{"use":"official","family":$family,"given":[$given]$prefix}$maiden],
    "telecom":[{"system":"phone","value":"$phone","use":"home"},
    {"system":"email","value":"$mail"}],"gender":"$gender",$birth$deceased
    "address":[{"use":"home","line":[$street],"city":$city,"state":$state,"postalCode":"$postal","country":"US",
    "period":{"start":"$moved"}}],"maritalStatus":$marital,$multiple
    "communication":[{"language":$language,"preferred":true}],"generalPractitioner":[$doctor],
    "managingOrganization":$organization}
""")
_RELATED = template("""
    {"resourceType":"RelatedPerson","id":"$id",$meta"active":true,"patient":$patient,"relationship":[$relation],
    "name":[{"family":$family,"given":[$given]}],"telecom":[{"system":"phone","value":"$phone","use":"mobile"}],
    "gender":"$gender"$birth}
""")
_COVERAGE = template("""
    {"resourceType":"Coverage","id":"$id",$meta"status":"$status","type":$type,"subscriberId":"$member",
    "beneficiary":$patient,"relationship":$self,"period":{"start":"$since"$until},"payor":[$payor],
    "class":[{"type":$plan,"value":"$number","name":$name}],"network":"$network"}
""")
_RACES = (
    ("2106-3", "White"),
    ("2106-3", "White"),
    ("2106-3", "White"),
    ("2054-5", "Black or African American"),
    ("2028-9", "Asian"),
    ("1002-5", "American Indian or Alaska Native"),
)
_MARITAL = (("M", "Married"), ("S", "Never Married"), ("D", "Divorced"), ("W", "Widowed"))
_ENGLISH = ("en-US", "English (United States)")
_LANGUAGES = (
    _ENGLISH,
    _ENGLISH,
    _ENGLISH,
    _ENGLISH,
    ("es", "Spanish"),
    ("pl", "Polish"),
    ("vi", "Vietnamese"),
)


def patient(life: Life, ink: Ink) -> list[str]:
    """The patient."""
    number = f"{life.index:07d}"
    facts = {
        "id": life.uid("Patient"),
        "meta": ink.meta(life.visits[-1].end),
        "sex": "F" if life.female else "M",
        "gender": "female" if life.female else "male",
        "mr": concept(_IDENTIFIER_TYPES, "MR", "Medical record number"),
        "mrn": f"MRN-{life.seed}-{number}",
        "ss": concept(_IDENTIFIER_TYPES, "SS", "Social Security number"),
        "ssn": f"999-{between(ink.rng, 10, 99)}-{between(ink.rng, 1000, 9999)}",
        "mail": f"p{number}@example.org",
        "birth": _birth(life, ink),
        "deceased": _deceased(life, ink),
        "multiple": '"multipleBirthInteger":2,' if ink.rng.random() < 0.03 else '"multipleBirthBoolean":false,',
        "doctor": life.region.ref("Practitioner", life.visits[0].practitioner),
        "organization": life.region.ref("Organization", 0),
    }
    return [_PATIENT % (facts | _origin(life, ink) | _named(life, ink) | _home(life, ink))]


def _origin(life: Life, ink: Ink) -> dict[str, str]:
    """Race, ethnicity, birthplace and language (US Core 3.1)."""
    latino = ink.rng.random() < 0.2
    ethnicity = ("2135-2", "Hispanic or Latino") if latino else ("2186-5", "Not Hispanic or Latino")
    place = f'"city":{quoted(life.region.city[0])},"state":{quoted(life.region.city[1])},"country":"US"'
    born = f',{{"url":"{_HL7}/patient-birthPlace","valueAddress":{{{place}}}}}'
    return {
        "race": _omb("race", *pick(ink.rng, _RACES)),
        "ethnicity": _omb("ethnicity", *ethnicity),
        "more": born if ink.rng.random() < 0.3 else "",
        "language": concept("urn:ietf:bcp:47", *pick(ink.rng, _LANGUAGES)),
    }


def _omb(kind: str, code: str, display: str) -> str:
    coded = coding("urn:oid:2.16.840.1.113883.6.238", code, display)
    return (
        f'{{"url":"http://hl7.org/fhir/us/core/StructureDefinition/us-core-{kind}","extension":['
        f'{{"url":"ombCategory","valueCoding":{coded}}},{{"url":"text","valueString":{quoted(display)}}}]}}'
    )


def _named(life: Life, ink: Ink) -> dict[str, str]:
    """Names and marital status."""
    rng, adult = ink.rng, life.age(life.now) >= 18
    marital = pick(rng, _MARITAL) if adult else _MARITAL[1]
    middle = pick(rng, names("female" if life.female else "male"))
    given = [life.given, middle] if rng.random() < 0.4 and middle != life.given else [life.given]
    maiden = f',{{"use":"maiden","family":{quoted(pick(rng, names("family")))}}}'
    return {
        "family": quoted(life.family),
        "given": joined([quoted(name) for name in given]),
        "prefix": f',"prefix":["{"Ms." if life.female else "Mr."}"]' if adult else "",
        "maiden": maiden if life.female and marital[0] == "M" else "",
        "marital": concept("http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", *marital),
    }


def _home(life: Life, ink: Ink) -> dict[str, str]:
    """Telephone and address."""
    rng = ink.rng
    city, state, postal = life.region.city
    moved = life.born + int(YEAR * life.age(life.visits[0].start) * rng.random())
    return {
        "phone": f"+1-617-555-{between(rng, 0, 9999):04d}",
        "street": quoted(f"{between(rng, 1, 999)} {pick(rng, names('street'))}"),
        "city": quoted(city),
        "state": quoted(state),
        "postal": postal,
        "moved": day_text(moved, 7),
    }


def _birth(life: Life, ink: Ink) -> str:
    """The date of birth: of some only the month or year is known, of some the time too."""
    chance = ink.rng.random()
    text = f'"birthDate":"{day_text(life.born, 4 if chance < 0.06 else 7 if chance < 0.12 else 10)}",'
    if chance > 0.93:
        time = moment(life.born * DAY + between(ink.rng, 6 * 3600, 20 * 3600), Zone.EASTERN)
        text += f'"_birthDate":{{"extension":[{{"url":"{_HL7}/patient-birthTime","valueDateTime":"{time}"}}]}},'
    return text


def _deceased(life: Life, ink: Ink) -> str:
    chance = ink.rng.random()
    if life.died is None:
        return '"deceasedBoolean":false,' if chance < 0.2 else ""
    if chance < 0.15:
        return '"deceasedBoolean":true,'
    if chance < 0.4:
        return f'"deceasedDateTime":"{day_text(life.died // DAY)}",'
    return f'"deceasedDateTime":"{moment(life.died, Zone.EASTERN)}",'


def related(life: Life, ink: Ink) -> list[str]:
    """A child's mother, or sometimes an adult's spouse."""
    rng, child = ink.rng, life.age(life.now) < 18
    if not child and rng.random() < 0.6:
        return []
    relation = ("MTH", "mother") if child else ("SPS", "spouse")
    female = child or not life.female
    birth = day_text(life.born - between(rng, 20, 38) * 365 if child else life.born + between(rng, -900, 300), 10)
    return [
        _RELATED
        % {
            "id": life.uid("RelatedPerson"),
            "meta": ink.meta(life.visits[0].end),
            "patient": life.ref("Patient"),
            "relation": concept("http://terminology.hl7.org/CodeSystem/v3-RoleCode", *relation),
            "family": quoted(life.family),
            "given": quoted(pick(rng, names("female" if female else "male"))),
            "phone": f"+1-617-555-{between(rng, 0, 9999):04d}",
            "gender": "female" if female else "male",
            "birth": f',"birthDate":"{birth}"' if rng.random() < 0.7 else "",
        }
    ]


def coverage(life: Life, ink: Ink) -> list[str]:
    """The insurance: one policy, of which a dead patient's has ended."""
    member = f"{life.seed}{life.index:09d}"
    until = "" if life.died is None else f',"end":"{day_text(life.died // DAY)}"'
    government = life.insurer == INSURERS[2]
    kind = ("SUBSIDIZ", "subsidized health program") if government else ("EHCPOL", "employee healthcare")
    return [
        _COVERAGE
        % {
            "id": life.uid("Coverage"),
            "meta": ink.meta(life.visits[0].start),
            "status": "cancelled" if life.died else "active",
            "type": concept("http://terminology.hl7.org/CodeSystem/v3-ActCode", *kind),
            "member": member,
            "patient": life.ref("Patient", 0, life.name),
            "self": concept("http://terminology.hl7.org/CodeSystem/subscriber-relationship", "self", "Self"),
            "since": day_text(max(life.visits[0].start // DAY - between(ink.rng, 30, 900), life.born)),
            "until": until,
            "payor": life.region.ref("Organization", life.insurer),
            "plan": concept("http://terminology.hl7.org/CodeSystem/coverage-class", "plan", "Plan"),
            "number": f"PLAN-{life.insurer}",
            "name": quoted(f"{life.region.organizations[life.insurer]} Standard"),
            "network": f"network-{life.insurer}",
        }
    ]
