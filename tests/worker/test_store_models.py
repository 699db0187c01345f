"""Registered models: versions never change, an alias means one of them, and every change of it is remembered."""

import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from worker.domain.models import ModelVersion, Registration
from worker.errors import NoEarlierVersion, UnknownAlias, UnknownModel, UnknownVersion, VersionInUse
from worker.store import TenantStore
from worker.store.models import Registering

Register = Callable[..., ModelVersion]


def registration(job: int, name: str = "digits", content: str = "a") -> Registration:
    return Registration(
        name=name,
        job_id=f"job_{job}",
        checkpoint=None,
        file=f"models/{content * 64}.safetensors",
        sha256=content * 64,
        weights_sha256="b" * 64,
        bytes=7,
        spec={"data": {}},
        data_hash="c" * 64,
        datasets={"digits": "ds_1"},
        metrics={"test": {"accuracy": 0.9}},
        environment=None,
        card={},
        strict=False,
        threshold=None,
    )


@pytest.fixture
def register(store: TenantStore) -> Register:
    """Registers what a job made; its file is not looked for."""
    return lambda job, **other: store.models.register(Registering(registration(job, **other), lambda: None))[0]


def history(store: TenantStore, alias: str | None = None) -> list[tuple[int, str, str, int | None, int | None]]:
    page = store.model_aliases.history("digits", alias, limit=99, before=None)
    return [(one.number, one.alias, one.change, one.version, one.previous) for one in page.data]


def test_versions_count_from_one_and_the_newest_is_meant(store: TenantStore, register: Register) -> None:
    first, second = register(1), register(2)
    assert (first.version, second.version) == (1, 2)
    assert store.models.version("digits", None) == second
    assert store.models.version("digits", 1) == first
    assert [one.version for one in store.models.versions("digits", limit=9, after=None).data] == [2, 1]
    model = store.models.get("digits")
    assert (model.versions, model.newest, model.aliases) == (2, 2, {})


def test_the_same_job_twice_is_one_version(store: TenantStore) -> None:
    first = store.models.register(Registering(registration(1), lambda: None))
    kept: list[int] = []
    again = store.models.register(Registering(registration(1), lambda: kept.append(1)))
    assert first[1] and again == (first[0], False) and kept == [1], "only before the transaction"
    other = store.models.register(Registering(replace(registration(1), checkpoint=3), lambda: None))
    assert (other[0].version, other[1]) == (2, True)


def test_a_file_is_put_in_place_while_others_can_write(store: TenantStore) -> None:
    written = threading.Event()

    def write() -> None:
        with store.database.write():
            written.set()

    def keep() -> None:
        if not written.is_set():  # the first time: what takes long
            writer = threading.Thread(target=write)
            writer.start()
            assert written.wait(30)
            writer.join()

    store.models.register(Registering(registration(1), keep))
    assert written.is_set()


def test_what_is_not_there_is_named(store: TenantStore, register: Register) -> None:
    with pytest.raises(UnknownModel, match="digits"):
        store.models.get("digits")
    register(1)
    with pytest.raises(UnknownVersion, match="no version 2; the newest is 1"):
        store.models.version("digits", 2)
    store.model_aliases.set("digits", "production", 1)
    with pytest.raises(UnknownAlias, match=r"staging.*production"):
        store.models.version("digits", "staging")
    with pytest.raises(UnknownVersion):
        store.model_aliases.set("digits", "production", 5)
    with pytest.raises(UnknownModel):
        store.model_aliases.set("letters", "production", 1)


def test_an_alias_is_switched_and_its_history_tells_of_it(store: TenantStore, register: Register) -> None:
    register(1)
    register(2)
    for version in (1, 2, 2):  # the last is no change
        assert store.model_aliases.set("digits", "production", version).version == version
    assert store.models.version("digits", "production").aliases == ("production",)
    assert history(store) == [(2, "production", "set", 2, 1), (1, "production", "set", 1, None)]


