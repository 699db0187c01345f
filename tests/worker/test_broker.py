"""Which transport is chosen, and that a broker that is away costs nobody any time."""

import socket
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine import JobSpec
from worker import broker
from worker.broker import choose_transport, find_transport, open_transport
from worker.celery_app import make_app
from worker.errors import BrokerUnavailable
from worker.settings import Settings
from worker.yard import open_yard

Make = Callable[..., JobSpec]


def test_somebody_s_redis_comes_first_and_its_password_is_not_shown(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, redis_url="redis://me:secret@example.org:6379/1")
    transport = choose_transport(settings)
    assert (transport.kind, transport.address) == ("redis", "redis://example.org:6379/1")
    assert transport.url == "redis://me:secret@example.org:6379/1"


def test_without_any_redis_there_is_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "_redis_binary", lambda: None)
    transport = choose_transport(Settings(data_dir=tmp_path))
    assert transport.kind == "filesystem"
    assert transport.cannot
    with pytest.raises(BrokerUnavailable, match="TRAINSHED_REDIS_URL"):
        choose_transport(Settings(data_dir=tmp_path, broker="redis"))


def test_a_running_stack_is_found_by_its_data_folder(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert find_transport(settings).kind == "filesystem"
    with open_transport(settings) as running:
        assert find_transport(settings) == running
        announcement = tmp_path / "run" / "broker.json"
        assert stat.S_IMODE(announcement.stat().st_mode) == 0o600
    assert not announcement.exists()
    assert find_transport(settings).kind == "filesystem"


def test_celery_is_set_up_as_a_doorbell(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, redis_url="redis://localhost", max_runtime_seconds=100)
    conf = make_app(settings, choose_transport(settings)).conf
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
    with open_yard(Settings.model_validate(settings.model_dump() | {"redis_url": url, "broker": "auto"})) as yard:
        yard.dataset("iris")  # made once, so that only the submission is measured
        for _ in range(5):
            started = time.monotonic()
            job = yard.submit(spec())
            assert time.monotonic() - started < 1
            assert yard.job(job.id).state == "queued"
        started = time.monotonic()
        health = yard.health()
        assert time.monotonic() - started < 2.5
        assert (health["sql"].ok, health["redis"].ok) == (True, False)
