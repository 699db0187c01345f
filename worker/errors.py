"""What can go wrong around a job; the message says the offending value, what is allowed and what to do."""

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar


class WorkerError(Exception):
    """The worker package cannot do what was asked."""

    code: ClassVar[str] = "worker_error"


class UnknownJob(WorkerError):
    """There is no job with this id."""

    code: ClassVar[str] = "unknown_job"

    def __init__(self, job_id: str, *, pointer: str = "") -> None:
        super().__init__(f"there is no job {job_id!r}")
        self.pointer = pointer


class UnknownDataset(WorkerError):
    """There is no dataset with this id or name."""

    code: ClassVar[str] = "unknown_dataset"

    def __init__(self, reference: str, *, pointer: str = "", hint: str = "") -> None:
        self.pointer = pointer
        self.detail = f"there is no dataset {reference!r}" + (f". {hint}" if hint else "")
        super().__init__(self.detail)


class UnknownParameters(WorkerError):
    """There is no parameter set with this id or name."""

    code: ClassVar[str] = "unknown_parameters"

    def __init__(self, reference: str, *, pointer: str = "") -> None:
        self.pointer = pointer
        self.detail = f"there is no parameter set {reference!r}; upload it with POST /v1/parameters?name={reference}"
        super().__init__(self.detail)


class InvalidName(WorkerError):
    """A name is empty, too long, or holds a character that names do not have."""

    code: ClassVar[str] = "invalid_name"


class NameTaken(WorkerError):
    """The name belongs to other content."""

    code: ClassVar[str] = "name_taken"


class DatasetInUse(WorkerError):
    """A job or a batch prediction that is queued or running needs the dataset."""

    code: ClassVar[str] = "dataset_in_use"

    def __init__(self, reference: str, by: str) -> None:
        super().__init__(f"dataset {reference!r} is needed by {by} or wait until it is done")


class IllegalMove(WorkerError):
    """The job is in a state from which it cannot go where it was asked to."""

    code: ClassVar[str] = "illegal_move"

    def __init__(self, job_id: str, state: str, wanted: str) -> None:
        super().__init__(f"job {job_id} is {state} and can no longer become {wanted}")
        self.job_id = job_id
        self.state = state
        self.wanted = wanted


class NothingToKeep(WorkerError):
    """The job has trained nothing yet that a stop could keep."""

    code: ClassVar[str] = "nothing_to_keep"

    def __init__(self, job_id: str, state: str) -> None:
        super().__init__(f"job {job_id} is {state} and has no checkpoint yet, so a stop would keep no model; cancel it")
        self.job_id = job_id
        self.state = state


class ControlPending(WorkerError):
    """The job is about to do something that cannot be taken back."""

    code: ClassVar[str] = "control_pending"

    def __init__(self, job_id: str, state: str, pending: str, wanted: str) -> None:
        super().__init__(f"job {job_id} is {state} and its {pending} is pending, so it cannot {wanted} any more")
        self.job_id = job_id
        self.state = state


class RevisionChanged(WorkerError):
    """The hyper-parameters were changed by somebody else in the meantime."""

    code: ClassVar[str] = "revision_changed"

    def __init__(self, job_id: str, expected: int, revision: int) -> None:
        super().__init__(f"job {job_id} is at revision {revision} of its hyper-parameters, not {expected}; look again")


class KeyInFlight(WorkerError):
    """A request with this Idempotency-Key has not been answered yet."""

    code: ClassVar[str] = "key_in_flight"

    def __init__(self, key: str) -> None:
        super().__init__(f"a request with the Idempotency-Key {key!r} is under way; ask again in a moment")


class KeyReused(WorkerError):
    """The Idempotency-Key belongs to another request."""

    code: ClassVar[str] = "key_reused"

    def __init__(self, key: str) -> None:
        super().__init__(
            f"the Idempotency-Key {key!r} was used for a request with another body in the last 24 hours; "
            "send a new key for a new request"
        )


