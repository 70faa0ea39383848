"""The datasets of a run: what was read by type, the files it came in, and the tables it went to, with their facets.

Names of files are tokens. A type of a source is a dataset of its own, so that a column's lineage names an element of
FHIR and not thousands of files.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from openlineage.client.event_v2 import InputDataset, OutputDataset
from openlineage.client.generated.base import DatasetFacet, InputDatasetFacet
from openlineage.client.generated.column_lineage_dataset import (
    ColumnLineageDatasetFacet,
    Fields,
    InputField,
    Transformation,
)
from openlineage.client.generated.data_quality_assertions_dataset import Assertion, DataQualityAssertionsDatasetFacet
from openlineage.client.generated.data_quality_metrics_input_dataset import DataQualityMetricsInputDatasetFacet
from openlineage.client.generated.output_statistics_output_dataset import OutputStatisticsOutputDatasetFacet
from openlineage.client.generated.schema_dataset import SchemaDatasetFacet, SchemaDatasetFacetFields

from flows.masking import Masker
from schemas.lineage import AS_SENT, Origin, origins
from schemas.records import Counts, Partition
from schemas.table import Table

MOST_FILES = 1000  # of one event; more are told as one dataset with their number
_FILES = "file"  # namespace of files


def namespace_of_source(source: str) -> str:
    """The namespace of what a source sends."""
    return f"clinmart-source:{source}"


def type_dataset(source: str, kind: str, counts: Counts, table: Table | None) -> InputDataset:
    """The resources of a type that a source sent: its elements, how many were read, and what was found wrong."""
    fields = [] if table is None else [SchemaDatasetFacetFields(path) for path in _paths(table)]
    whole = counts.read == sum(getattr(counts, n) for n in counts.as_dict() if n != "read")
    checks = [
        Assertion("row_count", whole, name="every_line_has_one_disposition", expected=str(counts.read)),
        Assertion("valid", not counts.quarantined, name="no_line_quarantined", actual=str(counts.quarantined)),
    ]
    facets: dict[str, InputDatasetFacet] = {
        "dataQualityMetrics": DataQualityMetricsInputDatasetFacet(columnMetrics={}, rowCount=counts.read),
        "dataQualityAssertions": DataQualityAssertionsDatasetFacet(assertions=checks),
    }
    about: dict[str, DatasetFacet] = {"schema": SchemaDatasetFacet(fields=fields)} if fields else {}
    return InputDataset(namespace_of_source(source), kind, facets=about, inputFacets=facets)


def file_datasets(partitions: Iterable[Partition], masker: Masker) -> Iterator[InputDataset]:
    """The files of a run, each with its bytes; their names are tokens, for a name may tell whose file it is."""
    sizes: dict[str, int] = {}
    for partition in partitions:
        sizes[partition.uri] = sizes.get(partition.uri, 0) + partition.size
    shown = dict(sorted(sizes.items())[:MOST_FILES])
    for uri, size in shown.items():
        yield _files(masker.token(uri), size, 1)
    if rest := {uri: size for uri, size in sizes.items() if uri not in shown}:
        yield _files("others", sum(rest.values()), len(rest))


def table_dataset(
    mart_id: str, table: Table, there: Mapping[str, str], counts: Counts, sources: Collection[str]
) -> OutputDataset:
    """A table with the columns ``there`` that it has data in, each with the elements it is read from."""
    kept = [one for one in origins(table) if one.column.partition(".")[0] in there and "." not in one.column]
    fields = [SchemaDatasetFacetFields(one.column, one.dtype, one.description) for one in kept]
    lineage = {one.column: _lineage(one, sources) for one in kept if one.path}
    return OutputDataset(
        f"clinmart-mart:{mart_id}",
        f"main.{table.name}",
        facets={"schema": SchemaDatasetFacet(fields=fields), "columnLineage": ColumnLineageDatasetFacet(lineage)},
        outputFacets={"outputStatistics": OutputStatisticsOutputDatasetFacet(rowCount=counts.applied)},
    )


def _files(name: str, size: int, number: int) -> InputDataset:
    metrics = DataQualityMetricsInputDatasetFacet(columnMetrics={}, bytes=size, fileCount=number)
    return InputDataset(_FILES, name, inputFacets={"dataQualityMetrics": metrics})


def _paths(table: Table) -> Iterable[str]:
    return dict.fromkeys(one.path for one in origins(table) if one.path and "." not in one.column)


def _lineage(origin: Origin, sources: Collection[str]) -> Fields:
    done = Transformation("DIRECT", origin.done, "as sent" if origin.done == AS_SENT else "made of it", masking=False)
    return Fields(
        [InputField(namespace_of_source(s), origin.resource_type, origin.path, [done]) for s in sorted(sources)]
    )
