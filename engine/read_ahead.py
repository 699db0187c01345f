"""Work done ahead: a thread makes what a loop will want next, while the loop is busy with what it has."""

from collections.abc import Generator, Iterator
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Generic, TypeVar

T = TypeVar("T")
POLL_SECONDS = 0.1  # how long a thread may take to see that nobody wants more


class _Failed:
    def __init__(self, error: BaseException) -> None:
        self.error = error


class _Made(Generic[T]):
    def __init__(self, item: T) -> None:
        self.item = item


def ahead(items: Iterator[T], depth: int) -> Generator[T, None, None]:
    """The same items, up to `depth` of them made before they are asked for; what making raises is raised here.

    Two items more than that exist at a time: the one in use and the one being made. Closing ends the thread.
    """
    queue: Queue[_Made[T] | _Failed | None] = Queue(depth)
    unwanted = Event()

    def put(made: _Made[T] | _Failed | None) -> None:
        while not unwanted.is_set():
            try:
                return queue.put(made, timeout=POLL_SECONDS)
            except Full:
                continue

    def make() -> None:
        try:
            for item in items:
                put(_Made(item))
                if unwanted.is_set():
                    return
        except BaseException as error:  # whatever it was, it belongs to the loop
            put(_Failed(error))
        else:
            put(None)

    thread = Thread(target=make, name="read-ahead", daemon=True)
    thread.start()
    try:
        while (made := queue.get()) is not None:
            if isinstance(made, _Failed):
                raise made.error
            yield made.item
    finally:
        unwanted.set()
        try:
            while True:
                queue.get_nowait()  # room for the thread, which may be waiting for it
        except Empty:
            thread.join()
