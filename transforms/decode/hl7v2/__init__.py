"""HL7 v2 messages to segments and fields (HL7 v2.9 chapter 2)."""
