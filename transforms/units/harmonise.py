"""Quantities in one unit for each LOINC code, the number as sent always beside it.

The unit of the result is, in this order: the preferred unit of the row's LOINC code; for a few dimensions of
observations the usual one (temperature, pressure, body length and weight); else the unit as sent, in UCUM's spelling. A
dose of 500 mg stays 500 mg. What cannot be converted without a guess has no harmonised value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import polars as pl

from schemas.naming import harmonized_names
from schemas.systems import UCUM
from schemas.units.analytes import Analyte, analytes, preferred_units
from transforms.units.conversion import Conversion, IncompatibleError, conversion
from transforms.units.resolve import Resolved, UnitStatus, resolve
from transforms.units.ucum import Unit, is_valid, parse

_SAME = Conversion()
_MOST_PLANS = 100_000
_TEMPERATURE = parse("K").dimension
_PRESSURE = parse("Pa").dimension
_BODY = {"kg": "kg", "[lb_av]": "kg", "[stone_av]": "kg", "cm": "cm", "m": "cm", "[in_i]": "cm", "[ft_i]": "cm"}
# An enzyme's unit and an international unit share their letter; of what a code measures only one of them can be meant.
_ENZYME = re.compile(r"(?<![A-Za-z\[\]'_}])([kmun]?)U(?![A-Za-z\]'])")
_INTERNATIONAL = re.compile(r"\[iU\]")
_NGSP_SLOPE, _NGSP_INTERCEPT = Fraction("0.09148"), Fraction("2.152")  # IFCC-NGSP master equation


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of the numbers of one unit under one code: ``unit`` is empty where there is no result."""

    unit: str
    status: UnitStatus
    conversion: Conversion = _SAME


class Harmoniser:
    """Plans by unit and LOINC code, each made once. ``overrides`` replaces or adds preferred units by LOINC code."""

    def __init__(self, overrides: Mapping[str, str] | None = None) -> None:
        self._preferred = {**preferred_units(), **(overrides or {})}
        self._plans: dict[tuple[str | None, str | None, str | None, str | None, bool], Plan] = {}

    def plan(
        self, unit: str | None, code: str | None, system: str | None, loinc: str | None, *, observed: bool = False
    ) -> Plan:
        """The plan for a quantity as sent: display, code and code system of its unit, and the LOINC code of what was
        measured; ``observed`` says that it is a finding, not a dose or an amount that was ordered.
        """
        key = (unit, code, system, loinc, observed)
        known = self._plans.get(key)
        if known is None:
            if len(self._plans) >= _MOST_PLANS:  # somebody writes free text where units belong
                self._plans.clear()
            known = self._plans[key] = self._made(unit, code, system, loinc, observed)
        return known

    def meant(self, unit: str | None, loinc: str | None = None) -> Resolved:
        """What a unit's text means, where it matters for what is measured."""
        return _meant(unit, None, None, self._preferred.get(loinc or "", ""), analytes().get(loinc or ""))

    def preferred(self, loinc: str) -> str:
        """The preferred unit of a LOINC code, UCUM; empty where there is none."""
        return self._preferred.get(loinc, "")

    def _made(self, unit: str | None, code: str | None, system: str | None, loinc: str | None, observed: bool) -> Plan:
        wanted = self._preferred.get(loinc or "", "")
        analyte = analytes().get(loinc or "")
        meant = _meant(unit, code, system, wanted, analyte)
        if not meant.ucum:
            return Plan("", meant.status)
        if not wanted:
            wanted = _by_dimension(meant.ucum, parse(meant.ucum)) if observed else ""
        if not wanted or wanted == meant.ucum:
            return Plan(meant.ucum, meant.status)
        try:
            return Plan(wanted, meant.status, converted(parse(meant.ucum), parse(wanted), analyte))
        except IncompatibleError:
            decided = decided_by_code(meant.ucum, wanted, analyte)
            return Plan("", UnitStatus.INCOMPATIBLE) if decided is None else Plan(wanted, UnitStatus.MAPPED, decided)


def harmonise(
    frame: pl.DataFrame, name: str, loinc: pl.Series | None, harmoniser: Harmoniser, *, observed: bool
) -> list[pl.Series]:
    """The harmonised value (Float64), its unit and the unit's status of the quantity ``name`` of ``frame``.

    ``loinc`` (String) says what each row measures. Nothing where the frame has no number and no unit of it; a row
    without number and unit is null in all three.
    """
    height, sent = frame.height, {part: f"{name}_{part}" for part in ("unit", "unit_code", "unit_system")}
    number = f"{name}_number"
    if not {number, *sent.values()} & set(frame.columns):
        return []
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, height)
    columns = [frame[c].alias(part) if c in frame.columns else nothing.alias(part) for part, c in sent.items()]
    keys = pl.DataFrame([*columns, (nothing if loinc is None else loinc).alias("loinc")])
    distinct = keys.unique()
    plans = [harmoniser.plan(*row, observed=observed) for row in distinct.iter_rows()]
    planned = distinct.with_columns(
        pl.Series("to", [plan.unit or None for plan in plans], dtype=pl.String),
        pl.Series("status", [plan.status.value for plan in plans], dtype=pl.String),
        pl.Series("factor", [float(plan.conversion.factor) if plan.unit else None for plan in plans], dtype=pl.Float64),
        pl.Series("offset", [float(plan.conversion.offset) for plan in plans], dtype=pl.Float64),
        pl.Series("special", [_order(plans).get(plan.conversion) for plan in plans], dtype=pl.UInt16),
    )
    joined = keys.join(planned, on=keys.columns, how="left", nulls_equal=True, maintain_order="left")
    no_number = pl.Series([None], dtype=pl.Float64).new_from_index(0, height)
    numbers = frame[number] if number in frame.columns else no_number
    joined = joined.with_columns(numbers.cast(pl.Float64).alias("number"))
    value = pl.col("number") * pl.col("factor") + pl.col("offset")
    for special, place in _order(plans).items():
        value = pl.when(pl.col("special") == place).then(special.expression(pl.col("number"))).otherwise(value)
    there = pl.any_horizontal(pl.col("number", "unit", "unit_code").is_not_null())
    names = harmonized_names(name)
    status = pl.when(there).then(pl.col("status"))
    made = joined.select(value.alias(names.value), pl.col("to").alias(names.unit), status.alias(names.status))
    return made.get_columns()