class JobInUse(WorkerError):
    """The job is not done, or one that is not done starts from it."""

    code: ClassVar[str] = "job_in_use"

    def __init__(self, job_id: str, why: str) -> None:
        super().__init__(f"job {job_id} cannot be deleted: {why}")
        self.job_id = job_id


class NoModel(WorkerError):
    """The job has no model (yet)."""

    code: ClassVar[str] = "no_model"

    def __init__(self, job_id: str, state: str) -> None:
        super().__init__(f"job {job_id} is {state}; it has a model once it has succeeded")
        self.job_id = job_id
        self.state = state


class UnknownModel(WorkerError):
    """There is no registered model with this name."""

    code: ClassVar[str] = "unknown_model"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no model {name!r}; POST /v1/models/{name}/versions makes one of a job")


class UnknownVersion(WorkerError):
    """The model has no version with this number."""

    code: ClassVar[str] = "unknown_version"

    def __init__(self, name: str, version: int, *, newest: int, pointer: str = "") -> None:
        super().__init__(f"model {name!r} has no version {version}; the newest is {newest}")
        self.pointer = pointer


class UnknownAlias(WorkerError):
    """The model has no alias of this name."""

    code: ClassVar[str] = "unknown_alias"

    def __init__(self, name: str, alias: str, known: Iterable[str]) -> None:
        aliases = ", ".join(known) or "none"
        super().__init__(f"model {name!r} has no alias {alias!r}; its aliases: {aliases}")


class NoEarlierVersion(WorkerError):
    """The alias has meant no other version before that still exists."""

    code: ClassVar[str] = "no_earlier_version"

    def __init__(self, name: str, alias: str, version: int) -> None:
        super().__init__(
            f"alias {alias!r} of model {name!r} has meant no version before {version} that still exists; "
            "there is nothing to go back to"
        )


class UnknownBatch(WorkerError):
    """There is no batch prediction with this id."""

    code: ClassVar[str] = "unknown_batch_prediction"

    def __init__(self, batch_id: str) -> None:
        super().__init__(f"there is no batch prediction {batch_id!r}")


class NoResult(WorkerError):
    """The batch prediction has no result (yet)."""

    code: ClassVar[str] = "no_result"

    def __init__(self, batch_id: str, state: str) -> None:
        super().__init__(f"batch prediction {batch_id} is {state}; it has a result once it has succeeded")


class NothingToCompare(WorkerError):
    """There are too few sampled requests, or no training rows any more, to tell whether they differ."""

    code: ClassVar[str] = "nothing_to_compare"


class VersionInUse(WorkerError):
    """An alias means the version, or predictions are being made with it."""

    code: ClassVar[str] = "version_in_use"

    def __init__(self, name: str, version: int, by: str) -> None:
        super().__init__(f"version {version} of model {name!r} cannot be deleted: {by}")


class UnknownCheck(WorkerError):
    """The job has no gradient check with this number."""

    code: ClassVar[str] = "unknown_check"

    def __init__(self, job_id: str, number: int) -> None:
        super().__init__(f"job {job_id} has no gradient check {number}")


class UnknownCheckpoint(WorkerError):
    """The job has no checkpoint with this number, or no longer."""

    code: ClassVar[str] = "unknown_checkpoint"

    def __init__(self, job_id: str, number: int | str, kept: tuple[int, ...] = (), *, pointer: str = "") -> None:
        numbers = ", ".join(map(str, kept)) or "none"
        super().__init__(f"job {job_id} has no checkpoint {number}; it keeps: {numbers}")
        self.kept = kept
        self.pointer = pointer


class MomentMissing(WorkerError):
    """The job does not have the parameters of this moment, and only a job that has succeeded does."""

    code: ClassVar[str] = "moment_missing"

    def __init__(self, job_id: str, state: str, at: str | int) -> None:
        super().__init__(
            f"job {job_id} is {state}, so there are no parameters of {_moment(at)} to check: a job keeps them when it "
            'succeeds; "start" can be checked at any time'
        )
        self.pointer = "/at"


