"""YAML files of users as nodes, which know their lines; whatever is none is a UsageError with file and line."""

from __future__ import annotations

from pathlib import Path

import yaml

from schemas.errors import UsageError


def read_limited(path: Path, option: str, longest: int, instead: str) -> bytes:
    """The bytes of a file that ``option`` names. UsageError when it cannot be read, or has more than ``longest``."""
    try:
        with path.open("rb") as file:
            data = file.read(longest + 1)
    except OSError as error:
        raise UsageError(f"{option}: {path} cannot be read: {error.strerror}") from None
    if len(data) > longest:
        raise UsageError(f"{option}: {path} has more than {longest} bytes: give {instead}")
    return data


def compose(data: bytes, name: str, *, what: str, empty: str) -> yaml.Node:
    """The root of a YAML text that stands in the file ``name``, which should be ``what``.

    UsageError for what is no YAML, and for an empty one, where ``empty`` says what to do.
    """
    try:
        root = yaml.compose(data, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        at = error.problem_mark or error.context_mark
        line = at.line + 1 if at else 1
        raise UsageError(f"{name}, line {line}: is no YAML ({error.problem or error.context})") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise UsageError(f"{name} holds characters that YAML has not: save it as UTF-8") from None
    except RecursionError:
        raise UsageError(f"{name} is nested too deeply to be {what}: give another file") from None
    if root is None:
        raise UsageError(f"{name} is empty: {empty}")
    return root


class _Loader(yaml.SafeLoader):  # type: ignore[misc] # yaml ships no types
    """Takes no aliases: nine lines of them can stand for a billion values."""

    def compose_node(self, parent: yaml.Node | None, index: object) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            at = self.peek_event().start_mark
            raise yaml.composer.ComposerError(None, None, "an alias (*name) stands where a value is expected", at)
        node: yaml.Node | None = super().compose_node(parent, index)
        return node
