"""The folder of all data: made and tried out before anything is started in it."""

import tempfile
from pathlib import Path

from worker.settings_sources import PREFIX, InvalidSettings

HINT = f"{PREFIX}DATA_DIR must name a folder that can be written to"


def make_data_dir(folder: Path) -> None:
    """Make the folder if it is not there; raises InvalidSettings where it cannot be made, or written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise InvalidSettings([f"the folder {folder.absolute()} cannot be made ({error.strerror}); {HINT}"]) from error
    if (reason := why_not_writable(folder)) is not None:
        raise InvalidSettings([f"the folder {folder.absolute()} cannot be written to ({reason}); {HINT}"])


def why_not_writable(folder: Path) -> str | None:
    """What the system says when a file is made there; None when it says nothing. No file is left."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error.strerror
