"""The kinds of work that a worker knows, by name."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from worker.domain.work_items import Claim
from worker.queue.notifier import Notifier
from worker.settings import Settings
from worker.storage.artifacts import Artifacts
from worker.store import Store
from worker.work.attempt import Attempt
from worker.work.check_gradients import CheckGradients
from worker.work.context import Context
from worker.work.kind import Kind
from worker.work.predict_batch import PredictBatch
from worker.work.train import Train

Kinds: TypeAlias = Mapping[str, type[Kind[Any]]]

KINDS: Kinds = {kind.name: kind for kind in (Train, CheckGradients, PredictBatch)}


def attempt_at(
    claim: Claim,
    settings: Settings,
    store: Store,
    artifacts: Artifacts,
    notifier: Notifier,
    *,
    draining: Callable[[], bool],
    kinds: Kinds = KINDS,
) -> Attempt[Any]:
    """The attempt that a claim gives the right to; `run` it."""
    kind = kinds[claim.item.kind]()
    return Attempt(
        kind,
        Context(claim, settings, store.on_behalf_of(claim.item.principal), artifacts, notifier, draining, kind.what),
    )
