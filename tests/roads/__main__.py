"""`python -m tests.roads`: draws tables and rows, and has every road of a service answer them.

Without an address a stack of this checkout is started. What shows a finding is written as files and a script of curls.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.roads import array_trial
from tests.roads.column import KINDS
from tests.roads.finding import Finding
from tests.roads.server import Server
from tests.roads.trials import trials
from tests.until import CEILING
from trainshed.stack import Stack

AT_ONCE = 2  # models


@contextmanager
def service(url: str | None) -> Iterator[str]:
    """The address of a running service."""
    if url is not None:
        yield url
        return
    with Stack(ready_seconds=CEILING) as stack:
        yield stack.url


def findings(
    url: str, seeds: Sequence[int], draws: int, folder: Path, kinds: Sequence[str]
) -> list[tuple[int, Finding]]:
    """What is found with the models of these seeds, each printed as soon as it is."""
    found = []
    with Server.at(url) as server:
        for trial in trials(server, seeds, folder, kinds):
            for finding in trial.run(draws):
                found.append((trial.seed, finding))
                print(f"model {trial.seed}: {finding}", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="of a running service")
    parser.add_argument("--draws", type=int, default=300, help="of rows")
    parser.add_argument("--per-model", type=int, default=50, help="draws of rows")
    parser.add_argument("--seed", type=int, default=0, help="of the first model")
    parser.add_argument("--kind", action="append", choices=(*KINDS, *array_trial.KINDS), default=[], help="of a column")
    parser.add_argument("--folder", type=Path, help="for what shows a finding")
    asked = parser.parse_args()
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="roads-"))
    seeds = range(asked.seed, asked.seed + -(-asked.draws // asked.per_model))
    with service(asked.url) as url, ThreadPoolExecutor(AT_ONCE) as pool:
        parts = [
            pool.submit(findings, url, seeds[at::AT_ONCE], asked.per_model, folder, asked.kind) for at in range(AT_ONCE)
        ]
        found = [one for part in parts for one in part.result()]
    counted = Counter(f"{finding.road} [{finding.kinds}]" for _, finding in found)
    print(f"{len(seeds) * asked.per_model} draws, {len(seeds)} models, {len(counted)} kinds of findings; {folder}")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
