"""Datasets of one name are versions: the newest is meant, numbers are never given twice."""

from concurrent.futures import ThreadPoolExecutor

from worker.domain.datasets import DatasetRecord
from worker.domain.ids import new_id
from worker.domain.names import versioned
from worker.store import StoredFile, TenantStore


def add(store: TenantStore, content: str, name: str = "mine") -> tuple[DatasetRecord, bool]:
    stored = StoredFile(new_id("ds"), name, 10, content * 64, f"file {content}", content * 64)
    return store.datasets.add(stored, media_type="text/csv", rows=3, summary={})


def test_other_content_is_the_next_version_and_the_name_means_the_newest(store: TenantStore) -> None:
    first, second = add(store, "a")[0], add(store, "b")[0]
    assert (first.version, second.version) == (1, 2)
    assert store.datasets.find("mine") == store.datasets.find("mine@2") == second
    assert store.datasets.find("mine@1") == store.datasets.find(first.id) == first
    assert store.datasets.find("mine@3") is None
    versions = store.datasets.page(limit=9, after=None, name="mine").data
    assert [record.version for record in versions] == [2, 1]


def test_the_newest_content_again_is_the_newest_version(store: TenantStore) -> None:
    first, _ = add(store, "a")
    assert add(store, "a") == (first, False)
    add(store, "b")
    again, new = add(store, "a")  # the name means what was sent last, so this is no return to the first
    assert (new, again.version) == (True, 3)


def test_the_number_of_a_deleted_version_is_not_given_again(store: TenantStore) -> None:
    first, _ = add(store, "a")
    add(store, "b")
    store.datasets.delete("mine")
    assert store.datasets.find("mine") == first
    assert add(store, "c")[0].version == 3


def test_uploads_at_the_same_moment_get_different_versions(store: TenantStore) -> None:
    with ThreadPoolExecutor(4) as threads:
        records = list(threads.map(lambda content: add(store, content)[0], "abcd"))
    assert sorted(record.version for record in records) == [1, 2, 3, 4]


def test_the_same_upload_at_the_same_moment_is_one_version(store: TenantStore) -> None:
    with ThreadPoolExecutor(4) as threads:
        records = [record for record, _ in threads.map(lambda content: add(store, content), "aaaa")]
    assert len({record.id for record in records}) == 1


def test_a_reference_may_have_a_version() -> None:
    assert versioned("mine@12") == ("mine", 12)
    for reference in ("mine", "mine@", "mine@0", "mine@-1", "mine@1@2", "@1", "mine@9999999999"):
        assert versioned(reference) in ((reference, None), ("", 1)), reference


def test_a_report_is_kept_as_long_as_its_dataset(store: TenantStore) -> None:
    record, _ = add(store, "a")
    for report in ({"findings": []}, {"findings": ["another"]}):
        store.data_reports.keep("key", record.id, report)
    assert store.data_reports.find("key") == {"findings": []}
    store.datasets.delete(record.id)
    assert store.data_reports.find("key") is None
    store.data_reports.keep("key", record.id, {"findings": []})
    assert store.data_reports.find("key") is None
