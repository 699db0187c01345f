"""From a spec to a job that may be stored: everything it names exists, fits together and is not too much."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from engine import Dataset, JobSpec, Network, ShapeMismatch, SpecError
from engine.cost_estimate import CostEstimate, estimate_cost
from engine.data import NoNormalizer, Preprocessor, Table, TargetKind, check, dataset_references
from engine.data.encoding.encoder_learning import learn_encoders
from engine.data.preparation import check_answers, divided, feature_names, learned_target, resolved_columns
from engine.data.reading.unreadable import UnreadableCells
from engine.data.refusals import all_of, refusals, rows_looked_at
from engine.initializers import Given
from engine.spec import StartFrom
from engine.training import check_training, resolved
from engine.transfer import fit_to
from worker.datasets.library import DatasetLibrary, data_hash
from worker.domain.datasets import PinnedDataset
from worker.domain.ids import is_id
from worker.domain.jobs import Job
from worker.domain.names import ID
from worker.domain.work_items import Status
from worker.errors import UnknownCheckpoint, UnknownJob
from worker.jobs.inputs import refuse_if_gone, source_at
from worker.jobs.limits import check_parameters, check_size
from worker.parameters.library import ParameterLibrary
from worker.settings import Settings
from worker.storage.artifacts import Artifacts
from worker.store import MODEL, Draft, TenantStore

REMEMBERED = 64  # questions about data whose answer is kept: a search asks one of them again and again


Known: TypeAlias = Callable[[str], PinnedDataset | None]
Pins: TypeAlias = Mapping[str, PinnedDataset | None]
"""By reference; None for a sample set that no job has needed yet, and for what is not there."""


@dataclass(frozen=True)
class Outline:
    """What a spec would be as a job."""

    spec: JobSpec  # with everything filled in that follows from the data
    queue: str
    cost: CostEstimate


class Submission:
    """Checks a principal's specs against what is stored here."""

    def __init__(
        self,
        store: TenantStore,
        artifacts: Artifacts,
        datasets: DatasetLibrary,
        parameters: ParameterLibrary,
        settings: Settings,
    ) -> None:
        self.principal = store.principal
        self._store = store
        self._artifacts = artifacts
        self._datasets = datasets
        self._parameters = parameters
        self._settings = settings
        self._known: dict[tuple[str, ...], tuple[Mapping[str, int], Preprocessor]] = {}

    def known(self, reference: str) -> PinnedDataset | None:
        """What a reference means now; None for a sample set that no job has needed yet, and for what is not there."""
        return self._datasets.known(reference)

    def is_familiar(self, spec: JobSpec, known: Known) -> bool:
        """Whether nothing has to be read to check the spec: no data, no parameters, no other job."""
        if spec.start_from is not None or isinstance(spec.initializer, Given):
            return False
        return (key := _question(spec, _pins(spec, known))) is not None and key in self._known

    def draft(self, spec: JobSpec, known: Known | None = None) -> Draft:
        """The job to be; raises the error that points to the field. `known` stands in for the method of this name."""
        pinned = _pins(spec, known or self.known)
        _, network, preprocessor = self._checked(spec, pinned)
        parameters = self._given(spec, network)
        spec, checkpoints = self._started_from(spec, network, preprocessor)
        # Last: a sample set is kept from its first job on, and a spec that is refused leaves nothing behind.
        for pointer, reference in dataset_references(spec.data):
            pinned[reference] = pinned[reference] or self._datasets.find(reference, pointer=pointer).pin
        held = {reference: pin for reference, pin in pinned.items() if pin is not None}
        return Draft(
            name=spec.name,
            spec=spec.model_dump(mode="json"),
            seed=spec.seed,
            queue=queue_of(spec),
            epochs=spec.training.epochs,
            data_hash=data_hash(held),
            datasets={reference: pin.id for reference, pin in held.items()},
            parameters=parameters,
            checkpoints=checkpoints,
            priority=spec.priority,
        )

    def outline(self, spec: JobSpec) -> Outline:
        """What the job would be; raises what `draft` raises."""
        pinned = _pins(spec, self.known)
        sizes, network, preprocessor = self._checked(spec, pinned)
        self._given(spec, network)
        spec, _ = self._started_from(spec, network, preprocessor)
        plain = spec.model_copy(update={"data": resolved_columns(spec.data, preprocessor)})
        return Outline(
            spec=resolved(plain, network, has_dev="dev" in sizes),
            queue=queue_of(spec),
            cost=estimate_cost(network, spec, sizes["train"], sum(sizes.values())),
        )

    def check(self, spec: JobSpec, held: Mapping[str, str]) -> None:
        """Raise what `draft` would raise of a spec whose datasets are these: ids by reference."""
        pinned = {
            reference: self._datasets.known(held.get(reference, reference))
            for _, reference in dataset_references(spec.data)
        }
        self._checked(spec, pinned)

    def again(self, job: Job) -> Draft:
        """The job once more: the same spec, seed and data, whatever its references mean by now."""
        refuse_if_gone(self._store, job.id)
        inputs = self._store.jobs.inputs(job.id)
        return Draft(
            name=job.name,
            spec=job.spec,
            seed=job.seed,
            queue=job.queue,
            epochs=JobSpec.model_validate(job.spec).training.epochs,
            data_hash=job.data_hash,
            datasets=inputs["dataset"],
            parameters=inputs["parameters"],
            checkpoints=inputs["checkpoint"],
            priority=job.priority,
            rerun_of=job.id,
        )

    def _checked(self, spec: JobSpec, pinned: Pins) -> tuple[Mapping[str, int], Network, Preprocessor]:
        """The rows of every part, the network that the spec makes of them, and what it learns about the columns."""
        check_size(spec, self._settings)
        if spec.register_as is not None and ID.fullmatch(spec.register_as):
            raise SpecError("/register_as", f"{spec.register_as!r} looks like an id; choose a name that does not")
        sizes, preprocessor = self._looked_through(spec, pinned)
        network = Network.of(spec, preprocessor)
        check_parameters(network, self._settings)
        check_training(spec, network, sizes)
        return sizes, network, preprocessor

    def _looked_through(self, spec: JobSpec, pinned: Pins) -> tuple[Mapping[str, int], Preprocessor]:
        """What the data of a spec comes to: the same for all specs that differ elsewhere only, as those of a search."""
        key = _question(spec, pinned)
        if key is not None and (known := self._known.get(key)) is not None:
            return known
        datasets: dict[str, Dataset] = {}
        for pointer, reference in dataset_references(spec.data):
            pin = pinned[reference]
            datasets[reference] = self._datasets.look_at(pin.id if pin else reference, pointer=pointer)
        try:
            check(spec.data, datasets, loss=spec.loss.type)
            kind, parts = divided(spec.data, datasets, spec.loss.type)
            found = {part: table.rows for part, table in parts.items()}, _preprocessor(spec, kind, parts["train"])
            check_answers(found[1].target, parts)
        except (SpecError, UnreadableCells) as first:
            rows = rows_looked_at(datasets[spec.data.train].training)
            raise all_of(refusals(spec.data, datasets, loss=spec.loss.type, rows=rows), first) from first
        if key is not None:
            while len(self._known) >= REMEMBERED:
                self._known.pop(next(iter(self._known)), None)
            self._known[key] = found
        return found

    def _given(self, spec: JobSpec, network: Network) -> Mapping[str, str]:
        if not isinstance(spec.initializer, Given):
            return {}
        reference = spec.initializer.parameters
        pointer = "/initializer/parameters"
        found = self._parameters.find(reference, pointer=pointer)
        try:
            network.parameters().load(self._parameters.load(found.id))
        except ShapeMismatch as error:
            raise SpecError(pointer, str(error)) from error
        return {reference: found.id}

    def _started_from(
        self, spec: JobSpec, network: Network, preprocessor: Preprocessor
    ) -> tuple[JobSpec, Mapping[str, str]]:
        """The spec with the scales of the job that it starts from, and the checkpoint or model that it begins with.

        SpecError where nothing of it fits.
        """
        if spec.start_from is None:
            return spec, {}
        pinned = self._pinned_source(spec.start_from)
        (place,) = pinned.values()
        source = source_at(self._store, self._artifacts, place, spec)
        data = fit_to(source, spec.data, preprocessor, network.parameters())
        return spec.model_copy(update={"data": data}), pinned

    def _pinned_source(self, start: StartFrom) -> Mapping[str, str]:
        """The checkpoint or model whose parameters the job begins with, resolved: "best" may be another tomorrow."""
        origin, wanted = start.job, start.checkpoint
        if not is_id("job", origin):
            raise UnknownJob(origin, pointer="/start_from/job")
        try:
            job = self._store.jobs.get(origin)
        except UnknownJob as error:
            raise UnknownJob(origin, pointer="/start_from/job") from error
        pointer = "/start_from/checkpoint"
        if isinstance(wanted, int):
            try:
                which = str(self._store.checkpoints.get(origin, wanted).number)
            except UnknownCheckpoint as error:
                raise UnknownCheckpoint(origin, wanted, error.kept, pointer=pointer) from error
        elif wanted == "best" and job.state is Status.SUCCEEDED:
            which = MODEL
        else:
            checkpoints = self._store.checkpoints
            found = (checkpoints.best(origin) if wanted == "best" else None) or checkpoints.newest(origin)
            if found is None and job.state is not Status.SUCCEEDED:
                raise UnknownCheckpoint(origin, wanted, pointer=pointer)
            which = MODEL if found is None else str(found.number)
        return {origin: f"{origin}/{which}"}


def _pins(spec: JobSpec, known: Known) -> dict[str, PinnedDataset | None]:
    return {reference: known(reference) for _, reference in dataset_references(spec.data)}


def queue_of(spec: JobSpec) -> str:
    return "gpu" if spec.device == "gpu" else "cpu"


def _question(spec: JobSpec, pinned: Pins) -> tuple[str, ...] | None:
    """What of a spec decides what its data comes to; None where that is not stored."""
    ids = [pin.id for pin in pinned.values() if pin is not None]
    return (spec.data.model_dump_json(), spec.loss.type, *ids) if len(ids) == len(pinned) else None


def _preprocessor(spec: JobSpec, kind: TargetKind, train: Table) -> Preprocessor:
    """What training will learn, but for the scales; of a table too large to be looked through here, nearly."""
    target = learned_target(spec.data, train, kind, spec.loss.type)
    features = train.select(feature_names(spec.data, train))
    encoders = learn_encoders(features.take(slice(0, rows_looked_at(features))), spec.data.columns)
    return Preprocessor(encoders, NoNormalizer(), {}, target)
