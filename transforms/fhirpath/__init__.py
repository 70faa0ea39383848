"""FHIRPath, typed by FHIR R4 and compiled to DuckDB SQL."""

from transforms.fhirpath.compile import (
    Compiled,
    Scope,
    compile_condition,
    compile_digits,
    compile_items,
    compile_json,
    compile_path,
    constant,
)
from transforms.fhirpath.grammar import PathError
from transforms.fhirpath.shape import Leaf, Shape

__all__ = [
    "Compiled",
    "Leaf",
    "PathError",
    "Scope",
    "Shape",
    "compile_condition",
    "compile_digits",
    "compile_items",
    "compile_json",
    "compile_path",
    "constant",
]
