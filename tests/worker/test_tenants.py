"""Tenants: what is another's is not there, whoever asks for it and by whatever name; what is made bears a name."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

from tests.worker.conftest import queue_job
from worker.backend import Backend
from worker.domain.idempotency import KeyLease, StoredResponse
from worker.domain.ids import new_id
from worker.domain.models import Registration
from worker.domain.principals import Principal
from worker.domain.work_items import Status
from worker.errors import (
    NameTaken,
    UnknownAlias,
    UnknownBatch,
    UnknownCheck,
    UnknownCheckpoint,
    UnknownItem,
    UnknownJob,
    UnknownModel,
)
from worker.settings import Settings
from worker.storage.database import Database
from worker.store import Draft, NewRevision, Store, StoredFile, TenantStore
from worker.store.models import Registering

ANN, BOB, CAROL = Principal("ann", "red"), Principal("bob", "blue"), Principal("carol", "red")
CHANGE = NewRevision({}, {}, {}, {"training": {"epochs": 1}})
MODEL = Registration(
    "m", "job_1", None, "models/x", "a" * 64, "b" * 64, 7, {}, "c" * 64, {}, None, None, {}, False, None
)
Drafted = Callable[..., Draft]


@pytest.fixture
def whole(store: TenantStore, settings: Settings) -> Store:
    return Store(store.database, settings)


@pytest.fixture
def ann(whole: Store) -> TenantStore:
    return whole.on_behalf_of(ANN)


@pytest.fixture
def bob(whole: Store) -> TenantStore:
    return whole.on_behalf_of(BOB)


def test_a_job_is_there_for_its_tenant_alone(
    whole: Store, ann: TenantStore, bob: TenantStore, drafted: Drafted
) -> None:
    mine, his = (queue_job(store, drafted(), max_queued=9).id for store in (ann, bob))
    ann.revisions.add(mine, CHANGE, after=0)
    assert [job.id for job in ann.jobs.page(limit=9, after=None, state=None).data] == [mine]
    assert [job.id for job in bob.jobs.page(limit=9, after=None, state=ann.jobs.get(mine).state).data] == [his]
    assert bob.jobs.find([mine, his]).keys() == {his}
    assert ann.jobs.get(mine).created_by == "ann"
    assert [revision.who for revision in ann.revisions.page(mine)] == ["ann"]
    for ask in (
        bob.jobs.get,
        bob.jobs.cancel,
        bob.jobs.pause,
        bob.jobs.resume,
        bob.jobs.stop,
        bob.jobs.delete,
        bob.revisions.page,
        bob.checkpoints.page,
        bob.measurements.model,
        bob.measurements.warnings,
        lambda job_id: bob.revisions.add(job_id, CHANGE, after=1),
        lambda job_id: bob.revisions.spec_of(job_id, 1),
        lambda job_id: bob.measurements.page(job_id, after=0, limit=9),
        lambda job_id: bob.measurements.thinned(job_id, after=0, points=9),
        lambda job_id: bob.measurements.events(job_id, after=0, limit=9),
        lambda job_id: bob.measurements.layers(job_id, after=0, limit=9),
        lambda job_id: bob.gradient_checks.create(job_id, {}, max_queued=9),
        lambda job_id: bob.gradient_checks.page(job_id, after=0, limit=9),
    ):
        with pytest.raises(UnknownJob, match=f"^there is no job '{mine}'$"):
            ask(mine)
    assert bob.revisions.after(mine, 0) == ()
    assert bob.jobs.inputs(mine) == {"dataset": {}, "parameters": {}, "checkpoint": {}}
    assert bob.measurements.marks(mine, ["hyperparameters_requested"], 9) == ()
    assert len(ann.measurements.marks(mine, ["hyperparameters_requested"], 9)) == 1
    assert (bob.checkpoints.newest(mine), bob.checkpoints.best(mine)) == (None, None)
    with pytest.raises(UnknownCheckpoint, match="it keeps: none"):
        bob.checkpoints.get(mine, 1)
    number = ann.gradient_checks.create(mine, {}, max_queued=9).number
    assert ann.gradient_checks.get(mine, number).created_by == "ann"
    with pytest.raises(UnknownCheck):
        bob.gradient_checks.get(mine, number)
    assert whole.on_behalf_of(CAROL).jobs.get(mine).created_by == "ann"  # of the same tenant


def test_a_worker_takes_what_comes_and_acts_for_whoever_made_it(
    whole: Store, bob: TenantStore, drafted: Drafted
) -> None:
    job_id = queue_job(bob, drafted(), max_queued=9).id
    claim = whole.work_items.claim(job_id, "worker_1")
    assert claim is not None and claim.item.principal == BOB
    with pytest.raises(UnknownItem):
        whole.work_items.get(ANN, job_id)
    whole.workers.seen("worker_1", host="here", pid=1, queues=["cpu"], job_id=job_id)
    told = {whose: [worker.job_id for worker in whole.workers.alive(whose)] for whose in (ANN, BOB, None)}
    assert told == {ANN: [None], BOB: [job_id], None: [job_id]}


def test_names_of_data_are_a_tenants_own(ann: TenantStore, bob: TenantStore) -> None:
    ids = {}
    for store, content in ((ann, "1"), (bob, "2")):
        stored = StoredFile(new_id("ds"), "table", 1, content, f"datasets/{content}", content)
        record, created = store.datasets.add(stored, media_type="text/csv", rows=1, summary={})
        assert created and (record.version, record.created_by) == (1, store.principal.name)
        ids[store.principal] = record.id
        store.parameter_sets.add(replace(stored, id=stored.id.replace("ds", "ps"), name="start"), {})
        with pytest.raises(NameTaken):
            store.parameter_sets.add(replace(stored, id=new_id("ps"), name="start"), {})
    for own, other in ((ann, BOB), (bob, ANN)):
        mine, others = ids[own.principal], ids[other]
        for reference in ("table", "table@1", mine):
            found = own.datasets.find(reference)
            assert found is not None and found.id == mine
        assert own.datasets.find(others) is own.datasets.stored(others) is own.datasets.pinned(others) is None
        assert own.datasets.delete(others) is None
        assert [record.id for record in own.datasets.page(limit=9, after=None).data] == [mine]
        assert [record.id for record in own.datasets.page(limit=9, after=None, name="table").data] == [mine]
        assert own.parameter_sets.find(others.replace("ds", "ps")) is None
        assert [known.created_by for known in own.parameter_sets.page(limit=9, after=None).data] == [own.principal.name]
    assert bob.datasets.delete("table") is not None and ann.datasets.find("table") is not None


def test_models_of_one_name_are_as_many_as_there_are_tenants(ann: TenantStore, bob: TenantStore) -> None:
    for store, versions in ((ann, 2), (bob, 1)):
        for number in range(versions):
            store.models.register(Registering(replace(MODEL, job_id=f"job_{number}"), lambda: None))
    ann.model_aliases.set("m", "live", 2)
    ann.models.sample_features("m", True)
    assert (ann.models.get("m").newest, bob.models.get("m").newest) == (2, 1)
    assert [model.versions for model in bob.models.page(limit=9, after=None).data] == [1]
    assert (bob.models.version("m", None).created_by, ann.models.version("m", "live").version) == ("bob", 2)
    with pytest.raises(UnknownAlias):
        bob.models.version("m", "live")
    assert bob.model_aliases.all("m") == () == bob.model_aliases.history("m", None, limit=9, before=None).data
    assert [change.who for change in ann.model_aliases.history("m", None, limit=9, before=None).data] == ["ann"]
    sample = {"seen": 1, "columns": ["x"], "rows": [[1.0]]}
    assert ann.feature_samples.keep("m", "process", 1e10, **sample)
    assert not bob.feature_samples.keep("m", "process", 1e10, **sample)
    assert len(ann.feature_samples.of("m")) == 1 and bob.feature_samples.of("m") == ()
    assert ann.models.revision("m") != bob.models.revision("m")
    removed: list[str] = []
    bob.models.delete_version("m", 1, removed.append)
    assert removed == []  # the file is that of the other tenant's versions, too
    with pytest.raises(UnknownModel):
        bob.models.get("m")
    ann.models.delete_version("m", 1, removed.append)
    ann.model_aliases.remove("m", "live")
    ann.models.delete_version("m", 2, removed.append)
    assert removed == [MODEL.file]


def test_a_batch_prediction_is_its_tenants(whole: Store, ann: TenantStore, bob: TenantStore) -> None:
    stored = StoredFile(new_id("ds"), "table", 1, "1", "datasets/1", "1")
    dataset, _ = ann.datasets.add(stored, media_type="text/csv", rows=1, summary={})
    for store in (ann, bob):
        store.models.register(Registering(MODEL, lambda: None))
    version = ann.models.version("m", 1)
    batch = ann.batch_predictions.create("bp_1", version, dataset, "table", "csv", max_queued=9)
    assert batch.created_by == "ann"
    assert bob.batch_predictions.page("m", limit=9, after=None).data == ()
    for ask in (bob.batch_predictions.get, bob.batch_predictions.delete):
        with pytest.raises(UnknownBatch):
            ask("bp_1")
    bob.models.delete_version("m", 1, lambda file: None)  # which that one does not need
    assert [one.id for one in ann.batch_predictions.page("m", limit=9, after=None).data] == ["bp_1"]


def test_a_key_means_nothing_to_another_principal(whole: Store, ann: TenantStore) -> None:
    begun = ann.idempotency_keys.begin("key", "/v1/jobs")
    assert isinstance(begun, KeyLease)
    ann.idempotency_keys.answer(begun, StoredResponse("a", 201, {}, "hers"))
    for other in (BOB, CAROL):  # of another tenant, and of the same one
        lease = whole.on_behalf_of(other).idempotency_keys.begin("key", "/v1/jobs")
        assert isinstance(lease, KeyLease)
        whole.on_behalf_of(other).idempotency_keys.abandon(lease)
    replayed = ann.idempotency_keys.begin("key", "/v1/jobs")
    assert isinstance(replayed, StoredResponse) and replayed.body == "hers"


@pytest.fixture
def plan(sqlite: Database) -> Iterator[list[str]]:
    """How SQLite goes about each statement that is read from here on."""
    steps: list[str] = []

    def explain(connection: sa.Connection, cursor: object, statement: str, values: object, *rest: object) -> None:
        if statement.startswith("SELECT"):
            steps.extend(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values))

    sa.event.listen(sqlite._reader, "before_cursor_execute", explain)
    yield steps
    sa.event.remove(sqlite._reader, "before_cursor_execute", explain)


@pytest.mark.parametrize("state", [None, Status.QUEUED])
def test_a_tenants_list_is_read_off_an_index(
    sqlite: Database, settings: Settings, plan: list[str], state: Status | None
) -> None:
    """However many jobs others have: nothing is sorted, and nothing is passed over."""
    Store(sqlite, settings).on_behalf_of(ANN).jobs.page(limit=9, after=new_id("job"), state=state)
    by = "work_items_by_tenant (tenant=? AND kind=? AND id<?)"
    if state is not None:
        by = "work_items_by_state (kind=? AND state=? AND tenant=? AND id<?)"
    assert f"SEARCH work_items USING INDEX {by}" in plan
    assert not any("TEMP B-TREE" in step for step in plan), plan


@pytest.mark.parametrize("reference", ["table", "table@2", "ds_" + "0" * 32])
def test_a_dataset_is_found_however_many_there_are(
    sqlite: Database, settings: Settings, plan: list[str], reference: str
) -> None:
    Store(sqlite, settings).on_behalf_of(ANN).datasets.pinned(reference)
    (step,) = plan
    assert step.startswith("SEARCH datasets USING INDEX ")
    assert "(id=?)" in step or "(tenant=? AND id=?)" in step or "(tenant=? AND name=?)" in step


def test_a_workspace_is_made_once_for_each_principal(opened: Backend) -> None:
    mine = opened.on_behalf_of(ANN)
    assert mine is opened.on_behalf_of(Principal("ann", "red")) and mine.principal == ANN
    assert mine is not opened.on_behalf_of(CAROL)
