"""The names of a file's columns, before it is read."""

from __future__ import annotations

import itertools
from dataclasses import replace

from schemas.errors import IntegrityError
from schemas.mapping.dialect import Dialect
from schemas.mapping.separated import MALFORMED, separate
from sources.compressed import codec_of, inflate
from sources.extracts.parquet import is_parquet, parquet_names
from sources.extracts.pieces import as_utf8, names_in
from sources.lines import drop_bom
from sources.source import ReadLimits
from sources.stored import StoredFile, storage_errors

_BLOCK, _BLOCKS = 64 * 1024, 64


def header_of(file: StoredFile, dialect: Dialect, limits: ReadLimits) -> tuple[str, ...]:
    """The names of the columns of a file; none for an empty one. IntegrityError for a file that cannot be read."""
    with storage_errors(file.uri), file.open() as raw:
        head = raw.read(4)
        if is_parquet(head):
            return parquet_names(raw, file.uri)
        if dialect.header is not None:
            return dialect.header
        raw.seek(0)
        blocks = iter(lambda: raw.read(_BLOCK), b"")
        codec = codec_of(head, file.uri)
        if codec is not None:
            blocks = inflate(blocks, codec, file.uri, limits)
        _, text = drop_bom(blocks)
        if not dialect.plain:
            _, text = drop_bom(as_utf8(text, file.uri, dialect.encoding))
            dialect = replace(dialect, encoding="utf-8")
        data = b""
        for block in itertools.islice(text, _BLOCKS):
            data += block
            found = separate(data, dialect, final=len(block) < _BLOCK and codec is None)
            for start, end, fields in zip(
                found.starts.tolist(), found.ends.tolist(), found.fields.tolist(), strict=True
            ):
                if fields == MALFORMED:
                    raise IntegrityError(
                        f"{file.uri}: its first line is no header: a quote in it is not closed, or it has a carriage "
                        "return within; see quote, delimiter and header in the mapping"
                    )
                if fields:
                    return names_in(data[start:end], file.uri, dialect)
        found = separate(data, dialect, final=True)
        for start, end, fields in zip(found.starts.tolist(), found.ends.tolist(), found.fields.tolist(), strict=True):
            if fields > 0:
                return names_in(data[start:end], file.uri, dialect)
        return ()
