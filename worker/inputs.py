"""What a job reads: jobs outlive the datasets that they learned from."""

from worker.errors import InputGone
from worker.store import Store


def refuse_if_gone(store: Store, job_id: str) -> None:
    """Raise `InputGone` if a dataset of the job was deleted since."""
    for reference, dataset_id in store.jobs.inputs(job_id)["dataset"].items():
        if store.datasets.stored(dataset_id) is None:
            raise InputGone(job_id, "dataset", reference)
