"""The records of a chunk as columns of text; DuckDB reads only those that are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from schemas.mapping.dialect import Dialect
from schemas.mapping.separated import BLANK, MALFORMED, Separated, fields_of, separate
from schemas.reasons import Reason
from schemas.records import Chunk
from transforms.decode.memory_file import MemoryFile
from transforms.fhirpath.shape import text_literal

_LONGEST = 2 * 1024 * 1024  # bytes of a line that DuckDB takes unless it is told otherwise


@dataclass(frozen=True, slots=True)
class Fields:
    """``frame`` has the columns asked for (String, null where a field is empty) of the records ``numbers`` (UInt32) of
    ``records``; ``refused`` are others with the reason. Blank lines are in neither.
    """

    frame: pl.DataFrame
    numbers: pl.Series
    refused: list[tuple[int, Reason]]
    records: Separated


class FieldReader:
    """Reads records on one thread; holds that thread's DuckDB connection, and the memory it reads from."""

    def __init__(self) -> None:
        self._connection = duckdb.connect(":memory:", config={"threads": 1})
        self._connection.execute("SET preserve_insertion_order = true; SET enable_progress_bar = false")
        self._file = MemoryFile()

    def close(self) -> None:
        """Release the connection and the memory."""
        self._connection.close()
        self._file.close()

    def read(self, chunk: Chunk, wanted: Sequence[str]) -> Fields:
        """The columns ``wanted`` (names of the chunk's columns, each once) of an ``EXTRACT`` chunk."""
        assert chunk.dialect is not None
        found = separate(chunk.data, chunk.dialect, final=True)
        refused = _refused(chunk, found)
        good = np.flatnonzero(found.fields == len(chunk.names))
        if refused:
            good = good[~np.isin(good, [number for number, _ in refused])]
        text, bad = _text(chunk.data, chunk.dialect, found, good)
        if bad:
            refused += [(number, Reason.WRONG_ENCODING) for number in bad]
            good = good[~np.isin(good, bad)]
        columns = [chunk.names.index(name) for name in wanted]
        longest = int((found.ends - found.starts).max()) if len(found.ends) else 0
        frame = self._frame(text, chunk.dialect, len(chunk.names), columns, longest)
        if frame is None or frame.height != len(good):
            frame = _one_by_one(chunk.data, chunk.dialect, found, good, columns)
        return Fields(frame.rename(dict(zip(frame.columns, wanted, strict=True))), _series(good), refused, found)

    def _frame(
        self, text: bytes, dialect: Dialect, width: int, columns: Sequence[int], longest: int
    ) -> pl.DataFrame | None:
        """The columns by number; None where DuckDB does not take the text."""
        if not columns:
            return None
        names = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(width))
        quote = text_literal(dialect.quote)
        most = max(_LONGEST, 2 * longest)
        with self._file.holding(text) as path:
            try:
                table = self._connection.sql(
                    f"SELECT {', '.join(f'c{number}' for number in columns)} FROM read_csv({text_literal(path)}, "
                    f"columns={{{names}}}, auto_detect=false, header=false, delim={text_literal(dialect.delimiter)}, "
                    f"quote={quote}, escape={quote}, nullstr='', parallel=false, max_line_size={most}, "
                    f"buffer_size={16 * most})"
                ).to_arrow_table()
            except (duckdb.InvalidInputException, duckdb.DataError):
                return None
        frame = pl.from_arrow(table)
        assert isinstance(frame, pl.DataFrame)
        return frame


def _refused(chunk: Chunk, found: Separated) -> list[tuple[int, Reason]]:
    """Records that are not to be read, whatever their fields hold."""
    fields = found.fields
    refused = [(number, Reason.MALFORMED_RECORD) for number in np.flatnonzero(fields == MALFORMED).tolist()]
    ragged = (fields != len(chunk.names)) & (fields != BLANK) & (fields != MALFORMED)
    refused += [(number, Reason.RAGGED_LINE) for number in np.flatnonzero(ragged).tolist()]
    if b"\0" in chunk.data:
        known = {number for number, _ in refused}
        places = np.flatnonzero(np.frombuffer(chunk.data, dtype=np.uint8) == 0)
        numbers = np.unique(np.searchsorted(found.ends, places, side="right")).tolist()
        refused += [(number, Reason.NUL_CHARACTER) for number in numbers if number not in known]
    return refused


def _text(data: bytes, dialect: Dialect, found: Separated, good: NDArray[np.int64]) -> tuple[bytes, list[int]]:
    """The good records as UTF-8, with line ends of one kind, and those that are not of the character set."""
    text = _gathered(data, dialect, found, good)
    if text.isascii():
        return text, []
    decoded = _decoded(text, dialect.encoding)
    if decoded is not None:
        return decoded, []
    starts, ends = found.starts.tolist(), found.ends.tolist()
    bad = [
        number for number in good.tolist() if _decoded(data[starts[number] : ends[number]], dialect.encoding) is None
    ]
    left = _gathered(data, dialect, found, good[~np.isin(good, bad)])
    return _decoded(left, dialect.encoding) or b"", bad


def _decoded(text: bytes, encoding: str) -> bytes | None:
    """UTF-8 of a text; None where it is not of the character set."""
    try:
        decoded = text.decode(encoding)
    except UnicodeDecodeError:
        return None
    return text if encoding == "utf-8" else decoded.encode()


def _gathered(data: bytes, dialect: Dialect, found: Separated, good: NDArray[np.int64]) -> bytes:
    """The bytes of the good records, one after the other."""
    if len(good) == len(found.starts) and not found.odd and b"\r" not in data:
        return data
    returns = data.count(b"\r\n")
    alike = not found.odd and returns == data.count(b"\r") and returns in (0, len(found.starts))
    if alike:
        breaks = np.flatnonzero(np.diff(good) != 1) + 1
        runs = np.split(good, breaks) if len(good) else []
        return b"".join(data[int(found.starts[run[0]]) : int(found.ends[run[-1]])] for run in runs)
    pieces = []
    starts, ends = found.starts.tolist(), found.ends.tolist()
    for number in good.tolist():
        record = data[starts[number] : ends[number]]
        if number in found.odd:
            quote = dialect.quote.encode()
            mark = dialect.delimiter.encode()
            pieces.append(mark.join(quote + f.replace(quote, quote * 2) + quote for f in fields_of(record, dialect)))
        else:
            pieces.append(record.removesuffix(b"\n").removesuffix(b"\r"))
        pieces.append(b"\n")
    return b"".join(pieces)


def _one_by_one(
    data: bytes, dialect: Dialect, found: Separated, good: NDArray[np.int64], columns: Sequence[int]
) -> pl.DataFrame:
    """The columns without DuckDB: slow, and for texts that it does not read as they are meant."""
    starts, ends = found.starts.tolist(), found.ends.tolist()
    rows = [
        [field.decode(dialect.encoding) or None for field in fields_of(data[starts[n] : ends[n]], dialect)]
        for n in good.tolist()
    ]
    return pl.DataFrame({f"c{at}": pl.Series([row[at] for row in rows], dtype=pl.String) for at in columns})


def _series(numbers: NDArray[np.int64]) -> pl.Series:
    return pl.Series("record", numbers, dtype=pl.UInt32)
