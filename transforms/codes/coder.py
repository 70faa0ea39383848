"""The columns of coded elements: systems by their canonical names, and what the crosswalk gives for their codes.

The joins are Polars' own, over the columns as a whole, and only where there is something to join.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from schemas.code_systems import canonical, renamed
from schemas.records import CODE_COUNTS
from schemas.table import CODING_MARK, MAPPED, MAPPED_SYSTEM, Element, Mode
from transforms.codes.targets import Outcome, Targets
from transforms.runs import heads_of_runs

_CODINGS = "_codings"
# A code (FHIR R4 2.24.0.1) of a length that codes have; what people typed into its place may be about a patient.
_LISTED = r"^[^\s]+(\s[^\s]+)*$"
_LISTED_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Coder:
    """Works on one batch of rows of one type, and counts what it met. ``place`` is where in the row it is; ``weights``
    (UInt32) how many rows each of the batch stands for (None: itself).
    """

    targets: Targets | None = None
    place: str = ""
    weights: pl.Series | None = None
    _counts: list[pl.DataFrame] = field(default_factory=list)

    def inside(self, name: str, rows: pl.Series) -> Coder:
        """The same for the items of a list, each of which stands in one of ``rows``."""
        weights = None if self.weights is None else self.weights.gather(rows)
        return Coder(self.targets, f"{self.place}{name}.", weights, self._counts)

    def weighted(self, weights: pl.Series | None) -> Coder:
        """The same for rows that stand for so many; what it meets counts for this one too."""
        return Coder(self.targets, self.place, weights, self._counts)

    def counts(self) -> pl.DataFrame:
        """What was met: a frame of :data:`schemas.records.CODE_COUNTS` without its resource type."""
        schema = {name: kind for name, kind in CODE_COUNTS.items() if name != "resource_type"}
        if not self._counts:
            return pl.DataFrame(schema=schema)
        keys = [name for name in schema if name != "codings"]
        return pl.concat(self._counts).group_by(keys).agg(pl.col("codings").sum()).sort(keys)

    def columns(self, raw: pl.DataFrame, element: Element) -> list[pl.Series]:
        """The columns of a CODING element that something was sent for, in its order."""
        name, column = element.name, f"{self.place}{element.columns[0].name}"
        codings = raw[name + _CODINGS] if name + _CODINGS in raw.columns else None
        made: dict[str, pl.Series] = {}
        if f"{name}{CODING_MARK}" in raw.columns:
            chosen = _parts(raw[f"{name}{CODING_MARK}"])
            aliases = _aliases(chosen["system"] if codings is None else _items(codings)["system"])
            if aliases:
                prefer = next(read.prefer for read in element.reads if read.mode is Mode.CODING)
                chosen, codings = self._renamed(chosen, codings, aliases, prefer, column)
            made = dict(zip((c.name for c in element.columns), chosen.get_columns(), strict=False))
            if self.targets is not None:
                mapped = self._mapped(self.targets, chosen, codings, column)
                ends = zip((MAPPED, MAPPED_SYSTEM), mapped, strict=False)
                made |= {element.columns[0].name + end: series for end, series in ends}
        if codings is not None:
            made[name + _CODINGS] = codings
        there = {c: made[c] if c in made else raw[c] for c in _names(element) if c in made or c in raw.columns}
        return [series.alias(c) for c, series in there.items()]

    def _renamed(
        self,
        chosen: pl.DataFrame,
        codings: pl.Series | None,
        aliases: Mapping[str, str],
        prefer: tuple[str, ...],
        column: str,
    ) -> tuple[pl.DataFrame, pl.Series | None]:
        """Both with canonical systems; a coding of a preferred system is chosen also where it came under an alias."""
        flat = chosen["system"] if codings is None else _items(codings)["system"]
        weights = self._weights(len(chosen))
        if codings is not None:
            weights = pl.select(pl.lit(weights).repeat_by(codings.list.len().fill_null(0))).to_series()
            weights = weights.explode(empty_as_null=False)
        met = pl.DataFrame([flat.alias("system"), weights.alias("codings")]).filter(
            pl.col("system").is_in(list(aliases))
        )
        self._count(
            met.group_by("system").agg(pl.col("codings").sum()).select(
                column_name=pl.lit(column),
                met=pl.lit("alias"),
                system=pl.col("system").replace(aliases),
                code=pl.lit(None, pl.String),
                sent=pl.col("system"),
                codings=pl.col("codings").cast(pl.Int64),
            )
        )  # fmt: skip
        chosen = chosen.with_columns(pl.col("system").replace(aliases))
        if codings is None:
            return chosen, None
        systems = pl.element().struct.field("system")
        told = codings.to_frame("k").select(
            k=pl.col("k").list.eval(pl.element().struct.with_fields(system=systems.replace(aliases))),
            hit=pl.col("k").list.eval(systems.is_in(list(aliases))).list.any(),
        )
        return _chosen_again(chosen, told["k"], told["hit"], prefer), told["k"].alias(codings.name)

    def _mapped(
        self, targets: Targets, chosen: pl.DataFrame, codings: pl.Series | None, column: str
    ) -> list[pl.Series]:
        """`mapped` and `mapped_system` of each row, left out when no row has any; what has no target is counted."""
        index = pl.int_range(pl.len(), dtype=pl.UInt32).alias("row")
        first = _judged(targets, chosen.select(index, "system", "code"))
        if codings is not None:
            open_rows = first.select(pl.col("outcome").ne_missing(int(Outcome.MAPPED)))["outcome"]
            others = codings.to_frame("k").select(index, "k").filter(open_rows & (pl.col("k").list.len() > 1))
            if others.height:
                all_of = others.explode("k").select("row", pl.col("k").struct.field("system", "code"))
                first = _best(first, _judged(targets, all_of))
        missed = first.filter(pl.col("outcome") > int(Outcome.MAPPED))
        if missed.height:
            weights = self._weights(len(chosen)).gather(missed["row"])
            self._count(_missed(missed.with_columns(weights.alias("weight")), column))
        if first["mapped"].null_count() == first.height:
            return []
        return [first["mapped"], first["mapped_system"]]

    def _count(self, found: pl.DataFrame) -> None:
        self._counts.append(found)

    def _weights(self, height: int) -> pl.Series:
        return pl.repeat(1, height, dtype=pl.UInt32, eager=True) if self.weights is None else self.weights


def _names(element: Element) -> list[str]:
    return [column.name for column in element.columns]


def _parts(chosen: pl.Series) -> pl.DataFrame:
    """The chosen codings as columns code, system, display (String); what was not read is null."""
    fields = chosen.struct.fields
    return pl.DataFrame(
        [
            chosen.struct.field(part)
            if part in fields
            else pl.repeat(None, len(chosen), dtype=pl.String, eager=True).alias(part)
            for part in ("code", "system", "display")
        ]
    )


def _items(codings: pl.Series) -> pl.DataFrame:
    """All codings of a column, one after the other."""
    return codings.explode(empty_as_null=False, keep_nulls=False).struct.unnest()


def _aliases(systems: pl.Series) -> dict[str, str]:
    """The spellings in a column that are not canonical; neighbours are mostly alike, so that few are looked at."""
    heads = heads_of_runs(systems)
    return renamed((systems if heads is None else heads[0]).unique())


def _chosen_again(chosen: pl.DataFrame, codings: pl.Series, hit: pl.Series, prefer: tuple[str, ...]) -> pl.DataFrame:
    """For rows with an alias: the first coding of the first preferred system, where one is there at last."""
    ranks = {canonical(system): rank for rank, system in reversed([*enumerate(prefer)])}
    index = pl.int_range(pl.len(), dtype=pl.UInt32).alias("row")
    rows = codings.to_frame("k").select(index, "k").filter(hit.fill_null(False))
    preferred = (
        rows.explode("k")
        .unnest("k")
        .with_columns(rank=pl.col("system").replace_strict(ranks, default=None, return_dtype=pl.UInt32))
        .drop_nulls("rank")
        .sort("row", "rank", maintain_order=True)
        .unique("row", keep="first", maintain_order=True)
        .select("row", pl.lit(True).alias("found"), *(pl.col(part).alias(f"~{part}") for part in chosen.columns))
    )
    if preferred.is_empty():
        return chosen
    both = chosen.with_columns(index).join(preferred, on="row", how="left", maintain_order="left")
    return both.select(
        pl.when("found").then(pl.col(f"~{part}")).otherwise(pl.col(part)).alias(part) for part in chosen.columns
    )


def _judged(targets: Targets, codings: pl.DataFrame) -> pl.DataFrame:
    """Codings (row, system, code) with mapped, mapped_system and outcome; the outcome is null where the crosswalk does
    not map the system, or there is no code.
    """
    found = codings.join(targets.codes, on=["system", "code"], how="left", maintain_order="left")
    about = pl.col("code").is_not_null() & pl.col("system").is_in(targets.systems)
    if not targets.defaults.is_empty():
        found = found.join(targets.defaults, on="system", how="left", maintain_order="left")
        by_default = pl.col("outcome").is_null() & about & pl.col("default_outcome").is_not_null()
        is_mapped = by_default & (pl.col("default_outcome") == int(Outcome.MAPPED))
        found = found.with_columns(
            mapped=pl.when(is_mapped).then(pl.coalesce("default_mapped", "code")).otherwise("mapped"),
            mapped_system=pl.when(is_mapped).then("default_system").otherwise("mapped_system"),
            outcome=pl.when(by_default).then("default_outcome").otherwise("outcome"),
        )
    unknown = pl.when(about).then(pl.lit(int(Outcome.NOT_LISTED), pl.UInt8))
    return found.select("row", "system", "code", "mapped", "mapped_system", outcome=pl.coalesce("outcome", unknown))


def _best(first: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """For each row the coding with the best outcome; of equals the chosen one, then the one sent first."""
    again = first.filter(pl.col("row").is_in(others["row"].unique().implode()))
    best = (
        pl.concat([again, others])
        .drop_nulls("outcome")
        .sort("row", "outcome", maintain_order=True)
        .unique("row", keep="first", maintain_order=True)
    )
    return pl.concat([first.join(best, on="row", how="anti"), best]).sort("row")


def _missed(missed: pl.DataFrame, column: str) -> pl.DataFrame:
    listed = pl.col("code").str.contains(_LISTED) & (pl.col("code").str.len_chars() <= _LISTED_LENGTH)
    words = {int(outcome): outcome.word for outcome in Outcome}
    keys = {
        "column_name": pl.lit(column),
        "met": pl.col("outcome").replace_strict(words, return_dtype=pl.String),
        "system": pl.col("system"),
        "code": pl.when(listed).then("code"),
        "sent": pl.lit(None, pl.String),
    }
    weighed = missed.select(**keys, weight=pl.col("weight").cast(pl.Int64))
    return weighed.group_by(list(keys)).agg(codings=pl.col("weight").sum())
