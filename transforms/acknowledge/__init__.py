"""HL7 v2 acknowledgments: what is read of a message to answer it, and the answer."""
