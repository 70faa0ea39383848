"""SQL on FHIR v2 ViewDefinitions as one DuckDB query each."""

from transforms.views.compile import CompiledView, ViewColumn, compile_view

__all__ = ["CompiledView", "ViewColumn", "compile_view"]
