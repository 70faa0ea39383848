"""The TLS of a listener, from files."""

from __future__ import annotations

import ssl
from pathlib import Path

from schemas.errors import UsageError


def server_context(certificate: Path, key: Path, authority: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or later with a certificate chain and its key, both PEM.

    With ``authority``, PEM certificates, only senders get in whose certificate one of them has signed (mutual TLS).
    Raises UsageError when a file cannot be read or does not fit.
    """
    for option, file in (("--tls-cert", certificate), ("--tls-key", key), ("--tls-ca", authority)):
        if file is not None and not file.is_file():
            raise UsageError(f"{option}: there is no file {file}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # A key with a passphrase would ask on the terminal of a service that has none.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (ssl.SSLError, OSError):
        raise UsageError(
            f"--tls-cert {certificate} and --tls-key {key}: not a PEM certificate and its key without a passphrase"
        ) from None
    if authority is not None:
        try:
            context.load_verify_locations(authority)
        except (ssl.SSLError, OSError):
            raise UsageError(f"--tls-ca {authority}: no PEM certificate") from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context
