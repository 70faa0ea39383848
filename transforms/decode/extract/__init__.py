"""Rows of CSV, TSV and Parquet into FHIR-shaped frames, as a mapping says."""
