"""References as ids (FHIR R4 2.3.0.1): `Type/id` and `urn:uuid:id` give an id, everything else keeps its text."""

from __future__ import annotations

import polars as pl

from schemas.table import Element
from transforms.runs import heads_of_runs

_RELATIVE = r"^[A-Z][A-Za-z]{1,63}/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?$"
_URN = "urn:uuid:"


def reference_columns(raw: pl.DataFrame, element: Element) -> list[pl.Series]:
    """The columns of a REFERENCE element, by its ``columns``, from its raw texts.

    ``raw`` holds ``NAME~reference``, ``NAME~type`` and ``NAME~identifier`` (String). All columns returned are String.
    """
    name = element.name
    parts = [f"{name}~reference", f"{name}~type", f"{name}~identifier", f"{name}_display"]
    raw = raw.select(pl.col(p) if p in raw.columns else pl.lit(None, pl.String).alias(p) for p in parts)
    reference, kind, ident = pl.col(f"{name}~reference"), pl.col("type"), pl.col("id")
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
    only = element.targets[0] if len(element.targets) == 1 else None
    parsed = raw.hstack(_parsed(raw[f"{name}~reference"], raw[f"{name}~type"], only))
    made = parsed.select(by_column[column].alias(column) for column in wanted).get_columns()
    return [column for column in made if column.null_count() < len(column)]


def _parsed(reference: pl.Series, declared: pl.Series, only: str | None) -> list[pl.Series]:
    """``id`` and ``type``. A `urn:uuid:` says no type: the declared one counts, else the only one allowed."""
    if reference.null_count() == len(reference):
        return [pl.Series(name, [None], pl.String).new_from_index(0, len(reference)) for name in ("id", "type")]
    x = pl.col("x")
    shared = heads_of_runs(reference)
    texts = reference if shared is None else shared[0]
    frame = (
        pl.DataFrame({"x": texts})
        .with_columns(relative=x.str.contains(_RELATIVE), parts=x.str.splitn("/", 3))  # two captures take twice as long
        .select(
            id=pl.when(x.str.starts_with(_URN))
            .then(x.str.slice(len(_URN)))
            .when("relative")
            .then(pl.col("parts").struct["field_1"]),
            type=pl.when("relative").then(pl.col("parts").struct["field_0"]),
        )
    )
    if shared is not None:
        frame = frame.select(pl.all().gather(shared[1]))
    return frame.select("id", pl.coalesce("type", declared, pl.lit(only, pl.String))).get_columns()
