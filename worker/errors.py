"""What can go wrong around a job; the message says the offending value, what is allowed and what to do.

A family says what can be done about it, and so what status it has over HTTP:

WorkerError
├── NotFound
│   ├── UnknownJob, UnknownCheck, UnknownCheckpoint, UnknownItem
│   ├── UnknownDataset, UnknownParameters
│   └── UnknownModel, UnknownVersion, UnknownAlias, UnknownBatch
├── Conflict
│   ├── IllegalMove, ControlPending, NothingToKeep, LeaseLost, RevisionChanged
│   ├── NameTaken, JobInUse, DatasetInUse, VersionInUse
│   ├── NoModel, NoResult, NoEarlierVersion, NothingToCompare, MomentMissing, InputGone
│   └── KeyInFlight
├── Invalid
│   ├── InvalidName, InvalidPage, ResourceLimit, MomentNotKept, KeyReused
│   └── UploadTooLarge, UnsupportedMediaType
├── Unavailable
│   ├── QueueFull, BrokerUnavailable, DataFolderInUse
│   └── StoreError
│       └── StoreUnavailable, StorageFull
└── ArtifactDamaged
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar


class WorkerError(Exception):
    """The worker package cannot do what was asked.

    `code` is the kind of error as one word, for programs: the name of its class, unless that says another. `pointer` is
    the JSON pointer of the field that is at fault, where it is one of the request's body.
    """

    code: ClassVar[str] = "worker_error"

    def __init__(self, detail: str, *, pointer: str = "") -> None:
        super().__init__(detail)
        self.pointer = pointer

    def __init_subclass__(cls) -> None:
        if "code" not in vars(cls):
            cls.code = re.sub("(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()


class NotFound(WorkerError):
    """There is nothing of this id, name or number; where the request's body names it, `pointer` says where."""


class UnknownJob(NotFound):
    """There is no job with this id."""

    def __init__(self, job_id: str, *, pointer: str = "") -> None:
        super().__init__(f"there is no job {job_id!r}", pointer=pointer)


class UnknownCheck(NotFound):
    """The job has no gradient check with this number."""

    def __init__(self, job_id: str, number: int) -> None:
        super().__init__(f"job {job_id} has no gradient check {number}")


class UnknownCheckpoint(NotFound):
    """The job has no checkpoint with this number, or no longer."""

    def __init__(self, job_id: str, number: int | str, kept: tuple[int, ...] = (), *, pointer: str = "") -> None:
        numbers = ", ".join(map(str, kept)) or "none"
        super().__init__(f"job {job_id} has no checkpoint {number}; it keeps: {numbers}", pointer=pointer)
        self.kept = kept


class UnknownItem(NotFound):
    """There is no work item with this id."""

    def __init__(self, item_id: str) -> None:
        super().__init__(f"there is no work item {item_id}")


class UnknownDataset(NotFound):
    """There is no dataset with this id or name."""

    def __init__(self, reference: str, *, pointer: str = "", hint: str = "") -> None:
        super().__init__(f"there is no dataset {reference!r}" + (f". {hint}" if hint else ""), pointer=pointer)


class UnknownParameters(NotFound):
    """There is no parameter set with this id or name."""

    def __init__(self, reference: str, *, pointer: str = "") -> None:
        detail = f"there is no parameter set {reference!r}; upload it with POST /v1/parameters?name={reference}"
        super().__init__(detail, pointer=pointer)