def test_a_rollback_goes_back_step_by_step(store: TenantStore, register: Register) -> None:
    for job in (1, 2, 3):
        store.model_aliases.set("digits", "production", register(job).version)
    assert store.model_aliases.roll_back("digits", "production").version == 2
    assert store.model_aliases.roll_back("digits", "production").version == 1
    with pytest.raises(NoEarlierVersion, match="before 1"):
        store.model_aliases.roll_back("digits", "production")
    store.model_aliases.set("digits", "production", 3)
    assert store.model_aliases.roll_back("digits", "production").version == 1
    assert history(store)[0] == (7, "production", "rollback", 1, 3)


def test_a_rollback_passes_over_what_was_deleted(store: TenantStore, register: Register) -> None:
    for job in (1, 2, 3):
        store.model_aliases.set("digits", "production", register(job).version)
    store.models.delete_version("digits", 2, lambda file: None)
    assert store.model_aliases.roll_back("digits", "production").version == 1


def test_an_alias_that_was_removed_begins_anew(store: TenantStore, register: Register) -> None:
    store.model_aliases.set("digits", "production", register(1).version)
    store.model_aliases.remove("digits", "production")
    with pytest.raises(UnknownAlias):
        store.model_aliases.remove("digits", "production")
    store.model_aliases.set("digits", "production", register(2).version)
    with pytest.raises(NoEarlierVersion):
        store.model_aliases.roll_back("digits", "production")
    assert [entry[2] for entry in history(store, "production")] == ["set", "removed", "set"]
    assert history(store, "staging") == []


def test_a_version_that_an_alias_means_stays(store: TenantStore, register: Register) -> None:
    register(1)
    store.model_aliases.set("digits", "production", 1)
    with pytest.raises(VersionInUse, match="'production'"):
        store.models.delete_version("digits", 1, lambda file: pytest.fail("it is needed"))
    store.model_aliases.remove("digits", "production")
    store.models.delete_version("digits", 1, lambda file: None)
    with pytest.raises(UnknownModel):
        store.models.get("digits")
    assert register(2).version == 2  # no number is given twice


def test_a_file_goes_with_the_last_version_that_shares_it(store: TenantStore, register: Register) -> None:
    register(1)
    register(2)
    register(3, name="letters")
    gone: list[str] = []
    store.models.delete_version("digits", 1, gone.append)
    store.models.delete_version("letters", 1, gone.append)
    assert gone == []
    store.models.delete_version("digits", 2, gone.append)
    assert gone == [f"models/{'a' * 64}.safetensors"]


def test_every_change_can_be_seen_by_the_revision(store: TenantStore, register: Register) -> None:
    def revision() -> int:
        found = store.models.revision("digits")
        assert found is not None
        if store.models.answers_at_once:
            assert store.models.revision_at_once("digits") == found
        return found

    register(1)
    seen = [revision()]
    for change in (
        lambda: register(2),
        lambda: store.model_aliases.set("digits", "production", 1),
        lambda: store.model_aliases.set("digits", "production", 2),
        lambda: store.model_aliases.roll_back("digits", "production"),
        lambda: store.model_aliases.remove("digits", "production"),
        lambda: store.models.sample_features("digits", True),
        lambda: store.models.delete_version("digits", 1, lambda file: None),
    ):
        change()
        seen.append(revision())
    assert seen == sorted(set(seen))


def test_models_are_listed_by_name(store: TenantStore, register: Register) -> None:
    for name in ("letters", "digits", "iris"):
        register(1, name=name)
    page = store.models.page(limit=2, after=None)
    assert ([one.name for one in page.data], page.has_more) == (["digits", "iris"], True)
    assert [one.name for one in store.models.page(limit=2, after="iris").data] == ["letters"]


def test_registrations_and_switches_at_once_leave_no_gap(store: TenantStore, register: Register) -> None:
    register(0)
    store.model_aliases.set("digits", "production", 1)
    start = threading.Barrier(4)

    def work(worker: int) -> None:
        start.wait()
        for number in range(5):
            version = register(10 * worker + number + 1).version
            store.model_aliases.set("digits", "production", version)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    versions = store.models.versions("digits", limit=99, after=None).data
    assert [one.version for one in versions] == list(range(21, 0, -1))
    changes = history(store)
    assert [number for number, *_ in changes] == list(range(len(changes), 0, -1))
    assert all(newer[4] == older[3] for newer, older in pairwise(changes))  # what it meant is what it had been set to
    assert store.model_aliases.get("digits", "production").version == changes[0][3]
