"""What can go wrong in the engine; the message says the offending value, what is allowed and what to do."""

from typing import ClassVar

from engine.json_pointer import pointer


class EngineError(Exception):
    """The engine cannot do what was asked."""

    code: ClassVar[str] = "engine_error"


class SpecError(EngineError):
    """A field of the spec is well formed but cannot be meant, given the data or another field."""

    code: ClassVar[str] = "invalid_spec"

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(detail)
        self.pointer = pointer
        self.detail = detail


class DataError(EngineError):
    """A file, a column or a row cannot be used."""

    code: ClassVar[str] = "invalid_data"

    def __init__(self, detail: str, *, pointer: str = "") -> None:
        super().__init__(detail)
        self.pointer = pointer
        self.detail = detail


class RowError(DataError):
    """A row sent for prediction lacks a field, has one too many or one of the wrong type."""

    code: ClassVar[str] = "invalid_row"

    def __init__(self, row: int, field: str, detail: str) -> None:
        super().__init__(detail, pointer=pointer(["rows", row, field] if field else ["rows", row]))
        self.row = row
        self.field = field


class ShapeMismatch(EngineError):
    """Two arrays, or an array and a layer, do not fit together."""

    code: ClassVar[str] = "shape_mismatch"


class ExportImpossible(EngineError):
    """A part of the model has no counterpart in the format that it should be exported to."""

    code: ClassVar[str] = "export_impossible"


class CheckpointMismatch(EngineError):
    """A checkpoint is of another run: other data, another network or other fixed hyper-parameters."""

    code: ClassVar[str] = "checkpoint_mismatch"


class DeviceUnavailable(EngineError):
    """The spec asks for a device that this machine does not have."""

    code: ClassVar[str] = "device_unavailable"


class OutOfMemory(EngineError):
    """The run does not fit into the memory of its device."""

    code: ClassVar[str] = "out_of_memory"

    def __init__(self, device: str, needed: int, available: int) -> None:
        super().__init__(
            f"the job needs at least {_mib(needed)} of the memory of {device}, of which {_mib(available)} were free"
        )
        self.needed = needed
        self.available = available


def _mib(count: int) -> str:
    return f"{-(-count // 2**20)} MiB"


class Diverged(EngineError):
    """The cost became NaN or infinite."""

    code: ClassVar[str] = "diverged"

    def __init__(self, epoch: int, step: int) -> None:
        super().__init__(
            f"the cost became NaN or infinite in epoch {epoch} at step {step}; "
            "lower optimizer.learning_rate, normalize the inputs, or clip the gradient with training.clip_norm"
        )
        self.epoch = epoch
        self.step = step
