"""Codes of HL7 v2 tables and what they are in FHIR R4, by the code system maps of the v2-to-FHIR project.

Codes that the maps leave open and this project decided: 0085 B, I, N, O, R, S, U, V; 0123 A, M, N, Y, Z; 0038 A. A code
that is not listed gives nothing here; the sent code stays where the element has room for it.
"""

# ruff: noqa: E501

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

V2: Final = "http://terminology.hl7.org/CodeSystem/v2-"
IDENTIFIER_TYPE: Final = V2 + "0203"


@dataclass(frozen=True, slots=True)
class Translation:
    """Codes of an HL7 v2 table as codings of another system: ``to[code]`` is (code, display) or (code, display, system)."""

    table: str
    system: str
    to: Mapping[str, tuple[str, ...]]


GENDER: Final = {"F": "female", "M": "male", "O": "other", "U": "unknown", "A": "other", "N": "other"}  # 0001
NAME_USE: Final = {
    "BAD": "old",
    "D": "usual",
    "L": "official",
    "M": "maiden",
    "MSK": "anonymous",
    "N": "nickname",
    "NAV": "temp",
    "R": "official",
    "TEMP": "temp",
}  # 0200
ADDRESS_TYPE: Final = {"M": "postal", "SH": "postal"}  # 0190
ADDRESS_USE: Final = {"BA": "old", "BI": "billing", "C": "temp", "B": "work", "H": "home", "O": "work"}  # 0190
TELECOM_USE: Final = {"PRN": "home", "WPN": "work", "PRS": "mobile"}  # 0201
RESULT_STATUS: Final = {
    "A": "amended",
    "C": "corrected",
    "D": "entered-in-error",
    "F": "final",
    "P": "preliminary",
    "X": "cancelled",
    "W": "entered-in-error",
    "B": "amended",
    "I": "registered",
    "N": "final",
    "O": "registered",
    "R": "preliminary",
    "S": "preliminary",
    "U": "final",
    "V": "final",
}  # 0085
REPORT_STATUS: Final = {
    "O": "registered",
    "I": "registered",
    "S": "registered",
    "P": "preliminary",
    "C": "corrected",
    "R": "partial",
    "F": "final",
    "X": "cancelled",
    "A": "partial",
    "M": "corrected",
    "N": "registered",
    "Y": "unknown",
    "Z": "unknown",
}  # 0123
ORDER_STATUS: Final = {
    "CA": "revoked",
    "CM": "completed",
    "DC": "revoked",
    "ER": "entered-in-error",
    "HD": "on-hold",
    "IP": "active",
    "RP": "revoked",
    "SC": "active",
    "A": "active",
}  # 0038
ORDER_CONTROL: Final = {
    "AF": "active",
    "CA": "active",
    "CR": "revoked",
    "DC": "revoked",
    "DF": "revoked",
    "DR": "revoked",
    "FU": "completed",
    "HD": "active",
    "HR": "on-hold",
    "NW": "active",
    "OC": "revoked",
    "OD": "revoked",
    "OH": "on-hold",
    "OK": "active",
    "PR": "active",
    "PY": "active",
    "RL": "active",
    "RO": "active",
    "RQ": "active",
}  # 0119
PRIORITY: Final = {"S": "stat", "A": "asap", "R": "routine"}  # 0485
ALLERGY_CATEGORY: Final = {
    "DA": "medication",
    "FA": "food",
    "EA": "environment",
    "AA": "biologic",
    "PA": "environment",
    "LA": "environment",
}  # 0127
ALLERGY_TYPE: Final = {
    "DA": "allergy",
    "FA": "allergy",
    "MA": "allergy",
    "EA": "allergy",
    "AA": "allergy",
    "PA": "allergy",
    "LA": "allergy",
}  # 0127
CRITICALITY: Final = {"SV": "high", "MI": "low"}  # 0128
SEVERITY: Final = {"SV": "severe", "MO": "moderate", "MI": "mild"}  # 0128
COMPLETION: Final = {"CP": "completed", "RE": "not-done", "NA": "not-done", "PA": "completed"}  # 0322
APPOINTMENT_STATUS: Final = {
    "Pending": "pending",
    "Waitlist": "waitlist",
    "Booked": "booked",
    "Started": "checked-in",
    "Complete": "fulfilled",
    "Cancelled": "cancelled",
    "Deleted": "entered-in-error",
    "Noshow": "noshow",
}  # 0278
SPECIMEN_STATUS: Final = {"Y": "available", "N": "unavailable"}  # 0136
PATIENT_CLASS: Final = Translation(
    "0004",
    "http://terminology.hl7.org/CodeSystem/v2-0004",
    {
        "E": ("EMER", "emergency", "http://terminology.hl7.org/CodeSystem/v3-ActCode"),
        "I": ("IMP", "inpatient encounter", "http://terminology.hl7.org/CodeSystem/v3-ActCode"),
        "O": ("AMB", "ambulatory", "http://terminology.hl7.org/CodeSystem/v3-ActCode"),
        "P": ("PRENC", "pre-admission", "http://terminology.hl7.org/CodeSystem/v3-ActCode"),
        "R": ("R", "Recurring patient"),
        "B": ("B", "Obstetrics"),
        "C": ("C", "Commercial Account"),
        "N": ("N", "Not Applicable"),
        "U": ("U", "Unknown"),
    },
)
MARITAL_STATUS: Final = Translation(
    "0002",
    "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus",
    {
        "A": ("L", "Legally Separated"),
        "D": ("D", "Divorced"),
        "M": ("M", "Married"),
        "S": ("S", "Never Married"),
        "W": ("W", "Widowed"),
        "C": ("C", "Common Law"),
        "G": ("T", "Domestic partner"),
        "P": ("T", "Domestic partner"),
        "R": ("T", "Domestic partner"),
        "E": ("L", "Legally Separated"),
        "N": ("A", "Annulled"),
        "I": ("I", "Interlocutory"),
        "B": ("U", "unmarried"),
        "U": ("UNK", "Unknown", "http://terminology.hl7.org/CodeSystem/v3-NullFlavor"),
        "O": ("OTH", "Other", "http://terminology.hl7.org/CodeSystem/v3-NullFlavor"),
        "T": ("NAVU", "Not available", "http://terminology.hl7.org/CodeSystem/v3-NullFlavor"),
    },
)
INTERPRETATION: Final = Translation(
    "0078",
    "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation",
    {
        "<": ("<", "Off scale low"),
        ">": (">", "Off scale high"),
        "A": ("A", "Abnormal"),
        "AA": ("AA", "Critical abnormal"),
        "B": ("B", "Better"),
        "CAR": ("CAR", "Carrier"),
        "D": ("D", "Significant change down"),
        "DET": ("DET", "Detected"),
        "E": ("E", "Equivocal"),
        "EX": ("EX", "outside threshold"),
        "EXP": ("EXP", "Expected"),
        "H": ("H", "High"),
        "HH": ("HH", "Critical high"),
        "HU": ("HU", "Significantly high"),
        "I": ("I", "Intermediate"),
        "IE": ("IE", "Insufficient evidence"),
        "IND": ("IND", "Indeterminate"),
        "L": ("L", "Low"),
        "LL": ("LL", "Critical low"),
        "LU": ("LU", "Significantly low"),
        "MS": ("MS", "moderately susceptible"),
        "N": ("N", "Normal"),
        "NCL": ("NCL", "No CLSI defined breakpoint"),
        "ND": ("ND", "Not detected"),
        "NEG": ("NEG", "Negative"),
        "NR": ("NR", "Non-reactive"),
        "NS": ("NS", "Non-susceptible"),
        "POS": ("POS", "Positive"),
        "R": ("R", "Resistant"),
        "RR": ("RR", "Reactive"),
        "S": ("S", "Susceptible"),
        "SDD": ("SDD", "Susceptible-dose dependent"),
        "SYN-R": ("SYN-R", "Synergy - resistant"),
        "SYN-S": ("SYN-S", "Synergy - susceptible"),
        "U": ("U", "Significant change up"),
        "VS": ("VS", "very susceptible"),
        "UNE": ("UNE", "Unexpected"),
        "W": ("W", "Worse"),
        "WR": ("WR", "Weakly reactive"),
    },
)
ENCOUNTER_PRIORITY: Final = Translation(
    "0217",
    "http://terminology.hl7.org/CodeSystem/v3-ActPriority",
    {"1": ("EM", "emergency"), "2": ("UR", "urgent"), "3": ("EL", "elective")},
)
DIAGNOSIS_TYPE: Final = Translation(
    "0052", "http://terminology.hl7.org/CodeSystem/diagnosis-role", {"A": ("AD", "Admission Diagnosis")}
)
RELATIONSHIP: Final = Translation(
    "0063",
    "http://terminology.hl7.org/CodeSystem/v3-RoleCode",
    {
        "SEL": ("ONESELF", "self"),
        "SPO": ("SPS", "spouse"),
        "DOM": ("SIGOTHR", "significant other"),
        "CHD": ("CHILD", "child"),
        "GCH": ("GRNDCHILD", "grandchild"),
        "NCH": ("NCHILD", "natural child"),
        "SCH": ("STPCHLD", "step child"),
        "FCH": ("CHLDFOST", "foster child"),
        "DEP": ("DEP", "Handicapped dependent", "http://terminology.hl7.org/CodeSystem/v2-0063"),
        "WRD": ("WRD", "Ward of court", "http://terminology.hl7.org/CodeSystem/v2-0063"),
        "PAR": ("PRN", "parent"),
        "MTH": ("MTH", "mother"),
        "FTH": ("FTH", "father"),
        "CGV": ("CGV", "Care giver", "http://terminology.hl7.org/CodeSystem/v2-0063"),
        "GRD": ("GRD", "Guardian", "http://terminology.hl7.org/CodeSystem/v2-0063"),
        "GRP": ("GRPRN", "grandparent"),
        "EXF": ("EXT", "extended family member"),
        "SIB": ("SIB", "sibling"),
        "BRO": ("BRO", "brother"),
        "SIS": ("SIS", "sister"),
        "FND": ("FRND", "unrelated friend"),
        "OAD": ("OAD", "Other adult", "http://terminology.hl7.org/CodeSystem/v2-0063"),
        "EME": ("EME", "Employee", "http://terminology.hl7.org/CodeSystem/v2-0063"),
        "EMR": ("E", "Employer", "http://terminology.hl7.org/CodeSystem/v2-0131"),
        "ASC": ("ASC", "Associate", "http://terminology.hl7.org/CodeSystem/v2-0063"),
        "EMC": ("C", "Emergency Contact", "http://terminology.hl7.org/CodeSystem/v2-0131"),
        "OWN": ("OWN", "Owner", "http://terminology.hl7.org/CodeSystem/v2-0063"),
        "TRA": ("TRA", "Trainer", "http://terminology.hl7.org/CodeSystem/v2-0063"),
        "MGR": ("MGR", "Manager", "http://terminology.hl7.org/CodeSystem/v2-0063"),
        "NON": ("NON", "None", "http://terminology.hl7.org/CodeSystem/v2-0063"),
        "UNK": ("U", "Unknown", "http://terminology.hl7.org/CodeSystem/v2-0131"),
        "OTH": ("O", "Other", "http://terminology.hl7.org/CodeSystem/v2-0131"),
    },
)
ROUTE: Final = Translation(
    "0162",
    "http://terminology.hl7.org/CodeSystem/v2-0162",
    {
        "AP": ("AP", "Apply Externally"),
        "B": ("B", "Buccal"),
        "DT": ("DT", "Dental"),
        "EP": ("EP", "Epidural"),
        "ET": ("ET", "Endotrachial Tube"),
        "GTT": ("GTT", "Gastrostomy Tube"),
        "GU": ("GU", "GU Irrigant"),
        "IMR": ("IMR", "Immerse (Soak) Body Part"),
        "IA": ("IA", "Intra-arterial"),
        "IB": ("IB", "Intrabursal"),
        "IC": ("IC", "Intracardiac"),
        "ICV": ("ICV", "Intracervical (uterus)"),
        "ID": ("IDINJ", "Injection, intradermal", "http://terminology.hl7.org/CodeSystem/v3-RouteOfAdministration"),
        "IH": ("IH", "Inhalation"),
        "IHA": ("IHA", "Intrahepatic Artery"),
        "IM": ("IM", "Injection, intramuscular", "http://terminology.hl7.org/CodeSystem/v3-RouteOfAdministration"),
        "IN": ("IN", "Intranasal"),
        "IO": ("IO", "Intraocular"),
        "IP": ("IP", "Intraperitoneal"),
        "IS": ("IS", "Intrasynovial"),
        "IT": ("IT", "Intrathecal"),
        "IU": ("IU", "Intrauterine"),
        "IV": ("IVINJ", "Injection, intravenous", "http://terminology.hl7.org/CodeSystem/v3-RouteOfAdministration"),
        "MTH": ("MTH", "Mouth/Throat"),
        "MM": ("MM", "Mucous Membrane"),
        "NS": ("NS", "Nasal"),
        "NG": ("NG", "Nasogastric"),
        "NP": ("NP", "Nasal Prongs"),
        "NT": ("NT", "Nasotrachial Tube"),
        "OP": ("OP", "Ophthalmic"),
        "OT": ("OT", "Otic"),
        "OTH": ("OTH", "Other/Miscellaneous"),
        "PF": ("PF", "Perfusion"),
        "PO": ("PO", "Swallow, oral", "http://terminology.hl7.org/CodeSystem/v3-RouteOfAdministration"),
        "PR": ("PR", "Rectal"),
        "RM": ("RM", "Rebreather Mask"),
        "SD": ("SD", "Soaked Dressing"),
        "SC": ("SQ", "Injection, subcutaneous", "http://terminology.hl7.org/CodeSystem/v3-RouteOfAdministration"),
        "SL": ("SL", "Sublingual"),
        "TP": ("TP", "Topical"),
        "TRA": ("TRA", "Tracheostomy"),
        "TD": ("TRNSDERM", "Transdermal", "http://terminology.hl7.org/CodeSystem/v3-RouteOfAdministration"),
        "TL": ("TL", "Translingual"),
        "UR": ("UR", "Urethral"),
        "VG": ("VG", "Vaginal"),
        "VM": ("VM", "Ventimask"),
        "WND": ("WND", "Wound"),
    },
)

