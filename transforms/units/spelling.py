"""Units as people write them, as UCUM expressions: what can only mean one thing is read, nothing is guessed.

Counts (`x10^3/uL`, `K/mm3`), words (`mcg/kg/day`), other cases (`MG/DL`), what is measured (`mg/g creat`) and the usual
additions (`/1.73 m2`, `/24 hr`) are understood by rule; single spellings stand in `schemas/units/aliases.csv`.
"""

from __future__ import annotations

import re
import unicodedata

from schemas.units.aliases import Alias, spellings
from schemas.units.essence import essence
from transforms.units.ucum import is_valid

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_SUPERSCRIPT = re.compile("(?<=10)[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+")
_SIGNS = str.maketrans({"µ": "u", "μ": "u", "×": "x", "·": ".", "•": ".", "−": "-", "–": "-", "°": " deg "})
_MAX_LENGTH = 64  # a longer text is no unit

# Symbols of clinical quantities. Only these are read inside a text that is no UCUM as a whole, in any case of their
# letters where that leaves one meaning (`MU` may be milli or mega).
_PREFIXED = {
    "g": "k m u n p f", "L": "d c m u n p f", "mol": "m u n p f", "eq": "m u", "osm": "m", "m": "c m u n k",
    "[iU]": "k m u n", "kat": "u n p", "s": "m u n", "Pa": "k h", "bar": "m", "cal": "k", "V": "m u",
    "U": "k m u n", "Hz": "k M", "Bq": "k M G", "Ci": "m u n", "Sv": "m u", "Gy": "c m", "J": "k m", "W": "m",
}  # fmt: skip
_ALONE = (
    "min", "h", "d", "wk", "mo", "a", "Cel", "mm[Hg]", "cm[H2O]", "%", "dyn", "m2", "m3", "cm2", "cm3", "mm2", "mm3",
)  # fmt: skip
_CLINICAL = {prefix + atom for atom, prefixes in _PREFIXED.items() for prefix in ("", *prefixes.split())} | {*_ALONE}
_ONE_CASE = {
    "m", "s", "a", "mU", "uU", "nU", "ms", "us", "ns", "mV", "mW", "mJ", "mSv", "mGy", "MHz", "MBq", "GBq", "hPa", "Pa",
    "J", "W", "V", "mCi", "nCi",
}  # fmt: skip
_FOLDED = {token.casefold(): token for token in sorted(_CLINICAL - _ONE_CASE)}
# What a prefix, or a unit of physics, makes of letters that clinical senders mean otherwise: megagram, gauss, barn.
_GREAT_PREFIXES = frozenset("YZEPT")
_MASSIVE = frozenset(f"{prefix}{atom}" for prefix in "MG" for atom in ("g", "L", "l", "mol", "eq", "osm", "m", "U"))
_PHYSICS = frozenset(("t", "G", "u", "b", "st", "ar", "T", "ph", "R", "P", "Mx", "Oe", "Gb", "sb"))

