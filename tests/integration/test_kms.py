"""Keys under AWS KMS: moto's server stands for it, up and down."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

from flows.runner import run_load
from flows.settings import LoadSettings
from schemas.errors import IntegrityError, StorageError, TryAgainError, UsageError
from sources.memory import MemorySource
from stores.keys import Purpose, default_keyring, open_keys
from tests.flows.inputs import medication, query

pytestmark = pytest.mark.integration
_ACCESS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-central-1"}


@pytest.fixture(scope="module")
def kms() -> Iterator[Any]:
    """A client of the server, whose address and credentials are in the environment."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**_ACCESS, "AWS_ENDPOINT_URL_KMS": f"http://{host}:{port}"}.items():
            patch.setenv(name, value)
        yield botocore.session.get_session().create_client("kms")
    server.stop()


@pytest.fixture(scope="module")
def key(kms: Any) -> str:
    return str(kms.create_key()["KeyMetadata"]["KeyId"])


@pytest.fixture
def mart(tmp_path: Path) -> Path:
    return tmp_path / "mart.duckdb"


def test_keys_are_made_and_opened_by_kms(kms: Any, key: str, mart: Path) -> None:
    """What one process signed another verifies; the file alone has no secret; rotation works."""
    made = open_keys(f"kms:{key}", mart, create=True)
    tag = made.mac(Purpose.SIGN, b"chunk")
    made.rotate(Purpose.SIGN)
    found = open_keys(None, mart)  # the keyring names its KMS key
    assert found.verify(Purpose.SIGN, b"chunk", tag)
    assert found.mac(Purpose.SIGN, b"chunk").key_id.startswith("sign-2-")
    assert found.where.startswith(f"kms:{key} with ")
    assert found.unwrap(made.wrap(b"secret")) == b"secret"
    assert found.verify_signature(b"root", made.sign(b"root"))
    import base64

    kept = default_keyring(mart).read_bytes()
    assert all(base64.b64encode(found.current(purpose).secret) not in kept for purpose in Purpose)


def test_a_secret_is_bound_to_its_id_and_to_its_kms_key(kms: Any, key: str, mart: Path) -> None:
    """Secrets that change places in the file, or are wrapped by another KMS key, do not open."""
    open_keys(f"kms:{key}", mart, create=True)
    file = default_keyring(mart)
    ring = json.loads(file.read_bytes())
    ring["keys"][0]["secret"], ring["keys"][1]["secret"] = ring["keys"][1]["secret"], ring["keys"][0]["secret"]
    file.write_text(json.dumps(ring))
    with pytest.raises(IntegrityError, match="not made by kms:"):
        open_keys(None, mart).mac(Purpose.SIGN, b"chunk")
    with pytest.raises(UsageError, match=f"is kept by kms:{key}, not by kms:alias/other"):
        open_keys("kms:alias/other", mart)


def test_nothing_is_signed_while_kms_is_down(kms: Any, key: str, mart: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a new keyring nor an old one gives a key, and nothing unsigned is loaded: try again later."""
    open_keys(f"kms:{key}", mart, create=True)
    with socket.create_server(("127.0.0.1", 0)) as freed:
        port = freed.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", f"http://127.0.0.1:{port}")
    monkeypatch.setattr("stores.keys.kms._RETRIES", {"mode": "standard", "total_max_attempts": 1})
    with pytest.raises(TryAgainError, match="KMS is not reachable") as told:
        run_load(MemorySource({"a.ndjson": medication("a") + b"\n"}), LoadSettings(mart, "s"))
    assert told.value.exit_code == 75
    assert query(mart, "SELECT count(*) FROM medication") == [(0,)]
    other = mart.with_name("other.duckdb")
    with pytest.raises(TryAgainError, match="KMS is not reachable"):
        open_keys(f"kms:{key}", other, create=True)
    assert not default_keyring(other).exists()


def test_what_kms_refuses_says_what_to_do(kms: Any, mart: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that is not there, and no credentials."""
    with pytest.raises(UsageError, match="KMS knows no key 1234abcd"):
        open_keys("kms:1234abcd-12ab-34cd-56ef-1234567890ab", mart, create=True)
    with pytest.raises(UsageError, match="names no key"):
        open_keys("kms:", mart, create=True)
    for name in _ACCESS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(UsageError, match="credentials or region"):
        open_keys("kms:alias/any", mart, create=True)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("DisabledException", StorageError),  # moto lets a disabled key encrypt, and enforces no policy
        ("KMSInvalidStateException", StorageError),
        ("AccessDeniedException", StorageError),
        ("NotFoundException", UsageError),
        ("IncorrectKeyException", IntegrityError),
        ("ThrottlingException", TryAgainError),
        ("KMSInternalException", TryAgainError),
        ("", TryAgainError),
    ],
)
def test_errors_of_kms_have_their_exit_codes(
    code: str, error: type[Exception], mart: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the code that KMS answers with; its text, which may name what was sent, is not told."""

    class Refusing:
        def __init__(self, key: str) -> None:
            assert key == "alias/mart"

        def generate_data_key(self, **_: object) -> None:
            raise ClientError({"Error": {"Code": code, "Message": "secret"}}, "GenerateDataKey")

    monkeypatch.setattr("stores.keys.kms._client", Refusing)
    with pytest.raises(error, match=rf"KMS|kms:.*{code}") as told:
        open_keys("kms:alias/mart", mart, create=True)
    assert "secret" not in str(told.value).replace("secret of", "")
    assert not default_keyring(mart).exists()
