"""The private key that a client signs with: a JWK, a JWK Set or PEM, for ES384 or RS384."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from schemas.errors import UsageError

_LARGEST_KEY_FILE = 1024 * 1024
_THUMBPRINT = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n")}  # RFC 7638 3.2
_WEAKEST_RSA = 2048  # bits; RFC 7518 3.3


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, its id and its JWS algorithm. Neither its text nor its errors show the key."""

    key: EllipticCurvePrivateKey | RSAPrivateKey
    kid: str
    algorithm: str

    def __repr__(self) -> str:
        return f"SigningKey({self.kid}, {self.algorithm})"


def read_key(path: Path, kid: str | None = None) -> SigningKey:
    """The key in the file ``path``; of a set the one with ``kid``, else the only one that signs.

    A key without an id gets ``kid``, else its thumbprint (RFC 7638). Raises UsageError with the path and what is
    wrong with it.
    """
    try:
        data = path.read_bytes() if path.stat().st_size <= _LARGEST_KEY_FILE else b""
    except OSError as error:
        raise UsageError(f"{path}: the key cannot be read: {error.strerror}") from None
    if data.lstrip().startswith(b"{"):
        members = _chosen(_json(data, path), kid, path)
        named = members.get("kid")
        return _signing(_from_jwk(members, path), named if isinstance(named, str) else kid, path)
    try:
        key = load_pem_private_key(data, None)
    except TypeError:
        raise UsageError(f"{path}: the key has a password; give one without") from None
    except ValueError:
        raise UsageError(f"{path}: no private key; give a JWK, a JWK Set or PEM") from None
    return _signing(key, kid, path)


def _json(data: bytes, path: Path) -> Mapping[str, object]:
    try:
        read = json.loads(data)
    except (ValueError, RecursionError):
        raise UsageError(f"{path}: not JSON; give a JWK, a JWK Set or PEM") from None
    return read if isinstance(read, dict) else {}


def _chosen(read: Mapping[str, object], kid: str | None, path: Path) -> Mapping[str, object]:
    listed = read.get("keys")
    if not isinstance(listed, list):
        return read
    private = [key for key in listed if isinstance(key, dict) and "d" in key and key.get("use", "sig") == "sig"]
    found = [key for key in private if kid is None or key.get("kid") == kid]
    if len(found) != 1:
        raise UsageError(f"{path}: {len(found)} private keys{f' with the id {kid}' if kid else ''}: name one by --kid")
    return found[0]


def _from_jwk(members: Mapping[str, object], path: Path) -> object:
    if members.get("kty") not in _THUMBPRINT or "d" not in members:
        raise UsageError(f"{path}: no private key of kind EC or RSA")
    try:
        return (ECAlgorithm if members["kty"] == "EC" else RSAAlgorithm).from_jwk(dict(members))
    except (jwt.InvalidKeyError, ValueError, TypeError):
        raise UsageError(f"{path}: the key is not whole or not valid") from None


def _signing(key: object, kid: str | None, path: Path) -> SigningKey:
    if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP384R1):
        return SigningKey(key, kid or _thumbprint(ECAlgorithm.to_jwk(key.public_key())), "ES384")
    if isinstance(key, RSAPrivateKey) and key.key_size >= _WEAKEST_RSA:
        return SigningKey(key, kid or _thumbprint(RSAAlgorithm.to_jwk(key.public_key())), "RS384")
    raise UsageError(f"{path}: give a key of curve P-384 (ES384) or RSA with {_WEAKEST_RSA} bits or more (RS384)")


def _thumbprint(jwk: str) -> str:
    members = json.loads(jwk)
    told = {name: members[name] for name in _THUMBPRINT[members["kty"]]}
    text = json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(hashlib.sha256(text).digest()).rstrip(b"=").decode()