_VOLUME = r"(?:[uµnmd]?[lL]|mc[lL]|UL|MCL|ML|mm3|MM3|cumm|cmm|CUMM|mm\^3|cu mm)"
_THOUSANDS = r"[Kk]|thou|thous|thousand|thousands|tsd\.?|tausend|th"
_MILLIONS = r"mio\.?|million|millions|mill|mln"
_COUNTS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(rf"^(?:{words})\s*(?=[/ ]\s*(?:{after}))", flags), power)
    for words, after, flags, power in (
        (_THOUSANDS, rf"{_VOLUME}$", re.IGNORECASE, "10*3"),
        (rf"[Mm]|{_MILLIONS}", r"(?:[uµ][lL]|mc[lL]|UL|MCL|mm3|MM3|cumm|cmm|CUMM|mm\^3|cu mm)$", re.IGNORECASE, "10*6"),
        (_MILLIONS, rf"{_VOLUME}$", re.IGNORECASE, "10*6"),
        (r"MPt", r"L$", re.IGNORECASE, "10*6"),
        (r"GPt|giga", r"L$", re.IGNORECASE, "10*9"),
        (r"TPt|tera", r"L$", re.IGNORECASE, "10*12"),
    )
)
_POWER = re.compile(
    r"^(?:[x*]\s*)?10\s*(?:\^|\*\*|\*|E|exp|hoch)\s*[+]?\(?(-?[0-9]{1,2})\)?(?![0-9])\s*", re.IGNORECASE
)
_BRACKETED = re.compile(r"^(?:[x*]\s*)?10\s*\(\s*(-?[0-9]{1,2})\s*\)\s*", re.IGNORECASE)
_THOUSAND = re.compile(r"^(?:[x*]\s*)?1,?000\s*(?=/)")
_NUMBER_SIGN = re.compile(r"^(?:#|no\.|n)\s*(?=/)", re.IGNORECASE)
_SURFACE = re.compile(r"^1[.,]73\s*(?:m2|m\^2|sqm|sq m|qm|sq\.m)?$", re.IGNORECASE)
_PER = re.compile(r"\s+(?:per|pro)\s+|^(?:per|pro)\s+", re.IGNORECASE)
_NUMBERED = re.compile(r"^([1-9][0-9]{0,3})\s*([^0-9].*)$")
_TOKEN = re.compile(r"^(.*?[^-+0-9^])\^?(-?[0-9])?$")
_PHRASES = re.compile(r"\b(?:cu|sq)[. ]+(?:mm|m|cm)\b|\bmm hg\b|\bcm h2[o0]\b|\binternational units?\b", re.IGNORECASE)
_ANTIBODY = re.compile(r"\b([GMA]PL)[ -]?U(?:nits?)?\b", re.IGNORECASE)
_GLUED = re.compile(r"^(g|mol|mmol|umol|L|dL)(krea|kre|kreatinin|crea|creat|creatinine?|cr|hb)$", re.IGNORECASE)


def known_text(text: str) -> Alias | None:
    """What the table says of a whole text."""
    whole = spellings("whole")
    return whole.find(text) or whole.find(cleaned(text))


def cleaned(text: str) -> str:
    """The text with one spelling of micro, degree, times, powers and spaces; letters keep their case."""
    text = _SUPERSCRIPT.sub(lambda found: "^" + found[0].translate(_SUPERSCRIPTS), text.strip())
    text = unicodedata.normalize("NFKC", text.translate(_SUPERSCRIPTS).translate(_SIGNS)).translate(_SIGNS)
    return " ".join(text.split()).removesuffix(".")


def canonical(text: str) -> str:
    """A valid UCUM expression in the spelling that this project shows: `L`, `10*`, `[iU]`."""
    outside = re.split(r"(\{[^}]*\})", text)
    return "".join(part if part.startswith("{") else _canonical(part) for part in outside)


def _canonical(part: str) -> str:
    part = part.replace("10^", "10*").replace("10*+", "10*").replace("[IU]", "[iU]")
    return re.sub(r"(?<![A-Za-z\[\]_'%])([yzafpnumcdhk]|da|[MGTPEZY])?l(?![A-Za-z\[\]_'%])", r"\1L", part)


def misread(text: str) -> bool:
    """Whether a valid UCUM expression holds a symbol that clinical senders never mean (`Mg/dL` is no megagram)."""
    outside = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", text)
    return any(_is_odd(symbol) for symbol in re.findall(r"[A-Za-z]+", outside))


def _is_odd(symbol: str) -> bool:
    if symbol in _PHYSICS or symbol in _MASSIVE:
        return True
    prefixed = symbol not in essence().atoms and len(symbol) > 1
    return prefixed and (symbol[0] in _GREAT_PREFIXES or symbol[1:] in _PHYSICS)


def understood(text: str) -> str | None:
    """The UCUM expression that a text can only mean, by rule; None when that cannot be told."""
    if len(text) > _MAX_LENGTH:
        return None
    plain = _PER.sub("/", _PHRASES.sub(_joined_phrase, cleaned(text)))
    power, rest = _counted(_ANTIBODY.sub(r"\1", plain))
    if not rest:
        return power or None
    logarithm = re.match(r"^log\s*(?:10|\(10\))?\s", rest, re.IGNORECASE)
    if logarithm or "|" in rest:
        return None
    over = [part.strip() for part in rest.split("/")]
    made = _fraction(over, power)
    return made if made is not None and is_valid(made) else None


