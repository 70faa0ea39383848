"""OBX-2, OBX-5 and OBX-6: the value of an observation, of whatever type it is (HL7 v2.9 7.4.2.5)."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from transforms.decode.hl7v2.fields import text
from transforms.decode.hl7v2.maps.coded import concept
from transforms.decode.hl7v2.maps.numbers import PLAIN, UNIT_FIELDS, number, quantity, units
from transforms.decode.hl7v2.maps.parts import Parts, work_out
from transforms.decode.hl7v2.maps.rows import Rows, first_of
from transforms.decode.hl7v2.maps.segment import Segment
from transforms.decode.hl7v2.maps.shape import struct
from transforms.decode.hl7v2.separators import Separators

_TEXT = ("ST", "TX", "FT")
_CODED = ("CE", "CWE", "CNE", "CF", "IS", "ID")
_NUMBER = ("NM", "SI")
_MOMENT = ("DT", "DTM", "TS")
_TIME = ("TM",)
_STRUCTURED = ("SN",)
_RANGE = ("NR",)
_SPAN = ("VR",)
_PERIOD = ("DR",)
_ATTACHED = ("ED", "RP")
_ATTACHMENT = "attachment"
_DTM = r"^[0-9]{4}(?:[0-9]{2}(?:[0-9]{2}(?:[0-9]{2}(?:[0-9]{2}(?:[0-9]{2}(?:\.[0-9]+)?)?)?)?)?)?(?:[-+][0-9]{4})?$"
_TM = r"^([01][0-9]|2[0-3])([0-5][0-9])?([0-5][0-9])?(\.[0-9]+)?(?:[-+][0-9]{4})?$"
_COMPARATORS = ("<", "<=", ">", ">=")
_RATIO = (":", "/")

# A column of values by type: `type`, `sent` (one repetition) and `unit` (Struct, null) of each value to its columns.
_Reader = Callable[[pl.DataFrame, Separators], dict[str, pl.Series]]


def put_values(rows: Rows, obx: Segment) -> pl.Series | None:
    """`value[x]` of each OBX, or a `component` for each repetition where OBX-5 repeats; returns the values that are
    attachments, which FHIR R4 has as an extension.

    The repetitions of a text are its lines. What is not written as its type wants is kept as `valueString`; so is a
    value of a type that FHIR has none for. OBX-5 without OBX-2 is text.
    """
    field = obx.sent(5)
    if field is None:
        return None
    kinds = obx.one(2, lambda parts: parts.whole)
    if kinds is None:
        kinds = pl.repeat(None, obx.height, dtype=pl.String, eager=True)
    frame = pl.DataFrame([kinds.fill_null("ST").alias("type"), field.alias("sent")])
    frame = frame.with_row_index("row")
    unit = obx.one(6, units)
    if unit is not None:
        frame = frame.with_columns(unit.alias("unit"))
    frame = frame.drop_nulls("sent")
    frame, repeated = _repetitions(frame, obx.separators)
    columns = _values(frame, obx.separators)
    rows.put("value", None, obx.cleared(5))
    return _put(rows, frame, columns, repeated)


def _repetitions(frame: pl.DataFrame, separators: Separators) -> tuple[pl.DataFrame, pl.Series | None]:
    """A row for each value: texts are one, their repetitions its lines. And the rows that have several, or None."""
    mark = separators.repetition
    if not mark or not frame["sent"].str.contains(mark, literal=True).any():
        return frame, None
    lines = pl.col("sent").str.replace_all(mark, "\n", literal=True)
    parted = pl.when(pl.col("type").is_in(_TEXT)).then(pl.concat_list(lines)).otherwise(pl.col("sent").str.split(mark))
    several = frame.with_columns(parted.alias("sent")).explode("sent", empty_as_null=False)
    several = several.with_columns(pl.when(pl.col("sent") != "").then("sent").alias("sent")).drop_nulls("sent")
    repeated = several.filter(pl.col("row").is_duplicated())["row"].unique()
    return several, repeated if len(repeated) else None


def _put(
    rows: Rows, frame: pl.DataFrame, columns: dict[str, pl.Series], repeated: pl.Series | None
) -> pl.Series | None:
    made = pl.DataFrame([frame["row"], *(column.alias(name) for name, column in columns.items())])
    height = rows.segment.height
    places = pl.DataFrame({"row": pl.Series(range(height), dtype=pl.UInt32)})
    if repeated is not None:
        _put_components(rows, made.filter(pl.col("row").is_in(repeated.implode())), places)
        made = made.filter(~pl.col("row").is_in(repeated.implode()))
    if made.height < height:
        made = places.join(made, on="row", how="left", maintain_order="left")
    for name in columns:
        if name != _ATTACHMENT and made[name].null_count() < height:
            rows.put(name, made[name])
    return made[_ATTACHMENT] if _ATTACHMENT in columns else None


def _put_components(rows: Rows, made: pl.DataFrame, places: pl.DataFrame) -> None:
    code = rows.get("code")
    names = [name for name in made.columns if name not in ("row", _ATTACHMENT)]
    if code is not None:
        made = made.with_columns(code.gather(made["row"]).alias("code"))
        names = ["code", *names]
    lists = made.group_by("row", maintain_order=True).agg(pl.struct(names).alias("component"))
    rows.put("component", places.join(lists, on="row", how="left", maintain_order="left")["component"])


def _values(frame: pl.DataFrame, separators: Separators) -> dict[str, pl.Series]:
    """The columns of all values, null where a value is of another type."""
    kinds = frame["type"].unique()
    columns: dict[str, pl.Series] = {}
    for types, reader in _READERS:
        if not kinds.is_in(types).any():
            continue
        at = frame["type"].is_in(types)
        part = frame if at.all() else frame.filter(at)
        for name, column in reader(part, separators).items():
            placed = column if part is frame else _placed(column, at)
            columns[name] = first_of(columns[name], placed) if name in columns else placed
    other = ~frame["type"].is_in([kind for types, _ in _READERS for kind in types])
    if other.any():
        words = _placed(frame.filter(other)["sent"], other)
        columns["valueString"] = first_of(columns["valueString"], words) if "valueString" in columns else words
    return {name: column for name, column in columns.items() if column.null_count() < len(column)}


def _placed(column: pl.Series, at: pl.Series) -> pl.Series:
    """A column in the rows where ``at`` holds, null elsewhere."""
    order = pl.select(pl.when(at).then(at.cum_sum() - 1)).to_series()
    return column.gather(order)


def _texts(frame: pl.DataFrame, separators: Separators) -> dict[str, pl.Series]:
    return {"valueString": frame.select(text(pl.col("sent"), separators)).to_series()}


def _numbers(frame: pl.DataFrame, separators: Separators) -> dict[str, pl.Series]:
    plain = frame["sent"].str.contains(PLAIN)
    read = pl.DataFrame([frame["sent"].alias("decimal")]).with_columns(comparator=pl.lit(None, dtype=pl.String))
    if not plain.all():  # to take a number apart costs ten times as much as to see that it is a plain one
        said = number(pl.col("sent"))
        other = frame.filter(~plain).select(said.decimal.alias("decimal"), said.comparator.alias("comparator"))
        placed = {name: _placed(other[name], ~plain) for name in other.columns}
        kept = pl.when(plain).then(frame["sent"]).otherwise(placed["decimal"]).alias("decimal")
        read = pl.select(kept, placed["comparator"].alias("comparator"))
    if "unit" in frame.columns:
        read = read.with_columns(frame["unit"])
    made = read.lazy().select(quantity(pl.col("decimal"), _unit(frame), pl.col("comparator"))).collect()
    return _or_words("valueQuantity", made.to_series(), frame, separators)


def _structured(frame: pl.DataFrame, separators: Separators) -> dict[str, pl.Series]:
    """SN: a number, a range, a ratio; anything else in words."""

    def datatype(parts: Parts) -> pl.Expr:
        first, second = number(parts(2)).decimal, number(parts(4)).decimal
        told = pl.concat_str(*(parts(at) for at in (1, 2, 3, 4)), separator=" ", ignore_nulls=True)
        return pl.struct(comparator=parts(1), first=first, mark=parts(3), second=second, told=told)

    read = work_out(frame["sent"], datatype, separators).struct.unnest()
    whole = read.hstack([frame["unit"]] if "unit" in frame.columns else [])
    unit = _unit(frame)
    sign, mark = pl.col("comparator").fill_null("="), pl.col("mark")
    plain = sign.is_in(["=", *_COMPARATORS])
    lone = mark.is_null() & plain & pl.col("second").is_null()
    span = (mark == "-") & (sign == "=")
    ratio = mark.is_in(_RATIO) & plain & pl.col("second").is_not_null()
    compared = pl.when(sign != "=").then(sign)
    first, second = pl.col("first"), pl.col("second")
    above = struct(
        numerator=quantity(first, unit, compared),
        denominator=quantity(second, unit, pl.lit(None, dtype=pl.String)),
    )
    columns = whole.select(
        pl.when(lone).then(quantity(first, unit, compared)).alias("valueQuantity"),
        pl.when(span).then(struct(low=quantity(first, unit), high=quantity(second, unit))).alias("valueRange"),
        pl.when(ratio & first.is_not_null()).then(above).alias("valueRatio"),
        pl.col("told"),
    )
    made = ("valueQuantity", "valueRange", "valueRatio")
    nothing = pl.all_horizontal(*(pl.col(name).is_null() for name in made))
    words = columns.select(pl.when(nothing & (pl.col("told") != "")).then("told")).to_series()
    return {name: columns[name] for name in made} | {"valueString": words}


def _coded(frame: pl.DataFrame, separators: Separators) -> dict[str, pl.Series]:
    return {"valueCodeableConcept": _each(frame, concept(), separators)}


def _moments(frame: pl.DataFrame, separators: Separators) -> dict[str, pl.Series]:
    """DT, DTM and TS; what does not look like one is kept as text."""
    column = _each(frame, lambda parts: pl.when(parts(1).str.contains(_DTM)).then(parts(1)), separators)
    return _or_words("valueDateTime", column, frame, separators)


def _times(frame: pl.DataFrame, separators: Separators) -> dict[str, pl.Series]:
    """TM as FHIR's time, which wants minutes and seconds: those that are not sent are 0; its offset has no place."""

    def datatype(parts: Parts) -> pl.Expr:
        found = parts(1).str.extract_groups(_TM)
        hour, minute, second, fraction = (found.struct[at] for at in range(4))
        clock = pl.concat_str(hour, minute.fill_null("00"), second.fill_null("00"), separator=":")
        return pl.when(hour.is_not_null()).then(clock + fraction.fill_null(""))

    return _or_words("valueTime", _each(frame, datatype, separators), frame, separators)


