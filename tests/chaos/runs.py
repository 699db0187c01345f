"""The chaos itself: faults at random moments, by a seed, while jobs train; then the verdict."""

import os
import random
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from engine import JobSpec
from tests.chaos.load import specs, upload
from tests.chaos.mutants import cut_the_power
from tests.chaos.verdict import Verdict, all_events, judge, recoveries, superfluous, twin_of
from tests.chaos.workers import Worker
from worker.backend import open_backend
from worker.domain.principals import LOCAL
from worker.domain.work_items import Status
from worker.errors import IllegalMove
from worker.queue.broker import open_broker
from worker.queue.redis_server import PROGRAMS
from worker.settings import Settings

Say = Callable[[str], None]
LEASE = 2.0
DRAIN_SECONDS = 240.0
TWIN_SECONDS = 600.0
TAKEOVER_SECONDS = 30.0  # for a job whose worker is frozen to be swept, claimed and resumed


@dataclass(frozen=True)
class Plan:
    """What is to happen; a run is told by its seed."""

    seed: int = 0
    kills: int = 20
    freezes: int = 0  # past the lease, of workers that are then let go on
    wipes: int = 0  # of Redis, killed and restarted empty
    cancels: int = 0  # that race the job's end
    length: float = 0.3  # of the jobs
    kinds: tuple[str, ...] = ()  # of jobs; all by default
    at_once: int = 4  # jobs that are live at least
    saved: bool = False  # kills hit jobs that have a checkpoint
    mutant: str = "none"
    database_url: str | None = None
    drain_seconds: float = DRAIN_SECONDS


LONG = {"length": 1.0, "kinds": ("few long epochs",)}
AGAINST: dict[str, dict[str, Any]] = {
    # one job at a time: the other worker is free to take it over, and it lasts until the first one writes again
    "fence_off": {"kills": 0, "freezes": 3, "at_once": 1, **LONG, "length": 4.0},
    "position_lost": {"kills": 12, "at_once": 2, **LONG},  # hit in the middle of an epoch
    "sweeper_off": {"kills": 4},
    "sync_late": {"kills": 25, **LONG},  # an eighth of the kills are power cuts
}
"""Faults that meet the thing that is wrong with a worker."""


def plan_against(mutant: str, seed: int) -> Plan:
    """A shortened run, in which this mutant must be noticed."""
    return Plan(seed, mutant=mutant, drain_seconds=20.0, **AGAINST[mutant])


