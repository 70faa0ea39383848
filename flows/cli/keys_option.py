"""``--keys``: an option of every command that works on a mart, given to them all in one place."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

KeysOption = Annotated[
    str | None,
    typer.Option(
        "--keys",
        help="The mart's keyring: a file, or kms:KEY_ID of AWS KMS [default: CLINMART_KEYS, else MART.keys].",
    ),
]


def give_keys(app: typer.Typer) -> None:
    """Give ``--keys`` to each command of ``app`` and of its groups that has a parameter ``mart``."""
    for command in app.registered_commands:
        if command.callback is not None and "mart" in inspect.signature(command.callback).parameters:
            command.callback = with_keys(command.callback)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            give_keys(group.typer_instance)


def with_keys(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command with an option ``--keys``, which tells where the keys are while it runs."""
    if "keys" in inspect.signature(command).parameters:
        return command

    @functools.wraps(command)
    def told(*args: Any, keys: str | None = None, **options: Any) -> Any:
        if keys is None:
            return command(*args, **options)
        from flows.keyring import telling

        with telling(keys):
            return command(*args, **options)

    signature = inspect.signature(command, eval_str=True)
    option = inspect.Parameter("keys", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=KeysOption)
    parameters = [*signature.parameters.values(), option]
    told.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined] # typer reads it
    told.__annotations__ = {each.name: each.annotation for each in parameters}
    return told
