"""The options of commands that ask a far FHIR server."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

_PANEL = "Far servers ($export)"


def _option(help_: str, *names: str) -> typer.models.OptionInfo:
    found: typer.models.OptionInfo = typer.Option(*names, help=help_, rich_help_panel=_PANEL)
    return found


TypesOption = Annotated[list[str] | None, _option("Resource types, e.g. Patient,Observation [default: all].", "--type")]
FilterOption = Annotated[
    list[str] | None,
    _option("Only what this search finds, e.g. 'Observation?status=final'; repeatable.", "--type-filter"),
]
ElementsOption = Annotated[list[str] | None, _option("Only these elements, e.g. id,Patient.name.", "--elements")]
LevelOption = Annotated[str | None, _option("system, patient or group [default: by the address].", "--level")]
GroupOption = Annotated[str | None, _option("Id of the group whose patients are exported.", "--group")]
OrganizeOption = Annotated[str | None, _option("Ask for files by this type, e.g. Patient.", "--organize-output-by")]
LandingOption = Annotated[
    Path | None, _option("Folder where exports land, each in a folder of its own [default: MART.landing].", "--landing")
]
FullOption = Annotated[bool, _option("Ask for all of it, not for what changed since the last time.", "--full")]
OverlapOption = Annotated[
    str, _option("Ask for what changed since so long before the last time, e.g. 10m, 2h.", "--overlap")
]
SinceOption = Annotated[str | None, _option("Only what changed since, e.g. 2026-01-31T00:00:00Z.", "--since")]
ClientOption = Annotated[
    str | None, _option("SMART backend services: our id at the server. Needs --key.", "--client-id")
]
KeyOption = Annotated[
    Path | None, _option("Our private key, JWK, JWK Set or PEM: P-384 (ES384) or RSA (RS384).", "--key")
]
KidOption = Annotated[str | None, _option("Id of the key [default: the file's, else its thumbprint].", "--kid")]
JwksOption = Annotated[str | None, _option("Where our public keys are published, to be named as jku.", "--jwks-url")]
TokenOption = Annotated[
    str | None, _option("Where tokens are given out [default: what the server says].", "--token-url")
]
ScopeOption = Annotated[str | None, _option("Scopes to ask for [default: to read all of the system].", "--scope")]
UserOption = Annotated[str | None, _option("Basic authentication: our name at the server.", "--user")]
PasswordOption = Annotated[
    Path | None, _option("File with the password [default: CLINMART_PASSWORD of the environment].", "--password-file")
]
HostsOption = Annotated[
    list[str] | None, _option("Another host that may be asked for states and files; repeatable.", "--allow-host")
]
PlainOption = Annotated[bool, _option("Allow http without TLS to other machines.", "--plain-http")]
CountsOption = Annotated[
    bool,
    _option("Take files that hold fewer resources than the manifest says: some servers miscount.", "--ignore-counts"),
]
ParallelOption = Annotated[int, _option("Files downloaded at the same time.", "--parallel")]
HoursOption = Annotated[float, _option("Hours after which to give up; the same command goes on.", "--hours")]


def is_far(text: str) -> bool:
    """True for an address, as opposed to a path."""
    return text.lower().startswith(("http://", "https://"))


def saying(*, quiet: bool) -> Callable[[str], None]:
    """Tells a person at a terminal how far it is; nobody else."""
    if quiet or not sys.stderr.isatty():
        return lambda _: None
    return lambda text: typer.echo(f"clinmart: {text}", err=True)
