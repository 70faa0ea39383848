"""SMART backend services: keys in all forms, assertions that a server takes, tokens that end in mid-file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from schemas.errors import TryAgainError, UsageError
from sources.http import Authorization, BasicAuthorization, Caller
from sources.pace import Deadline
from sources.smart import BackendServices, Client, SigningKey, read_key
from sources.smart.keys import _thumbprint
from tests.bulk.fetching import fetch, landed_bytes, lines, some_files
from tests.bulk.server import BulkServer, File, cut, serving, status
from tests.sources.pace.time_machine import TimeMachine

EC384 = ec.generate_private_key(ec.SECP384R1())
RSA2048 = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> TimeMachine:
    """Time that only sleeping moves."""
    return TimeMachine(monkeypatch)


@pytest.fixture
def server() -> Iterator[BulkServer]:
    """A server that wants tokens."""
    with serving(files=some_files(), clients={"k1": EC384.public_key(), "k2": RSA2048.public_key()}) as one:
        yield one


def services(server: BulkServer, key: SigningKey) -> Callable[[Caller, Deadline], Authorization]:
    client = Client("me", key, f"{server.url}/token", "system/*.rs")
    return lambda caller, deadline: BackendServices(client, caller, deadline)


def _jwk(key: Any, kid: str) -> dict[str, Any]:
    algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    return {**json.loads(algorithm.to_jwk(key)), "kid": kid}


def _file(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(("key", "kid", "algorithm"), [(EC384, "k1", "ES384"), (RSA2048, "k2", "RS384")])
def test_keys_in_all_forms(tmp_path: Path, key: Any, kid: str, algorithm: str) -> None:
    """JWK, JWK Set with others in it, PEM of both kinds."""
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    old = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    public = {**_jwk(EC384.public_key(), "k9")}
    whole = {"keys": [public, _jwk(EC384, "k1"), _jwk(RSA2048, "k2")]}
    (tmp_path / "a.pem").write_bytes(pem)
    (tmp_path / "b.pem").write_bytes(old)
    for path, given in (
        (_file(tmp_path / "one", _jwk(key, kid)), None),
        (_file(tmp_path / "set", whole), kid),
        (tmp_path / "a.pem", kid),
        (tmp_path / "b.pem", kid),
    ):
        read = read_key(path, given)
        assert (read.kid, read.algorithm) == (kid, algorithm)
        assert "private" not in repr(read).lower()


def test_a_key_without_id_has_its_thumbprint(tmp_path: Path) -> None:
    """The same for PEM and JWK; the example of RFC 7638 3.1."""
    (tmp_path / "p").write_bytes(EC384.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    jwk = {name: value for name, value in _jwk(EC384, "x").items() if name != "kid"}
    assert read_key(tmp_path / "p").kid == read_key(_file(tmp_path / "j", jwk)).kid
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknj"
        "hMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQv"
        "RL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnq"
        "DKgw"
    )
    example = json.dumps({"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"})
    assert _thumbprint(example) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"kty":"EC","d":"x"}',
        b'{"keys":[]}',
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        rsa.generate_private_key(public_exponent=65537, key_size=1024).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ),
        json.dumps(_jwk(EC384.public_key(), "k")).encode(),
        json.dumps({"keys": [_jwk(EC384, "a"), _jwk(EC384, "b")]}).encode(),
    ],
)
def test_keys_that_are_none(tmp_path: Path, content: bytes) -> None:
    """One line with the path, and nothing of the key."""
    (tmp_path / "k").write_bytes(content)
    with pytest.raises(UsageError) as said:
        read_key(tmp_path / "k")
    assert str(said.value).startswith(f"{tmp_path / 'k'}: ")


@pytest.mark.parametrize("key", [SigningKey(EC384, "k1", "ES384"), SigningKey(RSA2048, "k2", "RS384")])
def test_a_server_takes_our_assertion(
    server: BulkServer, tmp_path: Path, machine: TimeMachine, key: SigningKey
) -> None:
    """One token serves the whole export."""
    fetch(server, tmp_path, machine, auth=services(server, key))
    assert len(landed_bytes(tmp_path)) == 3
    assert server.count("POST", "/token") == 1
    assert all("authorization" not in one.headers for one in server.asked if one.path == "/token")


def test_tokens_that_end(server: BulkServer, tmp_path: Path, machine: TimeMachine) -> None:
    """One that is refused is replaced, in mid-file too; the file goes on where it stopped."""
    server.token_uses = 2
    server.faults["o1"].extend([cut(20_000), cut(8000)])
    fetch(server, tmp_path, machine, auth=services(server, SigningKey(EC384, "k1", "ES384")))
    assert landed_bytes(tmp_path)["Observation.000.ndjson"] == some_files()["o1"].content
    assert server.count("POST", "/token") >= 4
    assert "range" in server.files_asked("o1")[-1].headers


def test_tokens_that_many_use_up(server: BulkServer, tmp_path: Path, machine: TimeMachine) -> None:
    """A new token that others used up before it came to its turn is no refusal of who we are."""
    server.token_uses = 4
    server.files = {f"p{n}": File(lines("Patient", 5), "Patient") for n in range(40)}
    fetch(server, tmp_path, machine, auth=services(server, SigningKey(EC384, "k1", "ES384")))
    assert len(landed_bytes(tmp_path)) == 40


def test_tokens_are_renewed_before_they_end(server: BulkServer, tmp_path: Path, machine: TimeMachine) -> None:
    """A token that has ended by its own account is not sent."""
    server.expires_in, server.retry_after, server.pending = 60, "50", 3
    fetch(server, tmp_path, machine, auth=services(server, SigningKey(EC384, "k1", "ES384")))
    assert server.count("POST", "/token") >= 3


def test_a_client_that_is_not_known(server: BulkServer, tmp_path: Path, machine: TimeMachine) -> None:
    """The code of the refusal, and nothing else that the server says."""
    with pytest.raises(UsageError, match="invalid_client, status 400") as said:
        fetch(server, tmp_path, machine, auth=services(server, SigningKey(EC384, "k7", "ES384")))
    assert "Zzyzx" not in str(said.value)


def test_a_token_endpoint_that_fails(server: BulkServer, tmp_path: Path, machine: TimeMachine) -> None:
    """Is asked again, and not for ever."""
    key = SigningKey(EC384, "k1", "ES384")
    server.faults["token"].extend([status(503), status(429, Retry_After="7")])
    fetch(server, tmp_path / "a", machine, auth=services(server, key))
    server.faults["token"].extend([status(503)] * 9)
    with pytest.raises(TryAgainError, match="access token: status 503"):
        fetch(server, tmp_path / "b", machine, auth=services(server, key))
    server.faults["token"].clear()
    server.faults["token"].append(status(200, b"<html>"))
    with pytest.raises(UsageError, match="gives no token"):
        fetch(server, tmp_path / "b", machine, auth=services(server, key))


def test_a_token_that_is_never_taken(server: BulkServer, tmp_path: Path, machine: TimeMachine) -> None:
    """Three refusals in a row are enough."""
    server.token_uses = 0
    with pytest.raises(UsageError, match="401"):
        fetch(server, tmp_path, machine, auth=services(server, SigningKey(EC384, "k1", "ES384")))
    assert server.count("POST", "/token") == 3


def test_files_that_want_no_token_get_none(server: BulkServer, tmp_path: Path, machine: TimeMachine) -> None:
    """`requiresAccessToken` false: the test server would fail."""
    server.tokens = False
    fetch(server, tmp_path, machine, auth=services(server, SigningKey(EC384, "k1", "ES384")))
    assert len(landed_bytes(tmp_path)) == 3


def test_name_and_password(tmp_path: Path, machine: TimeMachine) -> None:
    """Basic authentication in UTF-8; a wrong one is refused once."""
    with serving(files=some_files(), basic=("ward", "pä:ss")) as server:
        fetch(server, tmp_path / "a", machine, auth=lambda *_: BasicAuthorization("ward", "pä:ss"))
        assert len(landed_bytes(tmp_path / "a")) == 3
        before = len(server.asked)
        with pytest.raises(UsageError, match="401"):
            fetch(server, tmp_path / "b", machine, auth=lambda *_: BasicAuthorization("ward", "pass"))
        with pytest.raises(UsageError, match="401"):
            fetch(server, tmp_path / "c", machine)
        assert len(server.asked) == before + 2
