"""Celery as a doorbell: a message carries ids and nothing else, and may be lost, late or doubled."""

# mypy: disable-error-code="no-untyped-call"
# kombu has no types

from celery import Celery
from kombu.entity import Exchange, Queue

from worker.redis_address import RedisAddress
from worker.settings import QUEUES, Settings

TASK = "trainshed.work"
PREFIX = "ts:"
GRACE_SECONDS = 120


def queue_name(queue: str) -> str:
    """What Celery calls the queue `cpu` or `gpu`."""
    return f"ts.{queue}"


def make_app(settings: Settings, broker: RedisAddress) -> Celery:
    """An application for publishing or for working; it connects when it is first used."""
    app = Celery("trainshed", set_as_current=False, loader="celery.loaders.app:AppLoader")
    queues = [queue_name(queue) for queue in QUEUES]
    app.conf.update(
        # JSON only: a message that asks for pickle is thrown away
        task_serializer="json",
        result_serializer="json",
        accept_content=["json"],
        result_accept_content=["json"],
        # the state of a job is in SQL
        result_backend=None,
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        # the lease decides who trains, and the sweeper who trains again: the broker redelivers nothing
        task_acks_late=False,
        task_reject_on_worker_lost=False,
        worker_disable_prefetch=True,
        worker_prefetch_multiplier=1,
        broker_url=broker.celery_url,
        broker_use_ssl=broker.celery_tls,
        broker_transport_options={
            "ack_emulation": False,
            "global_keyprefix": PREFIX,
            "socket_timeout": 10,
            "socket_connect_timeout": 3,
            "socket_keepalive": True,
            "health_check_interval": 10,  # a half-open connection is found out after this long
            "queue_order_strategy": "priority",
            "visibility_timeout": 86400,
            # of a publisher: one that was started again is there after half a second, and for others the sweeper waits
            "max_retries": 1,
            "interval_start": 0.5,
        },
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_pool_limit=10,
        task_publish_retry=False,  # the sweeper retries
        worker_cancel_long_running_tasks_on_connection_loss=False,
        # nothing but jobs goes through the broker: no scripting right needed, less to attack
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_max_tasks_per_child=50,
        worker_proc_alive_timeout=60,
        task_time_limit=int(settings.max_runtime_seconds) + GRACE_SECONDS,
        worker_soft_shutdown_timeout=30,
        task_create_missing_queues=False,
        task_queues=[Queue(name, Exchange(name), routing_key=name) for name in queues],
        task_default_queue=queues[0],
        task_default_exchange=queues[0],
        task_default_routing_key=queues[0],
        task_routes={TASK: {"queue": queues[0]}},
        worker_hijack_root_logger=False,
        task_remote_tracebacks=False,
    )
    return app
