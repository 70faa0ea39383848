"""Tokens in place of what may tell who somebody is, and a filter for logs as the last net.

Messages of clinmart hold no values of patients. The filter is for what nobody thought of: a library's message, an
exception's text. It looks at records that are written and at nothing else.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import logging
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

TOKEN_DIGITS = 16  # hexadecimal: 64 bits, so that two names of a site do not meet
_KEY_BYTES = 32
# Handlers of their own: what they write goes to a server.
_LOGGERS = ("prefect", "prefect.flow_runs", "prefect.task_runs")


@dataclass(frozen=True, slots=True)
class Masker:
    """Makes tokens by a key of purpose ``mask``: the same text has the same token, and nobody else can make it."""

    key: bytes = field(repr=False)

    def token(self, text: str) -> str:
        """`~` and 16 hexadecimal digits of the HMAC-SHA256 of the text."""
        return "~" + hmac.digest(self.key, text.encode(errors="surrogatepass"), hashlib.sha256).hex()[:TOKEN_DIGITS]

    def masked(self, text: str) -> str:
        """The text with a token in place of all that looks like an identifier of a person."""
        return _identifiers().sub(lambda found: _around(found) + self.token(found[0]), text)


class MaskingFilter(logging.Filter):
    """Masks identifiers in a record's message, its exception and its stack.

    ``key`` is asked for when the first one is found; without a key the tokens are of this process alone.
    """

    def __init__(self, key: Callable[[], bytes] | None = None) -> None:
        super().__init__()
        self.key = key
        self._masker: Masker | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through, without identifiers."""
        try:
            said = record.getMessage()
        except Exception:  # noqa: BLE001 - arguments that do not fit the message are left to the handler
            return True
        if self._finds(said):
            record.msg, record.args = self._mask(said), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text, record.exc_info = self._mask(record.exc_text), None
        if record.stack_info:
            record.stack_info = self._mask(record.stack_info)
        return True

    def _finds(self, text: str) -> bool:
        return _identifiers().search(text) is not None

    def _mask(self, text: str) -> str:
        if self._masker is None and self._finds(text):
            self._masker = Masker(self._secret())
        return text if self._masker is None else self._masker.masked(text)

    def _secret(self) -> bytes:
        try:
            return self.key() if self.key is not None else secrets.token_bytes(_KEY_BYTES)
        except Exception:  # noqa: BLE001 - a log must be written whatever became of the keys
            return secrets.token_bytes(_KEY_BYTES)


_NET = MaskingFilter()


def mask_logs(key: Callable[[], bytes] | None = None) -> None:
    """Put the filter on all handlers of the root logger and of Prefect's; ``key`` gives the mart's, when one is found
    to be needed. Harmless when repeated.
    """
    if key is not None:
        _NET.key = key
    for logger in (logging.getLogger(), *map(logging.getLogger, _LOGGERS)):
        for handler in logger.handlers:
            if _NET not in handler.filters:
                handler.addFilter(_NET)


@functools.cache
def _identifiers() -> re.Pattern[str]:
    """What looks like an identifier of a person. Times and names of loads (`20260131T235959-1f2e3d4c`) do not."""
    day = r"(?:0[1-9]|[12]\d|3[01])"
    forms = (
        r"\b(?:Patient|RelatedPerson|Person|Practitioner)/[A-Za-z0-9\-.]{1,64}",
        r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
        r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])",  # US social security number
        r"(?<!\w)(?:\+\d{1,3}[ .-]?)?\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?!\w)",  # phone, North America
        r"(?<!\w)\+\d[\d ]{7,15}\d",  # phone, E.164
        rf"(?<![\w-])(?:18|19|20)\d\d-(?:0[1-9]|1[0-2])-{day}(?![\w-]|[ T]\d\d:)",
        rf"(?<![\w/.]){day}[/.](?:0?[1-9]|[12]\d|3[01])[/.](?:18|19|20)\d\d(?!\w)",
        r"(?<![\w/.])[1-9][/.]\d{1,2}[/.](?:18|19|20)\d\d(?!\w)",
        r"\b(?:MRN|SSN|NHS|MBI|DOB)[ :#=-]{0,3}[A-Za-z0-9-]{4,20}",
        r"(?<![\w.,-])\d{7,}(?![\w,])",  # medical record numbers, HL7 v2 dates of birth
    )
    return re.compile("|".join(f"(?:{form})" for form in forms))


def _around(found: re.Match[str]) -> str:
    """What of an identifier may stay: the type of a reference."""
    kind, slash, _ = found[0].partition("/")
    return f"{kind}/" if slash and kind.isalpha() else ""
