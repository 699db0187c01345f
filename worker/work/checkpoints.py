"""The checkpoints of one attempt at a job: files that are safe on disk before the store names them."""

from collections.abc import Mapping

import structlog
from pydantic import JsonValue, ValidationError

from engine import Checkpoint, DataError
from worker.domain.jobs import CheckpointKind, Saved
from worker.domain.work_items import Claim, Signals
from worker.errors import ArtifactDamaged, LeaseLost, StorageFull
from worker.storage.artifacts import Artifacts, room
from worker.store import TenantStore


class Checkpoints:
    """Written and registered in this order, so that a checkpoint that the store knows can be read."""

    def __init__(self, claim: Claim, store: TenantStore, artifacts: Artifacts) -> None:
        self._claim = claim
        self._store = store
        self._artifacts = artifacts
        self._numbers: dict[str, int] = {}  # of the files that this attempt has registered
        self._best_epoch = 0
        self._log = structlog.get_logger("checkpoints").bind(job_id=claim.item_id, attempt=claim.attempt)

    def newest(self) -> tuple[Checkpoint | None, list[str]]:
        """The newest that is whole, None for the beginning; and what is wrong with those that were forgotten."""
        complaints: list[str] = []
        while (saved := self._store.checkpoints.newest(self._claim.item_id)) is not None:
            try:
                path = self._artifacts.verified(saved.file, saved.sha256)
                checkpoint = Checkpoint.load(path)
                self._best_epoch = checkpoint.judgment.best_epoch
                return checkpoint, complaints
            except (ArtifactDamaged, DataError, ValidationError) as error:
                complaints.append(f"checkpoint {saved.number}: {error}")
                self.forget_newest()
        return None, complaints

    def forget_newest(self) -> None:
        """Have the job go on from the checkpoint before; the store discards what was measured behind that."""
        self._log.warning("checkpoint_forgotten")
        known = self._store.checkpoints.page(self._claim.item_id)
        before = known[-2].number if len(known) > 1 else None
        self._remove(self._store.training_log.fall_back(self._claim, before))

    def keep(
        self, checkpoint: Checkpoint, kind: CheckpointKind, metrics: Mapping[str, JsonValue]
    ) -> tuple[int, Signals | None]:
        """Save and register a checkpoint; its number, and what somebody wants of the job if the store has said so.

        Raises StorageFull and StoreUnavailable, leaving no file behind, and LeaseLost.
        """
        name = f"{self._claim.attempt}-{checkpoint.step}-{checkpoint.revision}"
        file = f"checkpoints/{self._claim.item_id}/{name}.safetensors"
        if file in self._numbers:  # nothing has happened since
            return self._numbers[file], None
        best = checkpoint.judgment.best_epoch
        saved = self._saved(checkpoint, "best" if best > self._best_epoch else kind, file, metrics)
        try:
            registered = self._store.training_log.checkpoint(self._claim, saved)
        except (LeaseLost, StorageFull):  # it was not registered; after StoreUnavailable nobody knows
            self._artifacts.discard(file)
            raise
        self._best_epoch = best
        self._numbers[file] = registered.number
        self._remove(registered.superseded)
        return registered.number, registered.signals

    def tidy(self) -> None:
        """Remove files that the store does not name: those of attempts, up to this one, that died while they saved."""
        named = {saved.file for saved in self._store.checkpoints.page(self._claim.item_id)}
        unnamed = self._artifacts.files(f"checkpoints/{self._claim.item_id}") - named
        self._remove(tuple(file for file in unnamed if _attempt(file) <= self._claim.attempt))

    def _saved(
        self, checkpoint: Checkpoint, kind: CheckpointKind, file: str, metrics: Mapping[str, JsonValue]
    ) -> Saved:
        with self._artifacts.unfinished() as path:
            with room():
                checkpoint.save(path)
            size = path.stat().st_size
            sha256 = self._artifacts.keep(path, file)
        return Saved(
            epoch=checkpoint.epoch,
            step=checkpoint.step,
            kind=kind,
            file=file,
            sha256=sha256,
            bytes=size,
            revision=checkpoint.revision,
            metrics=metrics,
        )

    def _remove(self, files: tuple[str, ...]) -> None:
        for file in files:
            self._artifacts.discard(file)


def _attempt(file: str) -> int:
    return int(file.rpartition("/")[2].partition("-")[0])
