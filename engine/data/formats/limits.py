"""How much a file may hold before it is refused, so that reading a hostile one takes bounded memory."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ReadLimits:
    """Checked before memory is taken."""

    max_rows: int = 10_000_000  # of one table
    max_features: int = 65_536  # columns, or values in one row of an array
    max_expanded_bytes: int = 1 << 30  # of all arrays read from one file
    max_members: int = 16  # of an archive
    max_ratio: int = 200  # expanded to compressed size of a member
    max_line: int = 1 << 22  # characters in a line of text
