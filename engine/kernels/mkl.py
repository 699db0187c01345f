"""Intel's matrix products, for those who have installed them: the extra `mkl`.

On Intel's processors they are quicker than OpenBLAS's. They are asked to be sequential, since the threads that call
them have divided the work already, and to give the same bits wherever in memory the matrices are, which is what oneMKL
calls Conditional Numerical Reproducibility (Developer Guide, "Obtaining Numerically Reproducible Results").
"""

import ctypes
import re
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

SEQUENTIAL, THIS_PROCESSORS_OWN = 1, 2  # MKL_THREADING_SEQUENTIAL and MKL_CBWR_AUTO of mkl_types.h and mkl_service.h
UNDERSTOOD = 0  # MKL_CBWR_SUCCESS
VERSION_LENGTH = 198  # characters that MKL_Get_Version_String fills at most


class Mkl:
    """The library at this path, made ready; OSError if it cannot be loaded or cannot promise the same bits twice.

    `name` tells what two of them may differ in: the version, and the kind of processor that it computes for.
    """

    def __init__(self, path: Path) -> None:
        library = ctypes.CDLL(str(path))
        library.MKL_Set_Threading_Layer(SEQUENTIAL)
        answer = library.MKL_CBWR_Set(THIS_PROCESSORS_OWN)
        if answer != UNDERSTOOD:
            raise OSError(f"{path} cannot be asked for reproducible products: MKL_CBWR_Set answers {answer}")
        said = ctypes.create_string_buffer(VERSION_LENGTH)
        library.MKL_Get_Version_String(said, VERSION_LENGTH)
        version = re.search(r"Version (\S+)-", said.value.decode(errors="replace"))
        self._library = library
        self.name = f"MKL {version[1] if version else ''}, branch {library.MKL_CBWR_Get_Auto_Branch()}"

    def product(self, letter: str) -> Any:
        """cblas_?gemm with 64-bit sizes."""
        return getattr(self._library, f"cblas_{letter}gemm_64")


def installed() -> Path | None:
    """Where the package `mkl` has put the library that stands for all the others."""
    try:
        paths = files("mkl") or []
    except PackageNotFoundError:
        return None
    return next((Path(str(path.locate())) for path in paths if re.match(r"(lib)?mkl_rt\.", path.name)), None)
