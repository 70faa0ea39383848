"""HL7 v2 segments to FHIR R4 elements, by the official v2-to-FHIR maps; what they leave open is told in
``docs/hl7v2-maps.md``.
"""
