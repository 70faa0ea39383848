"""What a region's patients share: Organization, Location, Practitioner and role, Medication, Group."""

from __future__ import annotations

from sources.synth.clock import DAY, day_text
from sources.synth.draws import between, pick
from sources.synth.ink import Ink
from sources.synth.region import CLINICS, EMERGENCY, HOSPITAL, INSURERS, LABORATORY, REMOTE, WARD, Region
from sources.synth.render import coding, concept, joined, quoted, reference, template
from sources.synth.vocabulary import drugs, names

_NPI = "http://hl7.org/fhir/sid/us-npi"
_RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
_SNOMED = "http://snomed.info/sct"
_ROLE_CODES = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
_ORGANIZATION_TYPES = "http://terminology.hl7.org/CodeSystem/organization-type"
_TAXONOMY = "http://nucc.org/provider-taxonomy"
_OPENED = 9_131  # 1995-01-01

_ORGANIZATION = template("""
    {"resourceType":"Organization","id":"$id",$meta"identifier":[{"system":"http://hl7.org/fhir/sid/us-npi",
    "value":"$npi"}],"active":true,"type":[$type],"name":$name,"telecom":[{"system":"phone","value":"$phone",
    "use":"work"}],"address":[{"use":"work","line":[$street],"city":$city,"state":$state,"postalCode":"$postal",
    "country":"US"}]}
""")
_LOCATION = template("""
    {"resourceType":"Location","id":"$id",$meta"status":"$status","name":$name,"mode":"instance","type":[$type],
    "telecom":[{"system":"phone","value":"$phone","use":"work"}],"address":{"line":[$street],"city":$city,
    "state":$state,"postalCode":"$postal","country":"US"},"position":{"longitude":-$longitude,
    "latitude":$latitude},"managingOrganization":$organization$part}
""")
_PRACTITIONER = template("""
    {"resourceType":"Practitioner","id":"$id",$meta"identifier":[{"system":"http://hl7.org/fhir/sid/us-npi",
    "value":"$npi"}],"active":true,"name":[{"use":"official","family":$family,"given":[$given],"prefix":["Dr."]}],
    "telecom":[{"system":"email","value":"$mail","use":"work"}],"gender":"$gender","birthDate":"$born",
    "qualification":[{"code":$degree,"period":{"start":"$since"}}]}
""")
_ROLE = template("""
    {"resourceType":"PractitionerRole","id":"$id",$meta"active":true,"period":{"start":"$since"},
    "practitioner":$practitioner,"organization":$organization,"code":[$role],"specialty":[$specialty],
    "location":[$location],"telecom":[{"system":"phone","value":"$phone","use":"work"}],
    "availableTime":[{"daysOfWeek":["mon","tue","thu","fri"],"availableStartTime":"08:30:00",
    "availableEndTime":"17:00:00"}]}
""")
_MEDICATION = template("""
    {"resourceType":"Medication","id":"$id",$meta"status":"active","code":$code,"form":$form}
""")
_GROUP = template("""
    {"resourceType":"Group","id":"$id",$meta"active":true,"type":"person","actual":true,"code":$code,"name":$name,
    "quantity":$quantity,"managingEntity":$manager$members}
""")

_PLACES = (
    ("", "HOSP", "Hospital", HOSPITAL),
    (" - Emergency", "ER", "Emergency room", EMERGENCY),
    (" - Ward 4 West", "HU", "Hospital unit", WARD),
    ("", "PROFF", "Provider's Office", CLINICS[0]),
    ("", "PROFF", "Provider's Office", CLINICS[1]),
    ("", "PHARM", "Pharmacy", REMOTE),
)
_SPECIALTIES = (
    ("207R00000X", "Internal Medicine Physician"),
    ("207Q00000X", "Family Medicine Physician"),
    ("207P00000X", "Emergency Medicine Physician"),
    ("208000000X", "Pediatrics Physician"),
)


def organizations(region: Region, ink: Ink) -> list[str]:
    """The hospital, clinics, laboratory and insurers."""
    lines = []
    for number, name in enumerate(region.organizations):
        insurer = number in INSURERS
        code, display = ("pay", "Payer") if insurer else ("prov", "Healthcare Provider")
        lines.append(
            _ORGANIZATION
            % {
                "id": region.uid("Organization", number),
                "meta": ink.meta(_OPENED * DAY),
                "npi": between(ink.rng, 1_000_000_000, 1_999_999_999),
                "type": concept(_ORGANIZATION_TYPES, code, display),
                "name": quoted(name),
                **_address(region, ink),
            }
        )
    return lines


