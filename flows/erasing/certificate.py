"""A certificate of erasure: what was destroyed and what was checked, signed; it names nobody.

The signature is Ed25519 (RFC 8032) over the canonical JSON of all members but ``signature``, by the keyring's key of
purpose ``audit``, whose public key stands in it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.errors import IntegrityError, UsageError

if TYPE_CHECKING:
    from stores.keys import Keys

KIND = "clinmart certificate of erasure"
_SIGNATURE = "signature"


def sign(keys: Keys, told: Mapping[str, Any]) -> str:
    """The certificate that says what was told, as JSON."""
    from stores.keys import Purpose  # noqa: PLC0415 - late

    key_id = keys.current(Purpose.AUDIT).key_id
    body = {"kind": KIND, **told, "key_id": key_id, "public_key": keys.public_key(key_id).hex()}
    signature = keys.sign(_canonical(body))
    if signature.key_id != key_id:  # rotated meanwhile
        return sign(keys, told)
    return json.dumps(body | {_SIGNATURE: base64.b64encode(signature.signature).decode()}, indent=1)


def verify(path: Path, keys: Keys | None) -> dict[str, Any]:
    """What a certificate says, when it is as it was signed.

    Without ``keys`` that is only known to be so by the public key that it brings with it. Raises UsageError when it is
    no certificate, IntegrityError when it was altered or another keyring signed it.
    """
    from stores.keys.keys import verify_ed25519  # noqa: PLC0415 - late

    try:
        told = json.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        told = None
    if not isinstance(told, dict) or told.get("kind") != KIND:
        raise UsageError(f"{path} is no certificate of erasure: give the file that clinmart erase --certificate wrote")
    body = {name: value for name, value in told.items() if name != _SIGNATURE}
    try:
        public, signature = bytes.fromhex(told["public_key"]), base64.b64decode(told[_SIGNATURE], validate=True)
    except (KeyError, TypeError, ValueError):
        raise IntegrityError(f"the certificate {path} was altered: its signature or key is no longer one") from None
    if not verify_ed25519(public, _canonical(body), signature):
        raise IntegrityError(f"the certificate {path} was altered: its signature is not of what it says")
    if keys is not None and keys.public_key(str(told.get("key_id"))) != public:
        raise IntegrityError(f"the certificate {path} was not signed by the keyring {keys.where}")
    return body


def _canonical(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
