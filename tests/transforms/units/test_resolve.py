"""Units as people send them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.units.resolve import UnitStatus, resolve
from transforms.units.spelling import canonical
from transforms.units.ucum import is_valid

MAPPED = {
    # counts
    "K/uL": "10*3/uL", "k/cumm": "10*3/mm3", "m/uL": "10*6/uL", "M/uL": "10*6/uL", "Mio/µl": "10*6/uL",
    "x10E3/uL": "10*3/uL", "X10(3)/MCL": "10*3/uL", "x 10³/µL": "10*3/uL", "10 ^ 9 / L": "10*9/L",
    "1,000/uL": "10*3/uL", "thousand per uL": "10*3/uL", "GPt/L": "10*9/L", "#/uL": "/uL", "Pl": "pL",
    # words and cases
    "MG/DL": "mg/dL", "Mg/dL": "mg/dL", "MMOL/L": "mmol/L", "GM/DL": "g/dL", "G/DL": "g/dL", "uG/DL": "ug/dL",
    "mcg/kg/day": "ug/kg/d", "mg per kg per day": "mg/kg/d", "Liters/min": "L/min", "KG/M^2": "kg/m2",
    "mEq/l": "meq/L", "µg/L": "ug/L", "uIU/mL": "u[iU]/mL", "units/mL": "U/mL", "sec.": "s", "mL/cmH2O": "mL/cm[H2O]",
    "dynes.sec.cm-5": "dyn.s/cm5", "L/min/m²": "L/min/m2", "lb/in2": "[psi]",
    # what is measured, and over what
    "mg/g Crea": "mg/g{creat}", "mmol/molKrea": "mmol/mol{creat}", "ng/mL FEU": "ng{FEU}/mL", "U/gHb": "U/g{Hb}",
    "ug FEU/mL": "ug{FEU}/mL", "/100 WBC": "/100{WBC}", "10E9 Bodies/L": "10*9{bodies}/L",
    "ml/min/1.73m²": "mL/min/{1.73_m2}", "mL/min/1,73": "mL/min/{1.73_m2}", "mg/24 hrs": "mg/(24.h)", "mm/1h": "mm/h",
    # false friends
    "C": "Cel", "F": "[degF]", "ft": "[ft_i]", "st": "[stone_av]", "pH": "[pH]", "u/l": "U/L", "T/L": "10*12/L",
    "ML": "mL", "°C": "Cel", "ft/s": "[ft_i]/s",
    "log10 copies/mL|log10 cop/mL": "{Log_copies}/mL",
}  # fmt: skip
SENT = {
    "mg/dL": "mg/dL", "ml/dl": "mL/dL", "10^9/L": "10*9/L", "10*+3/ul": "10*3/uL", "[IU]/mL": "[iU]/mL",
    "{score}": "{score}", "g%": "g%", "pg": "pg", "mg{a l}/dl": "mg{a l}/dL", "MBq": "MBq", "lm": "lm", "10^": "10*",
}  # fmt: skip
NOTHING = {
    UnitStatus.AMBIGUOUS: [
        "U", "mol", "G", "K", "G/L", "IE/ml", "%|g/dL", "kU/L|kUA/L", "MU/L", "EU/dL", "mph", "TU", "deg", "D", "MV",
    ],
    UnitStatus.NOT_A_UNIT: ["N/A", "n/a", "See Note", "Score", "-", "#ERROR!", "units", "NULL", "N/A|Pos/Neg"],
    UnitStatus.UNKNOWN: [
        "xyz", "mg/foo", "mmol/mmol K", "IU/l EC", "µg/g (TG)", "mg//dL", "/", "B.T.U.", "fl. oz.", "3 mg", "mg L",
        "APL X/mL", "log", "mg/", "a" * 100, "mil/x",
    ],
    UnitStatus.ABSENT: ["", "  ", None],
}  # fmt: skip


@pytest.mark.parametrize(("text", "ucum"), MAPPED.items())
def test_spellings_that_mean_one_thing(text: str, ucum: str) -> None:
    """Understood, and said to be another spelling."""
    found = resolve(text)
    assert (found.ucum, found.status) == (ucum, UnitStatus.MAPPED)


@pytest.mark.parametrize(("text", "ucum"), SENT.items())
def test_ucum_as_sent(text: str, ucum: str) -> None:
    """Kept, but for one spelling of litre, power of ten and international unit."""
    found = resolve(text)
    assert (found.ucum, found.status) == (ucum, UnitStatus.UCUM)


@pytest.mark.parametrize(("status", "text"), [(status, text) for status, texts in NOTHING.items() for text in texts])
def test_nothing_is_guessed(status: UnitStatus, text: str | None) -> None:
    """What has no single meaning has none."""
    found = resolve(text)
    assert (found.ucum, found.status) == ("", status)


@given(st.text(max_size=70))
def test_any_text(text: str) -> None:
    """A unit that is named is valid, canonical, and means itself."""
    found = resolve(text)
    assert bool(found.ucum) == (found.status in (UnitStatus.UCUM, UnitStatus.MAPPED))
    if found.ucum:
        assert is_valid(found.ucum)
        assert canonical(found.ucum) == found.ucum


@given(
    st.lists(
        st.sampled_from(["mg", "MG", "mL", "dl", "10^3", "K", "x10E3", "IU", "uL", "h", "24 hr", "kg", "m2", "µg"]),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(["/", ".", " per ", " / "]),
)
def test_what_was_resolved_resolves_to_itself(parts: list[str], joint: str) -> None:
    """The canonical form is a fixed point."""
    found = resolve(joint.join(parts))
    if found.ucum:
        again = resolve(found.ucum)
        assert again.ucum == found.ucum or again.status is UnitStatus.AMBIGUOUS