def _address(region: Region, ink: Ink) -> dict[str, str]:
    city, state, postal = region.city
    return {
        "phone": f"+1-617-555-{between(ink.rng, 100, 9999):04d}",
        "street": quoted(f"{between(ink.rng, 1, 990)} {pick(ink.rng, names('street'))}"),
        "city": quoted(city),
        "state": quoted(state),
        "postal": postal,
    }


def locations(region: Region, ink: Ink) -> list[str]:
    """The hospital with its wards, the clinics."""
    lines = []
    for suffix, code, display, place in _PLACES:
        within = reference("Location", region.uid("Location", 0)) if place in (EMERGENCY, WARD) else ""
        lines.append(
            _LOCATION
            % {
                "id": region.uid("Location", place.location),
                "meta": ink.meta(_OPENED * DAY),
                "status": "active" if place is not CLINICS[1] else "suspended",
                "name": quoted(region.organizations[place.organization] + suffix),
                "type": concept(_ROLE_CODES, code, display),
                "longitude": f"71.{between(ink.rng, 0, 99_999):05d}",
                "latitude": f"42.{between(ink.rng, 0, 999_999_999):09d}",
                "organization": region.ref("Organization", place.organization),
                "part": f',"partOf":{within}' if within else "",
                **_address(region, ink),
            }
        )
    return lines


def practitioners(region: Region, ink: Ink) -> list[str]:
    """The people who treat."""
    degree = concept("http://terminology.hl7.org/CodeSystem/v2-0360", "MD", "Doctor of Medicine")
    return [
        _PRACTITIONER
        % {
            "id": region.uid("Practitioner", number),
            "meta": ink.meta(_OPENED * DAY),
            "npi": between(ink.rng, 1_000_000_000, 1_999_999_999),
            "family": quoted(family),
            "given": quoted(given),
            "mail": f"doctor{number}@region{region.number}.example.org",
            "gender": ("female", "male")[number % 2],
            "born": day_text(_OPENED - between(ink.rng, 9_500, 18_000), (10, 10, 10, 4)[number % 4]),
            "degree": degree,
            "since": day_text(_OPENED - between(ink.rng, 0, 700), 7),
        }
        for number, (given, family) in enumerate(region.practitioners)
    ]


def roles(region: Region, ink: Ink) -> list[str]:
    """What each of them is, and where."""
    lines = []
    for number in range(len(region.practitioners)):
        place = _PLACES[number % len(_PLACES)][3]
        code, display = _SPECIALTIES[number % len(_SPECIALTIES)]
        lines.append(
            _ROLE
            % {
                "id": region.uid("PractitionerRole", number),
                "meta": ink.meta(_OPENED * DAY),
                "since": day_text(_OPENED + between(ink.rng, 0, 3000)),
                "practitioner": region.ref("Practitioner", number),
                "organization": region.ref("Organization", place.organization),
                "role": concept("http://terminology.hl7.org/CodeSystem/practitioner-role", "doctor", "Doctor"),
                "specialty": concept(_TAXONOMY, code, display),
                "location": reference("Location", region.uid("Location", place.location)),
                "phone": _address(region, ink)["phone"],
            }
        )
    return lines


def medications(region: Region, ink: Ink) -> list[str]:
    """The formulary, to which some orders refer."""
    return [
        _MEDICATION
        % {
            "id": region.uid("Medication", number),
            "meta": ink.meta(_OPENED * DAY),
            "code": concept(_RXNORM, drug.rxnorm, drug.display),
            "form": f'{{"text":{quoted(drug.form)}}}',
        }
        for number, drug in enumerate(drugs().values())
    ]


def groups(region: Region, ink: Ink, registers: tuple[list[str], list[str]]) -> list[str]:
    """The register of people with diabetes and the list of an insurer's members, by their ids."""
    about = (
        ("Diabetes register", coding(_SNOMED, "44054006", "Diabetes mellitus type 2"), LABORATORY - 4),
        (f"Members of {region.organizations[INSURERS[0]]}", "", INSURERS[0]),
    )
    lines = []
    for number, (name, code, manager) in enumerate(about):
        members = [f'{{"entity":{reference("Patient", identifier)}}}' for identifier in registers[number]]
        lines.append(
            _GROUP
            % {
                "id": region.uid("Group", number),
                "meta": ink.meta(ink.now),
                "code": f'{{"coding":[{code}],"text":{quoted(name)}}}' if code else f'{{"text":{quoted(name)}}}',
                "name": quoted(name),
                "quantity": len(members),
                "manager": region.ref("Organization", manager),
                "members": f',"member":[{joined(members)}]' if members else "",
            }
        )
    return lines
