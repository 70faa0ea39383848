"""``clinmart synth``: synthetic data to try things with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from schemas.errors import UsageError


def synth(
    folder: Annotated[Path, typer.Argument(help="Folder to write to; made when it is not there.")],
    patients: Annotated[int | None, typer.Option(help="How many patients [default: 100].")] = None,
    size: Annotated[
        str | None, typer.Option(help="About how much in all, e.g. 200MB or 10GB, instead of --patients.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 1,
    dirty: Annotated[float, typer.Option(help="Share of lines made faulty; faults.csv lists them.")] = 0.0,
    versions: Annotated[float, typer.Option(help="Share of resources that come again as a later version.")] = 0.0,
    types: Annotated[str | None, typer.Option(help="Only these resource types, e.g. Patient,Observation.")] = None,
    compress: Annotated[str | None, typer.Option(help="Compress the files: gz or zst.")] = None,
    bundles: Annotated[bool, typer.Option("--bundles", help="One FHIR Bundle per patient instead of NDJSON.")] = False,
    extracts: Annotated[
        bool, typer.Option("--extracts", help="A lab's CSV, OMOP and Clarity-like tables instead of FHIR.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write coherent synthetic FHIR R4: made up, so free to share, and the same for the same seed."""
    from sources.synth import SynthPlan, write_bundles, write_extracts, write_synth

    if size is not None and patients is not None:
        raise UsageError("give --patients or --size, not both")
    if compress not in (None, "gz", "zst"):
        raise UsageError(f"--compress {compress!r} is not known: give gz or zst")
    plan = SynthPlan(
        patients=100 if patients is None else patients,
        seed=seed,
        size=_bytes(size),
        dirty=dirty,
        versions=versions,
        types=None if types is None else set(types.split(",")),
        compress=cast(Literal["gz", "zst"] | None, compress),
    )
    if extracts:
        if size is not None or bundles:
            raise UsageError("--extracts goes with --patients, and neither with --size nor with --bundles")
        rows = write_extracts(plan, folder)
        written = sum((folder / name).stat().st_size for name in rows)
        made: dict[str, object] = {"rows": sum(rows.values()), "files": len(rows), "bytes": written, "lines": rows}
    elif bundles:
        files = write_bundles(plan, folder)
        made = {"files": len(files), "bytes": sum(f.stat().st_size for f in files)}
    else:
        report = write_synth(plan, folder)
        made = {"resources": sum(report.lines.values()), "files": len(report.files), "bytes": report.bytes}
        made |= {"lines": dict(report.lines), "faults": dict(report.faults)}
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), **made}))
    else:
        shown = ", ".join(f"{made[key]:,} {key}" for key in ("resources", "rows", "files", "bytes") if key in made)
        typer.echo(f"{shown} in {folder}")


_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def _bytes(text: str | None) -> int | None:
    if text is None:
        return None
    for unit, factor in _UNITS.items():
        number = text.upper().removesuffix(unit)
        if number != text.upper() and number.replace(".", "", 1).isdigit():
            return int(float(number) * factor)
    raise UsageError(f"--size {text!r} is no size: give e.g. 200MB or 10GB")