def _ranges(frame: pl.DataFrame, separators: Separators) -> dict[str, pl.Series]:
    def datatype(parts: Parts) -> pl.Expr:
        return pl.struct(low=number(parts(1)).decimal, high=number(parts(2)).decimal)

    read = work_out(frame["sent"], datatype, separators).struct.unnest()
    whole = read.hstack([frame["unit"]] if "unit" in frame.columns else [])
    unit = _unit(frame)
    made = struct(low=quantity(pl.col("low"), unit), high=quantity(pl.col("high"), unit))
    return _or_words("valueRange", whole.select(made).to_series(), frame, separators)


def _spans(frame: pl.DataFrame, separators: Separators) -> dict[str, pl.Series]:
    """VR, a range of values of any kind: its two ends with a hyphen between them, as the maps have it."""

    def datatype(parts: Parts) -> pl.Expr:
        return pl.concat_str(parts(1), parts(2), separator="-", ignore_nulls=True)

    return {"valueString": _each(frame, datatype, separators)}


def _periods(frame: pl.DataFrame, separators: Separators) -> dict[str, pl.Series]:
    return {"valuePeriod": _each(frame, lambda parts: struct(start=parts(1), end=parts(2)), separators)}


def _attachments(frame: pl.DataFrame, separators: Separators) -> dict[str, pl.Series]:
    """ED (source, type, subtype, encoding, data) and RP (pointer, application, type, subtype)."""
    ed = frame["type"] == "ED"

    def datatype(parts: Parts) -> pl.Expr:
        return pl.struct(ed=embedded(parts), rp=pointed_at(parts))

    read = work_out(frame["sent"], datatype, separators).struct.unnest()
    return {_ATTACHMENT: pl.select(pl.when(ed).then(read["ed"]).otherwise(read["rp"])).to_series()}


