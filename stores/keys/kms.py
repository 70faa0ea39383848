"""AWS KMS as the keeper: every secret is a data key of KMS, of which the keyring holds only what KMS can decrypt.

So a tag or a token costs no call, and nothing can be signed, verified or opened before KMS gave the key out once.
"""

from __future__ import annotations

import base64
from typing import Any

from schemas.errors import ClinmartError, IntegrityError, StorageError, TryAgainError, UsageError
from stores.keys.key import SECRET_BYTES

PREFIX = "kms:"
_MISSING = ("NotFoundException", "InvalidArnException", "ValidationException")
_REFUSED = ("AccessDeniedException", "UnrecognizedClientException", "InvalidClientTokenId", "SignatureDoesNotMatch")
_GONE = ("DisabledException", "KMSInvalidStateException", "InvalidKeyUsageException")
_FOREIGN = ("InvalidCiphertextException", "IncorrectKeyException")
_PATIENCE = 5  # seconds to connect to KMS and to wait for its answer
_RETRIES: Any = {"mode": "standard", "total_max_attempts": 3}


class KmsKeeper:
    """Data keys under the KMS key ``key``: an id, an alias (``alias/...``) or an ARN.

    Region, credentials and endpoint come from AWS's own settings. Raises TryAgainError while KMS is not reachable,
    StorageError when it refuses, UsageError when there is no such key.
    """

    def __init__(self, key: str) -> None:
        if not key:
            raise UsageError("--keys kms: names no key: give kms:KEY_ID, kms:alias/NAME or kms:ARN")
        self.name = PREFIX + key
        self._key = key
        self._client: Any = None

    def __getstate__(self) -> dict[str, object]:
        """Without the connection, which another process makes for itself."""
        return {"name": self.name, "_key": self._key, "_client": None}

    def make(self, key_id: str) -> tuple[bytes, str]:
        """GenerateDataKey; the id is bound to it as encryption context."""
        made = self._call(
            "generate_data_key", KeyId=self._key, NumberOfBytes=SECRET_BYTES, EncryptionContext=_context(key_id)
        )
        return bytes(made["Plaintext"]), base64.b64encode(made["CiphertextBlob"]).decode()

    def get(self, key_id: str, kept: str) -> bytes:
        """Decrypt, which fails for what another key or for another id was made."""
        try:
            blob = base64.b64decode(kept, validate=True)
        except ValueError:
            raise _damaged(key_id) from None
        made = self._call("decrypt", KeyId=self._key, CiphertextBlob=blob, EncryptionContext=_context(key_id))
        secret = bytes(made["Plaintext"])
        if len(secret) != SECRET_BYTES:
            raise _damaged(key_id)
        return secret

    def _call(self, action: str, **arguments: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError  # noqa: PLC0415

        try:
            if self._client is None:
                self._client = _client(self._key)
            return getattr(self._client, action)(**arguments)
        except ClientError as error:
            raise self._said(str(error.response.get("Error", {}).get("Code", ""))) from None
        except (NoCredentialsError, NoRegionError):
            raise UsageError(
                f"no credentials or region of AWS are set, so {self.name} cannot be used: set AWS_DEFAULT_REGION "
                "and the rest"
            ) from None
        except BotoCoreError as error:
            raise TryAgainError(f"KMS is not reachable for {self.name} ({type(error).__name__}): try later") from None

    def _said(self, code: str) -> ClinmartError:
        if code in _FOREIGN:
            return IntegrityError(f"a key of the keyring was not made by {self.name}: name the KMS key that made it")
        if code in _MISSING:
            return UsageError(f"KMS knows no key {self._key} ({code}): give kms:KEY_ID, kms:alias/NAME or kms:ARN")
        if code in _REFUSED:
            return StorageError(f"KMS refuses the use of {self.name} ({code}): allow GenerateDataKey and Decrypt")
        if code in _GONE:
            return StorageError(f"KMS cannot use {self.name} ({code}): enable the key, or name another one")
        return TryAgainError(f"KMS does not answer for {self.name} ({code}): try later")


def _client(key: str) -> Any:
    import botocore.session  # noqa: PLC0415 - half a second that only users of KMS pay
    from botocore.config import Config  # noqa: PLC0415

    region = key.split(":")[3] if key.startswith("arn:") and key.count(":") > 3 else None
    patience = Config(
        connect_timeout=_PATIENCE, read_timeout=_PATIENCE, retries={"mode": "standard", "max_attempts": 3}
    )
    return botocore.session.get_session().create_client("kms", region_name=region, config=patience)


def _context(key_id: str) -> dict[str, str]:
    return {"clinmart": key_id}


def _damaged(key_id: str) -> IntegrityError:
    return IntegrityError(f"the key {key_id} is damaged in its keyring: put a copy of it back")
