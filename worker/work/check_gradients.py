"""Making a claimed gradient check: the job's data and parameters, the engine's differences, one report."""

from collections.abc import Callable, Mapping
from functools import partial

from pydantic import JsonValue

from engine import (
    Diverged,
    GradientCheckSpec,
    JobSpec,
    Network,
    check_gradients,
    examples_of,
    initial_parameters,
    load,
)
from engine.parameters import Parameters
from worker.domain.gradient_checks import CheckClaim, refuse_unless_kept
from worker.domain.jobs import Failure
from worker.jobs.inputs import JobInputs, refuse_if_gone
from worker.queue.notifier import Notifier
from worker.settings import Settings
from worker.storage.artifacts import Artifacts
from worker.store import Store
from worker.work.attempt import Attempt
from worker.work.lease import Lease
from worker.work.train import plain

Report = Mapping[str, JsonValue]


class CheckExecution(Attempt[CheckClaim, Report]):
    """One attempt at one gradient check."""

    what = "gradient check"

    def __init__(
        self,
        claim: CheckClaim,
        settings: Settings,
        store: Store,
        artifacts: Artifacts,
        notifier: Notifier,
        *,
        draining: Callable[[], bool],
    ) -> None:
        super().__init__(claim, store.gradient_checks, settings, notifier, draining=draining)
        self._store = store
        self._artifacts = artifacts

    def _make(self, lease: Lease) -> Report:
        wanted = GradientCheckSpec.model_validate(self._claim.check.requested)
        job = self._store.jobs.get(self._claim.job_id)
        refuse_unless_kept(job, wanted.at)
        refuse_if_gone(self._store, job.id)
        spec = JobSpec.model_validate(job.spec)
        inputs = JobInputs(job.id, spec, self._settings, self._store, self._artifacts)
        data = inputs.prepared(inputs.datasets())
        self._heed(lease)
        network = Network.of(spec, data.preprocessor)
        report = check_gradients(
            network,
            initial_parameters(network, spec, inputs.given()) if wanted.at == "start" else self._trained(),
            examples_of("train", network, data, spec.precision),
            **vars(wanted),
            breathe=partial(self._heed, lease),
        )
        return plain(report.model_dump(mode="json"))

    def _trained(self) -> Parameters:
        saved = self._store.measurements.model(self._claim.job_id)
        return load(self._artifacts.verified(saved.file, saved.sha256)).parameters

    def _failure(self, error: Exception) -> Failure | None:
        if isinstance(error, Diverged):
            return Failure(error.code, "the cost at these parameters is NaN or infinite: there is nothing to compare")
        if isinstance(error, TimeoutError):
            return Failure("timeout", str(error), hint="check fewer components: lower sample")
        return None
