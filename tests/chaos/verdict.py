"""What must be true of every job after the chaos, whatever happened to its workers."""

from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from engine import load
from worker.backend import Backend
from worker.domain.jobs import Job
from worker.domain.principals import LOCAL
from worker.domain.work_items import Status
from worker.errors import ArtifactDamaged, NoModel
from worker.maintenance.orphans import sweep_orphans
from worker.settings import Settings
from worker.storage.artifacts import Artifacts
from worker.store import open_store
from worker.workspace import Workspace

TERMINAL = {"succeeded", "failed", "cancelled"}


@dataclass
class Verdict:
    """Figures, and every complaint there is."""

    figures: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)

    def expect(self, condition: bool, complaint: str) -> None:
        """Note the complaint unless the condition holds."""
        if not condition:
            self.complaints.append(complaint)


def twin_of(backend: Workspace, job: Job) -> dict[str, Any]:
    """All that two jobs of one spec must have in common, to the last bit."""
    return {
        "result": job.result,
        "warnings": job.warnings,
        "rows": [
            {k: v for k, v in row.items() if k not in ("seconds", "at")} for row in backend.jobs.metric_rows(job.id)
        ],
        "layers": [(one.epoch, one.layers) for one in all_layers(backend, job.id)],
        "checks": [check.report for check in backend.jobs.gradient_checks(job.id).data],
    }


def all_layers(backend: Workspace, job_id: str) -> list[Any]:
    found, page = [], backend.jobs.layers(job_id, limit=1000)
    while True:
        found += page.data
        if not page.has_more:
            return found
        page = backend.jobs.layers(job_id, after=found[-1].epoch, limit=1000)


def all_events(backend: Workspace, job_id: str) -> list[Any]:
    found, page = [], backend.jobs.events(job_id, limit=1000)
    while True:
        found += page.data
        if not page.has_more:
            return found
        page = backend.jobs.events(job_id, after=found[-1].seq, limit=1000)


def recoveries(backend: Workspace, struck: list[tuple[str, float]]) -> list[float]:
    """Seconds from the loss of a job's worker until another one trained it."""
    waited = []
    for job_id, at in struck:
        begun = [event.at.timestamp() for event in all_events(backend, job_id) if event.data.get("to") == "running"]
        waited += [min(time for time in begun if time > at) - at] if any(time > at for time in begun) else []
    return waited


def judge(verdict: Verdict, backend: Workspace, job_id: str, twin: dict[str, Any] | None) -> None:
    """One job: an end, only one, the twin's result, a model that is whole, and a story without gaps."""
    job = backend.jobs.get(job_id)
    verdict.figures["jobs"] += 1
    verdict.figures[str(job.state)] += 1
    verdict.figures["attempts"] += job.attempt
    verdict.expect(job.done, f"{job_id} is still {job.state}")
    events = all_events(backend, job_id)
    verdict.expect([e.seq for e in events] == list(range(1, len(events) + 1)), f"{job_id}: the events have gaps")
    moves = [(event.data["from"], event.data["to"]) for event in events if event.type == "state"]
    verdict.expect(
        all(before[1] == after[0] for before, after in pairwise(moves)),
        f"{job_id} did not move from state to state: {moves}",
    )
    ends = [to for _, to in moves if to in TERMINAL]
    verdict.expect(len(ends) == int(job.done), f"{job_id} ended {len(ends)} times: {ends}")
    for event in events:
        verdict.figures[event.type] += event.type in (
            "resumed",
            "checkpoint",
            "checkpoint_damaged",
            "resumed_elsewhere",
        )
    resumed = [event.data["step"] for event in events if event.type == "resumed"]
    verdict.figures["resumed in the middle"] += sum(step > 0 for step in resumed)
    verdict.expect(
        not any(event.type == "checkpoint_damaged" for event in events),
        f"{job_id}: a registered checkpoint was damaged",
    )
    if job.state is Status.SUCCEEDED:
        verdict.expect(_is_whole(backend, job_id), f"{job_id}: the model is not the one that was stored")
        if twin is not None:
            found = twin_of(backend, job)
            differing = [name for name in twin if twin[name] != found[name]]
            verdict.expect(not differing, f"{job_id} differs from its undisturbed twin in {', '.join(differing)}")
            verdict.figures["equal to their twin"] += not differing
    else:
        try:
            backend.jobs.model(job_id)
            verdict.complaints.append(f"{job_id} is {job.state} and has a model")
        except NoModel:
            pass
        verdict.expect(twin is None or not job.done, f"{job_id} {job.state}: {job.error}")


def _is_whole(backend: Workspace, job_id: str) -> bool:
    """Whether the job's model can be read, and is the one that was stored."""
    model = backend.jobs.model(job_id)
    try:
        path = backend.jobs.model_path(job_id)
    except ArtifactDamaged:
        return False
    return load(path).weights_sha256 == model.weights_sha256


def superfluous(verdict: Verdict, opened: Backend, settings: Settings) -> None:
    """Files that no row names: a lost attempt may leave its last ones, which are swept, and a job in peace none."""
    backend = opened.on_behalf_of(LOCAL)
    data_dir = settings.data_dir
    with closing(open_store(settings)) as store:
        orphans = sweep_orphans(store, Artifacts(data_dir), stale_seconds=0)
    verdict.figures["files that a kill left without a row, swept"] += len(orphans)
    for job_id, left in Counter(Path(orphan).parts[1] for orphan in orphans).items():
        lost = max(0, backend.jobs.get(job_id).attempt - 1)
        verdict.expect(left <= 2 * lost, f"{job_id} had left {left} files without a row, with {lost} attempts lost")
    for folder in (data_dir / "checkpoints").glob("*"):
        named = {Path(one.file).name for one in backend.jobs.checkpoints(folder.name)}
        extra = {path.name for path in folder.glob("*")} - named
        verdict.expect(not extra, f"{folder.name} has left {', '.join(sorted(extra))}")
        verdict.expect(not named - {p.name for p in folder.glob("*")}, f"{folder.name} lacks files that rows name")
