"""What surrounds a path while it is resolved: the focus, the constants, and how to complain."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from transforms.fhirpath.grammar import PathError, Syntax
from transforms.fhirpath.tree import Item, Typed, Value, Variable


class Context(msgspec.Struct, frozen=True, eq=False):
    """Where a part of a path stands: ``here`` is its focus (``$this``), ``root`` the resource."""

    path: str
    here: Typed
    root: Typed
    constants: Mapping[str, Value]
    row_index: str | None  # SQL of %rowIndex; None where rows are not counted
    resolver: Callable[[Syntax, Context], Typed]
    variable: Variable | None = None  # of the innermost criteria, for $index

    def error(self, at: int, reason: str) -> PathError:
        """What to raise for position ``at``."""
        return PathError(self.path, at, reason)

    def resolve(self, syntax: Syntax) -> Typed:
        """The typed tree of a part that stands in this context."""
        return self.resolver(syntax, self)

    def inside(self, of: Typed) -> tuple[Variable, Context]:
        """A new variable for the items of ``of``, and the context in which it is the focus."""
        variable = Variable()
        item = Item(of.type, False, of.shape, variable)
        return variable, msgspec.structs.replace(self, here=item, variable=variable)


class Invocation(msgspec.Struct, frozen=True, eq=False):
    """A call of a function: ``of.name(arguments)`` at position ``at``."""

    of: Typed
    name: str
    arguments: tuple[Syntax, ...]
    at: int
    context: Context

    def error(self, reason: str) -> PathError:
        """What to raise; it names the function."""
        return self.context.error(self.at, f"{self.name}(): {reason}")

    def argument(self, index: int) -> Typed:
        """An argument's typed tree; its focus is that of the whole call."""
        return self.context.resolve(self.arguments[index])

    def criteria(self, of: Typed, index: int = 0) -> tuple[Variable, Typed]:
        """An argument that is worked out for every item of ``of``: the variable and the tree."""
        variable, inner = self.context.inside(of)
        return variable, inner.resolve(self.arguments[index])