class Chaos:
    """Two workers, a backend, and the faults."""

    def __init__(self, plan: Plan, data_dir: Path, say: Say, exits: ExitStack) -> None:
        self.plan, self.say = plan, say
        self.random = random.Random(plan.seed)  # noqa: S311 - it has to be repeatable
        chosen: dict[str, Any] = {
            "data_dir": data_dir,
            "lease_seconds": LEASE,
            "heartbeat_seconds": 0.5,
            "sweep_seconds": 0.3,
            "republish_seconds": 1.0,
            "checkpoint_seconds": 0.01 if plan.saved else 0.3,
            "max_attempts": 1000,  # in a row, without a checkpoint: kills come faster here than workers start
            "max_data_bytes": 300_000,
        }
        if plan.database_url is not None:
            chosen["database_url"] = plan.database_url
        self.settings = Settings.model_validate(chosen)
        broker = exits.enter_context(open_broker(self.settings))
        idle = {"sweep_seconds": 1e6} if plan.mutant == "sweeper_off" else {}  # the API sweeps, too
        self.opened = exits.enter_context(open_backend(self.settings.model_copy(update=idle), broker))
        self.backend = self.opened.on_behalf_of(LOCAL)
        upload(self.backend)
        cores = sorted(os.sched_getaffinity(0))
        logs = data_dir / "logs"
        logs.mkdir()
        self.workers = [
            Worker(self.settings, cores[n % len(cores)], logs / f"worker-{n}.log", plan.mutant) for n in range(2)
        ]
        exits.callback(self.stop)
        self.verdict = Verdict()
        self.struck: list[tuple[str, float]] = []  # jobs whose worker was killed, and when

    def stop(self) -> None:
        for worker in self.workers:
            if worker.running:
                worker.kill()

    # -- jobs ---------------------------------------------------------------------------------------------------

    def submit(self, spec: JobSpec) -> str:
        return self.backend.jobs.submit(spec).id

    def wait(self, job_ids: list[str], seconds: float) -> bool:
        """Whether all are done in time."""
        deadline = time.monotonic() + seconds
        for job_id in job_ids:
            while not self.backend.jobs.get(job_id).done:
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.05)
        return True

    def twins(self, load: dict[str, JobSpec]) -> dict[str, dict[str, Any]]:
        """What the jobs come to when nothing happens to them."""
        ids = {name: self.submit(spec) for name, spec in load.items()}
        if not self.wait(list(ids.values()), TWIN_SECONDS):
            raise TimeoutError(f"the undisturbed jobs are not done after {TWIN_SECONDS:g} s")
        for name, job_id in ids.items():
            job = self.backend.jobs.get(job_id)
            if job.state is not Status.SUCCEEDED or job.attempt != 1:
                raise RuntimeError(
                    f"the undisturbed job {name!r} is {job.state} after {job.attempt} attempts: {job.error}"
                )
        return {name: twin_of(self.backend, self.backend.jobs.get(job_id)) for name, job_id in ids.items()}

    # -- faults -------------------------------------------------------------------------------------------------

    def pause(self, least: float, most: float) -> None:
        time.sleep(self.random.uniform(least, most))

    def training(self) -> dict[int, str]:
        """Processes that train now, and their jobs."""
        return {seen.pid: seen.job_id for seen in self.backend.fleet.workers() if seen.job_id is not None}

    def victim(self) -> tuple[Worker, str] | None:
        """A worker that trains, and its job."""
        training = self.training()
        busy = [(worker, training[pid]) for worker in self.workers if (pid := worker.child()) in training and pid]
        if self.plan.saved:
            busy = [(worker, job_id) for worker, job_id in busy if self.backend.jobs.checkpoints(job_id)]
        return self.random.choice(busy) if busy else None

    def strike(self) -> str:
        """Kill a worker that trains, or the process in it that does; what was hit."""
        if (victim := self.victim()) is None:
            return ""
        hit = self._kill(victim[0])
        if hit:
            self.struck.append((victim[1], time.time()))
        return hit

    def strike_blindly(self) -> str:
        """The same to any worker: it may be idle, or about to start."""
        return self._kill(self.random.choice(self.workers)) and "anybody"

    def _kill(self, worker: Worker) -> str:
        if self.random.random() < 0.75:
            return "a child that trains" if worker.kill_child() else ""
        worker.kill()
        if self.random.random() < 0.5:
            cut_the_power(self.settings.data_dir)
        worker.start()
        return "a worker that trains"

    def freeze(self) -> str:
        """Stop a worker and all that it does until another has gone on with its job, then let it go on."""
        if (victim := self.victim()) is None:
            return ""
        worker, job_id = victim
        attempt = self.backend.jobs.get(job_id).attempt
        pids = list(worker.pids())
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        taken_over = self._wait_until_taken_over(job_id, attempt)
        for pid in pids:
            if psutil.pid_exists(pid):
                os.kill(pid, signal.SIGCONT)
        return "frozen until taken over" if taken_over else ""

    def _wait_until_taken_over(self, job_id: str, attempt: int) -> bool:
        """Whether a later attempt than this has resumed the job; not for ever, for every worker may be busy or dead."""
        deadline = time.monotonic() + TAKEOVER_SECONDS
        while time.monotonic() < deadline:
            job = self.backend.jobs.get(job_id)
            if job.done:
                return False
            if job.attempt > attempt and job.state is Status.RUNNING and self._resumed(job_id, job.attempt):
                return True
            time.sleep(0.05)
        return False

    def _resumed(self, job_id: str, attempt: int) -> bool:
        return any(event.type == "resumed" and event.attempt == attempt for event in all_events(self.backend, job_id))

    def wipe(self) -> str:
        """Kill Redis; its supervisor starts it again, empty."""
        servers = [one for one in psutil.Process().children(recursive=True) if one.name() in PROGRAMS]
        for server in servers:
            server.kill()
        return "redis" if servers else ""


