"""C-CDA documents (CDA R2, C-CDA R1.1 to R4) as FHIR resources."""
