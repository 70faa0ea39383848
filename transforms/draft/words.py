"""By what names the columns of a table are met in headers, those of OMOP CDM and of Epic's Clarity among them."""

from __future__ import annotations

import re
from types import MappingProxyType

_PERSON = (
    "patient_id person_id pat_id patid subject_id patientid patient_key pat_mrn_id mrn patient_mrn "
    "medical_record_number patient person subject"
)
_VISIT = (
    "encounter_id visit_occurrence_id pat_enc_csn_id csn visit_id enc_id encounterid hadm_id visit_number encounter"
)

# By table: what tells it from others, and the names of its targets, the likeliest first. Names are in snake case.
WORDS = MappingProxyType(
    {
        "patient": {
            "": "person birth_date dob date_of_birth birthdate gender sex mrn",
            "id": "patient_id person_id pat_id patid subject_id patientid patient_key",
            "mrn": "mrn pat_mrn_id patient_mrn medical_record_number hospital_number person_source_value",
            "name_family": "last_name family_name surname pat_last_name lastname family last",
            "name_given": "first_name given_name pat_first_name firstname given first",
            "name_text": "pat_name patient_name full_name name",
            "gender": "gender sex gender_source_value gender_concept_id sex_name patient_sex",
            "birth": "birth_date dob date_of_birth birthdate birth_datetime birth_dt",
            "deceased": "death_date dod date_of_death death_datetime deceased_date deathdate",
            "phone": "phone home_phone phone_number mobile telephone",
            "email": "email email_address",
            "address_line": "address street add_line_1 address_line_1 address1",
            "address_city": "city town",
            "address_state": "state state_code province",
            "address_postal_code": "zip postal_code zip_code postcode",
            "address_country": "country country_code",
            "marital_status": "marital_status marital",
        },
        "observation": {
            "": "result test analyte loinc measurement value units specimen reference_low reference_high abnormal lab",
            "id": "measurement_id result_id observation_id lab_result_id order_result_id labevent_id",
            "patient_id": _PERSON,
            "encounter_id": _VISIT,
            "code": "loinc loinc_code measurement_source_value test_code test component_id analyte_code item_id itemid "
            "lab_code measurement_concept_id code result_code",
            "code_display": "test_name component_name analyte analyte_name lab_name name test_description label "
            "description test",
            "value": "result result_value value ord_value value_source_value test_result measurement_value valuenum",
            "value_number": "value_as_number result_numeric ord_num_value numeric_result",
            "value_unit": "units unit unit_source_value reference_unit result_unit uom valueuom",
            "reference_range_low_number": "range_low reference_low ref_low normal_low ref_range_lower low",
            "reference_range_high_number": "range_high reference_high ref_high normal_high ref_range_upper high",
            "reference_range_text": "reference_range ref_range normal_range",
            "interpretation": "abnormal_flag flag result_flag abnormal",
            "effective": "collected collected_at collection_time specimn_taken_time specimen_taken_time "
            "collection_date measurement_datetime measurement_date charttime observation_time drawn taken result_date "
            "collect_dt "
            "collection_datetime sample_date date",
            "issued": "result_time issued reported verified released resulted report_date",
            "status": "status result_status lab_status",
            "specimen_display": "specimen specimen_type sample_type",
            "last_updated": "updated updated_at last_updated update_date modified modified_at last_modified "
            "line_updated instant_of_update_dttm",
        },
        "encounter": {
            "": "admission discharge admit encounter visit hosp_admsn_time hosp_dischrg_time department csn enc_type",
            "id": "encounter_id pat_enc_csn_id visit_occurrence_id csn visit_id enc_id hadm_id visit_number",
            "patient_id": _PERSON,
            "period_start": "hosp_admsn_time admit_time admission_date admit_date visit_start_datetime "
            "visit_start_date admittime contact_date start_time start_date arrival_time",
            "period_end": "hosp_disch_time discharge_time discharge_date visit_end_datetime visit_end_date dischtime "
            "end_time end_date hosp_dischrg_time",
            "encounter_class": "encounter_class adt_pat_class_c pat_class patient_class visit_class class base_class",
            "type_text": "enc_type enc_type_c encounter_type visit_type appt_type admission_type visit_source_value",
            "status": "status enc_status appt_status encounter_status",
            "location_display": "department department_name location unit_name ward clinic",
            "discharge_disposition_text": "disch_disp_c discharge_disposition discharge_location disposition",
            "admit_source_text": "admission_source admit_source admission_location",
            "last_updated": "updated updated_at last_updated update_date modified last_modified",
        },
        "condition": {
            "": "diagnosis dx icd icd10 problem condition onset dx_date icd_code",
            "id": "condition_occurrence_id condition_id problem_id diagnosis_id dx_id",
            "patient_id": _PERSON,
            "encounter_id": _VISIT,
            "code": "icd10 icd_code icd10_code dx_code diagnosis_code condition_source_value current_icd10_list code",
            "code_display": "diagnosis dx_name diagnosis_name problem condition description",
            "onset": "onset onset_date condition_start_date dx_date diagnosis_date start_date noted_date",
            "abatement": "resolved resolved_date condition_end_date end_date abatement_date",
            "recorded": "recorded recorded_date entry_date",
            "clinical_status": "status problem_status clinical_status",
            "last_updated": "updated updated_at last_updated update_date modified",
        },
        "medication_request": {
            "": "drug medication prescription dose rx ndc rxnorm sig order_med_id refills",
            "id": "order_med_id prescription_id drug_exposure_id medication_order_id rx_id order_id",
            "patient_id": _PERSON,
            "encounter_id": _VISIT,
            "medication_code": "rxnorm rxnorm_code ndc ndc_code drug_source_value medication_id drug_code",
            "medication_text": "medication drug drug_name medication_name description",
            "authored": "ordering_date order_date start_date drug_exposure_start_date ordered prescribed starttime",
            "dosage_text": "sig directions instructions",
            "status": "status order_status order_status_c",
            "last_updated": "updated updated_at last_updated update_date modified",
        },
        "procedure": {
            "": "procedure cpt procedure_date px hcpcs surgery proc_code",
            "id": "procedure_occurrence_id procedure_id order_proc_id px_id",
            "patient_id": _PERSON,
            "encounter_id": _VISIT,
            "code": "cpt cpt_code proc_code procedure_code procedure_source_value hcpcs px_code",
            "code_display": "procedure procedure_name proc_name description",
            "performed": "procedure_date procedure_datetime proc_date performed px_date date",
            "status": "status",
            "last_updated": "updated updated_at last_updated update_date modified",
        },
        "immunization": {
            "": "vaccine cvx immunization dose_number lot vaccine_code immune_date",
            "id": "immunization_id immune_id vaccination_id",
            "patient_id": _PERSON,
            "encounter_id": _VISIT,
            "vaccine_code": "cvx cvx_code vaccine_code",
            "vaccine_code_display": "vaccine vaccine_name immunization_name",
            "occurrence": "immune_date administered administration_date vaccination_date date_given date",
            "lot_number": "lot lot_number",
            "status": "status",
        },
    }
)

_CODE_SYSTEMS = (
    ("loinc", "http://loinc.org"),
    ("icd10", "http://hl7.org/fhir/sid/icd-10-cm"),
    ("icd_10", "http://hl7.org/fhir/sid/icd-10-cm"),
    ("rxnorm", "http://www.nlm.nih.gov/research/umls/rxnorm"),
    ("ndc", "http://hl7.org/fhir/sid/ndc"),
    ("cvx", "http://hl7.org/fhir/sid/cvx"),
    ("cpt", "http://www.ama-assn.org/go/cpt"),
    ("concept_id", "https://fhir-terminology.ohdsi.org"),
)


def snake_words(name: str) -> str:
    """A header's name in snake case: ``Birth Date``, ``birthDate`` and ``BIRTH_DATE`` are the same."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[^a-z0-9]+", "_", split.lower()).strip("_")


def code_system_of(column: str, *, loinc: bool = False) -> str | None:
    """The code system that a column's name tells, or LOINC where its values look like it."""
    name = snake_words(column)
    for word, system in _CODE_SYSTEMS:
        if word in name:
            return system
    return _CODE_SYSTEMS[0][1] if loinc else None
