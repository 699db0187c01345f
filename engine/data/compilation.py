"""Functions that Numba compiles, and keeps on disk where it finds a folder for them."""

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(signature: Any = None) -> Callable[[Callable[..., Any]], Any]:
    """With a signature a function is compiled where it is defined, else when it first meets arguments of a kind.

    Kept in __pycache__ beside the function's file, in NUMBA_CACHE_DIR or the user's cache; compiled anew by each
    process where none of them can be written. Other threads run while it does.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            return njit(signature, nogil=True, cache=True)(function)
        except RuntimeError as error:
            if "cannot cache" not in str(error):
                raise
            return njit(signature, nogil=True)(function)

    return decorate
