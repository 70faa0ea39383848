"""What each kind of entry becomes, by HL7's own C-CDA on FHIR maps."""
