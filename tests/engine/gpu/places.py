"""Where the tests of this folder run: on the formulas that stand in for a GPU, and on a GPU where there is one."""

from collections.abc import Callable

import pytest

from engine.devices import gpu
from engine.gpu.device import Device, Processor

Make = Callable[[], Device]

everywhere = pytest.mark.parametrize(
    "make", [pytest.param(Processor, id="formulas"), pytest.param(gpu, id="gpu", marks=pytest.mark.gpu)]
)
