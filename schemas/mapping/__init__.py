"""What a mapping says: how the columns of a CSV, TSV or Parquet file become columns of a table of the mart."""

from schemas.mapping.dialect import Dialect
from schemas.mapping.expression import Column, Concat, Constant, Expression, First, KeyOf, Lookup, Split
from schemas.mapping.mapping import Entry, Mapping
from schemas.mapping.targets import Target, targets_of

__all__ = [
    "Column",
    "Concat",
    "Constant",
    "Dialect",
    "Entry",
    "Expression",
    "First",
    "KeyOf",
    "Lookup",
    "Mapping",
    "Split",
    "Target",
    "targets_of",
]
