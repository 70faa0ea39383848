"""Messages to segments: one frame for each segment name, one column for each field, and who owns what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from transforms.decode.hl7v2.groups import groups_of
from transforms.decode.hl7v2.separators import MSH, Separators

NAME_LENGTH = 3  # HL7 v2.9 2.5.2: a segment begins with its three-character name


@dataclass(frozen=True, slots=True)
class Segments:
    """Messages that share their separators and their zone.

    ``zone``      IANA name of times without offset; None: there is none
    ``messages``  ``message`` UInt32 (row of the message in the chunk), ``type`` String (``ORU_R01``: MSH-9.1 and 9.2),
                  ``control_id`` String (MSH-10)
    ``by_name``   by segment name, in order of (message, ordinal): ``message`` UInt32, ``ordinal`` UInt32 (1-based place
                  in the message), ``text`` String, ``f1`` to ``fN`` String: the field as sent, null when absent or
                  empty. The fields of MSH are numbered as the standard does: ``f1`` the field separator, ``f2`` the
                  others.
    ``groups``    every segment: ``message``, ``ordinal``, ``name``, and what :func:`groups_of` tells of it
    """

    separators: Separators
    zone: str | None
    messages: pl.DataFrame
    by_name: dict[str, pl.DataFrame]
    groups: pl.DataFrame

    def of(self, name: str, fields: int) -> pl.DataFrame:
        """The segments of one name with ``f1`` to at least ``f{fields}``; an empty frame where there are none."""
        frame = self.by_name.get(name)
        if frame is None:
            frame = pl.DataFrame(schema={"message": pl.UInt32, "ordinal": pl.UInt32, "text": pl.String})
        lacking = [f"f{at}" for at in range(1, fields + 1) if f"f{at}" not in frame.columns]
        return frame.with_columns(pl.lit(None, dtype=pl.String).alias(column) for column in lacking)


def segments_of(
    texts: pl.Series, rows: Sequence[int] | pl.Series, separators: Separators, zone: str | None = None
) -> Segments:
    """Take messages apart. ``texts`` (String) are whole messages, their segments ended by a carriage return each;
    ``rows`` are their numbers in the chunk. All have these separators.
    """
    numbers = pl.Series("message", rows, dtype=pl.UInt32)
    lines = (
        pl.DataFrame([numbers, texts.alias("text").str.strip_chars_end("\r").str.split("\r")])
        .explode("text")
        .with_row_index("~row")
    )
    first = pl.col("~row").min().over("message")
    segments = lines.select(
        "message",
        (pl.col("~row") - first + 1).cast(pl.UInt32).alias("ordinal"),
        pl.col("text").str.head(NAME_LENGTH).alias("name"),
        "text",
    )
    by_name = {
        str(name): _fields(frame.drop("name"), str(name), separators)
        for (name,), frame in segments.partition_by("name", as_dict=True, maintain_order=True).items()
    }
    if not _has_escapes(segments, separators):
        separators = replace(separators, escape="")
    heads = by_name[MSH]
    kind = heads["f9"].str.split(separators.component)
    messages = pl.DataFrame({"message": heads["message"], "type": kind, "control_id": heads["f10"]}).with_columns(
        pl.concat_str(
            pl.col("type").list.get(0, null_on_oob=True),
            pl.col("type").list.get(1, null_on_oob=True),
            separator="_",
            ignore_nulls=True,
        )
    )
    return Segments(separators, zone, messages, by_name, groups_of(segments.drop("text"), messages))


def _fields(frame: pl.DataFrame, name: str, separators: Separators) -> pl.DataFrame:
    """The segments of one name with a column for each field."""
    parts = frame["text"].str.split(separators.field)
    most = parts.list.len().max()
    count = max(most if isinstance(most, int) else 0, 12 if name == MSH else 2)
    pieces = pl.DataFrame([parts.alias("~parts")]).select(
        pl.col("~parts").list.get(at, null_on_oob=True).alias(f"f{at}") for at in range(1, count)
    )
    if name == MSH:
        pieces = pieces.rename({f"f{at}": f"f{at + 1}" for at in range(1, count)})
        pieces = pieces.select(pl.lit(separators.field).alias("f1"), pl.all())
    empty = [pl.when(pl.col(column) != "").then(pl.col(column)) for column in pieces.columns]
    return frame.hstack(pieces.select(empty))


def _has_escapes(segments: pl.DataFrame, separators: Separators) -> bool:
    if not separators.escape:
        return False
    bodies = pl.when(pl.col("name") == MSH).then(pl.col("text").str.slice(9)).otherwise(pl.col("text"))
    return bool(segments.select(bodies.str.contains(separators.escape, literal=True).any()).item())
