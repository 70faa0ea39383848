"""Claim and ExplanationOfBenefit: what a visit cost, item by item, and what the insurer paid of it."""

from __future__ import annotations

from dataclasses import dataclass

from sources.synth.clock import DAY, day_text, local_day, moment
from sources.synth.encounters import PROBLEM, period
from sources.synth.ink import Ink
from sources.synth.life import Life, Visit
from sources.synth.render import concept, joined, template

_SNOMED = "http://snomed.info/sct"
_HL7 = "http://terminology.hl7.org/CodeSystem"

_CLAIM = template("""
    {"resourceType":"Claim","id":"$id",$meta"status":"$status","identifier":[{
    "system":"http://hospital.example.org/claims","value":"$number"}],"type":$type,"use":"claim",
    "patient":$patient,"billablePeriod":$period,"created":"$created","insurer":$insurer,"provider":$provider,
    "priority":$priority,$diagnosis$procedure"insurance":[{"sequence":1,"focal":true,"coverage":$coverage}],
    "item":[$items],"total":{"value":$total,"currency":"USD"}}
""")
_BENEFIT = template("""
    {"resourceType":"ExplanationOfBenefit","id":"$id",$meta"status":"active","type":$type,"use":"claim",
    "patient":$patient,"billablePeriod":$period,"created":"$created","insurer":$insurer,"provider":$provider,
    "claim":$claim,"outcome":"complete","careTeam":[{"sequence":1,"provider":$doctor,"role":$role}],$diagnosis
    "insurance":[{"focal":true,"coverage":$coverage}],"item":[$items],"total":[{"category":$submitted,
    "amount":{"value":$total,"currency":"USD"}},{"category":$benefit,"amount":{"value":$paid,"currency":"USD"}}],
    "payment":{"type":$complete,"date":"$date","amount":{"value":$paid,"currency":"USD"}}}
""")
_ITEM = template("""
    {"sequence":$sequence,$links"productOrService":$code,"servicedPeriod":$period,
    "quantity":{"value":$quantity},"unitPrice":{"value":$price,"currency":"USD"},
    "net":{"value":$net,"currency":"USD"},"encounter":[$encounter]$adjudication}
""")
_ADJUDICATION = template("""
    ,"adjudication":[{"category":$submitted,"amount":{"value":$net,"currency":"USD"}},
    {"category":$copay,"amount":{"value":$own,"currency":"USD"}},
    {"category":$benefit,"amount":{"value":$paid,"currency":"USD"}}]
""")
_KINDS = {"submitted": "Submitted Amount", "copay": "CoPay", "benefit": "Benefit Amount"}
_CATEGORIES = {kind: concept(f"{_HL7}/adjudication", kind, display) for kind, display in _KINDS.items()}
_FEES = {
    "AMB": ("185349003", "Encounter for check up", 129.16),
    "VR": ("448337001", "Telemedicine consultation with patient", 64.58),
    "EMER": ("50849002", "Emergency room admission", 431.90),
    "IMP": ("183452005", "Emergency hospital admission", 1284.00),
}
_DOSE_PRICE = 140.52
_TEST_PRICE = 11.85


@dataclass(frozen=True, slots=True)
class _Charge:
    """One item: its code, how many at which price, and what in the claim it refers to."""

    code: str
    quantity: int
    price: float
    links: str = ""

    @property
    def net(self) -> float:
        return round(self.quantity * self.price, 2)


