"""Mapping files (``--mapping``): YAML, with the line of every fault."""

from sources.mapping.read import parse_mapping, read_mapping

__all__ = ["parse_mapping", "read_mapping"]
