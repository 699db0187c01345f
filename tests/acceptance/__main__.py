"""`python -m tests.acceptance [name …]`: every published run to its end, with a progress bar; 1 where one fails."""

import sys
from functools import partial

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tests.acceptance.long import mnist, mnist_augmented, signs, small_networks
from tests.acceptance.long.runs import LongRun
from tests.acceptance.published import SHARED_DATA

RUNS: list[LongRun] = [*small_networks.RUNS, *mnist.RUNS, *mnist_augmented.RUNS, *signs.RUNS]


def main(wanted: list[str]) -> int:
    """Run those whose names contain one of the words, or all of them."""
    console = Console()
    if not SHARED_DATA.is_dir():
        console.print(f"There are no published data sets in {SHARED_DATA}; nothing can be compared.")
        return 1
    chosen = [run for run in RUNS if not wanted or any(word.lower() in run.name.lower() for word in wanted)]
    if not chosen:
        console.print(f"No run is called {' or '.join(wanted)}; there are {', '.join(run.name for run in RUNS)}.")
        return 1
    failures = 0
    columns = (TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=console) as progress:
        for run in chosen:
            task = progress.add_task(run.name, total=run.epochs)
            for verdict in run.run(partial(progress.advance, task)):
                failures += not verdict.holds
                word = "[green]holds[/]" if verdict.holds else "[red]fails[/]"
                console.print(f"{word}  {run.name}: {verdict.claim}; here {verdict.measured}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
