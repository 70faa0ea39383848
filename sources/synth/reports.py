"""ServiceRequest, Specimen, DiagnosticReport, ImagingStudy, DocumentReference: orders and their results."""

from __future__ import annotations

from base64 import b64encode

from sources.synth.clock import HOUR, Zone, day_text, moment
from sources.synth.encounters import period
from sources.synth.ink import Ink
from sources.synth.life import Act, Life, Run, Visit
from sources.synth.region import LABORATORY
from sources.synth.render import coding, concept, joined, quoted, template

_LOINC = "http://loinc.org"
_SNOMED = "http://snomed.info/sct"
_HL7 = "http://terminology.hl7.org/CodeSystem"

_ORDER = template("""
    {"resourceType":"ServiceRequest","id":"$id",$meta"status":"completed","intent":"order","category":[$category],
    "priority":"$priority","code":$code,"subject":$patient,"encounter":$encounter,"occurrenceDateTime":"$at",
    "authoredOn":"$authored","requester":$doctor,"performer":[$laboratory]$reason,"specimen":[$specimen]}
""")
_SPECIMEN = template("""
    {"resourceType":"Specimen","id":"$id",$meta"status":"available","accessionIdentifier":{
    "system":"http://laboratory.example.org/accessions","value":"$accession"},"type":$type,"subject":$patient,
    "receivedTime":"$received","request":[$request],"collection":{"collector":$doctor,
    "collectedDateTime":"$at"$volume}}
""")
_REPORT = template("""
    {"resourceType":"DiagnosticReport","id":"$id",$meta"status":"$status",$based"category":[$category],
    "code":$code,"subject":$patient,"encounter":$encounter,"effectiveDateTime":"$at","issued":"$issued",
    "performer":[$laboratory]$specimen,"result":[$results]$conclusion$form}
""")
_IMAGING = template("""
    {"resourceType":"ImagingStudy","id":"$id",$meta"status":"available","identifier":[{
    "system":"urn:dicom:uid","value":"urn:oid:$uid"}],"modality":[$modality],"subject":$patient,
    "encounter":$encounter,"started":"$started","numberOfSeries":1,"numberOfInstances":$count,
    "procedureReference":$procedure,"description":$description,"series":[{"uid":"$uid.1","number":1,
    "modality":$modality,"numberOfInstances":$count,"bodySite":$site,"started":"$started",
    "instance":[$instances]}]}
""")
_DOCUMENT = template("""
    {"resourceType":"DocumentReference","id":"$id",$meta"status":"current","docStatus":"final","type":$type,
    "category":[$category],"subject":$patient,"date":"$date","author":[$doctor],"custodian":$organization,
    "content":[{"attachment":{"contentType":"text/plain; charset=utf-8","language":"en-US","data":"$data",
    "size":$size,"title":$title,"creation":"$created"},"format":$format}],
    "context":{"encounter":[$encounter],"period":$period}}
""")
_FORMAT = coding(
    "http://ihe.net/fhir/ValueSet/IHE.FormatCode.codesystem",
    "urn:ihe:iti:xds:2017:mimeTypeSufficient",
    "mimeType Sufficient",
)
_IMAGES = {
    "chestxray": ("DX", "Digital Radiography"),
    "kneexray": ("DX", "Digital Radiography"),
    "anklexray": ("DX", "Digital Radiography"),
    "forearmxray": ("DX", "Digital Radiography"),
    "echo": ("US", "Ultrasound"),
    "ultrasound": ("US", "Ultrasound"),
}
_NOTES = {
    "AMB": ("11506-3", "Progress note"),
    "VR": ("11506-3", "Progress note"),
    "EMER": ("34117-2", "History and physical note"),
    "IMP": ("18842-5", "Discharge summary"),
}


def _ordered(life: Life) -> list[tuple[Run, int]]:
    """The laboratory runs that were ordered in writing, with the number of their report: every second."""
    return [(run, run.report) for run in life.runs if run.report is not None and run.report % 2 == 0]


def orders(life: Life, ink: Ink) -> list[str]:
    """The laboratory orders."""
    return [_order(life, ink, run, number) for run, number in _ordered(life)]


def _order(life: Life, ink: Ink, run: Run, number: int) -> str:
    visit = life.visits[run.visit]
    zone = visit.place.zone
    reason = "" if visit.problem is None else f',"reasonReference":[{life.ref("Condition", visit.problem)}]'
    return _ORDER % {
        "id": life.uid("ServiceRequest", number),
        "meta": ink.meta(run.at),
        "category": concept(_SNOMED, "108252007", "Laboratory procedure"),
        "priority": "stat" if visit.kind == "EMER" else "routine",
        "code": concept(_LOINC, run.panel.loinc, run.panel.display),
        "patient": life.ref("Patient"),
        "encounter": life.ref("Encounter", run.visit),
        "at": moment(run.at, zone),
        "authored": moment(visit.start, zone),
        "doctor": life.region.ref("Practitioner", visit.practitioner),
        "laboratory": life.region.ref("Organization", LABORATORY),
        "reason": reason,
        "specimen": life.ref("Specimen", number),
    }


def specimens(life: Life, ink: Ink) -> list[str]:
    """The specimens of the laboratory orders."""
    return [_specimen(life, ink, run, number) for run, number in _ordered(life)]


