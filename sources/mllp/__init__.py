"""HL7 v2 over TCP by the Minimal Lower Layer Protocol: frames, connections, the server. It knows no segments."""
