"""The protocol's datatypes and the arrays that they are: one table, and BYTES beside it."""

import struct

import numpy as np
from numpy.typing import NDArray

from service.inference.refusal import refused

DTYPES = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype("<u1"), "UINT16": np.dtype("<u2"), "UINT32": np.dtype("<u4"), "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("<i1"), "INT16": np.dtype("<i2"), "INT32": np.dtype("<i4"), "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"), "FP32": np.dtype("<f4"), "FP64": np.dtype("<f8"),
}  # fmt: skip
BYTES = "BYTES"
NAMES = {dtype: name for name, dtype in DTYPES.items()}
ALLOWED = (*DTYPES, BYTES)

Values = NDArray[np.generic]


def name_of(array: Values) -> str:
    """The datatype of an array; text is BYTES."""
    return BYTES if array.dtype.kind in "OU" else NAMES[array.dtype.newbyteorder("<")]


def packed(array: Values) -> bytes:
    """The array as the binary extension has it: little-endian in C order, every text behind its length."""
    if name_of(array) != BYTES:
        return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
    texts = [str(text).encode() for text in array.reshape(-1)]
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def unpacked(data: memoryview, datatype: str, count: int, pointer: str) -> Values:
    """So many values of the binary extension. Refused where they do not add up.

    BYTES are str objects where they are UTF-8, and bytes where they are not, as a picture's.
    """
    if datatype != BYTES:
        dtype = DTYPES[datatype]
        if len(data) != count * dtype.itemsize:
            raise refused(
                pointer, f"holds {len(data)} bytes; {count} values of {datatype} take {count * dtype.itemsize}"
            )
        return np.frombuffer(data, np.uint8) != 0 if datatype == "BOOL" else np.frombuffer(data, dtype)
    texts: list[str | bytes] = []
    start = 0
    while start < len(data):
        end = start + 4 + (struct.unpack_from("<I", data, start)[0] if start + 4 <= len(data) else len(data))
        if end > len(data):
            raise refused(pointer, f"ends within text {len(texts)}; every text stands behind its length in four bytes")
        try:
            texts.append(str(data[start + 4 : end], "utf-8"))
        except UnicodeDecodeError:
            texts.append(bytes(data[start + 4 : end]))
        start = end
    if len(texts) != count:
        raise refused(pointer, f"holds {len(texts)} texts; its shape says {count}")
    found = np.empty(count, object)
    found[:] = texts
    return found
