"""FHIRPath (HL7 FHIRPath N1, 2.0.0) as a syntax tree: a Pratt parser over one regular expression of tokens.

Every node knows its position (``at``, 0-based) in the text of the path.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NoReturn

import msgspec

from schemas.errors import UsageError


class PathError(UsageError):
    """A FHIRPath that cannot be read, or names what its type does not have; says where and what would do."""

    def __init__(self, path: str, at: int, reason: str) -> None:
        """``at`` is the 0-based position in ``path``; the message counts from 1."""
        super().__init__(f"path {path!r}, character {at + 1}: {reason}")
        self.path = path
        self.at = at
        self.reason = reason


class Syntax(msgspec.Struct, frozen=True):
    """A node of the syntax tree."""

    at: int


class Literal(Syntax, frozen=True):
    """A literal; ``type`` is boolean, string, integer, decimal, date, dateTime, time or Quantity."""

    type: str
    text: str


class Nothing(Syntax, frozen=True):
    """The empty collection ``{}``."""


class Member(Syntax, frozen=True):
    """``of.name``; ``of`` None is the focus."""

    of: Syntax | None
    name: str


class Call(Syntax, frozen=True):
    """``of.name(arguments)``; ``of`` None is the focus."""

    of: Syntax | None
    name: str
    arguments: tuple[Syntax, ...]


class Index(Syntax, frozen=True):
    """``of[index]``, counted from 0."""

    of: Syntax
    index: Syntax


class Binary(Syntax, frozen=True):
    """``left op right``; ``is`` and ``as`` have the type as a Member on the right."""

    op: str
    left: Syntax
    right: Syntax


class Signed(Syntax, frozen=True):
    """``-of`` or ``+of``."""

    op: str
    of: Syntax


class Constant(Syntax, frozen=True):
    """``%name``."""

    name: str


class Special(Syntax, frozen=True):
    """``$this``, ``$index`` or ``$total``."""

    name: str


@lru_cache(maxsize=4096)
def parse(path: str) -> Syntax:
    """The syntax tree of a path. Raises PathError where it does not follow the grammar."""
    parser = _Parser(path)
    try:
        tree = parser.expression(0)
    except RecursionError:
        raise PathError(path, 0, "it is nested too deeply") from None
    parser.end()
    return tree


_TOKEN = re.compile(
    r"""(?:\s+|//[^\n]*|/\*.*?\*/)*(?:
      (?P<name>[A-Za-z_]\w*)
    | (?P<quoted>`(?:[^`\\]|\\.)*`)
    | (?P<string>'(?:[^'\\]|\\.)*')
    | (?P<time>@T\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?)
    | (?P<date>@\d{4}(?:-\d\d(?:-\d\d)?)?(?:T(?:\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?(?:Z|[+-]\d\d:\d\d)?)?)?)
    | (?P<number>\d+(?:\.\d+)?)
    | (?P<constant>%(?:[A-Za-z_][\w-]*|`(?:[^`\\]|\\.)*`|'(?:[^'\\]|\\.)*'))
    | (?P<special>\$(?:this|index|total)\b)
    | (?P<symbol><=|>=|!=|!~|[-+*/&|=~<>.,()\[\]{}])
    | (?P<end>\Z)
    )""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)

_BINDING = {
    "implies": 1, "or": 2, "xor": 2, "and": 3, "in": 4, "contains": 4, "=": 5, "~": 5, "!=": 5, "!~": 5,
    "<": 6, ">": 6, "<=": 6, ">=": 6, "|": 7, "is": 8, "as": 8, "+": 9, "-": 9, "&": 9,
    "*": 10, "/": 10, "div": 10, "mod": 10,
}  # fmt: skip
_SIGN_BINDING = 11
_CALENDAR = re.compile(r"(?:year|month|week|day|hour|minute|second|millisecond)s?")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)