def _specimen(life: Life, ink: Ink, run: Run, number: int) -> str:
    visit = life.visits[run.visit]
    volume = ',"quantity":{"value":%s,"unit":"mL","system":"http://unitsofmeasure.org","code":"mL"}'
    return _SPECIMEN % {
        "id": life.uid("Specimen", number),
        "meta": ink.meta(run.at + HOUR),
        "accession": f"A{life.index:07d}{number:04d}",
        "type": concept(_SNOMED, run.panel.specimen, run.panel.specimen_display),
        "patient": life.ref("Patient"),
        "received": moment(run.at + HOUR, Zone.UTC, ".000"),
        "request": life.ref("ServiceRequest", number),
        "doctor": life.region.ref("Practitioner", visit.practitioner),
        "at": moment(run.at, visit.place.zone),
        "volume": volume % ("5.0", "3", "2.70")[number % 3] if ink.rng.random() < 0.6 else "",
    }


def diagnostic_reports(life: Life, ink: Ink) -> list[str]:
    """One report for each laboratory run, with its Observations as results."""
    return [_report(life, ink, run, run.report) for run in life.runs if run.report is not None]


def _report(life: Life, ink: Ink, run: Run, number: int) -> str:
    rng, visit = ink.rng, life.visits[run.visit]
    results = [
        life.ref("Observation", run.first + place, analyte.display) for place, analyte in enumerate(run.analytes)
    ]
    requested = number % 2 == 0
    text = f"{run.panel.display}\nPatient: {life.name}\nResults: {len(results)}\n"
    form = f'{{"contentType":"text/plain","data":"{_data(text)}","title":"Report"}}'
    return _REPORT % {
        "id": life.uid("DiagnosticReport", number),
        "meta": ink.meta(run.at + 19 * HOUR),
        "status": "final" if rng.random() < 0.95 else "amended",
        "based": f'"basedOn":[{life.ref("ServiceRequest", number)}],' if requested else "",
        "category": concept(f"{_HL7}/v2-0074", "LAB", "Laboratory"),
        "code": concept(_LOINC, run.panel.loinc, run.panel.display),
        "patient": life.ref("Patient"),
        "encounter": life.ref("Encounter", run.visit),
        "at": moment(run.at, visit.place.zone),
        "issued": moment(run.at + 18 * HOUR, Zone.UTC, ".139"),
        "laboratory": life.region.ref("Organization", LABORATORY),
        "specimen": f',"specimen":[{life.ref("Specimen", number)}]' if requested else "",
        "results": joined(results),
        "conclusion": ',"conclusion":"See results; no critical values."' if rng.random() < 0.3 else "",
        "form": f',"presentedForm":[{form}]' if rng.random() < 0.15 else "",
    }


def _data(text: str) -> str:
    return b64encode(text.encode()).decode("ascii")


def imaging_studies(life: Life, ink: Ink) -> list[str]:
    """One study for each procedure that makes images."""
    return [_imaging(life, ink, act) for act in life.acts if act.operation.name in _IMAGES]


def _imaging(life: Life, ink: Ink, act: Act) -> str:
    visit, count = life.visits[act.visit], 1 + int(ink.rng.random() * 3)
    uid = f"1.2.840.99999999.{life.seed}.{life.index}.{act.number}"
    sop = coding("urn:ietf:rfc:3986", "urn:oid:1.2.840.10008.5.1.4.1.1.1.1")
    images = [f'{{"uid":"{uid}.1.{i}","sopClass":{sop},"number":{i}}}' for i in range(1, count + 1)]
    return _IMAGING % {
        "id": life.uid("ImagingStudy", act.number),
        "meta": ink.meta(act.end),
        "uid": uid,
        "modality": coding("http://dicom.nema.org/resources/ontology/DCM", *_IMAGES[act.operation.name]),
        "patient": life.ref("Patient"),
        "encounter": life.ref("Encounter", act.visit),
        "started": moment(act.start, visit.place.zone),
        "count": count,
        "procedure": life.ref("Procedure", act.number),
        "description": quoted(act.operation.display),
        "site": coding(_SNOMED, act.operation.site, act.operation.site_display),
        "instances": joined(images),
    }


def documents(life: Life, ink: Ink) -> list[str]:
    """A note of every stay and emergency and of every second other visit."""
    noted = [v for v in life.visits if v.kind in ("IMP", "EMER") or v.number % 2 == 0]
    return [_document(life, ink, visit) for visit in noted]


def _document(life: Life, ink: Ink, visit: Visit) -> str:
    code, title = _NOTES[visit.kind]
    why = "check-up" if visit.problem is None else life.problems[visit.problem].diagnosis.display
    day = day_text(visit.start // 86_400)
    note = f"{title}\n{life.name}, {life.age(visit.start):.0f} y, seen {day} for: {why}.\nPlan: see orders.\n"
    zone = visit.place.zone
    category = "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category"
    return _DOCUMENT % {
        "id": life.uid("DocumentReference", visit.number),
        "meta": ink.meta(visit.end),
        "type": concept(_LOINC, code, title),
        "category": concept(category, "clinical-note", "Clinical Note"),
        "patient": life.ref("Patient", 0, life.name),
        "date": moment(visit.end, zone, ".000"),
        "doctor": life.region.ref("Practitioner", visit.practitioner),
        "organization": life.region.ref("Organization", visit.place.organization),
        "data": _data(note),
        "size": len(note.encode()),
        "title": quoted(f"{title}, {day}"),
        "created": moment(visit.end, zone),
        "format": _FORMAT,
        "encounter": life.ref("Encounter", visit.number),
        "period": period(visit),
    }
