"""The form of a message: what of it decides whether its rows pass the checks, as far as that can be told at a glance.

To make rows of one message takes as long as to make them of a hundred, far longer than a sender should wait for its
answer. So a listener asks first whether each field has a form of which rows were made before, and only if not has the
message checked before it is answered. A form keeps what checks look at: which fields of a segment are there, codes and
other short texts as they are, the punctuation, which digits are a date that exists and which are none, and in which
order the times of a segment stand; names, numbers and narrative are all alike. It decides nothing: the checks do.
"""

from __future__ import annotations

import calendar
import functools
import re
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from transforms.decode.hl7v2.charset import MismatchError, UnknownCharsetError, decoded

Form: TypeAlias = tuple[object, ...]
_SHORT = 3  # characters of a text that is kept as it is: codes of most tables
_VARYING = (6, 9)  # MSH-7 and MSH-10, as they are counted in a header that is split
_DATE_DIGITS = (4, 6, 8, 10, 12, 14)  # of a DTM without fraction (HL7 v2.9 2A.3.21)
_TEXTS = ("ST", "TX", "FT")
_TOKEN = re.compile(r"[A-Za-z]+(?: [A-Za-z]+)*|[0-9]+|[^\x00-\x7f]+")
_DIGITS = re.compile(r"(?<![0-9])[0-9]{8,14}(?![0-9])")
_DIGIT = re.compile(r"[0-9]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\\]")


class KnownForms:
    """The forms of which rows were made; the last ``most`` of them."""

    def __init__(self, most: int = 200_000) -> None:
        self._most = most
        self._known: OrderedDict[Form, None] = OrderedDict()

    def has(self, forms: Iterable[Form]) -> bool:
        """True when rows were made of all these."""
        known = self._known
        return all(form in known for form in forms)

    def learn(self, forms: Iterable[Form]) -> None:
        """Rows were made of a message of these forms."""
        for form in forms:
            self._known[form] = None
            self._known.move_to_end(form)
        while len(self._known) > self._most:
            self._known.popitem(last=False)

    def forget(self, forms: Iterable[Form]) -> None:
        """A message of these forms was refused, though all were known."""
        for form in forms:
            self._known.pop(form, None)


def forms_of(data: bytes, charset: str | None = None) -> list[Form] | None:
    """The forms of a message's parts; None when it is of no form that others can have: what cannot be decoded.

    ``charset`` is the codec of messages that name none.
    """
    try:
        text, note = decoded(data, charset)
    except (UnknownCharsetError, MismatchError):
        return None
    segments = [line for line in re.split(r"[\r\n]+", text) if line]
    if not segments or len(segments[0]) < 4:
        return None
    mark = segments[0][3]
    forms: list[Form] = [("MSH", note, *_header(segments[0].split(mark)))]
    names = ["MSH"]
    for segment in segments[1:]:
        fields = segment.split(mark)
        if fields[0] != names[-1]:
            names.append(fields[0])
        forms += _forms(fields)
    forms.append(("~", *dict.fromkeys(names)))
    return forms


def _header(fields: Sequence[str]) -> list[str]:
    return [_form(field) if n in _VARYING else field for n, field in enumerate(fields)]


def _forms(fields: Sequence[str]) -> list[Form]:
    """Those of a segment: of each field, and of which are there and how their times follow one another."""
    name = fields[0]
    said = 5 if name == "OBX" and len(fields) > 5 and fields[2] in _TEXTS else 3 if name == "NTE" else 0
    forms: list[Form] = []
    there: list[int] = []
    times: list[str] = []
    for n, field in enumerate(fields):
        if not field or not n:
            continue
        there.append(n)
        if n == said and not _CONTROL.search(field) and not field.isspace():
            forms.append((name, n, "text"))
            continue
        form = _form(field)
        forms.append((name, n, form))
        if "D" in form:
            times += (found for found in _DIGITS.findall(field) if _is_date(found))
    order = tuple(sorted(range(len(times)), key=times.__getitem__)) if len(times) > 1 else ()
    equal = len(set(times)) if order else 0
    forms.append((name, tuple(there), order, equal))
    return forms


@functools.lru_cache(maxsize=50_000)
def _form(field: str) -> str:
    if len(field) <= _SHORT and not _DIGIT.search(field):
        return field
    return _TOKEN.sub(_class, field)


def _class(found: re.Match[str]) -> str:
    token = found[0]
    if token[0].isascii() and token[0].isalpha():
        return "a"
    if not token.isascii():
        return "é"
    if len(token) < 4:
        return "1"
    return f"{'D' if _is_date(token) else 'd'}{len(token)}"


def _is_date(digits: str) -> bool:
    """True for the digits of a DTM that exists, to whatever precision."""
    if len(digits) not in _DATE_DIGITS:
        return False
    year, month, day = int(digits[:4]), int(digits[4:6] or 1), int(digits[6:8] or 1)
    if not (year and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]):
        return False
    return int(digits[8:10] or 0) <= 23 and int(digits[10:12] or 0) <= 59 and int(digits[12:14] or 0) <= 59
