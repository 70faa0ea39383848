"""Addresses of objects: ``s3://bucket/key``, ``gs://bucket/key``, ``az://container/key``.

The key is taken as it is, without percent-encoding, as the stores' own tools take it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from schemas.errors import UsageError

SCHEMES = ("s3", "gs", "az")
_BEGINS = re.compile(r"(s3|gs|az):/", re.IGNORECASE)  # one slash: a path class may have eaten the other
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}[A-Za-z0-9]")  # S3: 3 to 63; GCS up to 222 with dots
_PARAMETER = re.compile(r"\?[A-Za-z][\w.-]*=")


def is_object(given: object) -> bool:
    """True for an address of an object or a prefix, whatever may be wrong with it; False for a path."""
    return _BEGINS.match(str(given)) is not None


@dataclass(frozen=True, slots=True)
class ObjectAddress:
    """Where an object, a prefix or a pattern of keys is; ``key`` may be empty and then means the whole bucket."""

    scheme: str
    bucket: str
    key: str

    def __str__(self) -> str:
        return self.at(self.key)

    @property
    def root(self) -> str:
        """The bucket alone, as ``s3://bucket``."""
        return f"{self.scheme}://{self.bucket}"

    def at(self, key: str) -> str:
        """The address of another key of the same bucket."""
        return f"{self.root}/{key}"

    @property
    def is_prefix(self) -> bool:
        """True when it can only mean a folder: it is the bucket or ends with a slash."""
        return not self.key or self.key.endswith("/")

    @classmethod
    def parse(cls, given: str) -> ObjectAddress:
        """The parts of an address. UsageError for one that is none, or that holds a secret or parameters.

        What the message shows of a refused address is never more than its scheme and bucket.
        """
        scheme, _, rest = given.partition("://")
        scheme = scheme.lower()
        if scheme not in SCHEMES:
            raise UsageError(f"{given[:5]}...: this is no address of an object: write it as s3://bucket/key")
        bucket, _, key = rest.partition("/")
        if "@" in bucket:
            raise UsageError(
                f"{scheme}://...@...: an address must hold no secret, as others can read it: give keys in the "
                "environment, and the address without them"
            )
        if not _BUCKET.fullmatch(bucket):
            raise UsageError(f"{scheme}://: this address names no bucket: write it as {scheme}://bucket/key")
        if _PARAMETER.search(key):
            raise UsageError(
                f"{scheme}://{bucket}/...?...: an address must hold no parameters, such as signatures: give keys in "
                "the environment, and the address without them"
            )
        if any(part in ("", ".", "..") for part in key.removesuffix("/").split("/")) and key:
            raise UsageError(f"{scheme}://{bucket}/{key}: the key has an empty part, `.` or `..`, which cannot be read")
        return cls(scheme, bucket, key)
