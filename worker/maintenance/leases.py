"""Leases that have run out: what their workers held goes back to the queue, or comes to its end."""

import structlog

from worker.queue.notifier import Notifier
from worker.store import Store


def expire_leases(store: Store, notifier: Notifier) -> None:
    """Take the items away from workers that went silent."""
    log = structlog.get_logger("leases")
    for item_id, topic in store.work_items.expired():
        if (state := store.work_items.expire(item_id)) is not None:
            log.warning("lease_expired", item=item_id, state=str(state))
            notifier.notify(topic)
