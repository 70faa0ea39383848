"""What a report of a mart tells: loads, rows, columns, results, drift and trouble, without any person's value."""

from __future__ import annotations

from stores.figures.collect import collect
from stores.figures.records import (
    Arrival,
    CodeMix,
    ColumnFigures,
    Drift,
    Figures,
    Lag,
    Loaded,
    Months,
    Refused,
    Result,
    SentUnit,
    TableFigures,
    Trouble,
)

__all__ = [
    "Arrival",
    "CodeMix",
    "ColumnFigures",
    "Drift",
    "Figures",
    "Lag",
    "Loaded",
    "Months",
    "Refused",
    "Result",
    "SentUnit",
    "TableFigures",
    "Trouble",
    "collect",
]
