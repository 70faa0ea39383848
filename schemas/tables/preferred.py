"""Which code systems tables prefer, by what is coded: the first of them that was sent fills the column."""

from __future__ import annotations

from schemas.systems import CPT, CVX, ICD10, ICD10CM, LOINC, RXNORM, SNOMED

_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
_SID = "http://hl7.org/fhir/sid/"
_HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
_NDC = _SID + "ndc"

ALLERGEN = (RXNORM, SNOMED)
ALLERGY_CLINICAL = (_TERMINOLOGY + "allergyintolerance-clinical",)
CARE_PLAN_CATEGORY = ("http://hl7.org/fhir/us/core/CodeSystem/careplan-category", SNOMED)
CONDITION_CATEGORY = (
    _TERMINOLOGY + "condition-category",
    "http://hl7.org/fhir/us/core/CodeSystem/condition-category",
)
DIAGNOSIS = (SNOMED, ICD10CM, ICD10, _SID + "icd-9-cm")
BILLED_DIAGNOSIS = (ICD10CM, ICD10, SNOMED)
BILLED_SERVICE = (CPT, _HCPCS, SNOMED)
DISCHARGE = (_TERMINOLOGY + "discharge-disposition", "https://www.nubc.org/CodeSystem/PatDischargeStatus")
DOCUMENT_TYPE = (LOINC,)
DRUG = (RXNORM, _NDC, SNOMED)
IDENTIFIER_TYPE = (_TERMINOLOGY + "v2-0203",)
LANGUAGE = ("urn:ietf:bcp:47",)
MARITAL_STATUS = (_TERMINOLOGY + "v3-MaritalStatus",)
PROCEDURE = (SNOMED, CPT, "http://www.cms.gov/Medicare/Coding/ICD10", _HCPCS)
REPORT = (LOINC, SNOMED)
REPORT_CATEGORY = (_TERMINOLOGY + "v2-0074", LOINC)
SPECIALTY = ("http://nucc.org/provider-taxonomy", SNOMED)
VACCINE = (CVX, _NDC)
