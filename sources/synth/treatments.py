"""Procedure, Immunization and Device: what was done to the patient."""

from __future__ import annotations

from sources.synth.clock import DAY, Zone, day_text, local_day, moment
from sources.synth.draws import between
from sources.synth.ink import Ink
from sources.synth.life import Act, Life, Shot
from sources.synth.render import concept, reference, template

_SNOMED = "http://snomed.info/sct"
_HL7 = "http://terminology.hl7.org/CodeSystem"

_PROCEDURE = template("""
    {"resourceType":"Procedure","id":"$id",$meta"status":"$status","category":$category,"code":$code,
    "subject":$patient,"encounter":$encounter,$performed,"performer":[{"actor":$doctor,
    "onBehalfOf":$organization}],"location":$location$reason$site}
""")
_IMMUNIZATION = template("""
    {"resourceType":"Immunization","id":"$id",$meta"status":"$status",$why"vaccineCode":$code,"patient":$patient,
    "encounter":$encounter,"occurrenceDateTime":"$at","primarySource":$primary,"location":$location,
    "lotNumber":"$lot","expirationDate":"$expires"$site,"doseQuantity":{"value":$dose,"unit":"mL",
    "system":"http://unitsofmeasure.org","code":"mL"},"performer":[{"actor":$doctor}]}
""")
_DEVICE = template("""
    {"resourceType":"Device","id":"$id",$meta"status":"$status","udiCarrier":[{"deviceIdentifier":"$udi",
    "carrierHRF":"(01)$udi(17)$short(10)$lot(21)$serial"}],"distinctIdentifier":"$udi","manufactureDate":"$made",
    "expirationDate":"$expires","lotNumber":"$lot","serialNumber":"$serial","deviceName":[{"name":"$name",
    "type":"user-friendly-name"}],"type":$type,"patient":$patient,"owner":$owner}
""")
_CATEGORY = concept(_SNOMED, "103693007", "Diagnostic procedure")
_SITES = {"LA": "left arm", "RA": "right arm", "LT": "left thigh", "RT": "right thigh"}
_DEVICES = {
    "afib": ("14106009", "Cardiac pacemaker"),
    "heartfailure": ("72506001", "Implantable defibrillator"),
    "diabetes": ("337414009", "Blood glucose meter"),
    "hypertension": ("43770009", "Sphygmomanometer"),
}


def procedures(life: Life, ink: Ink) -> list[str]:
    """The procedures."""
    return [_procedure(life, ink, act) for act in life.acts]


def _procedure(life: Life, ink: Ink, act: Act) -> str:
    rng, visit, operation = ink.rng, life.visits[act.visit], act.operation
    zone, chance = visit.place.zone, rng.random()
    if chance < 0.7:
        performed = f'"performedPeriod":{{"start":"{moment(act.start, zone)}","end":"{moment(act.end, zone)}"}}'
    elif chance < 0.9:
        performed = f'"performedDateTime":"{moment(act.start, zone)}"'
    else:
        performed = f'"performedDateTime":"{local_day(act.start, zone)}"'
    reason = "" if act.problem is None else f',"reasonReference":[{life.ref("Condition", act.problem)}]'
    site = f',"bodySite":[{concept(_SNOMED, operation.site, operation.site_display)}]' if operation.site else ""
    return _PROCEDURE % {
        "id": life.uid("Procedure", act.number),
        "meta": ink.meta(visit.end),
        "status": "completed" if rng.random() < 0.96 else "stopped",
        "category": _CATEGORY,
        "code": concept(_SNOMED, operation.snomed, operation.display),
        "patient": life.ref("Patient"),
        "encounter": life.ref("Encounter", act.visit),
        "performed": performed,
        "doctor": life.region.ref("Practitioner", visit.practitioner),
        "organization": life.region.ref("Organization", visit.place.organization),
        "location": reference("Location", life.region.uid("Location", visit.place.location)),
        "reason": reason,
        "site": site,
    }


def immunizations(life: Life, ink: Ink) -> list[str]:
    """The vaccines given, and a few not given."""
    return [_immunization(life, ink, shot) for shot in life.shots]


def _immunization(life: Life, ink: Ink, shot: Shot) -> str:
    rng, visit, vaccine = ink.rng, life.visits[shot.visit], shot.vaccine
    given = rng.random() < 0.95
    objected = concept(f"{_HL7}/v3-ActReason", "PATOBJ", "patient objection")
    site = vaccine.site and concept(f"{_HL7}/v3-ActSite", vaccine.site, _SITES[vaccine.site])
    return _IMMUNIZATION % {
        "id": life.uid("Immunization", shot.number),
        "meta": ink.meta(visit.end),
        "status": "completed" if given else "not-done",
        "why": "" if given else f'"statusReason":{objected},',
        "code": concept("http://hl7.org/fhir/sid/cvx", vaccine.cvx, vaccine.display),
        "patient": life.ref("Patient"),
        "encounter": life.ref("Encounter", shot.visit),
        "at": moment(min(shot.at, visit.end), visit.place.zone),
        "primary": "true" if rng.random() < 0.9 else "false",
        "location": reference("Location", life.region.uid("Location", visit.place.location)),
        "lot": f"L{between(rng, 10_000, 99_999)}",
        "expires": day_text(shot.at // DAY + between(rng, 60, 500)),
        "site": f',"site":{site}' if site else "",
        "dose": ("0.5", "0.50", "0.25", "1")[int(rng.random() * 4)],
        "doctor": life.region.ref("Practitioner", visit.practitioner),
    }


def devices(life: Life, ink: Ink) -> list[str]:
    """A device for each disease that has one."""
    held = [p for p in life.problems if p.diagnosis.name in _DEVICES]
    lines = []
    for number, problem in enumerate(held):
        code, name = _DEVICES[problem.diagnosis.name]
        made, at = problem.onset - between(ink.rng, 30, 400), life.visits[problem.visit].end
        expires = made + between(ink.rng, 2000, 6000)
        lines.append(
            _DEVICE
            % {
                "id": life.uid("Device", number),
                "meta": ink.meta(at),
                "status": "active" if life.died is None else "inactive",
                "udi": f"{between(ink.rng, 10**13, 10**14 - 1)}",
                "short": day_text(expires).replace("-", "")[2:],
                "lot": f"{between(ink.rng, 10**9, 10**10 - 1)}",
                "serial": f"{between(ink.rng, 10**5, 10**6 - 1)}",
                "made": day_text(made),
                "expires": moment(expires * DAY, Zone.UTC),
                "name": name,
                "type": concept(_SNOMED, code, name),
                "patient": life.ref("Patient"),
                "owner": life.region.ref("Organization", 0),
            }
        )
    return lines
