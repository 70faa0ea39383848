"""The header: patient, authors, custodian, encompassing encounter, and the document itself (CF-patient)."""

from __future__ import annotations

from transforms.decode.ccda.datatypes import (
    Json,
    address,
    coding,
    codings,
    concept,
    earliest,
    fixed,
    human_name,
    identifiers,
    listed,
    made,
    moment,
    period,
    telecom,
)
from transforms.decode.ccda.draft import FRAGMENT, Draft
from transforms.decode.ccda.ids import first_id
from transforms.decode.ccda.maps.attachments import attachment
from transforms.decode.ccda.maps.encounters import encompassing
from transforms.decode.ccda.maps.people import authors, organization, performers, practitioner
from transforms.decode.ccda.node import Node

# Parts of the header of which all is read, or that say what the rows' own columns say.
READ = frozenset(
    {"realmCode", "typeId", "templateId", "id", "code", "title", "effectiveTime", "confidentialityCode"}
    | {"languageCode", "setId", "versionNumber", "recordTarget", "author", "custodian", "componentOf"}
    | {"legalAuthenticator", "relatedDocument", "component"}
)
PARTLY_READ = frozenset(("documentationOf",))
_US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
_EXTENSION = "http://hl7.org/fhir/StructureDefinition/"
_ROLE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
_GENDER = {"M": "male", "F": "female", "UN": "other"}  # ConceptMap CF-AdministrativeGender
# The five races and two ethnicities of the OMB (US Core, value sets omb-race-category, omb-ethnicity-category)
_OMB = frozenset(("1002-5", "2028-9", "2054-5", "2076-8", "2106-3", "2135-2", "2186-5"))
_DAY = 8  # characters of a TS up to the day
_RELATIONS = {"RPLC": "replaces", "APND": "appends", "XFRM": "transforms"}


def begin(draft: Draft, root: Node) -> None:
    """Read the header before the entries, which refer to it."""
    code = root.one("code")
    told = first_id(root)
    draft.kind = (code.get("code") if code is not None else None) or (
        draft.kind if root.one("recordTarget") else FRAGMENT
    )
    draft.told_at = moment(root.one("effectiveTime"))
    number = root.one("versionNumber")
    draft.version = None if number is None else number.get("value")
    draft.document_id = None if told is None else "^".join(part for part in told if part)
    line = root.one("setId")
    if line is not None and line.get("root"):
        draft.origin = f"{line.get('root')}^{line.get('extension') or ''}"
    elif draft.document_id is not None:
        draft.origin = draft.document_id
    for target in root.all("recordTarget"):
        patient(draft, target.one("patientRole"))
    draft.encounter = encompassing(draft, root.one("componentOf", "encompassingEncounter"))
    for service in root.all("documentationOf"):
        event = service.one("serviceEvent")
        if event is not None:
            performers(draft, event)
    for author in root.all("author"):
        practitioner(draft, author.one("assignedAuthor"))
    document(draft, root)


def patient(draft: Draft, role: Node | None) -> None:
    """The recordTarget; of several the first is whom the entries are about."""
    if role is None:
        return
    person = role.one("patient")
    told = first_id(role)
    names = [] if person is None else listed(person.all("name"), human_name)
    if told is None and not names:
        return
    born = None if person is None else moment(person.one("birthTime"))
    key = told or ("named", draft.origin, repr(names), born)
    fields: Json = {
        "identifier": identifiers(role),
        "name": names,
        "telecom": listed(role.all("telecom"), telecom),
        "address": listed(role.all("addr"), address),
        "managingOrganization": organization(draft, role.one("providerOrganization")),
    }
    if person is not None:
        fields |= _person(draft, person, born)
    reference = draft.party("Patient", key, fields, role.line)
    if draft.patient is None:
        draft.patient = reference.partition("/")[2]


def _person(draft: Draft, person: Node, born: str | None) -> Json:
    gender = person.one("administrativeGenderCode")
    dead, died = person.one("sdtc:deceasedInd"), moment(person.one("sdtc:deceasedTime"))
    told = None if dead is None else dead.get("value")
    fields: Json = {
        "extension": [*_races(draft, person), *_more(draft, person)],
        "gender": None if gender is None else _GENDER.get(gender.get("code") or ""),
        "birthDate": None if born is None else born[:_DAY],
        "deceasedDateTime": died,
        "deceasedBoolean": {"true": True, "false": False}.get(told or "") if died is None else None,
        "maritalStatus": concept(person.one("maritalStatusCode"), draft.narrative),
        "contact": [_guardian(draft, one) for one in person.all("guardian")],
        "communication": [one for each in person.all("languageCommunication") if (one := _language(each))],
    }
    if born is not None and len(born) > _DAY:
        fields["_birthDate"] = {"extension": [{"url": f"{_EXTENSION}patient-birthTime", "valueDateTime": born}]}
    return fields