class UnknownModel(NotFound):
    """There is no registered model with this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no model {name!r}; POST /v1/models/{name}/versions makes one of a job")


class UnknownVersion(NotFound):
    """The model has no version with this number."""

    def __init__(self, name: str, version: int, *, newest: int, pointer: str = "") -> None:
        super().__init__(f"model {name!r} has no version {version}; the newest is {newest}", pointer=pointer)


class UnknownAlias(NotFound):
    """The model has no alias of this name."""

    def __init__(self, name: str, alias: str, known: Iterable[str]) -> None:
        aliases = ", ".join(known) or "none"
        super().__init__(f"model {name!r} has no alias {alias!r}; its aliases: {aliases}")


class UnknownBatch(NotFound):
    """There is no batch prediction with this id."""

    code: ClassVar[str] = "unknown_batch_prediction"

    def __init__(self, batch_id: str) -> None:
        super().__init__(f"there is no batch prediction {batch_id!r}")


class Conflict(WorkerError):
    """What is asked for is possible, and not in the state that things are in."""


class IllegalMove(Conflict):
    """The job is in a state from which it cannot go where it was asked to."""

    def __init__(self, job_id: str, state: str, wanted: str) -> None:
        super().__init__(f"job {job_id} is {state} and can no longer become {wanted}")
        self.state = state


class ControlPending(Conflict):
    """The job is about to do something that cannot be taken back."""

    def __init__(self, job_id: str, state: str, pending: str, wanted: str) -> None:
        super().__init__(f"job {job_id} is {state} and its {pending} is pending, so it cannot {wanted} any more")


class NothingToKeep(Conflict):
    """The job has trained nothing yet that a stop could keep."""

    def __init__(self, job_id: str, state: str) -> None:
        super().__init__(f"job {job_id} is {state} and has no checkpoint yet, so a stop would keep no model; cancel it")


class LeaseLost(Conflict):
    """Another attempt owns the work item, or nobody does any more: what this one writes is refused."""

    def __init__(self, item_id: str, attempt: int) -> None:
        super().__init__(f"attempt {attempt} at {item_id} no longer holds the lease")


class RevisionChanged(Conflict):
    """The hyper-parameters were changed by somebody else in the meantime."""

    def __init__(self, job_id: str, expected: int, revision: int) -> None:
        super().__init__(f"job {job_id} is at revision {revision} of its hyper-parameters, not {expected}; look again")


class NameTaken(Conflict):
    """The name belongs to other content."""


class JobInUse(Conflict):
    """The job is not done, or one that is not done starts from it."""

    def __init__(self, job_id: str, why: str) -> None:
        super().__init__(f"job {job_id} cannot be deleted: {why}")


class DatasetInUse(Conflict):
    """A job or a batch prediction that is queued or running needs the dataset."""

    def __init__(self, reference: str, by: str) -> None:
        super().__init__(f"dataset {reference!r} is needed by {by} or wait until it is done")


class VersionInUse(Conflict):
    """An alias means the version, or predictions are being made with it."""

    def __init__(self, name: str, version: int, by: str) -> None:
        super().__init__(f"version {version} of model {name!r} cannot be deleted: {by}")


class NoModel(Conflict):
    """The job has no model (yet)."""

    def __init__(self, job_id: str, state: str) -> None:
        super().__init__(f"job {job_id} is {state}; it has a model once it has succeeded")


class NoResult(Conflict):
    """The batch prediction has no result (yet)."""

    def __init__(self, batch_id: str, state: str) -> None:
        super().__init__(f"batch prediction {batch_id} is {state}; it has a result once it has succeeded")


class NoEarlierVersion(Conflict):
    """The alias has meant no other version before that still exists."""

    def __init__(self, name: str, alias: str, version: int) -> None:
        super().__init__(
            f"alias {alias!r} of model {name!r} has meant no version before {version} that still exists; "
            "there is nothing to go back to"
        )


class NothingToCompare(Conflict):
    """There are too few sampled requests, or no training rows any more, to tell whether they differ."""


class MomentMissing(Conflict):
    """The job does not have the parameters of this moment, and only a job that has succeeded does."""

    def __init__(self, job_id: str, state: str, at: str | int) -> None:
        super().__init__(
            f"job {job_id} is {state}, so there are no parameters of {_moment(at)} to check: a job keeps them when it "
            'succeeds; "start" can be checked at any time',
            pointer="/at",
        )


class InputGone(Conflict):
    """Data that the job learned from were deleted since."""

    def __init__(self, job_id: str, kind: str, reference: str) -> None:
        super().__init__(
            f"the {kind} {reference!r} of job {job_id} was deleted, and there is nothing to check its gradients on; "
            "upload it and train the job again"
        )


class KeyInFlight(Conflict):
    """A request with this Idempotency-Key has not been answered yet."""

    def __init__(self, key: str) -> None:
        super().__init__(f"a request with the Idempotency-Key {key!r} is under way; ask again in a moment")


class Invalid(WorkerError):
    """The request itself has to change: sent again it is refused again."""


class InvalidName(Invalid):
    """A name is empty, too long, or holds a character that names do not have."""


class InvalidPage(Invalid):
    """A page was asked for with a parameter that is outside what is allowed."""

    def __init__(self, parameter: str, detail: str) -> None:
        super().__init__(f"{parameter}: {detail}")
        self.parameter = parameter


class ResourceLimit(Invalid):
    """The spec asks for more than this installation allows."""

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(detail, pointer=pointer)


class MomentNotKept(Invalid):
    """The job has succeeded, and its parameters of this moment were not kept."""

    def __init__(self, job_id: str, at: str | int, kept: int | None) -> None:
        same = f', which is epoch {kept}, so that "at": {kept} means the same' if kept else ""
        super().__init__(
            f"job {job_id} did not keep its parameters of {_moment(at)}; there are those of the start "
            f'("start") and those of its model ("end"{same})',
            pointer="/at",
        )


class KeyReused(Invalid):
    """The Idempotency-Key belongs to another request."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"the Idempotency-Key {key!r} was used for a request with another body in the last 24 hours; "
            "send a new key for a new request"
        )


class UploadTooLarge(Invalid):
    """More bytes arrive than an upload may have."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the upload is larger than the {limit} bytes allowed (TRAINSHED_MAX_UPLOAD_BYTES)")


class UnsupportedMediaType(Invalid):
    """No reader understands uploads of this media type."""

    def __init__(self, media_type: str, allowed: tuple[str, ...], hint: str = "") -> None:
        what = f"media type {media_type!r} is not supported" if media_type else "the body has no media type"
        super().__init__(f"{what}; send one of {', '.join(allowed)}" + (f". {hint}" if hint else ""))


class Unavailable(WorkerError):
    """Something that is leant on is away or full; the same request may succeed later."""


class QueueFull(Unavailable):
    """As many jobs are waiting as may wait."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} jobs are waiting, which is the most allowed (TRAINSHED_MAX_QUEUED); try again later")


class BrokerUnavailable(Unavailable):
    """No Redis can be reached or started."""


class DataFolderInUse(Unavailable):
    """Another stack runs on the data folder."""

    def __init__(self, data_dir: Path, by: str) -> None:
        super().__init__(
            f"another stack runs on {data_dir.absolute()}: {by}; stop that one, or choose another folder with "
            "TRAINSHED_DATA_DIR (for more workers on this one: `trainshed worker`)"
        )


class StoreError(Unavailable):
    """The database or the disk did not take what is to be written, or give what is to be read."""


class StoreUnavailable(StoreError):
    """The database cannot be reached, or did not come free in time; the request may be repeated."""


class StorageFull(StoreError):
    """The disk has no room for the file or the row."""


class ArtifactDamaged(WorkerError):
    """A stored file is missing or is not, byte for byte, the one that was stored."""


def _moment(at: str | int) -> str:
    return f"epoch {at}" if isinstance(at, int) else f"the {at}"
