"""The type of number that raw values are sent as, to an exported model and to the inference protocol."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from engine.data.encoding.encoders import AnyEncoder, NumberEncoder


def raw_dtype(encoders: Sequence[AnyEncoder], dtype: DTypeLike) -> np.dtype[Any]:
    """What raw numbers are sent as: the network's dtype, float64 where float32 does not tell training values apart."""
    told_apart = all(encoder.single for encoder in encoders if isinstance(encoder, NumberEncoder))
    return np.dtype(dtype) if told_apart else np.dtype(np.float64)
