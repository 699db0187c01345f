"""A member of a zip archive, and whether it can be read at all: not encrypted, by a known method, not a bomb."""

import zipfile

from engine.errors import DataError


def check_member(entry: zipfile.ZipInfo, name: str, *, small: int, max_ratio: int, open_it: str, store_it: str) -> None:
    """DataError for what cannot be read, or stands for more than `max_ratio` times what it takes, small ones apart.

    `name` is what it is called in a message, `open_it` what to do about a password, `store_it` about its size.
    """
    if entry.flag_bits & 1:
        raise DataError(f"{name} is encrypted; {open_it}")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(f"{name} is packed by method {entry.compress_type}; only stored and deflated are read")
    if entry.file_size > max(small, max_ratio * entry.compress_size):
        raise DataError(
            f"{name} expands from {entry.compress_size} to {entry.file_size} bytes, more than {max_ratio} times; "
            f"{store_it}"
        )
