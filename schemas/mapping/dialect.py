"""How a file of separated values is written (RFC 4180, and what is met beside it)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dialect:
    """``quote`` is empty where the file has none: then a quotation mark is a character as any other.

    ``encoding`` is the name of one of Python's codecs. ``header`` are the names of the columns of a file that does not
    name them in its first line. ``delimiter`` and ``quote`` are one ASCII character each.
    """

    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    header: tuple[str, ...] | None = None

    @property
    def plain(self) -> bool:
        """True when the delimiter, the quote and line ends are the bytes of ASCII wherever those bytes stand.

        So it is in UTF-8 and in every character set with one byte for each character whose lower half is ASCII.
        """
        if self.encoding in ("utf-8", "ascii"):
            return True
        lower = bytes(range(128))
        try:
            if lower.decode(self.encoding) != lower.decode("ascii"):
                return False
        except UnicodeDecodeError:
            return False
        # The first byte of a character of two would take the letter behind it along.
        pairs = (bytes([byte, ord("A")]).decode(self.encoding, "replace") for byte in range(128, 256))
        return all(len(pair) == 2 and pair[1] == "A" for pair in pairs)
