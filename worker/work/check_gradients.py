"""Gradient checks: a job's data and parameters, the engine's differences, one report."""

from typing import ClassVar

from pydantic import JsonValue

from engine import (
    Diverged,
    GradientCheckSpec,
    JobSpec,
    Model,
    Network,
    check_gradients,
    examples_of,
    initial_parameters,
    load,
)
from engine.transfer import transfer
from worker.domain.gradient_checks import refuse_unless_kept
from worker.domain.work_items import Failure, Status, WorkItem
from worker.jobs.inputs import JobInputs, refuse_if_gone
from worker.store import CHECK_GRADIENTS
from worker.work.context import Context
from worker.work.json_values import to_json
from worker.work.kind import Kind, Running

Report = dict[str, JsonValue]


class CheckGradients(Kind[Report]):
    """Compares the gradients of a job's network with finite differences; the item's topic is the job."""

    name: ClassVar[str] = CHECK_GRADIENTS
    what: ClassVar[str] = "gradient check"

    def run(self, item: WorkItem, context: Context) -> Running[Report]:
        wanted = GradientCheckSpec.model_validate(item.request)
        job = context.store.jobs.get(item.topic)
        refuse_unless_kept(job, wanted.at)
        refuse_if_gone(context.store, job.id)
        spec = JobSpec.model_validate(job.spec)
        inputs = JobInputs(job.id, spec, context.settings, context.store, context.artifacts)
        model = None if wanted.at == "start" else _trained(item, context)
        source = inputs.source() if model is None else None
        scales = model if model is not None and spec.start_from is not None else source
        data = inputs.prepared(inputs.datasets(), None if scales is None else scales.preprocessor)
        yield None
        context.heed()
        network = Network.of(spec, data.preprocessor)
        parameters = initial_parameters(network, spec, inputs.given()) if model is None else model.parameters
        if source is not None:
            transfer(source, data.preprocessor, parameters)
        report = check_gradients(
            network,
            parameters,
            examples_of("train", network, data, spec.precision),
            **vars(wanted),
            breathe=context.heed,
        )
        return to_json(report.model_dump(mode="json"))

    def complete(self, outcome: Report, context: Context) -> Status:
        return context.store.gradient_checks.succeed(context.claim, outcome)

    def explain(self, error: Exception) -> Failure | None:
        if isinstance(error, Diverged):
            return Failure(error.code, "the cost at these parameters is NaN or infinite: there is nothing to compare")
        if isinstance(error, TimeoutError):
            return Failure("timeout", str(error), hint="check fewer components: lower sample")
        return None


def _trained(item: WorkItem, context: Context) -> Model:
    saved = context.store.measurements.model(item.topic)
    return load(context.artifacts.verified(saved.file, saved.sha256))
