"""Sealed files: read at any place, and any byte of them altered."""

from __future__ import annotations

import os
import random
from pathlib import Path

import duckdb
import polars as pl
import pytest

from schemas.errors import IntegrityError
from schemas.staged import StagedChunk, StagedUnit
from stores.keys import open_keys
from stores.sealed_blocks import SealedBlocks, seal_blocks
from stores.sealed_files import let_read
from stores.staging import Stage

SECRET, NAME = b"k" * 32, b"a.parquet"
BLOCK = 256 * 1024


def _sealed(path: Path, data: bytes) -> Path:
    path.write_bytes(b"".join(seal_blocks(SECRET, NAME, data)))
    return path


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 7])
def test_content_is_read_at_any_place(tmp_path: Path, size: int) -> None:
    """As a file of the same bytes would be."""
    data = random.Random(size).randbytes(size)
    with SealedBlocks(_sealed(tmp_path / "f", data), SECRET, NAME) as file:
        assert (file.size, file.read()) == (size, data)
        for place in {0, 1, size // 2, max(0, BLOCK - 3), size, size + 5}:
            assert file.seek(place) == place
            assert file.read(10) == data[place : place + 10]
        file.seek(-3, os.SEEK_END)
        assert file.read() == data[-3:] if size > 2 else True


def test_altered_files_are_not_read(tmp_path: Path) -> None:
    """Any class of place: head, nonce, blocks, tags, ends; and blocks cut off, doubled or put in another's place."""
    data = random.Random(1).randbytes(3 * BLOCK - 5)
    whole = _sealed(tmp_path / "f", data).read_bytes()
    step = BLOCK + 16
    blocks = [whole[12 + n * step : 12 + (n + 1) * step] for n in range(3)]
    flipped = [
        bytes(byte ^ (n == place) for n, byte in enumerate(whole))
        for place in (0, 5, 12, len(whole) // 2, 12 + step - 1, len(whole) - 1)
    ]
    rebuilt = [
        b"".join([whole[:12], *parts])
        for parts in ([*blocks[:2]], [blocks[1], blocks[0], blocks[2]], [*blocks, blocks[2]])
    ]
    for wrong in (*flipped, *rebuilt, whole[:-1], whole[:12], b"", whole + b"x"):
        (tmp_path / "f").write_bytes(wrong)
        with (
            pytest.raises(IntegrityError, match="is not what was written"),
            SealedBlocks(tmp_path / "f", SECRET, NAME) as file,
        ):
            file.read()
    (tmp_path / "f").write_bytes(whole)
    for secret, name in ((b"x" * 32, NAME), (SECRET, b"b.parquet")):
        with pytest.raises(IntegrityError), SealedBlocks(tmp_path / "f", secret, name) as file:
            file.read()


def test_duckdb_reads_a_sealed_stage(tmp_path: Path) -> None:
    """On several threads; with no other key, and no byte of it in the clear."""
    keys = open_keys(None, tmp_path / "m", create=True)
    stage, other = (Stage(tmp_path / "m", load, keys, seal=True) for load in ("one", "other"))
    frame = pl.DataFrame({"id": [f"canary-{n * 7919 % 1_000_003}" for n in range(200_000)]})
    unit = StagedUnit()
    unit.take(stage.sign(StagedChunk(tables=stage.write_tables({"t": frame}))))
    (address,) = unit.paths
    assert address.startswith("sealed:///")
    assert b"canary" not in Path(address.removeprefix("sealed://")).read_bytes()
    stage.verify(unit).must_hold()
    with duckdb.connect(config={"threads": 2}) as connection:
        assert stage.data_key is not None
        assert other.data_key is not None
        let_read(connection, stage.data_key)
        found = connection.execute(f"SELECT count(*), min(id) FROM read_parquet(['{address}'])").fetchone()
        assert found == (200_000, frame["id"].min())
        let_read(connection, other.data_key)
        with pytest.raises(duckdb.Error, match="is not what was written"):
            connection.execute(f"SELECT count(DISTINCT id) FROM read_parquet(['{address}'])")
    stage.discard(unit.paths)
    assert not Path(address.removeprefix("sealed://")).exists()
