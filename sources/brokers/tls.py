"""The TLS of a client of a broker, from files."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import UsageError


@dataclass(frozen=True, slots=True)
class ClientTls:
    """PEM files: certificates to trust in place of the system's, and a certificate of our own with its key."""

    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise UsageError("--tls-cert and --tls-key go together: give both")
        told = (("--tls-ca", self.authority), ("--tls-cert", self.certificate), ("--tls-key", self.key))
        for option, file in told:
            if file is not None and not file.is_file():
                raise UsageError(f"{option}: there is no file {file}")

    @property
    def is_told(self) -> bool:
        """True when any file was given."""
        return self.authority is not None or self.certificate is not None

    def context(self) -> ssl.SSLContext:
        """TLS 1.2 or later; the other side's certificate and name are verified. UsageError when a file does not fit."""
        try:
            context = ssl.create_default_context(cafile=self.authority)
        except (ssl.SSLError, OSError):
            raise UsageError(f"--tls-ca {self.authority}: no PEM certificate") from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.certificate is not None and self.key is not None:
            try:
                # A key with a passphrase would ask on the terminal of a service that has none.
                context.load_cert_chain(self.certificate, self.key, password=lambda: "")
            except (ssl.SSLError, OSError):
                raise UsageError(
                    f"--tls-cert {self.certificate} and --tls-key {self.key}: not a PEM certificate and its key "
                    "without a passphrase"
                ) from None
        return context
