"""What a spec may ask of this installation, checked before anything is stored."""

from engine import JobSpec, Network
from engine.layers import Dense
from worker.errors import ResourceLimit
from worker.settings import Settings


def check_size(spec: JobSpec, settings: Settings) -> None:
    """Raise `ResourceLimit`, with the pointer to the field and the most that is allowed."""
    if len(spec.layers) > settings.max_layers:
        raise ResourceLimit("/layers", f"{len(spec.layers)} layers are more than the {settings.max_layers} allowed")
    for place, layer in enumerate(spec.layers):
        if isinstance(layer, Dense):
            _at_most(f"/layers/{place}/units", layer.units, settings.max_units, "units")
    _at_most("/training/epochs", spec.training.epochs, settings.max_epochs, "epochs")
    if isinstance(spec.training.batch_size, int):
        _at_most("/training/batch_size", spec.training.batch_size, settings.max_batch_size, "examples in a batch")


def check_parameters(network: Network, settings: Settings) -> None:
    """Raise `ResourceLimit` for a network that has too many parameters."""
    _at_most("/layers", network.parameter_count, settings.max_parameters, "parameters")


def _at_most(pointer: str, value: int, most: int, what: str) -> None:
    if value > most:
        raise ResourceLimit(pointer, f"{value} {what} are more than the {most} allowed")
