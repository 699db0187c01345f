"""Whether there is a GPU, asked in a process that ends with the answer: what has loaded CUDA must not fork."""

import subprocess
import sys

from worker.settings import Settings
from worker.settings_sources import PREFIX, InvalidSettings

LOOK = """
import sys
from engine.devices import gpu
from engine.errors import DeviceUnavailable
try:
    print(gpu().name)
except DeviceUnavailable as error:
    sys.exit(' '.join(str(error).split()))
"""


class NoGpu(Exception):
    """No GPU can be used here; the message says what is missing."""


def find_gpu() -> str:
    """The name of the first GPU that CuPy sees; raises NoGpu. It takes as long as CuPy takes to load."""
    looked = subprocess.run(  # noqa: S603 - our own interpreter and our own lines
        [sys.executable, "-P", "-c", LOOK], capture_output=True, text=True, check=False
    )
    if looked.returncode:
        said = looked.stderr.strip().splitlines()
        raise NoGpu(said[-1] if said else f"looking for one ended with exit status {looked.returncode}")
    return looked.stdout.strip()


def require_gpu(settings: Settings) -> None:
    """Raise InvalidSettings where the queues name gpu and no GPU can be used."""
    if "gpu" in settings.queues:
        try:
            find_gpu()
        except NoGpu as error:
            raise InvalidSettings([f"{PREFIX}QUEUES names gpu, but {error}"]) from error
