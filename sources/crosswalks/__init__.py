"""Crosswalk files: ConceptMap in JSON (STU3, R4, R5; alone or in a Bundle) and CSV."""

from sources.crosswalks.read import read_crosswalk

__all__ = ["read_crosswalk"]
