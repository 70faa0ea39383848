"""Practitioners, organisations and locations that fields name: a reference where they are named, and a row each."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from transforms.decode.hl7v2.maps import people, places
from transforms.decode.hl7v2.maps.ids import hashed
from transforms.decode.hl7v2.maps.parts import Datatype, Parts, work_out
from transforms.decode.hl7v2.maps.rows import Made, united
from transforms.decode.hl7v2.maps.segment import Segment
from transforms.decode.hl7v2.maps.shape import joined, listed, nested, struct
from transforms.decode.hl7v2.separators import Separators

_Elements = Callable[[Callable[[Datatype], pl.Series]], dict[str, pl.Series]]


@dataclass(frozen=True, slots=True)
class _Party:
    """A kind of party: what tells one from another, what to call one that has no id, and its elements."""

    resource_type: str
    key: Datatype
    words: Datatype
    elements: _Elements


def _in_list(column: pl.Series) -> pl.Series:
    return column.alias("item").to_frame().select(listed(pl.col("item"))).to_series()


def _practitioner(of: Callable[[Datatype], pl.Series]) -> dict[str, pl.Series]:
    degrees = of(people.xcn_degree)
    return {
        "identifier": _in_list(of(people.xcn_identifier)),
        "name": _in_list(of(people.xcn_name)),
        "qualification": _in_list(nested({"qualification.code": degrees})[0]),
    }


def _organization(of: Callable[[Datatype], pl.Series]) -> dict[str, pl.Series]:
    return {"identifier": _in_list(of(places.xon_identifier)), "name": of(places.xon_name)}


def _location(of: Callable[[Datatype], pl.Series]) -> dict[str, pl.Series]:
    return {
        "identifier": _in_list(of(places.pl_identifier)),
        "name": of(places.pl_name),
        "description": of(places.pl_description),
        "physicalType": of(places.pl_physical_type),
    }


PRACTITIONER = _Party("Practitioner", people.xcn_key, people.xcn_words, _practitioner)
ORGANIZATION = _Party("Organization", places.xon_key, places.xon_name, _organization)
LOCATION = _Party("Location", places.pl_key, places.pl_name, _location)
_ALL = (PRACTITIONER, ORGANIZATION, LOCATION)


class Parties:
    """Collects who and what the fields of a batch name."""

    def __init__(self, separators: Separators) -> None:
        self._separators = separators
        self._named: dict[str, list[pl.DataFrame]] = {party.resource_type: [] for party in _ALL}

    def one(self, party: _Party, segment: Segment, number: int) -> pl.Series | None:
        """References to the party of a field's first repetition; None when no segment has the field."""
        self._note(party, segment, number)
        return segment.one(number, _referred(party))

    def every(self, party: _Party, segment: Segment, *numbers: int) -> pl.Series | None:
        """Lists of references to the parties of all repetitions of fields."""
        for number in numbers:
            self._note(party, segment, number)
        return segment.every(_referred(party), *numbers)

    def staff(self, segment: Segment, *numbers: int) -> pl.Series | None:
        """Lists of references to the people of NDL fields (OBR-32 to 35): their names are the subcomponents of the
        first component, which are those of an XCN but for the authority's universal id.
        """
        names = []
        for number in numbers:
            sent = segment.sent(number)
            if sent is not None:
                columns = [segment.column("message"), segment.column("ordinal"), self._as_xcn(sent).alias("f1")]
                names.append(Segment(pl.DataFrame(columns), self._separators))
        lists = [made for name in names if (made := self.every(PRACTITIONER, name, 1)) is not None]
        return joined(*lists) if lists else None

    def _as_xcn(self, field: pl.Series) -> pl.Series:
        marks = self._separators
        if not marks.component:
            return field
        until = f"[^{re.escape(marks.repetition)}]*" if marks.repetition else ".*"
        first = field.str.replace_all(re.escape(marks.component) + until, "")
        return first.str.replace_all(marks.subcomponent, marks.component, literal=True) if marks.subcomponent else first

    def made(self, message_times: pl.DataFrame) -> list[Made]:
        """The rows of all that were named. ``message_times`` has ``message`` and ``lastUpdated``."""
        return [made for party in _ALL if (made := self._rows(party, message_times)) is not None]

    def _note(self, party: _Party, segment: Segment, number: int) -> None:
        sent = segment.sent(number)
        if sent is None:
            return
        columns = [segment.column("message"), segment.column("ordinal"), sent.alias("text")]
        named = pl.DataFrame(columns).drop_nulls().unique(["message", "text"], keep="first", maintain_order=True)
        self._named[party.resource_type].append(named)

    def _rows(self, party: _Party, message_times: pl.DataFrame) -> Made | None:
        noted = self._named[party.resource_type]
        if not noted:
            return None
        named = pl.concat(noted)
        if self._separators.repetition:
            named = named.with_columns(pl.col("text").str.split(self._separators.repetition))
            named = named.explode("text", empty_as_null=False).filter(pl.col("text") != "")
        named = named.sort("message", "ordinal", maintain_order=True)
        texts = named["text"].unique(maintain_order=True)

        def of(datatype: Datatype) -> pl.Series:
            return work_out(texts, datatype, self._separators)

        columns = nested({"id": hashed(of(party.key))} | party.elements(of))
        known = pl.DataFrame([texts.alias("text"), *columns]).drop_nulls("id")
        rows = named.join(known, on="text", how="inner", maintain_order="left")
        if not rows.height:
            return None
        rows = rows.join(message_times, on="message", how="left", maintain_order="left")
        return Made(
            party.resource_type,
            united(
                rows.select(
                    "message",
                    "ordinal",
                    pl.lit(None, dtype=pl.List(pl.String)).alias("cleared"),
                    "id",
                    pl.struct("lastUpdated").alias("meta"),
                    *(column.name for column in columns if column.name != "id"),
                )
            ),
        )


def _referred(party: _Party) -> Datatype:
    """A datatype: the Reference to a party; one that has no id is named by its ``display``."""

    def datatype(parts: Parts) -> pl.Expr:
        ids = party.key(parts).map_batches(hashed, return_dtype=pl.String)
        named = parts.once(pl.concat_str(pl.lit(f"{party.resource_type}/"), ids))
        words = parts.once(party.words(parts))
        return struct(reference=named, display=pl.when(named.is_null()).then(words))

    return datatype
