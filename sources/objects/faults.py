"""What a store or the way to it says, as errors of ours: without its text, which may hold keys and signatures."""

from __future__ import annotations

import re

from schemas.errors import ChangedError, ClinmartError, StorageError
from sources.pace.passing import PassingError

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>([A-Za-z]{1,60})</Code>")
_BUSY = (429, 503)
_PASSING = (408, 429, 500, 502, 503, 504)
_EXPIRED = ("ExpiredToken", "TokenRefreshRequired", "RequestExpired")


def fault(error: Exception, uri: str, doing: str) -> Exception:
    """The error to raise in place of one of obstore's: a PassingError, a ClinmartError, or FileNotFoundError.

    ``uri`` is what was asked for, ``doing`` what for: ``read``, ``listed``, ``written``.
    """
    from obstore.exceptions import (  # noqa: PLC0415 - only where an object store is used
        InvalidPathError,
        PermissionDeniedError,
        PreconditionError,
        UnauthenticatedError,
    )

    said = str(error).partition("\n\nDebug source")[0]
    found = _STATUS.search(said)
    status = int(found[1]) if found else None
    told = _CODE.search(said)
    code = told[1] if told else ""
    if code == "NoSuchBucket":
        return FileNotFoundError("NoSuchBucket")
    if isinstance(error, FileNotFoundError) or status == 404:
        return FileNotFoundError(code or "NotFound")
    if isinstance(error, PreconditionError) or status in (412, 416):
        return changed(uri)
    if isinstance(error, PermissionDeniedError | UnauthenticatedError) or status in (401, 403):
        return _denied(uri, doing, code or str(status or ""))
    if isinstance(error, InvalidPathError):
        return StorageError(f"{uri}: {_shape(said)}; rename that object, or name others")
    if code in _EXPIRED:
        return StorageError(f"{uri}: cannot be {doing}: the store says {code}: get new credentials and run it again")
    if "redirect" in said and "region" in said:
        return StorageError(f"{uri}: cannot be {doing}: the bucket is in another region: set AWS_REGION to it")
    if status is not None and status not in _PASSING and status < 500:
        return StorageError(f"{uri}: cannot be {doing}: the store answers {status} {code}".rstrip())
    what = f"the store answers {status} {code}".rstrip() if status else _network(said)
    return PassingError(f"{uri}: cannot be {doing}: {what}", busy=status in _BUSY)


def changed(uri: str) -> ChangedError:
    """The refusal of an object that is not the one that was listed."""
    return ChangedError(
        f"{uri}: this object was replaced or removed since it was listed; nothing of it was loaded. "
        "The same command loads what is there now"
    )


def _denied(uri: str, doing: str, code: str) -> ClinmartError:
    return StorageError(
        f"{uri}: cannot be {doing}: the store refuses it ({code or 'access denied'}): check the credentials in the "
        "environment and what they may do; a store may also say so of what is not there"
    )


def _shape(said: str) -> str:
    return (
        "a key that begins so has an empty part, `.` or `..`, which cannot be read"
        if "segment" in said
        else ("a key that begins so cannot be read")
    )


def _network(said: str) -> str:
    """What went wrong on the way, in words that hold no address."""
    low = said.lower()
    for sign, words in (
        ("timed out", "it took too long"),
        ("timeout", "it took too long"),
        ("scheme is not allowed", "the store's address is http: set AWS_ALLOW_HTTP=true (AZURE_, GOOGLE_) to allow it"),
        ("certificate", "its certificate is not trusted: set AWS_CA_BUNDLE to the file of the one that is"),
        ("error sending request", "the store cannot be reached"),
        ("body error", "the connection broke"),
        ("content-length", "the store's answer is not one of an object store"),
    ):
        if sign in low:
            return words
    return "the store's answer cannot be understood"