def _counted(text: str) -> tuple[str, str]:
    """A leading power of ten, or a word for one, and the rest."""
    for pattern, power in _COUNTS:
        found = pattern.match(text)
        if found:
            return power, text[found.end() :].strip()
    for pattern in (_POWER, _BRACKETED):
        found = pattern.match(text)
        if found:
            return f"10*{int(found[1])}", text[found.end() :]
    found = _THOUSAND.match(text)
    if found:
        return "10*3", text[found.end() :]
    return "", _NUMBER_SIGN.sub("", text)


def _fraction(parts: list[str], power: str) -> str | None:
    """Numerator and denominators, each read by itself, as one expression."""
    above: list[str] = [power] if power else []
    below: list[str] = []
    measured = ""
    for place, part in enumerate(parts):
        if place and _SURFACE.match(part):
            below.append("{1.73_m2}")
            continue
        if place and below and (name := _annotation(part)) is not None:
            below[-1] += name
            continue
        if not part:
            if place:
                return None
            continue
        read = _product(part, above=place == 0)
        if read is None:
            return None
        units, inverse, named = read
        if place and named in ("{FEU}", "{DDU}"):
            measured, named = named, ""
        if named:
            if not units:
                return None
            units[-1] += named
        (below if place else above).extend(_grouped(units, place))
        (above if place else below).extend(inverse)
    if measured:
        if not above:
            return None
        above[0] += measured
    return _joined(above, below)


def _grouped(units: list[str], place: int) -> list[str]:
    """What stands under one slash together is in brackets when it is a product."""
    if place and len(units) > 1:
        return [f"({'.'.join(units)})"]
    return units


def _joined(above: list[str], below: list[str]) -> str | None:
    head = above[0] if above else ""
    for unit in above[1:]:
        head += unit if unit.startswith("{") and not head.endswith("}") else f".{unit}"
    made = head + "".join(f"/{unit}" for unit in below)
    return made or None


def _product(part: str, *, above: bool) -> tuple[list[str], list[str], str] | None:
    """The units of a product, those of negative power, and the annotation that its last words make."""
    units: list[str] = []
    numbered = _NUMBERED.match(part)
    if numbered and not above:
        if numbered[1] != "1":
            units.append(numbered[1])
        part = numbered[2].lstrip(" .*")
    glued = _GLUED.match(part)
    if glued:
        part = f"{glued[1]} {glued[2]}"
    part, _, words = part.partition(" ")
    named = _annotation(words) if words else ""
    if named is None:
        return None
    inverse: list[str] = []
    for word in re.split("[.*]", part):
        read = _token(word)
        if read is None:
            return None
        unit, negative = read
        (inverse if negative else units).append(unit)
    return units, inverse, named


def _token(word: str) -> tuple[str, bool] | None:
    """One word as a UCUM symbol with its exponent, and whether that was negative."""
    symbol = _symbol(word)
    if symbol is not None:
        return symbol, False
    found = _TOKEN.match(word)
    if found is None or found[2] is None:
        return None
    symbol = _symbol(found[1])
    power = int(found[2])
    if symbol is None or power == 0 or symbol[-1].isdecimal() or symbol.endswith("}"):
        return None
    return symbol + (str(abs(power)) if abs(power) != 1 else ""), power < 0


def _symbol(word: str) -> str | None:
    alias = spellings("part").find(word)
    if alias is not None:
        return alias.ucum[0]
    if word in _CLINICAL or (word.startswith("{") and word.endswith("}")):
        return word
    if word.startswith("[") and word in essence().atoms:
        return word
    litre = canonical(word)
    return litre if litre in _CLINICAL else _FOLDED.get(word.casefold())


def _annotation(words: str) -> str | None:
    alias = spellings("annotation").find(words)
    return None if alias is None else f"{{{alias.ucum[0]}}}"


def _joined_phrase(found: re.Match[str]) -> str:
    """`cu mm`, `sq m`, `mm Hg` as one word."""
    return re.sub(r"[. ]+", "", found[0])
