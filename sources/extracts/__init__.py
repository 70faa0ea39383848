"""CSV, TSV and Parquet files of rows, as chunks of whole records."""

from sources.extracts.header import header_of
from sources.extracts.parquet import is_parquet, parquet_pieces
from sources.extracts.pieces import extract_pieces

__all__ = ["extract_pieces", "header_of", "is_parquet", "parquet_pieces"]