@contextmanager
def chaos(plan: Plan, data_dir: Path, say: Say) -> Iterator[Chaos]:
    """Everything is stopped at the end."""
    with ExitStack() as exits:
        yield Chaos(plan, data_dir, say, exits)


def random_faults(run: Chaos) -> Verdict:
    """Kill, freeze and wipe while the mixed load trains; all that was submitted must end as if nothing had happened."""
    plan = run.plan
    load = {name: spec for name, spec in specs(plan.seed, plan.length).items() if name in plan.kinds or not plan.kinds}
    began = time.monotonic()
    twins = run.twins(load)
    run.say(f"undisturbed: {len(twins)} jobs in {time.monotonic() - began:.0f} s")
    blind = plan.kills // 20
    faults = (
        [run.strike] * (plan.kills - blind)
        + [run.strike_blindly] * blind
        + [run.freeze] * plan.freezes
        + [run.wipe] * plan.wipes
    )
    run.random.shuffle(faults)
    jobs: dict[str, str] = {}
    began, done = time.monotonic(), 0
    while faults:
        live = [job_id for job_id in jobs if not run.backend.jobs.get(job_id).done]
        if len(live) < plan.at_once:
            for name in run.random.sample(sorted(load), len(load)):
                jobs[run.submit(load[name])] = name
        run.pause(0.05, 1.0)
        hit = faults[-1]()
        if not hit:
            continue  # there was nobody to hit
        faults.pop()
        run.verdict.figures[f"hit: {hit}"] += 1
        done += 1
        if done % 20 == 0:
            states = [run.backend.jobs.get(job_id).done for job_id in jobs]
            run.say(f"{done} faults in {time.monotonic() - began:.0f} s; {sum(states)} of {len(jobs)} jobs done")
    struck = time.monotonic()
    run.wait(list(jobs), plan.drain_seconds)
    run.say(f"all quiet {time.monotonic() - struck:.0f} s after the last fault")
    for job_id, name in jobs.items():
        judge(run.verdict, run.backend, job_id, twins[name])
    superfluous(run.verdict, run.opened, run.settings)
    if waited := recoveries(run.backend, run.struck):
        run.say(
            f"a job whose worker was killed went on after {statistics.median(waited):.1f} s (median), "
            f"{max(waited):.1f} s at most; its lease lasts {LEASE:g} s"
        )
    return run.verdict


def cancels_racing_the_end(run: Chaos) -> Verdict:
    """Cancel small jobs at about the moment when they end: one of the two, never both, and what was answered holds."""
    spec = specs(run.plan.seed, 0.1)["scheduled"]
    left = run.plan.cancels
    told: dict[str, bool] = {}
    run.wait([run.submit(spec) for _ in range(2 * len(run.workers))], 120)  # workers that start are slower than any job
    while left:
        first = run.submit(spec)
        since = time.monotonic()
        run.wait([first], 60)
        usual = time.monotonic() - since
        for _ in range(min(left, 20)):
            job_id = run.submit(spec)
            time.sleep(run.random.uniform(0.5, 1.15) * usual)
            try:
                run.backend.jobs.cancel(job_id)
                told[job_id] = True
            except IllegalMove:
                told[job_id] = False
            run.wait([job_id], 60)
            left -= 1
        run.say(f"{len(told)} cancels")
    for job_id, cancelled in told.items():
        judge(run.verdict, run.backend, job_id, None)
        state = run.backend.jobs.get(job_id).state
        wanted = Status.CANCELLED if cancelled else Status.SUCCEEDED
        run.verdict.expect(
            state is wanted, f"{job_id}: the cancel was {'taken' if cancelled else 'refused'}, it is {state}"
        )
    return run.verdict
