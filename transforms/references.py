"""References as ids (FHIR R4 2.3.0.1): `Type/id` and `urn:uuid:id` give an id, everything else keeps its text."""

from __future__ import annotations

import polars as pl

from schemas.table import Element

_RELATIVE = r"^([A-Z][A-Za-z]{1,63})/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?$"
_URN = "urn:uuid:"


def reference_columns(raw: pl.DataFrame, element: Element) -> list[pl.Series]:
    """The columns of a REFERENCE element, by its ``columns``, from its raw texts.

    ``raw`` holds ``NAME~reference``, ``NAME~type`` and ``NAME~identifier`` (String). All columns returned are String.
    """
    name = element.name
    parts = [f"{name}~reference", f"{name}~type", f"{name}~identifier", f"{name}_display"]
    raw = raw.select(pl.col(p) if p in raw.columns else pl.lit(None, pl.String).alias(p) for p in parts)
    reference, declared = pl.col(f"{name}~reference"), pl.col(f"{name}~type")
    if raw[f"{name}~reference"].null_count() == raw.height:
        parsed = raw.with_columns(id=pl.lit(None, pl.String), type=pl.lit(None, pl.String))
    else:
        parsed = _parse(raw, reference, declared, element)
    kind, ident = pl.col("type"), pl.col("id")
    wanted = [c.name for c in element.columns]
    kept = ident.is_not_null()
    types = {f"{name}_type", f"{name}_reference_type"}  # the second inside choice elements, whose own type is the first
    if not types & set(wanted):  # one type is meant here; a reference to another keeps its text
        kept &= kind == element.targets[0]
    by_column = {
        f"{name}_id": pl.when(kept).then(ident),
        **dict.fromkeys(types, kind),
        f"{name}_reference": pl.when(~kept.fill_null(False)).then(pl.coalesce(reference, f"{name}~identifier")),
        f"{name}_display": pl.col(f"{name}_display"),
    }
    for column, of in ((element.patient, "Patient"), (element.encounter, "Encounter")):
        if column:
            by_column[column] = pl.when(kind == of).then(ident)
    made = parsed.select(by_column[column].alias(column) for column in wanted).get_columns()
    return [column for column in made if column.null_count() < len(column)]


def _parse(raw: pl.DataFrame, reference: pl.Expr, declared: pl.Expr, element: Element) -> pl.DataFrame:
    """Adds ``id`` and ``type``. A `urn:uuid:` says no type: the declared one counts, else the only one allowed."""
    only = element.targets[0] if len(element.targets) == 1 else None
    groups = reference.str.extract_groups(_RELATIVE)
    frame = raw.with_columns(groups.struct.rename_fields(["relative_type", "relative_id"]).alias("parts")).unnest(
        "parts"
    )
    return frame.with_columns(
        id=pl.when(reference.str.starts_with(_URN))
        .then(reference.str.slice(len(_URN)))
        .otherwise(pl.col("relative_id")),
        type=pl.coalesce(pl.col("relative_type"), declared, pl.lit(only, pl.String)),
    )