class _Parser:
    """One token of look-ahead over the path."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.position = 0
        self.at = 0
        self.advance()

    def advance(self) -> None:
        match = _TOKEN.match(self.path, self.position)
        if match is None:
            rest = self.path[self.position :].lstrip()
            self.at = len(self.path) - len(rest)
            opened = rest[:1] in ("'", "`") or rest.startswith("/*")
            self.fail(f"{rest[:1]!r} is not closed" if opened else f"{rest[:1]!r} is not FHIRPath")
        self.kind: str = match.lastgroup or "end"
        self.text: str = match[self.kind]
        self.at = match.start(self.kind)
        self.position = match.end()

    def fail(self, reason: str) -> NoReturn:
        raise PathError(self.path, self.at, reason)

    def found(self) -> str:
        return "the path ends" if self.kind == "end" else f"{self.text!r} stands"

    def take(self, symbol: str, after: str) -> None:
        if self.kind != "symbol" or self.text != symbol:
            self.fail(f"{self.found()} where {symbol!r} should follow {after}")
        self.advance()

    def end(self) -> None:
        if self.kind != "end":
            self.fail(f"{self.text!r} stands where an operator or the end should be")

    def expression(self, binding: int) -> Syntax:
        left = self.postfix(self.prefix())
        while True:
            op = self.text if self.kind in ("symbol", "name") else ""
            power = _BINDING.get(op, 0)
            if power <= binding:
                return left
            at = self.at
            self.advance()
            left = Binary(at, op, left, self.expression(power))

    def prefix(self) -> Syntax:
        at, kind, text = self.at, self.kind, self.text
        if kind == "symbol":
            return self.prefix_symbol(at, text)
        if kind == "end":
            self.fail("the path ends where an expression should be")
        self.advance()
        if kind == "name" and text not in ("true", "false"):
            return self.named(at, None, text)
        if kind == "quoted":
            return self.named(at, None, _unescape(text[1:-1]))
        if kind == "number":
            return self.number(at, text)
        return _atom(at, kind, text)

    def prefix_symbol(self, at: int, text: str) -> Syntax:
        if text not in ("+", "-", "(", "{"):
            self.fail(f"{text!r} stands where an expression should be")
        self.advance()
        if text == "{":
            self.take("}", "'{'")
            return Nothing(at)
        if text == "(":
            inner = self.expression(0)
            self.take(")", "the expression in parentheses")
            return inner
        return Signed(at, text, self.expression(_SIGN_BINDING))

    def number(self, at: int, text: str) -> Syntax:
        if self.kind == "string" or (self.kind == "name" and _CALENDAR.fullmatch(self.text)):
            unit = self.text
            self.advance()
            return Literal(at, "Quantity", f"{text} {unit}")
        return Literal(at, "decimal" if "." in text else "integer", text)

    def named(self, at: int, of: Syntax | None, name: str) -> Syntax:
        """``name`` has been taken: a call when a parenthesis follows, else an element."""
        if self.kind != "symbol" or self.text != "(":
            return Member(at, of, name)
        self.advance()
        arguments: list[Syntax] = []
        if self.text != ")" or self.kind != "symbol":
            arguments.append(self.expression(0))
            while self.kind == "symbol" and self.text == ",":
                self.advance()
                arguments.append(self.expression(0))
        self.take(")", f"the arguments of {name}")
        return Call(at, of, name, tuple(arguments))

    def postfix(self, left: Syntax) -> Syntax:
        while self.kind == "symbol":
            if self.text == ".":
                self.advance()
                at, kind, text = self.at, self.kind, self.text
                if kind not in ("name", "quoted"):
                    self.fail(f"{self.found()} where the name of an element or function should be")
                self.advance()
                left = self.named(at, left, text if kind == "name" else _unescape(text[1:-1]))
            elif self.text == "[":
                at = self.at
                self.advance()
                index = self.expression(0)
                self.take("]", "the index")
                left = Index(at, left, index)
            else:
                break
        return left


def _atom(at: int, kind: str, text: str) -> Syntax:
    """A token that is an expression by itself."""
    match kind:
        case "string":
            return Literal(at, "string", _unescape(text[1:-1]))
        case "date":
            return Literal(at, "dateTime" if "T" in text else "date", text[1:].removesuffix("T"))
        case "time":
            return Literal(at, "time", text[2:])
        case "constant":
            return Constant(at, _unescape(text[2:-1]) if text[1] in "`'" else text[1:])
        case "special":
            return Special(at, text)
        case _:
            return Literal(at, "boolean", text)


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda m: chr(int(m[1][1:], 16)) if len(m[1]) == 5 else _ESCAPES.get(m[1], m[1]), text)
