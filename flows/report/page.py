"""The page: figures into a template, and the file into its place."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from flows.report import charts
from schemas.errors import StorageError
from schemas.records import DISPOSITIONS
from stores.figures import Figures

_MODE = 0o600


def page(figures: Figures, name: str) -> str:
    """The report of the mart ``name`` as one HTML document: no script, nothing that is fetched."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"count": _count, "at": _at, "share": _share, "value": _value, "age": _age, "size": _size}
    here = files(__package__)
    template = environment.from_string(here.joinpath("page.html.j2").read_text("utf-8"))
    return template.render(
        figures=figures,
        name=name,
        charts=charts,
        dispositions=DISPOSITIONS,
        style=here.joinpath("page.css").read_text("utf-8"),
        version=version("clinmart"),
        now=figures.made_at,
    )


def write_report(figures: Figures, name: str, out: Path) -> None:
    """Write the page, whole or not at all, for its owner alone. StorageError when it cannot be written."""
    fresh = out.with_name(f"{out.name}.new-{os.getpid()}")
    try:
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(page(figures, name))
        fresh.replace(out)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise StorageError(f"cannot write the report {out}: {error.strerror}") from None


def _count(value: int) -> str:
    return f"{value:,}"


def _at(value: datetime | None) -> str:
    return "–" if value is None else f"{value.astimezone(UTC):%Y-%m-%d %H:%M}"


def _share(value: float) -> str:
    """Percent; what is not all is never told as all, nor what is something as nothing."""
    if 0 < value < 0.001:
        return "< 0.1 %"
    if 0.999 < value < 1:
        return "> 99.9 %"
    return f"{100 * value:.1f} %".replace(".0 %", " %")


def _value(value: float) -> str:
    return f"{value:,.4g}" if abs(value) < 1e5 else f"{value:,.0f}"


def _age(value: datetime | None, now: datetime) -> str:
    """How long ago, in the largest unit of which there are two."""
    if value is None:
        return "–"
    seconds = (now - value).total_seconds()
    for unit, length in (("years", 365.25 * 86400), ("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit} ago"
    return "just now" if seconds >= 0 else "ahead of now"


def _size(value: int) -> str:
    return f"{value / 1e6:,.1f} MB"
