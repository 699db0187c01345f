"""The worker as a process: a parent that takes messages and forks, and children that train.

The parent imports neither NumPy nor anything of a GPU, and keeps no database open: a fork copies what is open, and
half-copied threads, devices and locks are of no use to a child.

How Celery is kept from printing is private ground of celery, tried with 5.7.
"""

import mmap
import os
import signal
import struct
import sys
import warnings
from typing import TYPE_CHECKING

import celery.apps.worker
import structlog
from celery import Celery, signals
from celery.exceptions import CPendingDeprecationWarning, SecurityWarning
from celery.utils.log import get_multiprocessing_logger

from worker.process.gpu_check import require_gpu
from worker.process.logs import configure_logs
from worker.process.module_loading import gc_frozen
from worker.process.oom_kills import oom_kills
from worker.queue.broker import find_broker
from worker.queue.celery_app import TASK, make_app, queue_name
from worker.redis_address import RedisAddress
from worker.settings import Settings
from worker.storage.database import open_database

if TYPE_CHECKING:
    from worker.process.child import WorkerProcess

KILLS = struct.Struct("q")
ASKED_TWICE = 128 + signal.SIGTERM
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def run_worker(settings: Settings) -> int:
    """Serve the queues until SIGTERM or SIGINT, then give running jobs back to them; the exit status.

    A second signal ends it at once: the jobs go back to the queue when their leases have run out. Raises
    InvalidSettings where there is no GPU for the queue gpu, StoreUnavailable where there is no database, and
    BrokerUnavailable where there is no address of a Redis.
    """
    require_gpu(settings)
    open_database(settings.sql_url, busy_seconds=settings.busy_seconds).close()  # what is wrong is said here, once
    configure_logs(settings.log_level, settings.log_format)
    warnings.simplefilter("ignore", SecurityWarning)  # of pickle under root; no message here is unpickled
    warnings.simplefilter("ignore", CPendingDeprecationWarning)  # of a setting that is as it should be
    if not sys.stdout.isatty():  # what Celery tells who presses Ctrl-C would be the one line of a log that is no JSON
        celery.apps.worker.safe_say = lambda *_: None
    log = structlog.get_logger("worker")
    for variable in THREADS:  # NumPy reads them once, when a child first imports it
        os.environ[variable] = str(settings.blas_threads)
    broker = find_broker(settings)
    log.info("redis", address=str(broker))
    app = make_app(settings, broker)
    Pool(app, settings, broker)
    worker = app.Worker(
        hostname=f"trainshed-{os.getpid()}@%h",
        pool="prefork",
        concurrency=1 if "gpu" in settings.queues else settings.concurrency,  # a GPU has one child
        queues=[queue_name(queue) for queue in settings.queues],
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


class Pool:
    """What Celery calls in its children, and how the parent tells them to come to an end."""

    def __init__(self, app: Celery, settings: Settings, broker: RedisAddress) -> None:
        self._settings = settings
        self._broker = broker
        self._process: WorkerProcess | None = None
        self._draining = mmap.mmap(-1, 1)  # shared with every child
        self._oom_kills = mmap.mmap(-1, KILLS.size)  # as the youngest child has found them
        KILLS.pack_into(self._oom_kills, 0, oom_kills())
        signals.setup_logging.connect(self._take_logs, weak=False)
        app.task(name=TASK, ignore_result=True)(self.work)
        signals.worker_process_init.connect(self._open, weak=False)
        signals.worker_process_shutdown.connect(self._close, weak=False)
        signals.worker_shutting_down.connect(self._drain, weak=False)

    def work(self, item_id: object) -> None:
        """Work on the item; anything but an id that is known does nothing."""
        if self._process is not None and isinstance(item_id, str):
            self._process.work(item_id)

    def _take_logs(self, **_: object) -> None:
        """Where somebody listens to this signal Celery leaves the logs as they are: all go where ours go."""
        get_multiprocessing_logger().propagate = True  # billiard would keep them to itself

    def _open(self, **_: object) -> None:
        with gc_frozen():
            from worker.process.child import WorkerProcess  # only here: see the top

        self._process = WorkerProcess(self._settings, self._broker, draining=self._is_draining)
        (before,), now = KILLS.unpack_from(self._oom_kills), oom_kills()
        KILLS.pack_into(self._oom_kills, 0, now)
        if now > before:  # it may well have been the child in whose place this one is
            self._process.tell_of_starved_items()

    def _close(self, **_: object) -> None:
        if self._process is not None:
            self._process.close()

    def _drain(self, **_: object) -> None:
        if self._draining[0]:  # asked a second time: at once, and the children with it
            os._exit(ASKED_TWICE)
        self._draining[0] = 1

    def _is_draining(self) -> bool:
        return self._draining[0] == 1
