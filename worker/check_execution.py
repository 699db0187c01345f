"""Making a claimed gradient check: the job's data and parameters, the engine's differences, one report."""

import time
from collections.abc import Callable, Mapping
from functools import partial

import structlog
from pydantic import JsonValue, ValidationError

from engine import (
    Diverged,
    EngineError,
    GradientCheckSpec,
    JobSpec,
    Network,
    check_gradients,
    examples_of,
    initial_parameters,
    load,
    prepare,
)
from engine.parameters import Parameters
from worker.artifacts import Artifacts
from worker.bulletin import Bulletin
from worker.datasets import DatasetLibrary
from worker.errors import LeaseLost, StorageFull, StoreUnavailable, WorkerError
from worker.execution import RETRY_SECONDS, Drained, plain
from worker.gradient_checks import CheckClaim, refuse_unless_kept
from worker.inputs import refuse_if_gone
from worker.jobs import Failure
from worker.lease import Lease
from worker.parameter_sets import ParameterLibrary
from worker.settings import Settings
from worker.store import Store

Report = Mapping[str, JsonValue]


class CheckExecution:
    """One attempt at one gradient check."""

    def __init__(
        self,
        claim: CheckClaim,
        settings: Settings,
        store: Store,
        artifacts: Artifacts,
        bulletin: Bulletin,
        *,
        draining: Callable[[], bool],
    ) -> None:
        self._claim = claim
        self._settings = settings
        self._store = store
        self._artifacts = artifacts
        self._datasets = DatasetLibrary(store, artifacts, settings)
        self._parameters = ParameterLibrary(store, artifacts, settings)
        self._bulletin = bulletin
        self._draining = draining
        self._deadline = time.monotonic() + settings.max_runtime_seconds
        self._log = structlog.get_logger("check").bind(job_id=claim.job_id, check=claim.number, attempt=claim.attempt)

    def run(self) -> None:
        """Bring the check to an end that the store knows of, or lose it to another attempt."""
        self._log.info("check_claimed", worker=self._claim.worker)
        self._bulletin.announce(self._claim.job_id)
        try:
            renew = partial(self._store.gradient_checks.renew, self._claim)
            with Lease(self._claim, renew, self._settings) as lease:
                self._close(lease, self._outcome(lease))
        except LeaseLost:
            self._log.warning("lease_lost")
        self._bulletin.announce(self._claim.job_id)

    def _outcome(self, lease: Lease) -> Report | Failure | Drained:
        try:
            return self._check(lease)
        except Drained as wish:
            return wish
        except LeaseLost:
            raise
        except (StoreUnavailable, StorageFull) as error:
            self._log.warning("store_unavailable", error=str(error))
            raise LeaseLost(self._claim.job_id, self._claim.attempt) from error
        except Diverged as error:
            return Failure(error.code, "the cost at these parameters is NaN or infinite: there is nothing to compare")
        except (EngineError, WorkerError) as error:
            return Failure(error.code, str(error))
        except TimeoutError as error:
            return Failure("timeout", str(error), hint="check fewer components: lower sample")
        except MemoryError:
            return Failure("out_of_memory", "the worker does not have the memory that this check needs")
        except ValidationError as error:
            message = f"this version does not understand what was stored: {error.errors()[0]['msg']}"
            return Failure("invalid_spec", message)
        except Exception:  # the task's boundary: one check's surprise must not be met five times over
            self._log.exception("check_crashed")
            return Failure("internal_error", "the check ended unexpectedly; the worker's log says more")

    def _check(self, lease: Lease) -> Report:
        wanted = GradientCheckSpec.model_validate(self._claim.check.requested)
        job = self._store.jobs.get(self._claim.job_id)
        refuse_unless_kept(job, wanted.at)
        refuse_if_gone(self._store, job.id)
        spec = JobSpec.model_validate(job.spec)
        inputs = self._store.jobs.inputs(job.id)
        datasets = {reference: self._datasets.load(ident) for reference, ident in inputs["dataset"].items()}
        memory = self._settings.max_data_bytes
        data = prepare(spec.data, datasets, loss=spec.loss.type, dtype=spec.precision, memory_bytes=memory)
        self._heed(lease)
        network = Network.of(spec, data.preprocessor)
        report = check_gradients(
            network,
            self._initial(network, spec, inputs["parameters"]) if wanted.at == "start" else self._trained(),
            examples_of("train", network, data, spec.precision),
            **vars(wanted),
            breathe=partial(self._heed, lease),
        )
        return plain(report.model_dump(mode="json"))

    def _initial(self, network: Network, spec: JobSpec, given: Mapping[str, str]) -> Parameters:
        """Drawn once more, by the same seed; or the uploaded set that the job began with."""
        uploaded = next((self._parameters.load(ident) for ident in given.values()), None)
        return initial_parameters(network, spec, uploaded)

    def _trained(self) -> Parameters:
        saved = self._store.measurements.model(self._claim.job_id)
        return load(self._artifacts.verified(saved.file, saved.sha256)).parameters

    def _heed(self, lease: Lease) -> None:
        lease.check()
        if self._draining():
            raise Drained
        if time.monotonic() > self._deadline:
            seconds = self._settings.max_runtime_seconds
            raise TimeoutError(f"the check has run for longer than the {seconds:g} s allowed")

    def _close(self, lease: Lease, outcome: Report | Failure | Drained) -> None:
        """Store the outcome, as often as it takes while the lease holds."""
        while True:
            lease.check()
            try:
                self._finish(outcome)
                return
            except (StoreUnavailable, StorageFull) as error:
                self._log.warning("outcome_not_stored", error=str(error))
                time.sleep(RETRY_SECONDS)

    def _finish(self, outcome: Report | Failure | Drained) -> None:
        checks = self._store.gradient_checks
        match outcome:
            case Failure():
                checks.fail(self._claim, outcome)
                self._log.info("check_ended", state="failed", code=outcome.code)
            case Drained():
                checks.release(self._claim)
                self._log.info("check_released")
            case _:
                checks.succeed(self._claim, outcome)
                self._log.info("check_ended", state="succeeded", verdict=outcome["verdict"])
