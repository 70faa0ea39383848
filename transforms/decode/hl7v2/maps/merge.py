"""MRG: the patient that another one took the place of, and the link between the two."""

from __future__ import annotations

import polars as pl

from transforms.decode.hl7v2.maps.context import Context
from transforms.decode.hl7v2.maps.identifiers import cx
from transforms.decode.hl7v2.maps.ids import hashed, reference
from transforms.decode.hl7v2.maps.people import xpn
from transforms.decode.hl7v2.maps.rows import Made, Rows

# Events that merge patients (HL7 v2.9 3.3.40, and those that it replaced); the others with an MRG move visits, accounts
# or identifiers and leave the patients two.
MERGES = ["A18", "A30", "A34", "A36", "A39", "A40", "A46"]
# What `Patient.link` can be said of: the survivor replaces the other.
_REPLACES, _REPLACED_BY = "replaces", "replaced-by"


def merged_patients(context: Context) -> list[Made]:
    """For each MRG of a merge the patient that is no more: inactive, replaced by the patient of the PID before it. What
    was known of it stays: the row is a patch.
    """
    if not context.has("MRG") or not context.has("PID"):
        return []
    mrg = context.segment("MRG")
    ids = _prior_ids(context)
    if ids is None:
        return []
    rows = Rows("Patient", mrg)
    rows.take_every("identifier", cx(), 1, 4)
    rows.put_fixed("active", pl.lit(False))
    rows.take_every("name", xpn, 7)
    survivor = context.patient_ids.gather(context.before("MRG", "PID"))
    link = pl.struct(other=reference("Patient", pl.lit(survivor)), type=pl.lit(_REPLACED_BY))
    rows.put("link", pl.select(pl.when(survivor.is_not_null()).then(pl.concat_list(link))).to_series())
    return [rows.made(ids, context.updated("MRG"))]


def links_of_survivors(context: Context) -> pl.Series | None:
    """For each PID the patients that it took the place of: List of Patient.link; None when there are none."""
    if not context.has("MRG"):
        return None
    ids = _prior_ids(context)
    if ids is None or ids.null_count() == len(ids):
        return None
    frame = pl.DataFrame([context.before("MRG", "PID").alias("pid"), ids.alias("id")]).drop_nulls()
    link = pl.struct(other=reference("Patient", pl.col("id")), type=pl.lit(_REPLACES))
    lists = frame.group_by("pid", maintain_order=True).agg(link.alias("link"))
    rows = pl.DataFrame({"pid": pl.Series(range(context.segment("PID").height), dtype=pl.UInt32)})
    return rows.join(lists, on="pid", how="left", maintain_order="left")["link"]


def _prior_ids(context: Context) -> pl.Series | None:
    """The id of the patient that each MRG of a merge names by MRG-1; null for one that is the survivor itself."""
    mrg = context.segment("MRG")
    keys = context.patient_key(mrg, 1)
    if keys is None:
        return None
    merging = context.of_message("MRG", context.event).is_in(MERGES).fill_null(False)
    ids = hashed(keys)
    survivor = context.patient_ids.gather(context.before("MRG", "PID"))
    other = merging & (ids != survivor).fill_null(True)
    return pl.select(pl.when(other).then(ids)).to_series()
