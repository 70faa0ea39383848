"""``clinmart retain`` as a Prefect flow, to be scheduled: the same function, and its counts as an artifact."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from flows.retention import retain as apply
from sources.retention import read_policy


@flow(name="clinmart retain", log_prints=False, persist_result=False)
def retain(mart: str, policy: str, dry_run: bool = False, wait: float = 60.0) -> dict[str, Any]:
    """Apply the policy of the file ``policy`` to a mart; the report as plain values."""
    done = apply(Path(mart), read_policy(Path(policy)), dry_run=dry_run, wait=wait).as_dict()
    create_markdown_artifact(markdown=f"```json\n{json.dumps(done, indent=1)}\n```", key="retain-report")
    return done
