"""Lines are counted once, though many ranges of a file need to know."""

from __future__ import annotations

import io
import pickle

from schemas.records import Partition
from sources.line_numbers import LineNumbers
from sources.passes import Pass
from sources.source import ReadLimits
from sources.stored import StoredFile

STAMP = (100, 1)


def test_the_nearest_known_line_before_a_place() -> None:
    """The start of the file is always known; another file, or the file changed, is another matter."""
    numbers = LineNumbers()
    assert numbers.nearest("u", STAMP, 50) == (0, 1)
    numbers.learn("u", STAMP, 20, 3)
    numbers.learn("u", STAMP, 40, 9)
    assert [numbers.nearest("u", STAMP, at) for at in (0, 19, 20, 39, 40, 90)] == [
        (0, 1),
        (0, 1),
        (20, 3),
        (20, 3),
        (40, 9),
        (40, 9),
    ]
    assert numbers.nearest("v", STAMP, 90) == numbers.nearest("u", (100, 2), 90) == (0, 1)
    assert pickle.loads(pickle.dumps(numbers)).nearest("u", STAMP, 39) == (20, 3)


def test_what_one_range_has_read_no_other_counts_again() -> None:
    """After the first range the second begins where that one ended, and never reads the file's start."""
    text = b"".join(b"%09d\n" % number for number in range(1000))
    numbers = LineNumbers()
    places: list[int] = []

    class Watched(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            places.append(self.tell())
            return super().read(size)

    for partition in (Partition("u", 0, 5000, 5000), Partition("u", 5000, None, 5000)):
        places.clear()
        run = Pass(StoredFile("u", lambda: Watched(text)), partition, ReadLimits(), numbers, None)
        [(chunk, count)] = run.pieces()
        assert (chunk.line, count) == (1 + partition.start // 10, 500)
    assert min(places) >= 4999