def _order(plans: list[Plan]) -> dict[Conversion, int]:
    """The conversions that are not linear, numbered."""
    special = {plan.conversion: None for plan in plans if plan.unit and not plan.conversion.is_linear}
    return {one: place for place, one in enumerate(special)}


def converted(one: Unit, other: Unit, analyte: Analyte | None = None) -> Conversion:
    """From ``one`` to ``other``, between mass, amount and charge by the analyte's molar mass and charge, and by its own
    rule where it has one; IncompatibleError where that cannot be.
    """
    if analyte is not None and analyte.rule == "ngsp-ifcc" and one.amounts != other.amounts:
        return _glycated(one, other)
    if one.dimension != other.dimension and analyte is not None:
        one, other = _in_moles(one, analyte), _in_moles(other, analyte)
    return conversion(one, other)


def _in_moles(unit: Unit, analyte: Analyte) -> Unit:
    """A unit of mass or charge, alone or by volume or time, as one of the amount of the analyte."""
    powers = dict(unit.dimension)
    for base, a_mole in (("g", analyte.molar_mass), ("eq", analyte.charge)):
        if powers.get(base) == 1 and "mol" not in powers and a_mole is not None:
            del powers[base]
            dimension = tuple(sorted((powers | {"mol": 1}).items()))
            return replace(unit, factor=unit.factor / a_mole, dimension=dimension, amounts=True)
    return unit


def _glycated(one: Unit, other: Unit) -> Conversion:
    """Glycated haemoglobin between NGSP (%) and IFCC (mmol/mol)."""
    percent, permille = parse("%"), parse("mmol/mol")
    if one.amounts:
        before, after = conversion(one, permille), conversion(percent, other)
        slope, intercept = _NGSP_SLOPE, _NGSP_INTERCEPT
    else:
        before, after = conversion(one, percent), conversion(permille, other)
        slope, intercept = 1 / _NGSP_SLOPE, -_NGSP_INTERCEPT / _NGSP_SLOPE
    factor = before.factor * slope * after.factor
    return Conversion(factor, ((before.offset * slope) + intercept) * after.factor + after.offset)


def _meant(unit: str | None, code: str | None, system: str | None, wanted: str, analyte: Analyte | None) -> Resolved:
    """What the unit's display and code say together: the code where it is UCUM's, and nothing where they disagree."""
    shown = _decided(resolve(unit), wanted, analyte)
    if not (code or "").strip():
        return shown
    coded = _coded(code, wanted, analyte) if system == UCUM else _decided(resolve(code), wanted, analyte)
    if not coded.ucum or system not in (None, UCUM):
        return shown if shown.ucum or shown.status is not UnitStatus.ABSENT else coded
    if shown.ucum and shown.ucum != coded.ucum and not _equal(shown.ucum, coded.ucum, analyte):
        return Resolved("", UnitStatus.AMBIGUOUS)
    return coded


def _coded(code: str | None, wanted: str, analyte: Analyte | None) -> Resolved:
    """A code of UCUM's system: what a text alone would leave open (`mol`, `U`) is said by the system."""
    found = _decided(resolve(code), wanted, analyte)
    text = (code or "").strip()
    if found.status is UnitStatus.AMBIGUOUS and not found.candidates and is_valid(text):
        return Resolved(text, UnitStatus.UCUM)
    return found


def _decided(found: Resolved, wanted: str, analyte: Analyte | None) -> Resolved:
    """Of several meanings the one that the code's preferred unit allows, if it is one."""
    if found.ucum or not wanted:
        return found
    fit = [one for one in found.candidates if _fits(one, wanted, analyte)]
    return Resolved(fit[0], UnitStatus.MAPPED) if len(fit) == 1 else found


def _fits(ucum: str, wanted: str, analyte: Analyte | None) -> bool:
    try:
        converted(parse(ucum), parse(wanted), analyte)
    except IncompatibleError:
        return False
    return True


def _equal(one: str, other: str, analyte: Analyte | None) -> bool:
    """Whether a number means the same in both units, annotations aside."""
    bare = [replace(parse(text), annotations=()) for text in (one, other)]
    try:
        return converted(bare[0], bare[1], analyte) == _SAME
    except IncompatibleError:
        return _INTERNATIONAL.sub("U", one) == _INTERNATIONAL.sub("U", other)


def decided_by_code(ucum: str, wanted: str, analyte: Analyte | None) -> Conversion | None:
    """Enzyme units for international ones or the reverse, where only the other is a unit of what the code measures."""
    for swapped in (_ENZYME.sub(r"\1[iU]", ucum), _INTERNATIONAL.sub("U", ucum)):
        if swapped != ucum and is_valid(swapped) and _fits(swapped, wanted, analyte):
            return converted(parse(swapped), parse(wanted), analyte)
    return None


def _by_dimension(ucum: str, unit: Unit) -> str:
    if unit.dimension == _TEMPERATURE:
        return "Cel"
    if unit.dimension == _PRESSURE:
        return "mm[Hg]"
    return _BODY.get(ucum, "")
