"""Items whose workers have not been told of them, or whose message may be lost: they are published again."""

from worker.queue.publisher import Publisher
from worker.settings import QUEUES
from worker.store import Store


def publish_waiting(store: Store, publisher: Publisher, *, unclaimed_seconds: float) -> None:
    """Publish what nobody was told of, and what has waited longer than that since it was.

    With as many messages as there are items waiting none is lost, and publishing on would fill the broker.
    """
    for item_id, queue in store.work_items.unpublished():
        publisher.publish(item_id, queue)
    for queue in QUEUES:
        unclaimed = store.work_items.unclaimed(queue, unclaimed_seconds)
        if not unclaimed:
            continue
        backlog = publisher.backlog(queue)
        if backlog is not None and backlog < store.work_items.waiting(queue):
            for item_id, _ in unclaimed:
                publisher.publish(item_id, queue)
