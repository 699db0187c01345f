"""From a spec to a job that may be stored: everything it names exists, fits together and is not too much."""

from collections.abc import Mapping
from dataclasses import dataclass

from engine import JobSpec, Network, ShapeMismatch, SpecError
from engine.cost_estimate import CostEstimate, estimate_cost
from engine.data import NoNormalizer, Preprocessor, Table, TargetKind, check, dataset_references
from engine.data.encoding.encoder_learning import learn_encoders
from engine.data.preparation import divided, feature_names, learned_target, resolved_columns
from engine.initializers import Given
from engine.training import check_training, resolved
from worker.datasets import DatasetLibrary, data_hash
from worker.limits import check_parameters, check_size
from worker.parameter_sets import ParameterLibrary
from worker.settings import Settings
from worker.store import Draft

LOOKED_AT = 1 << 24  # values of a table: so many are looked through in a moment


@dataclass(frozen=True)
class Outline:
    """What a spec would be as a job."""

    spec: JobSpec  # with everything filled in that follows from the data
    queue: str
    cost: CostEstimate


class Submission:
    """Checks specs against what is stored here."""

    def __init__(self, datasets: DatasetLibrary, parameters: ParameterLibrary, settings: Settings) -> None:
        self._datasets = datasets
        self._parameters = parameters
        self._settings = settings

    def draft(self, spec: JobSpec) -> Draft:
        """The job to be; raises the error that points to the field."""
        _, network, _ = self._checked(spec)
        parameters = self._given(spec, network)
        # Last: a sample set is kept from its first job on, and a spec that is refused leaves nothing behind.
        records = {
            reference: self._datasets.find(reference, pointer=pointer)
            for pointer, reference in dataset_references(spec.data)
        }
        return Draft(
            name=spec.name,
            spec=spec.model_dump(mode="json"),
            seed=spec.seed,
            queue=queue_of(spec),
            epochs=spec.training.epochs,
            data_hash=data_hash(records),
            datasets={reference: record.id for reference, record in records.items()},
            parameters=parameters,
        )

    def outline(self, spec: JobSpec) -> Outline:
        """What the job would be; raises what `draft` raises."""
        parts, network, preprocessor = self._checked(spec)
        self._given(spec, network)
        sizes = {part: table.rows for part, table in parts.items()}
        plain = spec.model_copy(update={"data": resolved_columns(spec.data, preprocessor)})
        return Outline(
            spec=resolved(plain, network, has_dev="dev" in sizes),
            queue=queue_of(spec),
            cost=estimate_cost(network, spec, sizes["train"], sum(sizes.values())),
        )

    def _checked(self, spec: JobSpec) -> tuple[dict[str, Table], Network, Preprocessor]:
        """The rows of every part, and the network that the spec makes of them."""
        check_size(spec, self._settings)
        datasets = {
            reference: self._datasets.look_at(reference, pointer=pointer)
            for pointer, reference in dataset_references(spec.data)
        }
        check(spec.data, datasets, loss=spec.loss.type)
        kind, parts = divided(spec.data, datasets, spec.loss.type)
        preprocessor = _preprocessor(spec, kind, parts["train"])
        network = Network.of(spec, preprocessor)
        check_parameters(network, self._settings)
        check_training(spec, network, {part: table.rows for part, table in parts.items()})
        return parts, network, preprocessor

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


def queue_of(spec: JobSpec) -> str:
    return "gpu" if spec.device == "gpu" else "cpu"


def _preprocessor(spec: JobSpec, kind: TargetKind, train: Table) -> Preprocessor:
    """What training will learn, but for the scales; of a table too large to be looked through here, nearly."""
    target = learned_target(spec.data, train, kind, spec.loss.type)
    features = train.select(feature_names(spec.data, train))
    scalars = sum(shape == () for shape in features.shapes.values())
    rows = max(2, LOOKED_AT // scalars) if scalars else 2
    encoders = learn_encoders(features.take(slice(0, rows)), spec.data.columns)
    return Preprocessor(encoders, NoNormalizer(), {}, target)
