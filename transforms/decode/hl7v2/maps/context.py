"""What the maps of a batch share: its segments, whom each is about, when each was sent, and the parties they name."""

from __future__ import annotations

import functools

import polars as pl

from transforms.decode.hl7v2.maps.identifiers import cx_key, cx_type
from transforms.decode.hl7v2.maps.ids import hashed, key_of, reference, told_apart
from transforms.decode.hl7v2.maps.parties import Parties
from transforms.decode.hl7v2.maps.parts import moment
from transforms.decode.hl7v2.maps.rows import first_of
from transforms.decode.hl7v2.maps.segment import Segment
from transforms.decode.hl7v2.segments import Segments

_RECORD_TYPES = ["MR", "PI"]  # table 0203: the identifiers that name a patient to the hospital


class Context:
    """Segments of one batch, by name, and what belongs to what."""

    def __init__(self, segments: Segments) -> None:
        self.segments = segments
        self.parties = Parties(segments.separators)
        self._segment: dict[str, Segment] = {}
        self._owned: dict[tuple[str, str], pl.Series] = {}
        self._before: dict[tuple[str, str], pl.Series] = {}

    def has(self, name: str) -> bool:
        """True when some message has that segment."""
        return name in self.segments.by_name

    def segment(self, name: str) -> Segment:
        """All segments of a name; without rows when there is none."""
        if name not in self._segment:
            frame = self.segments.by_name.get(name)
            if frame is None:
                schema = {"message": pl.UInt32, "ordinal": pl.UInt32, "text": pl.String}
                frame = pl.DataFrame(schema=schema)
            self._segment[name] = Segment(frame, self.segments.separators)
        return self._segment[name]

    def owned(self, name: str, owner: str) -> pl.Series:
        """For each segment of a name the place (UInt32) among those called ``owner`` of the one that its group gives
        it; null: none.
        """
        if (name, owner) not in self._owned:
            own = self.segments.groups.filter(pl.col("name") == name)
            ordinals = own.select("message", pl.col(owner.lower()).alias("ordinal"))
            places = self.segment(owner).frame.select("message", "ordinal").with_row_index("at")
            found = ordinals.join(places, on=["message", "ordinal"], how="left", maintain_order="left")
            self._owned[name, owner] = found["at"]
        return self._owned[name, owner]

    def following(self, owner: str, name: str) -> pl.Series:
        """For each segment called ``owner`` the place of the first one of a name behind it, before the next ``owner``
        of the message; null: none.
        """
        behind = self.before(name, owner)
        places = pl.DataFrame([behind.alias("owner")]).with_row_index("at").drop_nulls().unique("owner", keep="first")
        rows = pl.DataFrame({"owner": pl.Series(range(self.segment(owner).height), dtype=pl.UInt32)})
        return rows.join(places, on="owner", how="left", maintain_order="left")["at"]

    def before(self, name: str, owner: str) -> pl.Series:
        """For each segment of a name the place of the last one called ``owner`` before it in its message, else of the
        first one in its message; null: none.
        """
        if (name, owner) not in self._before:
            self._before[name, owner] = self._last_before(name, owner)
        return self._before[name, owner]

    def _last_before(self, name: str, owner: str) -> pl.Series:
        groups = self.segments.groups
        owners = self.segment(owner).frame
        if not owners.height:
            return pl.repeat(None, self.segment(name).height, dtype=pl.UInt32, eager=True)
        upto = (groups["name"] == owner).cum_sum().cast(pl.Int64) - 1
        at = upto.filter(groups["name"] == name)
        own = self.segment(name).frame["message"]
        same = owners["message"].gather(at.clip(0)) == own
        last = pl.select(pl.when(same & (at >= 0)).then(at).cast(pl.UInt32)).to_series()
        if not last.null_count():
            return last
        firsts = owners.select("message").with_row_index("at").unique("message", keep="first")
        found = pl.DataFrame([own]).join(firsts, on="message", how="left", maintain_order="left")["at"]
        return first_of(last, found)

    @functools.cached_property
    def event(self) -> pl.Series:
        """The trigger event (MSH-9.2) of each message, in the order of ``messages``."""
        return self.segments.messages["type"].str.split("_").list.get(1, null_on_oob=True)

    @functools.cached_property
    def kind(self) -> pl.Series:
        """The message code (MSH-9.1) of each message, in the order of ``messages``."""
        return self.segments.messages["type"].str.split("_").list.get(0, null_on_oob=True)

    def of_message(self, name: str, values: pl.Series) -> pl.Series:
        """Values by message, for each segment of a name."""
        numbers = self.segments.messages["message"]
        message = self.segment(name).frame["message"]
        return values.gather(numbers.search_sorted(message))

    @functools.cached_property
    def control(self) -> pl.Series:
        """What names each message (String), in the order of ``messages``: its control id (MSH-10), which is unique for
        its sender (MSH-3, MSH-4) only; its whole MSH where it has none.
        """
        msh = self.segment("MSH")
        control = self.segments.messages["control_id"]
        none = pl.lit(None, dtype=pl.String)
        senders = [none if (sent := msh.sent(number)) is None else sent for number in (3, 4)]
        named = pl.when(control.is_not_null()).then(key_of("Message", *senders, control))
        return pl.select(named.otherwise(key_of("Message", msh.column("text")))).to_series()

    @functools.cached_property
    def sent_at(self) -> pl.Series:
        """When each message was sent: MSH-7, else EVN-2 (DTM as sent), in the order of ``messages``."""
        sent = self.segment("MSH").one(7, moment)
        if sent is None:
            sent = pl.repeat(None, self.segments.messages.height, dtype=pl.String, eager=True)
        if not sent.null_count() or not self.has("EVN"):
            return sent
        events = self.segment("EVN").for_rows(self.before("MSH", "EVN")).one(2, moment)
        return sent if events is None else first_of(sent, events)

    def updated(self, name: str) -> pl.Series:
        """When the message of each segment was sent."""
        return self.of_message(name, self.sent_at)

    @functools.cached_property
    def patient_ids(self) -> pl.Series:
        """The patient's id for each PID: by PID-3, of its repetitions the first of type MR or PI, else the first; else
        by PID-2, PID-4 or PID-18, else by the message.
        """
        pid = self.segment("PID")
        return hashed(self._patient_keys(pid))

    def patient_key(self, segment: Segment, number: int) -> pl.Series | None:
        """The key of the patient that a list of CX names; None when the field is not there."""
        keys, kinds = segment.every(cx_key("Patient"), number), segment.every(cx_type, number)
        if keys is None or kinds is None:
            return None
        chosen = pl.col("kinds").list.eval(pl.element().is_in(_RECORD_TYPES))
        at = pl.when(chosen.list.any()).then(chosen.list.arg_max()).otherwise(pl.lit(0))
        frame = pl.DataFrame([keys.alias("keys"), kinds.alias("kinds")])
        return frame.select(pl.col("keys").list.get(at, null_on_oob=True)).to_series()

    def _patient_keys(self, pid: Segment) -> pl.Series:
        control = self.of_message("PID", self.control)
        nameless = pl.select(key_of("Patient of message", control)).to_series()
        found = [
            self.patient_key(pid, 3),
            pid.one(2, cx_key("Patient")),
            pid.one(4, cx_key("Patient")),
            pid.one(18, cx_key("Patient by account")),
        ]
        keys = [column for column in found if column is not None]
        return first_of(*keys, told_apart(pid.column("message"), nameless))

    def patient(self, name: str) -> pl.Series | None:
        """The reference to the patient of each segment; None when no message has one."""
        if not self.has("PID"):
            return None
        at = self.owned(name, "PID") if name != "PID" else None
        if at is not None and at.null_count():
            at = first_of(at, self.before(name, "PID"))
        ids = self.patient_ids if at is None else self.patient_ids.gather(at)
        return pl.select(reference("Patient", ids)).to_series()

    @functools.cached_property
    def encounter_ids(self) -> pl.Series:
        """The visit's id for each PV1: by PV1-19 (visit number), else PID-18 (account), else PV1-50, else the patient
        and PV1-44 (admission), else the message.
        """
        pv1 = self.segment("PV1")
        pid = self.segment("PID").for_rows(self.before("PV1", "PID"))
        keys = [pv1.one(19, cx_key("Encounter")), pid.one(18, cx_key("Encounter by account"))]
        keys.append(pv1.one(50, cx_key("Encounter")))
        admitted = pv1.one(44, moment)
        if admitted is not None and self.has("PID"):
            patient = self.patient_ids.gather(self.before("PV1", "PID"))
            both = admitted.is_not_null() & patient.is_not_null()
            begun = pl.when(both).then(key_of("Encounter by admission", patient, admitted))
            keys.append(pl.select(begun).to_series())
        control = self.of_message("PV1", self.control)
        keys.append(pl.select(key_of("Encounter of message", control)).to_series())
        return hashed(first_of(*(key for key in keys if key is not None)))

    def encounter(self, name: str) -> pl.Series | None:
        """The reference to the visit of each segment; None when no message has one."""
        if not self.has("PV1"):
            return None
        ids = self.encounter_ids.gather(self.before(name, "PV1"))
        return pl.select(reference("Encounter", ids)).to_series()
