"""All that the service keeps: rows and files."""

from collections.abc import Callable
from dataclasses import dataclass

from worker.settings import Settings
from worker.workspace import Workspace


@dataclass(frozen=True)
class Stored:
    jobs: frozenset[str]
    datasets: frozenset[str]
    parameters: frozenset[str]
    files: frozenset[str]

    @classmethod
    def of(cls, backend: Workspace, settings: Settings) -> "Stored":
        files = (path for path in settings.data_dir.rglob("*") if path.is_file())
        return cls(
            frozenset(job.id for job in backend.jobs.page(limit=1000).data),
            frozenset(record.id for record in backend.datasets.page(limit=1000).data),
            frozenset(stored.id for stored in backend.parameters.page(limit=1000).data),
            # The database's own files, and messages on their way to a worker, come and go.
            frozenset(
                str(path.relative_to(settings.data_dir))
                for path in files
                if "trainshed.db" not in path.name and path.suffix in ("", ".csv", ".npz", ".safetensors", ".tmp")
            ),
        )


class Snapshot:
    def __init__(self, take: Callable[[], Stored]) -> None:
        self.take = take
        self.before = take()

    def __call__(self) -> Stored:
        return self.take()
