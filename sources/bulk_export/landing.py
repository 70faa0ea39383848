"""The folder of an export that is whole: a manifest beside the files, and their SHA-256."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sources.bulk_export.answer import Listing
from sources.bulk_export.job import write_safely
from sources.bulk_export.landed import Landed
from sources.manifest import MANIFEST_NAME, SUMS_NAME


def write_landing(folder: Path, listing: Listing, landed: Iterable[Landed], asked: dict[str, str | None]) -> Path:
    """Write ``SHA256SUMS`` (as ``sha256sum --check`` reads it) and then the manifest, whose path is returned.

    ``asked``: the kick-off address as ``request``, and as ``scope`` and ``since`` what it goes on from. The manifest is
    one of Bulk Data Access 2.0 with relative addresses; it stands there only when everything it lists does.
    """
    files = sorted(landed, key=lambda file: file.path.name)
    sums = "".join(f"{file.sha256}  {file.path.name}\n" for file in files)
    write_safely(folder / SUMS_NAME, sums.encode())
    manifest: dict[str, Any] = {
        "transactionTime": listing.transaction_time.isoformat(),
        "request": asked["request"],
        "requiresAccessToken": False,
        **{section: _listed(files, section) for section in ("output", "deleted", "error")},
        "extension": {"clinmart": {name: asked[name] for name in ("scope", "since") if asked.get(name)}},
    }
    path = folder / MANIFEST_NAME
    write_safely(path, json.dumps(manifest, indent=1).encode())
    return path


def _listed(files: Iterable[Landed], section: str) -> list[dict[str, object]]:
    return [
        {"url": file.path.name, "count": file.resources, **({"type": file.listed.type} if file.listed.type else {})}
        for file in files
        if file.listed.section == section
    ]
