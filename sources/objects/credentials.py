"""Where the keys of a store come from: the environment and the standard files, never a command line.

Without any the libraries would ask the metadata server of the machine, which on a hospital's machine is a call to
nowhere that hangs: that is done only when it was asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from schemas.errors import UsageError
from sources.objects.access import ObjectAccess

if TYPE_CHECKING:
    from obstore.store import S3Credential

_REFRESH = timedelta(minutes=15)
_ASK = "or set CLINMART_INSTANCE_IDENTITY=1 to ask the machine's metadata server"
_AWS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
_GOOGLE = (
    "GOOGLE_SERVICE_ACCOUNT",
    "GOOGLE_SERVICE_ACCOUNT_PATH",
    "GOOGLE_SERVICE_ACCOUNT_KEY",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_BEARER_TOKEN",
)
_AZURE = (
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_ACCESS_KEY",
    "AZURE_STORAGE_MASTER_KEY",
    "AZURE_STORAGE_SAS_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "AZURE_STORAGE_CLIENT_SECRET",
    "AZURE_CLIENT_SECRET",
    "AZURE_STORAGE_TOKEN",
    "AZURE_FEDERATED_TOKEN_FILE",
)
_ADC = ".config/gcloud/application_default_credentials.json"


class FromProfile(TypedDict, total=False):
    """What ``~/.aws`` says, as obstore's S3Store takes it."""

    credential_provider: Callable[[], S3Credential]
    region: str


def aws_profile(access: ObjectAccess) -> FromProfile:
    """Credentials and region out of ``~/.aws``; nothing when the environment has credentials, or none are needed.

    The files are read by botocore: profiles, roles to assume, SSO and helper programs (``credential_process``).
    Raises UsageError when there are none.
    """
    if access.variable(*_AWS) or access.is_on("AWS_SKIP_SIGNATURE"):
        return {}
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - a third of a second
    from botocore.session import Session  # noqa: PLC0415

    session = Session()
    session.get_component("credential_provider").remove("iam-role")
    try:
        found = session.get_credentials()
        if found is None:
            if access.instance_identity:
                return {}
            raise UsageError(
                "there are no credentials for s3://: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, "
                f"or AWS_SKIP_SIGNATURE=true for a public bucket, {_ASK}"
            )
        found.get_frozen_credentials()
    except (BotoCoreError, ClientError) as error:
        raise UsageError(
            f"the credentials for s3:// cannot be had ({type(error).__name__}): check AWS_PROFILE and ~/.aws"
        ) from None

    def give() -> S3Credential:
        keys = found.get_frozen_credentials()
        return {
            "access_key_id": keys.access_key,
            "secret_access_key": keys.secret_key,
            "token": keys.token,
            "expires_at": datetime.now(UTC) + _REFRESH,
        }

    region = None if access.variable("AWS_REGION", "AWS_DEFAULT_REGION") else session.get_config_variable("region")
    return {"credential_provider": give, "region": region} if region else {"credential_provider": give}


def google_must_be_known(access: ObjectAccess) -> None:
    """UsageError when obstore would find no credentials for ``gs://`` and so ask the metadata server."""
    known = access.variable(*_GOOGLE) or access.is_on("GOOGLE_SKIP_SIGNATURE") or access.instance_identity
    home = access.variable("HOME")
    if not known and not (home and (Path(home) / _ADC).is_file()):
        raise UsageError(
            "there are no credentials for gs://: set GOOGLE_APPLICATION_CREDENTIALS or GOOGLE_SERVICE_ACCOUNT to the "
            f"file of a service account, or GOOGLE_SKIP_SIGNATURE=true for a public bucket, {_ASK}"
        )


def azure_must_be_known(access: ObjectAccess) -> None:
    """UsageError when no account is named for ``az://``, or obstore would ask the metadata server."""
    emulator = access.is_on("AZURE_STORAGE_USE_EMULATOR")
    if not access.variable("AZURE_STORAGE_ACCOUNT_NAME") and not emulator:
        raise UsageError("there is no account for az://: set AZURE_STORAGE_ACCOUNT_NAME")
    open_ = access.is_on("AZURE_SKIP_SIGNATURE", "AZURE_USE_AZURE_CLI") or emulator
    if not access.variable(*_AZURE) and not open_ and not access.instance_identity:
        raise UsageError(
            "there are no credentials for az://: set AZURE_STORAGE_ACCOUNT_KEY, AZURE_STORAGE_SAS_TOKEN or the "
            f"AZURE_CLIENT_* of an application, or AZURE_SKIP_SIGNATURE=true for a public container, {_ASK}"
        )
