"""HL7 v2 in files: bytes to whole messages."""
