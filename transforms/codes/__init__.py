"""Codes: one URI for each code system, and what a crosswalk says of a code."""
