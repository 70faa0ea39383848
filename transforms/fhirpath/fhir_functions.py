"""FHIR's own functions (FHIR R4 2.9.1.4), the boundaries, and SQL on FHIR's keys, over typed nodes."""

from __future__ import annotations

from collections.abc import Callable

from schemas import fhir_types
from transforms.fhirpath import temporal
from transforms.fhirpath.context import Invocation
from transforms.fhirpath.grammar import Literal, Member, Syntax
from transforms.fhirpath.navigate import is_root, member, single, valued
from transforms.fhirpath.tree import Digits, Field, Filter, Map, Pick, Single, Template, Typed, Value, kind


def extension(invocation: Invocation) -> Typed:
    """``extension(url)``: the extensions with that url."""
    context, at = invocation.context, invocation.at
    extensions = member(invocation.of, "extension", at, context)
    url = single(invocation.argument(0), at, context)
    if kind(url.type) != "text":
        raise invocation.error(f"its argument is the url of an extension, not a {url.type}")
    variable, inner = context.inside(extensions)
    equal = Template("boolean", False, None, "({0} = {1})", (member(inner.here, "url", at, inner), url))
    return Filter("Extension", extensions.many, extensions.shape, extensions, variable, equal)


def digits(of: Typed) -> Typed | None:
    """The text of a decimal element with its digits as sent, also of one picked from several; None for others."""
    if isinstance(of, Field) and of.type == "decimal":
        if of.of.shape is not None:
            of.of.shape.child(f"#{of.key}", "string")
        return Digits("string", of.many, None, of.of, of.key)
    inner = digits(of.of) if isinstance(of, (Pick, Single)) else None
    if inner is None:
        return None
    if isinstance(of, Pick):
        return Pick("string", False, None, inner, of.index)
    return Single("string", False, None, inner, of.path) if isinstance(of, Single) else None


def boundary(low: bool) -> Callable[[Invocation], Typed]:
    """``lowBoundary()`` or ``highBoundary()``; of a Period, that of its start or end."""

    def node(invocation: Invocation) -> Typed:
        of = single(invocation.of, invocation.at, invocation.context)
        if of.type == "Period":
            of = member(of, "start" if low else "end", invocation.at, invocation.context)
        if of.type == "decimal":
            text = digits(of)
            if isinstance(of, Value):
                text = Value("string", False, None, f"'{of.text}'", of.text)
            if text is None:
                raise invocation.error("needs the digits as sent, so it must stand right behind a decimal element")
            return Template("decimal", False, None, temporal.decimal_boundary(low), (text,))
        templates = {
            "date": temporal.date_boundary,
            "dateTime": temporal.datetime_boundary,
            "instant": temporal.datetime_boundary,
            "time": temporal.time_boundary,
        }
        if of.type not in templates:
            raise invocation.error(f"takes a decimal, date, dateTime, instant, time or Period, not a {of.type}")
        return Template(of.type, False, None, templates[of.type](low), (of,))

    return node


def resource_key(invocation: Invocation) -> Typed:
    """``getResourceKey()``: the id of the resource."""
    of = invocation.of
    if not is_root(of) and of.type != "Resource" and of.type not in fhir_types.resource_types():
        raise invocation.error(f"takes a resource, not a {of.type}")
    return member(of, "id", invocation.at, invocation.context)


# The id in `Type/id` or `Type/id/_history/1`, and of `urn:uuid:X` X; others name nothing that a key stands for.
_KEY = "nullif(regexp_extract({0}, '^(?:urn:uuid:|[A-Z][A-Za-z]+/)([^/]+)(?:/_history/[^/]*)?$', 1), '')"


def reference_key(invocation: Invocation) -> Typed:
    """``getReferenceKey(Type?)``: the key of the resource that a reference names, if it is of that type."""
    of = valued(invocation.of, invocation.at, invocation.context)
    if of.type != "Reference":
        raise invocation.error(f"takes a Reference, not a {of.type}")
    variable, inner = invocation.context.inside(of)
    text = member(inner.here, "reference", invocation.at, inner)
    if invocation.arguments:
        name = named_type(invocation, invocation.arguments[0])
        if name not in fhir_types.resource_types():
            raise invocation.error(f"{name} is no resource type of FHIR R4")
        said = member(inner.here, "type", invocation.at, inner)
        rest = f"substr({{0}}, {len(name) + 2})"
        sql = (
            f"CASE WHEN starts_with({{0}}, '{name}/') AND NOT contains({rest}, '/') THEN nullif({rest}, '')"
            f" WHEN starts_with({{0}}, '{name}/') THEN {_KEY}"
            f" WHEN starts_with({{0}}, 'urn:uuid:') AND ifnull({{1}} = '{name}', true) THEN {_KEY} END"
        )
        body = Template("id", False, None, sql, (text, said))
    else:
        body = Template("id", False, None, _KEY, (text,))
    return Map("id", of.many, None, of, variable, body)


def named_type(invocation: Invocation, syntax: Syntax) -> str:
    """``Quantity``, ``FHIR.Quantity`` or ``System.String`` of a type argument."""
    name = type_name(syntax)
    if name is None:
        raise invocation.error("its argument is the name of a type")
    return name


def type_name(syntax: Syntax) -> str | None:
    """The FHIR type that a type specifier names; None when the syntax is none."""
    if isinstance(syntax, Literal) and syntax.type == "string":
        return syntax.text  # as early versions of SQL on FHIR write it
    if not isinstance(syntax, Member):
        return None
    if syntax.of is None:
        name = syntax.name
        lowered = name[0].lower() + name[1:]
        return lowered if not fhir_types.is_type(name) and fhir_types.is_primitive(lowered) else name
    if isinstance(syntax.of, Member) and syntax.of.of is None and syntax.of.name in ("FHIR", "System"):
        return type_name(Member(syntax.at, None, syntax.name))
    return None
