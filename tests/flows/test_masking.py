"""The last net: identifiers do not get into logs, whoever wrote them."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from flows.masking import Masker, MaskingFilter, mask_logs

KEY = b"k" * 32


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger behind the filter, and what it wrote."""
    out, logger = io.StringIO(), logging.Logger("canary")
    handler = logging.StreamHandler(out)
    handler.addFilter(MaskingFilter(lambda: KEY))
    logger.addHandler(handler)
    yield logger, out


@pytest.mark.parametrize(
    "identifier",
    [
        "123-45-6789", "(555) 867-5309", "555-867-5309", "+49 170 1234567", "ann.smith@example.org", "Patient/p-4711.x",
        "1950-02-03", "02/03/1950", "3.2.1950", "4711081542", "19500203", "MRN: A4711-42", "RelatedPerson/r1",
    ],
)  # fmt: skip
def test_identifiers_become_tokens(log: tuple[logging.Logger, io.StringIO], identifier: str) -> None:
    """In the message, in its arguments, in an exception; the same has the same token."""
    logger, out = log
    logger.warning(f"saw {identifier} twice: %s", identifier)
    try:
        raise ValueError(f"bad value {identifier}")
    except ValueError:
        logger.exception("failed")
    said = out.getvalue()
    assert identifier not in said
    token = Masker(KEY).token(identifier)
    assert said.count(token) == 3, said  # message, argument, exception
    assert "ValueError" in said


@pytest.mark.parametrize(
    "plain",
    [
        "load 20260131T235959-1f2e3d4c", "at 2026-01-31T23:59:59Z", "at 2026-01-31 23:59:59,123", "12,345,678 bytes",
        "port 52575", "version 1.54.0", "16 hours, 3600 s", "/data/Observation.000.ndjson.gz", "127.0.0.1:2575",
        "0.0001234567",
    ],
)  # fmt: skip
def test_what_is_no_identifier_stays(log: tuple[logging.Logger, io.StringIO], plain: str) -> None:
    """Names of loads, times, sizes, addresses and versions are told as they are."""
    logger, out = log
    logger.warning("%s", plain)
    assert out.getvalue() == f"{plain}\n"


def test_keys_are_asked_for_late_and_may_fail(log: tuple[logging.Logger, io.StringIO]) -> None:
    """No key is read before it is needed; without one the token is of this process."""
    asked: list[int] = []

    def key() -> bytes:
        asked.append(1)
        raise OSError

    net = MaskingFilter(key)
    record = logging.LogRecord("x", logging.INFO, "", 0, "nothing", (), None)
    assert net.filter(record)
    assert not asked
    record = logging.LogRecord("x", logging.INFO, "", 0, "123-45-%s", ("6789",), None)
    assert net.filter(record)
    assert record.getMessage().startswith("~")
    assert asked == [1]


def test_handlers_get_the_filter_once() -> None:
    """All handlers of the root logger, once each."""
    handler = logging.NullHandler()
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        mask_logs()
        mask_logs()
        assert len([f for f in handler.filters if isinstance(f, MaskingFilter)]) == 1
    finally:
        root.removeHandler(handler)
        for each in root.handlers:
            for one in [f for f in each.filters if isinstance(f, MaskingFilter)]:
                each.removeFilter(one)
