"""`python -m engine.warm_up [part …]`: compile what is compiled, so that no job, upload or test has to wait for it.

It takes half a minute on two cores, once for each machine and version; what is there already is only looked at.
"""

import subprocess
import sys
from os import environ, pathsep
from pathlib import Path

PARTS = {
    "float32": "from engine.kernels import warm; warm(['float32'])",
    "float64": "from engine.kernels import warm; warm(['float64'])",
    "data": "import engine.data.augmentation.fused_warp, engine.data.formats.csv.csv_scan, "
    "engine.data.formats.word_search; "
    "from engine.kernels.scaling import warm; warm()",
}
# Looking for cycles takes two of thirty seconds, and what compiles ends soon.
QUICKLY = "import gc; gc.disable(); "


def main(wanted: list[str]) -> int:
    """Compile these parts, or all, each in a process of its own; 1 where one fails."""
    parts = {part: code for part, code in PARTS.items() if not wanted or part in wanted}
    # This engine, installed or not, whatever the current folder holds.
    places = [str(Path(__file__).parents[1]), *filter(None, [environ.get("PYTHONPATH")])]
    environment = environ | {"PYTHONPATH": pathsep.join(places)}
    commands = [[sys.executable, "-P", "-c", QUICKLY + code] for code in parts.values()]
    children = [subprocess.Popen(command, env=environment) for command in commands]  # noqa: S603 - our own
    failed = [part for part, child in zip(parts, children, strict=True) if child.wait()]
    if failed:
        print(f"could not compile {', '.join(failed)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
