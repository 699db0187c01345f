"""The hyper-parameters of a job while it lives: what they are, how they came to be, and their next change."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from engine import JobSpec, SpecError
from engine.hyperparameters import changeable, changes
from worker.domain.jobs import Job, Revision
from worker.jobs.submission import Submission
from worker.store import NewRevision, TenantStore


@dataclass(frozen=True)
class Hyperparameters:
    """The spec that is, or soon will be, in force, and every change so far; `revision` 0 is as it was submitted."""

    job: Job
    revision: int
    spec: Mapping[str, JsonValue]
    revisions: tuple[Revision, ...]

    @property
    def values(self) -> Mapping[str, JsonValue]:
        """Every field that may change while the job trains, by JSON pointer into the spec."""
        return changeable(JobSpec.model_validate(self.spec))


class Steering:
    """Changes of hyper-parameters, checked before they are stored."""

    def __init__(self, store: TenantStore, submission: Submission) -> None:
        self._store = store
        self._submission = submission

    def hyperparameters(self, job: Job) -> Hyperparameters:
        """What the newest revision that is not undone has made of the job's spec."""
        revisions = self._store.revisions.page(job.id)
        number = max((revision.number for revision in revisions if revision.undone_at is None), default=0)
        spec = next((revision.spec for revision in revisions if revision.number == number), job.spec)
        return Hyperparameters(job, number, spec, revisions)

    def revise(
        self,
        known: Hyperparameters,
        spec: JobSpec,
        patch: Mapping[str, JsonValue],
        *,
        note: str | None,
        who: str | None,
    ) -> Hyperparameters:
        """Store what turns `known` into `spec` as the next revision; nothing, where nothing differs.

        Raises SpecError with the pointer of a field that cannot change, RevisionChanged where somebody else was
        faster, IllegalMove for a job that is done.
        """
        differ = changes(JobSpec.model_validate(known.spec), spec)
        if not differ:
            return known
        job = known.job
        if spec.training.epochs < job.epoch:
            raise SpecError(
                "/training/epochs", f"{spec.training.epochs} epochs are fewer than the {job.epoch} finished"
            )
        self._submission.check(spec, self._store.jobs.inputs(job.id)["dataset"])
        change = NewRevision(
            patch=patch,
            before={pointer: _json(values[0]) for pointer, values in differ.items()},
            after={pointer: _json(values[1]) for pointer, values in differ.items()},
            spec=spec.model_dump(mode="json"),
            note=note,
            who=who,
        )
        self._store.revisions.add(job.id, change, after=known.revision)
        return self.hyperparameters(self._store.jobs.get(job.id))


def merged(document: JsonValue, patch: JsonValue) -> JsonValue:
    """RFC 7396: objects are merged member by member, null removes, anything else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(document) if isinstance(document, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def _json(value: object) -> JsonValue:
    """The engine's values are JSON's already."""
    return value  # type: ignore[return-value]
