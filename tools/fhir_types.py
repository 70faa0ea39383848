"""Write ``schemas/fhir_r4.json`` from the official FHIR R4 JSON schema.

    python tools/fhir_types.py fhir.schema.json.gz

The schema (https://hl7.org/fhir/R4/fhir.schema.json.zip, CC0) gives the types, their elements, cardinality
and the codes of required bindings. What it leaves out is taken from ``fhir.resources`` (R4B): the targets of
references and the required primitive elements; types that R4B dropped have none of these. A choice element is
told by R4B, else, for primitives, by the pattern that the schema repeats in place and, for others, by
siblings of the same base.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from fhir.resources.R4B import get_fhir_model_class

TARGET = Path(__file__).resolve().parent.parent / "schemas" / "fhir_r4.json"
NOTE = (
    "FHIR R4 (4.0.1) types, made by tools/fhir_types.py from the official JSON schema (HL7, CC0) and, for "
    "the targets of references and required primitives, from fhir.resources (R4B, BSD). "
    "An element is [type, flags, targets, codes]; flags: * many, ! required, ? one of a choice."
)
# Elements of the abstract type Resource (FHIR R4 2.26), which the JSON schema has only as a union.
RESOURCE = ("id", "meta", "implicitRules", "language")

Schema = dict[str, Any]


def main(schema_file: str) -> None:
    """Read the schema, write the snapshot: one type per line."""
    document: Schema = json.loads(gzip.decompress(Path(schema_file).read_bytes()))
    definitions: Schema = document["definitions"]
    resources = sorted(document["discriminator"]["mapping"])
    paths = _type_names(definitions)
    types = {
        paths[name]: _elements(name, definition, definitions, paths)
        for name, definition in definitions.items()
        if "properties" in definition
    }
    types["Resource"] = {name: types["Patient"][name] for name in RESOURCE}
    primitives = sorted(
        name for name, body in definitions.items() if "properties" not in body and name != "ResourceList"
    )
    lines = ",\n".join(f"{json.dumps(name)}: {_compact(types[name])}" for name in sorted(types))
    TARGET.write_text(
        f'{{"note": {json.dumps(NOTE)},\n"version": "4.0.1",\n"resources": {_compact(resources)},\n'
        f'"primitives": {_compact(primitives)},\n"types": {{\n{lines}\n}}}}\n'
    )


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _type_names(definitions: Schema) -> dict[str, str]:
    """FHIR names of the schema's types: backbones by the first path that leads to them."""
    names: dict[str, str] = {"ResourceList": "Resource"}
    for name, definition in definitions.items():
        if "_" not in name and name not in names:
            names[name] = name
            if "properties" in definition:
                _name_backbones(name, definitions, names)
    missing = set(definitions) - set(names)
    if missing:
        raise SystemExit(f"no path leads to {sorted(missing)}")
    return names


def _name_backbones(name: str, definitions: Schema, names: dict[str, str]) -> None:
    for element, prop in definitions[name]["properties"].items():
        target = _reference(prop)
        if target and "_" in target and target not in names:
            names[target] = f"{names[name]}.{element}"
            _name_backbones(target, definitions, names)


def _reference(prop: Schema) -> str | None:
    ref = prop.get("items", prop).get("$ref")
    return ref.rpartition("/")[2] if ref else None


def _elements(name: str, definition: Schema, definitions: Schema, paths: dict[str, str]) -> Schema:
    """``{element: [type, flags, targets, codes]}`` of one type, without shadows (``_birthDate``)."""
    fields = _model_fields(paths[name])
    required = set(definition.get("required", ()))
    bases = _shared_bases(definition, paths)
    result: Schema = {}
    for element, prop in definition["properties"].items():
        if element.startswith("_") or element == "resourceType":
            continue
        codes = prop.get("items", prop).get("enum", [])
        target = _reference(prop)
        in_place = "pattern" in prop
        if target:
            type_name = paths[target]
        elif codes:
            type_name = "code"
        elif in_place:
            type_name = _choice_type(element, definitions)
        else:
            raise SystemExit(f"{name}.{element}: cannot tell the type of {prop}")
        extra = fields.get(element, {})
        many = prop.get("type") == "array"
        choice = bool(extra["one_of_many"]) if "one_of_many" in extra else in_place
        if not extra and not many:
            choice = in_place or element.removesuffix(type_name) in bases
        needed = element in required or extra.get("element_required", False) or extra.get("required", False)
        flags = "*" * many + "!" * bool(needed and not choice) + "?" * choice
        targets = extra.get("enum_reference_types", []) if type_name == "Reference" else []
        known = [t for t in targets if t in definitions]
        row = [type_name, flags, [] if len(known) < len(targets) and not known else known, codes]
        while len(row) > 1 and not row[-1]:
            row.pop()
        result[element] = row
    return result


def _shared_bases(definition: Schema, paths: dict[str, str]) -> set[str]:
    """``value`` when several elements are named ``value`` + their own type."""
    bases = Counter(
        element.removesuffix(paths[target])
        for element, prop in definition["properties"].items()
        if (target := _reference(prop)) and "items" not in prop and element.endswith(paths[target])
    )
    return {base for base, times in bases.items() if times > 1}


def _choice_type(element: str, definitions: Schema) -> str:
    """The longest primitive type that the name ends in: ``valueDateTime`` is a dateTime, not a time."""
    fits = [
        name
        for name, body in definitions.items()
        if "properties" not in body and element.endswith(name[0].upper() + name[1:])
    ]
    return max(fits, key=len)


def _model_fields(path: str) -> dict[str, Schema]:
    """What ``fhir.resources`` says of the elements of a type (``Claim.item.detail``); {} if it lacks it."""
    try:
        model = get_fhir_model_class("".join(part[0].upper() + part[1:] for part in path.split(".")))
    except (KeyError, ValueError):
        return {}
    found: dict[str, Schema] = {}
    for key, field in model.model_fields.items():
        extra = field.json_schema_extra
        said = dict(extra) if isinstance(extra, dict) else {}
        found[field.alias or key] = {"one_of_many": "", **said, "required": field.is_required()}
    return found


if __name__ == "__main__":
    main(sys.argv[1])
