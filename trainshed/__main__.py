"""`python -m trainshed` is the command `trainshed`."""

import sys
from pathlib import Path

if __name__ == "__main__":  # a process that is started beside this one imports this file, too
    if not sys.flags.safe_path and Path(sys.path[0]) != Path(__file__).parents[1]:
        del sys.path[0]  # the current folder, which may hold a worker.py of somebody else's
    from trainshed.cli import app

    app()