# Table 0003, trigger events that tell what becomes of the visit; another one leaves it as it is. A04 and what follows
# A08 are decisions: see docs/hl7v2-maps.md.
ENCOUNTER_STATUS: Final = {
    "A01": "in-progress",
    "A02": "in-progress",
    "A03": "finished",
    "A04": "in-progress",
    "A05": "planned",
    "A06": "in-progress",
    "A07": "in-progress",
    "A09": "in-progress",
    "A10": "in-progress",
    "A11": "cancelled",
    "A12": "in-progress",
    "A13": "in-progress",
    "A14": "planned",
    "A15": "in-progress",
    "A16": "in-progress",
    "A21": "onleave",
    "A22": "in-progress",
    "A25": "in-progress",
    "A26": "in-progress",
    "A27": "cancelled",
    "A32": "in-progress",
    "A33": "in-progress",
    "A38": "cancelled",
    "A52": "in-progress",
    "A53": "onleave",
}
APPOINTMENT_EVENT: Final = {
    "S12": "booked",
    "S13": "booked",
    "S14": "booked",
    "S15": "cancelled",
    "S16": "cancelled",
    "S17": "entered-in-error",
    "S26": "noshow",
}
TELECOM_SYSTEM: Final = {
    "PH": "phone",
    "FX": "fax",
    "MD": "other",
    "CP": "phone",
    "SAT": "other",
    "BP": "pager",
    "Internet": "email",
    "X.400": "email",
    "TDD": "other",
    "TTY": "other",
}  # 0202; CP is a phone whose use is mobile
YES_NO: Final = {"Y": "true", "N": "false"}  # 0136
REQUEST_INTENT: Final = {"G": "reflex-order"}  # 0065; any other is an order
DOCUMENT_STATUS: Final = {"CA": "entered-in-error", "OB": "superseded", "UN": "current", "AV": "current"}  # 0273
COMPOSITION_STATUS: Final = {
    "DI": "preliminary",
    "DO": "preliminary",
    "IP": "preliminary",
    "IN": "preliminary",
    "PA": "preliminary",
    "AU": "final",
    "LA": "final",
}  # 0271
ALLERGY_CLINICAL: Final = {"A": "active", "I": "inactive"}  # 0438 tells more, and other things
