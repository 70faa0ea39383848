"""Orders: what names them, and what belongs to them."""

from __future__ import annotations

import functools

import polars as pl

from transforms.decode.hl7v2.maps.coded import code_key
from transforms.decode.hl7v2.maps.context import Context
from transforms.decode.hl7v2.maps.identifiers import cx, ei, ei_key, eip_key
from transforms.decode.hl7v2.maps.ids import hashed, key_of, reference, told_apart
from transforms.decode.hl7v2.maps.parties import PRACTITIONER
from transforms.decode.hl7v2.maps.parts import moment, whole
from transforms.decode.hl7v2.maps.rows import first_of, first_told
from transforms.decode.hl7v2.maps.segment import Segment
from transforms.decode.hl7v2.maps.shape import joined

_NONE = pl.lit(None, dtype=pl.String)
_REPORTS = ["ORU", "OUL", "ORF"]  # messages whose OBR are reports


class Orders:
    """The orders of a batch: those of OBR and of ORC."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._notes: pl.DataFrame | None = None
        self._known: dict[tuple[str, str], pl.Series] = {}

    def segment_of(self, name: str, owner: str) -> Segment | None:
        """For each segment of a name the ORC, OBR or SPM that it belongs to; None when no message has one."""
        if not self.context.has(owner):
            return None
        return self.context.segment(owner).for_rows(self.context.owned(name, owner))

    def keys(self, name: str, first: str = "filler") -> pl.Series:
        """What names the order of each segment: the filler's number, else the placer's (or the other way round), else
        the message and the place of the order in it.
        """
        context = self.context
        found = []
        for owner in ("OBR", "ORC"):
            if not context.has(owner):
                continue
            if (owner, first) not in self._known:
                self._known[owner, first] = self._numbers(owner, first)
            keys = self._known[owner, first]
            found.append(keys if name == owner else keys.gather(context.owned(name, owner)))
        told = first_of(*found) if found else None
        if told is not None and not told.null_count():
            return told
        order = self._order_numbers(name).cast(pl.String)
        control = context.of_message(name, context.control)
        of_message = pl.select(key_of("Order of message", control, order)).to_series()
        return of_message if told is None else first_of(told, of_message)

    @functools.cached_property
    def identifiers(self) -> pl.Series | None:
        """The placer's and the filler's numbers of each OBR: List of Identifier."""
        return order_identifiers(self.context.segment("OBR"), self.segment_of("OBR", "ORC"))

    @functools.cached_property
    def observation_ids(self) -> pl.Series:
        """The id of each OBX: by its order, OBX-3 and OBX-4; the second of the same in a message has its number too."""
        obx = self.context.segment("OBX")
        code, sub = obx.one(3, code_key()), obx.one(4, whole)
        key = key_of(
            "Observation",
            self.keys("OBX"),
            _NONE if code is None else code,
            _NONE if sub is None else sub,
        )
        return hashed(told_apart(obx.column("message"), pl.select(key).to_series()))

    @functools.cached_property
    def request_ids(self) -> pl.Series:
        """The id of what each OBR asks for: by the placer's number, else the filler's, and by OBR-4."""
        return self._of_service("ServiceRequest", "placer")

    @functools.cached_property
    def report_ids(self) -> pl.Series:
        """The id of the report of each OBR: by the filler's number, else the placer's, and by OBR-4."""
        return self._of_service("DiagnosticReport", "filler")

    @functools.cached_property
    def reporting(self) -> pl.Series:
        """Boolean: the OBR is one of a report, not only an order."""
        kinds = self.context.of_message("OBR", self.context.kind)
        return kinds.is_in(_REPORTS).fill_null(False)

    @functools.cached_property
    def specimen_ids(self) -> pl.Series:
        """The id of each SPM: by SPM-2 (the filler's half, else the placer's), else by SPM-30, else by the order and
        SPM-1.
        """
        spm = self.context.segment("SPM")
        number = spm.one(1, whole)
        found = [
            spm.one(2, eip_key("Specimen", 2)),
            spm.one(2, eip_key("Specimen of placer", 1)),
            spm.one(30, ei_key("Specimen by accession")),
        ]
        place = spm.column("ordinal").cast(pl.String) if number is None else number
        last = pl.select(key_of("Specimen of order", self.keys("SPM"), place)).to_series()
        return hashed(first_of(*(key for key in found if key is not None), last))

    @functools.cached_property
    def bare_specimen_ids(self) -> pl.Series | None:
        """The id of the specimen that each OBR itself tells of (OBR-15), where its order has no SPM; None: of none."""
        if not self.context.has("OBR"):
            return None
        obr = self.context.segment("OBR")
        told = obr.sent(15)
        if told is None:
            return None
        if self.context.has("SPM"):
            with_spm = self._in_order("SPM").select("message", "order").unique()
            own = self._in_order("OBR").join(
                with_spm.with_columns(spm=True),
                on=["message", "order"],
                how="left",
                maintain_order="left",
                nulls_equal=True,
            )
            told = pl.select(pl.when(own["spm"].is_null()).then(told)).to_series()
        key = key_of("Specimen of order", self.keys("OBR"), pl.lit("OBR"))
        return hashed(pl.select(pl.when(told.is_not_null()).then(key)).to_series())

    def requests_of(self, name: str) -> pl.Series | None:
        """For each segment of a name the request that it answers: List of Reference."""
        if not self.context.has("OBR"):
            return None
        ids = self.request_ids.gather(self.context.owned(name, "OBR"))
        made = pl.when(ids.is_not_null()).then(pl.concat_list(reference("ServiceRequest", pl.lit(ids))))
        return pl.select(made).to_series()

    def specimens_of(self, name: str) -> pl.Series | None:
        """For each segment of a name the specimen that its group names, else the first of its order: Reference."""
        lists = self.specimen_lists(name)
        if lists is None:
            return None
        first = lists.list.first()
        if not self.context.has("SPM"):
            return first
        own = self.specimen_ids.gather(self.context.owned(name, "SPM"))
        return first_of(pl.select(reference("Specimen", own)).to_series(), first)

    def specimen_lists(self, name: str) -> pl.Series | None:
        """For each segment of a name all specimens of its order: List of Reference; None when there are none."""
        frames = []
        if self.context.has("SPM"):
            frames.append(self._in_order("SPM").with_columns(self.specimen_ids.alias("id")))
        if self.bare_specimen_ids is not None:
            frames.append(self._in_order("OBR").with_columns(self.bare_specimen_ids.alias("id")).drop_nulls("id"))
        if not frames:
            return None
        lists = (
            pl.concat(frames)
            .unique(["message", "order", "id"], maintain_order=True)
            .group_by("message", "order", maintain_order=True)
            .agg(reference("Specimen", pl.col("id")).alias("specimen"))
        )
        own = self._in_order(name)
        return own.join(lists, on=["message", "order"], how="left", maintain_order="left", nulls_equal=True)["specimen"]

    def notes_of(self, name: str) -> pl.Series | None:
        """For each OBX or OBR the notes behind it: List of Annotation; None when there are none."""
        if not self.context.has("NTE"):
            return None
        notes = self._noted()
        own = notes.filter(pl.col("of") == name).group_by("message", "owner", maintain_order=True).agg("note")
        if not own.height:
            return None
        place = self.context.segment(name).frame.select("message", pl.col("ordinal").alias("owner"))
        return place.join(own, on=["message", "owner"], how="left", maintain_order="left")["note"]

    def _noted(self) -> pl.DataFrame:
        if self._notes is not None:
            return self._notes
        groups = self.context.segments.groups.filter(pl.col("name") == "NTE")
        nte = self.context.segment("NTE").only(groups["obx"].is_not_null() | groups["obr"].is_not_null())
        lines = nte.every(whole, 3)
        words = None if lines is None else lines.list.join("\n")
        parts: list[pl.Series] = []
        if words is not None:
            parts.append(words.alias("text"))
        if (author := self.context.parties.one(PRACTITIONER, nte, 5)) is not None:
            parts.append(author.alias("authorReference"))
        if (time := nte.one(6, moment)) is not None:
            parts.append(time.alias("time"))
        of = (
            pl.when(pl.col("obx").is_not_null())
            .then(pl.lit("OBX"))
            .when(pl.col("obr").is_not_null())
            .then(pl.lit("OBR"))
        )
        owner = pl.coalesce("obx", "obr").alias("owner")
        owners = groups.select("message", of.alias("of"), owner)
        if words is None:
            self._notes = owners.clear().with_columns(note=pl.lit(None, dtype=pl.String))
        else:
            struct = pl.DataFrame(parts).to_struct("note")
            self._notes = owners.with_columns(struct).filter(words.is_not_null())
        return self._notes

    def _of_service(self, label: str, first: str) -> pl.Series:
        obr = self.context.segment("OBR")
        code = obr.one(4, code_key())
        return hashed(pl.select(key_of(label, self.keys("OBR", first), _NONE if code is None else code)).to_series())

    def _numbers(self, owner: str, first: str) -> pl.Series:
        """The keys by number of each OBR (with its ORC) or ORC; null where it has no number."""
        own = self.context.segment(owner)
        segments = [own]
        if owner == "OBR" and self.context.has("ORC"):
            segments.append(self.context.segment("ORC").for_rows(self.context.owned("OBR", "ORC")))
        labels = {"filler": (3, "Order"), "placer": (2, "Order of placer")}
        told: pl.Series | None = None
        for which in (first, *(name for name in labels if name != first)):
            number, label = labels[which]
            if told is None or told.null_count():
                found = first_told(segments, number, ei_key(label))
                told = found if told is None or found is None else first_of(told, found)
        return pl.repeat(None, own.height, dtype=pl.String, eager=True) if told is None else told

    def _order_numbers(self, name: str) -> pl.Series:
        return self._in_order(name)["order"]

    def _in_order(self, name: str) -> pl.DataFrame:
        groups = self.context.segments.groups
        return groups.filter(pl.col("name") == name).select("message", "order")


def order_identifiers(obr: Segment | None, orc: Segment | None) -> pl.Series | None:
    """The placer's and the filler's numbers: of the OBR, else of the ORC."""
    lists = []
    for number, kind in ((2, "PLAC"), (3, "FILL")):
        if (found := first_told((obr, orc), number, ei(kind), every=True)) is not None:
            lists.append(found)
    if obr is not None and (more := obr.every(cx("PLAC"), 53)) is not None:
        lists.append(more)
    return joined(*lists) if lists else None
