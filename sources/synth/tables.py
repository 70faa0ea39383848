"""The tables of codes that lie beside this module in ``terms/``."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from importlib.resources import files

Row = Mapping[str, str]


def rows(name: str) -> list[Row]:
    """The rows of ``terms/<name>.csv``, by column name."""
    text = files("sources.synth").joinpath("terms", f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
