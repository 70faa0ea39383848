"""Arrow data goes from one library to the other by the C interface alone."""

from __future__ import annotations

import subprocess
import sys

import duckdb
import polars as pl
import pyarrow as pa

from schemas.arrow import Streamed, frame_of, series_of

_LOOK = """
import sys
import duckdb, polars as pl
from schemas.arrow import Streamed
frame = pl.DataFrame({"a": [1, 2], "b": [["x"], None]})
duckdb.register("came", Streamed(frame))
assert duckdb.sql("SELECT b FROM came WHERE a = 1").fetchall() == [(["x"],)]
print(sorted({"pyarrow.compute", "pyarrow.dataset"} & set(sys.modules)))
"""


def test_a_stream_is_read_as_often_as_it_is_asked_for() -> None:
    """A query may look at the same rows twice, and a later one again."""
    frame = pl.DataFrame({"a": [1, 2, 3], "s": ["x", None, "longer than what stands in a view itself"]})
    with duckdb.connect() as connection:
        connection.register("came", Streamed(frame))
        twice = connection.sql("SELECT count(*) FROM came JOIN came other USING (a)").fetchall()
        assert twice == [(3,)]
        assert connection.sql("SELECT * FROM came ORDER BY a").fetchall() == frame.rows()


def test_arrays_and_tables_keep_their_values_and_nulls() -> None:
    """Sliced arrays, lists of structs and tables without rows too."""
    array = pa.array(["a", None, "b", "c"], pa.large_string()).slice(1, 2)
    assert series_of(array).to_list() == [None, "b"]
    table = pa.table({"items": [[{"n": 1}], None, []], "text": ["x", "y", None]})
    assert frame_of(table).to_dict(as_series=False) == table.to_pydict()
    assert frame_of(table.slice(0, 0)).schema == frame_of(table).schema


def test_nothing_of_pyarrow_is_imported_for_it() -> None:
    """Its kernels and data sets take longer to import than a small load to read."""
    ran = subprocess.run([sys.executable, "-c", _LOOK], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
