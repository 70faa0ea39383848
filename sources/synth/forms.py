"""The parts of an Observation that no patient changes, rendered once for each way to write an analyte."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from sources.synth.measures import Analyte, Panel, Writing, panels
from sources.synth.render import coding, concept, quoted

_LOINC = "http://loinc.org"
_UCUM = "http://unitsofmeasure.org"
_LOCAL = "http://laboratory.example.org/codes"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
_CATEGORIES = {
    "vital-signs": "Vital Signs",
    "laboratory": "Laboratory",
    "social-history": "Social History",
    "survey": "Survey",
}
_INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
_LOW, _NORMAL, _HIGH = (
    f'"interpretation":[{concept(_INTERPRETATION, code, display)}]'
    for code, display in (("L", "Low"), ("N", "Normal"), ("H", "High"))
)


@dataclass(frozen=True, slots=True)
class Form:
    """How one laboratory writes one analyte.

    ``head`` holds category and code; ``unit`` what follows the number in a Quantity; ``tails`` what follows
    the value when it is low, normal or high. ``low`` and ``high`` are in the unit written.
    """

    analyte: Analyte
    head: str
    factor: float
    offset: float
    style: str
    number: str
    low: float
    high: float
    unit: str
    tails: tuple[str, str, str]

    def written(self, value: float) -> str:
        """The digits of a value in the analyte's own unit."""
        value = value * self.factor + self.offset
        if self.style == "":
            return self.number % value
        if self.style == "plain":
            return repr(round(value, int(self.number[2:-1])))
        return f"{value:.1e}".replace("e+0", "e")


@cache
def forms() -> Mapping[str, tuple[Form, ...]]:
    """The forms of every analyte, by LOINC code, the commonest first."""
    return {
        analyte.loinc: tuple(
            _form(panel, analyte, writing, place)
            for place, writing in enumerate(analyte.writings or (Writing("", "", 1.0, 0.0, 0, ""),))
        )
        for panel in panels().values()
        for analyte in panel.analytes
    }


def _form(panel: Panel, analyte: Analyte, writing: Writing, place: int) -> Form:
    known = coding(_LOINC, analyte.loinc, analyte.display)
    if place == 0:
        codings, text = known, analyte.display
    elif place == 1:  # a laboratory that sends its own code first
        codings, text = f"{coding(_LOCAL, analyte.local, analyte.local)},{known}", analyte.local
    else:
        codings, text = f"{known},{coding(_LOCAL, analyte.local)}", analyte.display
    category = concept(_CATEGORY, panel.category, _CATEGORIES[panel.category])
    unit = _unit(writing)
    low = high = 0.0
    tails = ("", "", "")
    number = f"%.{writing.digits}f"
    if analyte.low is not None and analyte.high is not None:
        low = analyte.low * writing.factor + writing.offset
        high = analyte.high * writing.factor + writing.offset
        extent = _range(number % low if analyte.low else "", number % high, unit, writing.unit)
        tails = (
            f",{_LOW},{extent}" if panel.category == "laboratory" else "",
            f",{_NORMAL},{extent}" if panel.category == "laboratory" else "",
            f",{_HIGH},{extent}" if panel.category == "laboratory" else "",
        )
    return Form(
        analyte,
        f'"category":[{category}],"code":{{"coding":[{codings}],"text":{quoted(text)}}},',
        writing.factor,
        writing.offset,
        writing.style,
        number,
        float(number % low),
        float(number % high),
        unit,
        tails,
    )


def _unit(writing: Writing) -> str:
    text = f',"unit":{quoted(writing.unit)}' if writing.unit else ""
    return text + (f',"system":"{_UCUM}","code":{quoted(writing.ucum)}' if writing.ucum else "")


def _range(low: str, high: str, unit: str, shown: str) -> str:
    """A referenceRange; ``low`` "" has none below."""
    if not low:
        text = quoted(f"<{high} {shown}".strip())
        return f'"referenceRange":[{{"high":{{"value":{high}{unit}}},"text":{text}}}]'
    text = quoted(f"{low}-{high} {shown}".strip())
    limits = f'"low":{{"value":{low}{unit}}},"high":{{"value":{high}{unit}}}'
    return f'"referenceRange":[{{{limits},"text":{text}}}]'
