"""The engine for notebooks and scripts: `from trainshed.engine import JobSpec, train`. What it gives are engine's own.

A notebook looks into its own folder first, and a folder or file called `engine` there would be taken for ours: it is
looked for where it is installed, and only there.
"""

import sys
from importlib.machinery import PathFinder
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import module_from_spec
from pathlib import Path

NAME = "engine"


def _home() -> Path:
    """The folder that holds the package."""
    try:
        files = distribution("trainshed").files or []
    except PackageNotFoundError:
        raise ImportError(
            "trainshed.engine needs the engine, and only the client is installed here; "
            "`pip install .` in a checkout of trainshed installs both"
        ) from None
    for file in files:
        if file.as_posix() == f"{NAME}/__init__.py":
            return Path(str(file.locate())).parents[1]
    return Path(__file__).parents[1]  # installed as editable, which lists no files: the checkout holds both


def _load() -> None:
    """Have the name mean our package; ImportError where another module has it."""
    spec = PathFinder.find_spec(NAME, [str(_home())])
    if spec is None or spec.loader is None:
        raise ImportError(f"trainshed.engine finds no package {NAME!r} in {_home()}; install trainshed anew")
    loaded = sys.modules.get(NAME)
    if loaded is None:
        module = sys.modules[NAME] = module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[NAME]
            raise
        return
    origin = getattr(loaded, "__file__", None)
    if origin is None or spec.origin is None or Path(origin).resolve() != Path(spec.origin).resolve():
        raise ImportError(
            f"another module called {NAME!r} is in use already, {origin or 'from a folder without __init__.py'}: "
            "rename it, since a process can have only one of that name"
        )


_load()

from engine import *  # noqa: E402, F403
from engine import __all__  # noqa: E402, F401
