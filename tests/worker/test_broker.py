"""Which Redis is used, and that a broker that is away costs nobody any time."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from engine import JobSpec
from worker.backend import open_backend
from worker.domain.principals import LOCAL
from worker.errors import BrokerUnavailable
from worker.queue.broker import check_broker, find_broker, open_broker
from worker.queue.celery_app import make_app
from worker.redis_address import RedisAddress
from worker.settings import Settings

Make = Callable[..., JobSpec]


def test_somebody_s_redis_comes_first(tmp_path: Path) -> None:
    with open_broker(Settings(data_dir=tmp_path)):
        settings = Settings(data_dir=tmp_path, redis_url="redis://me:secret@example.org:6379/1")
        assert find_broker(settings) == RedisAddress("redis://me:secret@example.org:6379/1")


def test_a_running_stack_s_redis_is_found_by_its_data_folder(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with open_broker(settings) as running:
        assert find_broker(settings) == running
        assert check_broker(settings) is None
    with pytest.raises(BrokerUnavailable, match=r"TRAINSHED_REDIS_URL is not set.*`trainshed serve`.*runs on"):
        find_broker(settings)


def test_a_stack_that_was_given_a_redis_keeps_its_address_to_itself(tmp_path: Path, redis_url: str) -> None:
    with open_broker(Settings(data_dir=tmp_path, redis_url=redis_url), "http://127.0.0.1:8000") as running:
        assert running == RedisAddress(redis_url)
        with pytest.raises(BrokerUnavailable, match=rf"process {os.getpid()}.*:8000.*set TRAINSHED_REDIS_URL"):
            find_broker(Settings(data_dir=tmp_path))
        assert redis_url not in (tmp_path / "run" / "stack.json").read_text()


def test_a_stack_is_not_opened_over_a_redis_that_does_not_answer(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, redis_url=f"unix://:secret@{tmp_path}/no.sock")
    advice = "no socket.*; start it, or correct TRAINSHED_REDIS_URL"
    with pytest.raises(BrokerUnavailable, match=advice) as refused, open_broker(settings):
        pytest.fail("opened without Redis")
    assert "secret" not in str(refused.value)


def test_a_password_in_the_address_s_query_reaches_celery(settings: Settings, redis_url: str) -> None:
    credentials, _, path = redis_url.removeprefix("unix://").partition("@")
    user, _, password = credentials.partition(":")
    address = RedisAddress(f"unix://{path}?username={user}&password={password}")
    with make_app(settings, address).connection_for_write() as connection:
        connection.ensure_connection(max_retries=1)
        assert password not in connection.as_uri()


def test_an_address_that_cannot_be_read_is_refused_with_the_settings() -> None:
    with pytest.raises(ValidationError, match="a Redis address is"):
        Settings(redis_url="example.org:6379")


def test_celery_is_set_up_as_a_doorbell(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, redis_url="redis://localhost", max_runtime_seconds=100)
    conf = make_app(settings, find_broker(settings)).conf
    expected = {
        "task_serializer": "json",
        "accept_content": ["json"],
        "result_backend": None,
        "task_ignore_result": True,
        "task_acks_late": False,
        "task_reject_on_worker_lost": False,
        "worker_disable_prefetch": True,
        "worker_prefetch_multiplier": 1,
        "broker_connection_max_retries": None,
        "task_publish_retry": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_enable_remote_control": False,
        "worker_send_task_events": False,
        "worker_max_tasks_per_child": 50,
        "task_time_limit": 220,
        "task_create_missing_queues": False,
    }
    assert {name: conf[name] for name in expected} == expected
    assert [queue.name for queue in conf.task_queues] == ["ts.cpu", "ts.gpu"]
    assert conf.broker_transport_options["ack_emulation"] is False
    assert conf.broker_transport_options["health_check_interval"] == 10


@pytest.fixture
def black_hole() -> Iterator[str]:
    """A Redis that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


@pytest.mark.parametrize("broker_is", ["a black hole", "down"])
def test_a_job_is_taken_at_once_while_the_broker_is_away(
    settings: Settings, spec: Make, black_hole: str, broker_is: str
) -> None:
    url = black_hole if broker_is == "a black hole" else "redis://127.0.0.1:1/0"
    with open_backend(Settings.model_validate(settings.model_dump() | {"redis_url": url})) as opened:
        backend = opened.on_behalf_of(LOCAL)
        backend.datasets.find("iris")  # made once, so that only the submission is measured
        for _ in range(5):
            started = time.monotonic()
            job = backend.jobs.submit(spec())
            assert time.monotonic() - started < 5
            assert backend.jobs.get(job.id).state == "queued"
        started = time.monotonic()
        health = opened.health()
        assert time.monotonic() - started < 8
        assert (health["sql"].ok, health["redis"].ok) == (True, False)


def test_nothing_is_left_of_a_backend_that_could_not_publish(settings: Settings, spec: Make) -> None:
    down = Settings.model_validate(settings.model_dump() | {"redis_url": "redis://127.0.0.1:1/0"})
    before = set(threading.enumerate())
    with open_backend(down) as opened:
        opened.on_behalf_of(LOCAL).jobs.submit(spec())
        assert set(threading.enumerate()) > before
    assert set(threading.enumerate()) <= before
