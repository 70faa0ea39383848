"""Extensions of a resource: what FHIR R4 has no element for and its extensions registry has a name for."""

from __future__ import annotations

import polars as pl

from transforms.decode.hl7v2.maps.shape import listed


class Extensions:
    """Collects extensions; each is a Struct of ``url`` and the one ``value...`` that it has."""

    def __init__(self) -> None:
        self._told: list[tuple[str, str, pl.Series]] = []

    def add(self, url: str, value: str, column: pl.Series | None) -> None:
        """An extension called ``url`` whose ``value`` (``valueString``, ...) is a column; null: it is absent."""
        if column is not None:
            self._told.append((url, value, column))

    def column(self) -> pl.Series | None:
        """The lists of extensions; None when none was told."""
        if not self._told:
            return None
        frame = pl.DataFrame([column.alias(str(at)) for at, (_, _, column) in enumerate(self._told)])
        dtypes = {value: column.dtype for _, value, column in self._told}
        made = []
        for at, (url, own, _) in enumerate(self._told):
            values = [
                (pl.col(str(at)) if value == own else pl.lit(None, dtype=dtype)).alias(value)
                for value, dtype in dtypes.items()
            ]
            made.append(pl.when(pl.col(str(at)).is_not_null()).then(pl.struct(pl.lit(url).alias("url"), *values)))
        return frame.select(listed(*made)).to_series()