def _races(draft: Draft, person: Node) -> list[Json]:
    found: list[Json] = []
    for name, element in (("race", "raceCode"), ("ethnicity", "ethnicGroupCode")):
        parts: list[Json] = []
        texts: list[str] = []
        for one in (*person.all(element), *person.all(f"sdtc:{element}")):
            code = coding(one)
            if code is None and one.null is None:
                continue
            if code is None:
                # US Core: the two nullFlavors that say something of a person's race
                if one.null in ("ASKU", "UNK"):
                    system = "http://terminology.hl7.org/CodeSystem/v3-NullFlavor"
                    parts.append({"url": "ombCategory", "valueCoding": {"system": system, "code": one.null}})
                continue
            kind = "ombCategory" if code["code"] in _OMB else "detailed"
            parts.append({"url": kind, "valueCoding": code})
            text = draft.narrative.of(one.one("originalText")) or one.get("displayName")
            if text and text not in texts:
                texts.append(text)
        if parts:
            told = [{"url": "text", "valueString": ", ".join(texts)}] if texts else []
            found.append({"url": _US_CORE + name, "extension": [*parts, *told]})
    return found


def _more(draft: Draft, person: Node) -> list[Json]:
    religion = concept(person.one("religiousAffiliationCode"), draft.narrative, null=False)
    place = person.one("birthplace", "place", "addr")
    where = None if place is None else address(place)
    found: list[Json] = []
    if religion:
        found.append({"url": f"{_EXTENSION}patient-religion", "valueCodeableConcept": religion})
    if where:
        found.append({"url": f"{_EXTENSION}patient-birthPlace", "valueAddress": where})
    return found


def _guardian(draft: Draft, node: Node) -> Json:
    person = node.one("guardianPerson")
    names = [] if person is None else listed(person.all("name"), human_name)
    relation = concept(node.one("code"), draft.narrative, null=False)
    places = listed(node.all("addr"), address)
    return made(
        {
            "relationship": [fixed(_ROLE, "GUARD", "guardian"), *([relation] if relation else [])],
            "name": names[0] if names else None,
            "telecom": listed(node.all("telecom"), telecom),
            "address": places[0] if places else None,
            "organization": organization(draft, node.one("guardianOrganization")),
        }
    )


def _language(node: Node) -> Json | None:
    code, preferred = node.one("languageCode"), node.one("preferenceInd")
    if code is None or code.get("code") is None:
        return None
    wanted = None if preferred is None else {"true": True, "false": False}.get(preferred.get("value") or "")
    return made({"language": fixed("urn:ietf:bcp:47", code.attributes["code"]), "preferred": wanted})


def document(draft: Draft, root: Node) -> None:
    """The document as a DocumentReference: what it is, by whom, and the size and hash of its bytes."""
    title = root.one("title")
    body = root.one("component", "nonXMLBody", "text")
    found = codings(code) if (code := root.one("code")) is not None else []
    if not found and first_id(root) is None:
        return
    related = [
        made({"code": _RELATIONS.get(one.get("typeCode") or ""), "target": {"identifier": ids[0]}})
        for one in root.all("relatedDocument")
        if (parent := one.one("parentDocument")) is not None
        and (ids := identifiers(parent))
        and one.get("typeCode") in _RELATIONS
    ]
    ids = identifiers(root)
    fields = {
        "masterIdentifier": ids[0] if ids else None,
        "identifier": ids[1:],
        "status": "current",
        "type": concept(code, draft.narrative),
        "subject": draft.subject(),
        "date": _instant(draft.told_at) or _instant(earliest(root.all("author"))),
        "author": [one for each in authors(root) if (one := practitioner(draft, each.one("assignedAuthor")))],
        "authenticator": practitioner(draft, root.one("legalAuthenticator", "assignedEntity")),
        "custodian": organization(
            draft, root.one("custodian", "assignedCustodian", "representedCustodianOrganization")
        ),
        "relatesTo": related,
        "description": title.text if title is not None else None,
        "securityLabel": [one] if (one := concept(root.one("confidentialityCode"), draft.narrative)) else None,
        "content": [{"attachment": _whole(draft, title)}],
        "context": made(
            {
                "encounter": [{"reference": f"Encounter/{draft.encounter}"}] if draft.encounter else None,
                "period": period(root.one("documentationOf", "serviceEvent", "effectiveTime")),
            }
        ),
    }
    if body is not None:
        fields["content"] = [{"attachment": _whole(draft, title)}, {"attachment": attachment(body)}]
    draft.add("DocumentReference", root, fields)


def _whole(draft: Draft, title: Node | None) -> Json:
    """The attachment that the document itself is: FHIR has SHA-1 of it, and here only what is known of the bytes."""
    return made({"contentType": "text/xml", "size": draft.size, "title": title.text if title is not None else None})


def _instant(text: str | None) -> str | None:
    """A time that may stand in an `instant`; a date alone may not."""
    return text if text is not None and len(text) > _DAY else None
