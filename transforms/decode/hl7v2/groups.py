"""Order groups of a message, rebuilt from the order of its segments (HL7 v2.9 4.2, 7.3.1)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

_OWNERS = ("PID", "ORC", "OBR", "SPM", "OBX")
_SPECIMEN_FIRST = "_O3[345]$"  # OML^O33 and its kin: the orders are those of the specimen before them

_Rows = npt.NDArray[np.int64]
_Mask = npt.NDArray[np.bool_]


def groups_of(segments: pl.DataFrame, messages: pl.DataFrame) -> pl.DataFrame:
    """Who owns each segment. ``segments`` has ``message``, ``ordinal`` and ``name``, in order; ``messages`` ``type``.

    Returns these and ``order`` UInt32 (number of the order group in its message: 1, 2, ...; null before the first),
    ``pid``, ``orc``, ``obr``, ``spm``, ``obx`` UInt32: the ordinal of the segment of that name that owns it, which for
    a segment of that name is its own; null: none; and ``misplaced`` Boolean: the segment stands where the standard
    puts none, and was given to its order all the same. A group begins with an ORC, or with an OBR that no ORC
    precedes.

    An ORC that follows its OBR belongs to it: when nothing but notes stand between them and no OBR follows, or when
    they are the only ones of their message. An OBX of an ORU before any OBR belongs to the message's OBR if that is
    the only one.
    """
    if not segments.height:
        return segments.with_columns(
            *(pl.lit(None, dtype=pl.UInt32).alias(name) for name in ("order", *map(str.lower, _OWNERS))),
            misplaced=pl.lit(False),
        )
    scan = _Scan(segments, messages)
    owners = {owner.lower(): scan.ordinals(owner) for owner in _OWNERS}
    return segments.with_columns(scan.order(), *(s.alias(name) for name, s in owners.items()), misplaced=scan.misplaced)


class _Scan:
    """One pass over the segments of many messages; rows are places in the frame, -1 is none."""

    def __init__(self, segments: pl.DataFrame, messages: pl.DataFrame) -> None:
        self._ordinal = segments["ordinal"]
        self._rows = np.arange(segments.height)
        self._is = {owner: (segments["name"] == owner).to_numpy() for owner in _OWNERS}
        message = segments["message"].to_numpy()
        begins = np.append(True, message[1:] != message[:-1])
        self._number = np.cumsum(begins) - 1  # of the message in `messages`
        self._begin = self._latest(begins)
        self._types = messages["type"]
        pids = self._per_message("PID")
        self._patient = np.maximum(self._begin, self._latest(self._is["PID"] & (pids > 1)))
        self._last = {owner: self._latest(mask) for owner, mask in self._is.items()}
        self._alone = self._per_message("OBR") == 1
        owned = (self._last["ORC"] >= self._patient) & (_before(self._last["OBR"]) < self._last["ORC"])
        self._starts = self._is["ORC"] | (self._is["OBR"] & ~owned)
        late = self._late(self._is["OBR"] & ~owned)
        self._starts &= ~late
        self._group = np.cumsum(self._starts)
        self._begun = self._latest(self._starts)
        self._order = np.maximum(self._patient, self._begun)
        early = self._early()
        self._late_orc, self._early_obx = late, early
        self.misplaced = pl.Series(late | early)

    def order(self) -> pl.Series:
        """``order``."""
        base = np.append(0, self._group)[self._begin]
        return _where(self._begun >= self._patient, self._group - base).alias("order")

    def ordinals(self, owner: str) -> pl.Series:
        """The ordinals of the segments called ``owner`` that own each segment."""
        last = self._last[owner]
        if owner == "PID":
            found = np.where(self._per_message(owner) == 1, self._only(owner), last)
            return self._at(np.where(found >= self._begin, found, -1))
        if owner == "ORC":
            late = np.full(int(self._group[-1]) + 1, -1)
            late[self._group[self._late_orc]] = self._rows[self._late_orc]
            of_group = late[self._group]
            last = np.where((of_group >= 0) & (of_group >= self._order), of_group, last)
        bound = self._order
        if owner == "SPM":
            shared = self._types.str.contains(_SPECIMEN_FIRST).fill_null(False).to_numpy()[self._number]
            bound = np.where(shared, self._patient, self._order)
        elif owner == "OBX":
            bound = np.maximum.reduce([self._order, self._last["OBR"], self._last["SPM"]])
        found = np.where(last >= bound, last, -1)
        if owner == "OBR":
            found = np.where(self._early_obx, self._only(owner), found)
        return self._at(found)

    def _late(self, bare: _Mask) -> _Mask:
        """ORCs that follow their OBR; ``bare`` are the OBRs that no ORC precedes."""
        late = np.zeros(len(self._rows), dtype=np.bool_)
        at = np.flatnonzero(self._is["ORC"] | self._is["OBR"])
        if not len(at) or not bare.any():
            return late
        obr = self._is["OBR"][at]
        same = np.append(False, self._number[at][1:] == self._number[at][:-1])
        after_bare = np.append(False, bare[at][:-1]) & same & ~obr
        obr_next = np.append(obr[1:] & same[1:], False)
        close = self._last["OBX"][at] < np.append(-1, at[:-1])
        pair = (self._alone & (self._per_message("ORC") == 1))[at]
        late[at] = after_bare & ((close & ~obr_next) | pair)
        return late

    def _early(self) -> _Mask:
        """OBX of an ORU that no OBR of the message precedes, where the only one follows."""
        reports = self._types.str.starts_with("ORU").fill_null(False).to_numpy()[self._number]
        early: _Mask = self._is["OBX"] & reports & self._alone & (self._last["OBR"] < self._begin)
        return early

    def _per_message(self, owner: str) -> _Rows:
        """How many segments of that name the message of each segment has."""
        counts: _Rows = np.bincount(self._number, weights=self._is[owner]).astype(np.int64)[self._number]
        return counts

    def _only(self, owner: str) -> _Rows:
        """The last segment of that name of the message of each segment."""
        ends = np.append(np.flatnonzero(self._begin[1:] != self._begin[:-1]), len(self._rows) - 1)
        only: _Rows = self._last[owner][ends][self._number]
        return only

    def _latest(self, mask: _Mask) -> _Rows:
        """The last row up to each where ``mask`` holds."""
        latest: _Rows = np.maximum.accumulate(np.where(mask, self._rows, -1))
        return latest

    def _at(self, rows: _Rows) -> pl.Series:
        return _where(rows >= 0, self._ordinal.to_numpy()[rows])


def _before(rows: _Rows) -> _Rows:
    return np.append(-1, rows[:-1])


def _where(mask: _Mask, values: _Rows) -> pl.Series:
    frame = pl.DataFrame({"mask": mask, "value": values.astype(np.uint32)})
    return frame.select(pl.when("mask").then("value")).to_series()
