"""Where a run takes its steps: on the CPU, or on a GPU where the spec lets it and there is one."""

import sys
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from engine.errors import DeviceUnavailable, SpecError
from engine.network import Network
from engine.random_streams import RandomStreams
from engine.spec import JobSpec

if TYPE_CHECKING:
    from engine.gpu.device import Device


@dataclass(frozen=True)
class Placement:
    """The device of a run, and why it is not another."""

    device: "Device | None" = None  # None: the CPU
    because: str | None = None  # why it is not the GPU that there may be

    @property
    def name(self) -> str:
        return "cpu" if self.device is None else self.device.name


CPU = Placement()


def placed(network: Network, spec: JobSpec, streams: RandomStreams | None = None) -> Placement:
    """The device that the spec asks for; with `auto` a GPU, if CuPy sees one that can take every part of the job.

    Raises DeviceUnavailable where the spec insists on a GPU and there is none, SpecError where it does and a part of
    the job has no kernel there.
    """
    if spec.device == "cpu" or (spec.device == "auto" and not installed()):
        return CPU
    try:
        device = gpu()
    except DeviceUnavailable as error:
        if spec.device == "gpu":
            raise
        return Placement(because=str(error))
    from engine.gpu.descent import lack  # kernels: loaded by those who need them

    lacking = lack(network, spec, streams or RandomStreams(spec.seed))
    if lacking is None:
        return Placement(device)
    pointer, part = lacking
    message = f"{part} cannot be trained on a GPU"
    if spec.device == "gpu":
        raise SpecError(pointer, f"{message}; choose another, or the device cpu")
    return Placement(because=message)


def installed() -> bool:
    """Whether there is a CuPy to ask for GPUs; it is not loaded for that."""
    return find_spec("cupy") is not None


def gpu() -> "Device":
    """The first GPU that CuPy sees; raises DeviceUnavailable, which says what is missing."""
    if not installed():
        raise DeviceUnavailable('no GPU can be used here: CuPy is not installed; pip install "cupy-cuda12x[ctk]"')
    from engine.gpu.cuda import find_gpu  # which imports CuPy, which only a process that trains on a GPU may

    return find_gpu()


def in_use() -> str:
    """The device of this process's runs: the GPU's name once one has been found, and until then the CPU."""
    cuda = sys.modules.get("engine.gpu.cuda")
    return str(cuda.find_gpu().name) if cuda is not None and cuda.find_gpu.cache_info().currsize else CPU.name