def _charges(life: Life, visit: Visit) -> list[_Charge]:
    """What a visit is billed: the same list for claim and benefit."""
    code, display, fee = _FEES[visit.kind]
    if visit.kind == "AMB" and visit.problem is not None:
        code, display = PROBLEM
    days = max(1, (visit.end - visit.start) // DAY)
    charges = [_Charge(concept(_SNOMED, code, display), days if visit.kind == "IMP" else 1, fee)]
    acts = [act for act in life.acts if act.visit == visit.number]
    for sequence, act in enumerate(acts, 1):
        operation = concept(_SNOMED, act.operation.snomed, act.operation.display)
        charges.append(_Charge(operation, 1, act.operation.price, f'"procedureSequence":[{sequence}],'))
    for shot in life.shots:
        if shot.visit == visit.number:
            vaccine = concept("http://hl7.org/fhir/sid/cvx", shot.vaccine.cvx, shot.vaccine.display)
            charges.append(_Charge(vaccine, 1, _DOSE_PRICE))
    for run in life.runs:
        if run.visit == visit.number and run.report is not None:
            panel = concept("http://loinc.org", run.panel.loinc, run.panel.display)
            charges.append(_Charge(panel, len(run.analytes), _TEST_PRICE))
    return charges


def claims(life: Life, ink: Ink) -> list[str]:
    """One claim for each visit."""
    return [_claim(life, ink, visit) for visit in life.visits]


def _claim(life: Life, ink: Ink, visit: Visit) -> str:
    charges = _charges(life, visit)
    acts = [
        f'{{"sequence":{sequence},"procedureReference":{life.ref("Procedure", act.number)}}}'
        for sequence, act in enumerate((a for a in life.acts if a.visit == visit.number), 1)
    ]
    facts = {
        "id": life.uid("Claim", visit.number),
        "meta": ink.meta(visit.end),
        "status": "active" if ink.rng.random() < 0.97 else "cancelled",
        "number": f"C{life.index:07d}-{visit.number:03d}",
        "priority": concept(f"{_HL7}/processpriority", "normal", "Normal"),
        "procedure": f'"procedure":[{joined(acts)}],' if acts else "",
        "items": joined(_items(life, visit, charges, "")),
        "total": f"{sum(charge.net for charge in charges):.2f}",
    }
    return _CLAIM % (facts | _facts(life, visit))


def _facts(life: Life, visit: Visit) -> dict[str, str]:
    """What claim and benefit have in common."""
    kind = ("institutional", "Institutional") if visit.kind in ("IMP", "EMER") else ("professional", "Professional")
    diagnosis = ""
    if visit.problem is not None:
        condition = life.ref("Condition", visit.problem)
        diagnosis = f'"diagnosis":[{{"sequence":1,"diagnosisReference":{condition}}}],'
    return {
        "type": concept(f"{_HL7}/claim-type", *kind),
        "patient": life.ref("Patient", 0, life.name),
        "period": period(visit),
        "created": moment(visit.end, visit.place.zone),
        "insurer": life.region.ref("Organization", life.insurer),
        "provider": life.region.ref("Organization", visit.place.organization),
        "coverage": life.ref("Coverage"),
        "diagnosis": diagnosis,
    }


def _items(life: Life, visit: Visit, charges: list[_Charge], share: str) -> list[str]:
    """The items; ``share`` "" without, else with what was paid of each."""
    span, encounter = period(visit), life.ref("Encounter", visit.number)
    return [
        _ITEM
        % {
            "sequence": sequence,
            "links": charge.links if not share else "",
            "code": charge.code,
            "period": span,
            "quantity": charge.quantity,
            "price": f"{charge.price:.2f}",
            "net": f"{charge.net:.2f}",
            "encounter": encounter,
            "adjudication": _adjudication(charge.net, float(share)) if share else "",
        }
        for sequence, charge in enumerate(charges, 1)
    ]


def _adjudication(net: float, share: float) -> str:
    paid = round(net * share, 2)
    return _ADJUDICATION % (_CATEGORIES | {"net": f"{net:.2f}", "own": f"{net - paid:.2f}", "paid": f"{paid:.2f}"})


def benefits(life: Life, ink: Ink) -> list[str]:
    """What the insurer paid: nine in ten claims are settled."""
    return [_benefit(life, ink, visit) for visit in life.visits if visit.number % 10 != 9]


def _benefit(life: Life, ink: Ink, visit: Visit) -> str:
    charges = _charges(life, visit)
    share = ("0.8", "0.8", "0.9", "0.65")[int(ink.rng.random() * 4)]
    total = sum(charge.net for charge in charges)
    paid = sum(round(charge.net * float(share), 2) for charge in charges)
    settled = visit.end + DAY
    facts = _CATEGORIES | {
        "id": life.uid("ExplanationOfBenefit", visit.number),
        "meta": ink.meta(settled),
        "claim": life.ref("Claim", visit.number),
        "doctor": life.region.ref("Practitioner", visit.practitioner),
        "role": concept(f"{_HL7}/claimcareteamrole", "primary", "Primary provider"),
        "items": joined(_items(life, visit, charges, share)),
        "total": f"{total:.2f}",
        "paid": f"{paid:.2f}",
        "complete": concept(f"{_HL7}/ex-paymenttype", "complete", "Complete"),
        "date": day_text(settled // DAY),
    }
    return _BENEFIT % (facts | _facts(life, visit) | {"created": local_day(settled, visit.place.zone)})