class MomentNotKept(WorkerError):
    """The job has succeeded, and its parameters of this moment were not kept."""

    code: ClassVar[str] = "moment_not_kept"

    def __init__(self, job_id: str, at: str | int, kept: int | None) -> None:
        same = f', which is epoch {kept}, so that "at": {kept} means the same' if kept else ""
        super().__init__(
            f"job {job_id} did not keep its parameters of {_moment(at)}; there are those of the start "
            f'("start") and those of its model ("end"{same})'
        )
        self.pointer = "/at"


class InputGone(WorkerError):
    """Data that the job learned from were deleted since."""

    code: ClassVar[str] = "input_gone"

    def __init__(self, job_id: str, kind: str, reference: str) -> None:
        super().__init__(
            f"the {kind} {reference!r} of job {job_id} was deleted, and there is nothing to check its gradients on; "
            "upload it and train the job again"
        )


class UnknownItem(WorkerError):
    """There is no work item with this id."""

    code: ClassVar[str] = "unknown_item"

    def __init__(self, item_id: str) -> None:
        super().__init__(f"there is no work item {item_id}")


class LeaseLost(WorkerError):
    """Another attempt owns the work item, or nobody does any more: what this one writes is refused."""

    code: ClassVar[str] = "lease_lost"

    def __init__(self, item_id: str, attempt: int) -> None:
        super().__init__(f"attempt {attempt} at {item_id} no longer holds the lease")
        self.item_id = item_id
        self.attempt = attempt


class ResourceLimit(WorkerError):
    """The spec asks for more than this installation allows."""

    code: ClassVar[str] = "resource_limit"

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(detail)
        self.pointer = pointer
        self.detail = detail


class InvalidPage(WorkerError):
    """A page was asked for with a parameter that is outside what is allowed."""

    code: ClassVar[str] = "invalid_page"

    def __init__(self, parameter: str, detail: str) -> None:
        super().__init__(f"{parameter}: {detail}")
        self.parameter = parameter


class UploadTooLarge(WorkerError):
    """More bytes arrive than an upload may have."""

    code: ClassVar[str] = "upload_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"the upload is larger than the {limit} bytes allowed (TRAINSHED_MAX_UPLOAD_BYTES)")
        self.limit = limit


class UnsupportedMediaType(WorkerError):
    """No reader understands uploads of this media type."""

    code: ClassVar[str] = "unsupported_media_type"

    def __init__(self, media_type: str, allowed: tuple[str, ...], hint: str = "") -> None:
        what = f"media type {media_type!r} is not supported" if media_type else "the body has no media type"
        super().__init__(f"{what}; send one of {', '.join(allowed)}" + (f". {hint}" if hint else ""))
        self.allowed = allowed


class QueueFull(WorkerError):
    """As many jobs are waiting as may wait."""

    code: ClassVar[str] = "queue_full"

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} jobs are waiting, which is the most allowed (TRAINSHED_MAX_QUEUED); try again later")


class StoreUnavailable(WorkerError):
    """The database cannot be reached, or did not come free in time; the request may be repeated."""

    code: ClassVar[str] = "store_unavailable"


class StorageFull(WorkerError):
    """The disk has no room for the file or the row."""

    code: ClassVar[str] = "storage_full"


class BrokerUnavailable(WorkerError):
    """No Redis can be reached or started."""

    code: ClassVar[str] = "broker_unavailable"


class DataFolderInUse(WorkerError):
    """Another stack runs on the data folder."""

    code: ClassVar[str] = "data_folder_in_use"

    def __init__(self, data_dir: Path, by: str) -> None:
        super().__init__(
            f"another stack runs on {data_dir.absolute()}: {by}; stop that one, or choose another folder with "
            "TRAINSHED_DATA_DIR (for more workers on this one: `trainshed worker`)"
        )


class ArtifactDamaged(WorkerError):
    """A stored file is missing or is not, byte for byte, the one that was stored."""

    code: ClassVar[str] = "artifact_damaged"


def _moment(at: str | int) -> str:
    return f"epoch {at}" if isinstance(at, int) else f"the {at}"