def embedded(parts: Parts) -> pl.Expr:
    """Attachment of an ED whose data are Base64; text that is not stays readable in ``title``."""
    encoded = parts(4).str.to_lowercase() == "base64"
    data = parts(5).str.replace_all(r"\s", "")
    plain = pl.when(~encoded.fill_null(False)).then(parts(5))
    return _attachment(_media_type(parts(2), parts(3)), pl.when(encoded).then(data), None, plain)


def pointed_at(parts: Parts) -> pl.Expr:
    """Attachment of an RP: where the data are."""
    return _attachment(_media_type(parts(3), parts(4)), None, parts(1), None)


def _attachment(kind: pl.Expr, data: pl.Expr | None, url: pl.Expr | None, title: pl.Expr | None) -> pl.Expr:
    nothing = pl.lit(None, dtype=pl.String)
    return struct(
        contentType=kind,
        data=nothing if data is None else data,
        url=nothing if url is None else url.str.replace_all(r"\s", "%20"),
        title=nothing if title is None else title,
    )


def _media_type(kind: pl.Expr, subtype: pl.Expr) -> pl.Expr:
    """A MIME type, as `contentType` wants it: of the type of data (table 0191) and its subtype (table 0291)."""
    joined = pl.concat_str(kind, subtype, separator="/").str.to_lowercase().str.strip_chars()
    alone = pl.when(kind.str.contains("/", literal=True)).then(kind.str.to_lowercase())
    return pl.coalesce(alone, joined)


def _each(frame: pl.DataFrame, datatype: Callable[[Parts], pl.Expr], separators: Separators) -> pl.Series:
    return work_out(frame["sent"], datatype, separators)


def _or_words(name: str, column: pl.Series, frame: pl.DataFrame, separators: Separators) -> dict[str, pl.Series]:
    """A column, and the values that it does not have as text."""
    if not column.null_count():
        return {name: column}
    words = frame.select(pl.when(column.is_null()).then(text(pl.col("sent"), separators))).to_series()
    return {name: column, "valueString": words}


def _unit(frame: pl.DataFrame) -> dict[str, pl.Expr]:
    return {name: pl.col("unit").struct[name] for name in UNIT_FIELDS} if "unit" in frame.columns else {}


_READERS: tuple[tuple[tuple[str, ...], _Reader], ...] = (
    (_NUMBER, _numbers),
    (_TEXT, _texts),
    (_CODED, _coded),
    (_STRUCTURED, _structured),
    (_MOMENT, _moments),
    (_TIME, _times),
    (_RANGE, _ranges),
    (_SPAN, _spans),
    (_PERIOD, _periods),
    (_ATTACHED, _attachments),
)
