"""Workers with one thing wrong, which the chaos must notice; and what a power cut would leave of their files."""

import os
from pathlib import Path

MUTANTS = ("fence_off", "position_lost", "sweeper_off", "sync_late")
SYNCED = "synced.txt"


def become(mutant: str, data_dir: str) -> None:
    """Make this process such a worker; every worker notes which of its files are safe on disk."""
    note_synced_files(Path(data_dir) / SYNCED)
    if mutant != "none":
        {"fence_off": fence_off, "position_lost": position_lost, "sweeper_off": sweeper_off, "sync_late": sync_late}[
            mutant
        ]()


def note_synced_files(log: Path) -> None:
    """`os.fsync` writes down which file it was, once it is done."""
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        fsync(descriptor)
        with log.open("a") as lines:
            lines.write(f"{_identity(os.fstat(descriptor))}\n")

    os.fsync = noted


def cut_the_power(data_dir: Path) -> int:
    """Do to the files what the loss of all that was not synced would do; how many were hurt."""
    log = data_dir / SYNCED
    safe = set(log.read_text().splitlines()) if log.exists() else set()
    hurt = 0
    for kind in ("checkpoints", "models"):
        for path in (data_dir / kind).glob("*/*"):
            try:
                found = path.stat()
                if _identity(found) not in safe:
                    os.truncate(path, found.st_size // 2)
                    hurt += 1
            except FileNotFoundError:  # superseded just now
                continue
    return hurt


def _identity(found: os.stat_result) -> str:
    return f"{found.st_ino} {found.st_mtime_ns}"  # numbers of files are used again


def fence_off() -> None:
    """The store does not look who writes."""
    from worker.store import work_items
    from worker.store.job_rows import JOB_ROWS

    work_items.WorkItems.hold = lambda _, connection, claim: JOB_ROWS.lock(connection, claim.item_id)  # type: ignore[method-assign]


def position_lost() -> None:
    """A checkpoint's position within its epoch is not restored."""
    from engine import training
    from engine.checkpoint import Tally

    restore = training.Run.restore

    def forgetful(run: training.Run, checkpoint: training.Checkpoint) -> None:
        restore(run, checkpoint)
        run.tally = Tally()

    training.Run.restore = forgetful  # type: ignore[method-assign]


def sweeper_off() -> None:
    """Nobody looks for what was left behind."""
    from worker.maintenance import sweeper

    sweeper.Sweeper.sweep = lambda _: None  # type: ignore[method-assign]


def sync_late() -> None:
    """A file gets its name, and is registered, before its content is safe: that follows with the next file."""
    from worker.storage import artifacts

    keep = artifacts.Artifacts.keep
    late: list[Path] = []

    def keep_before_sync(self: artifacts.Artifacts, unfinished: Path, file: str) -> str:
        fsync, os.fsync = os.fsync, lambda _: None
        try:
            sha256 = keep(self, unfinished, file)
        finally:
            os.fsync = fsync
        for path in late:
            if path.exists():
                with path.open("rb") as content:
                    os.fsync(content.fileno())
        late[:] = [self._root / file]
        return sha256

    artifacts.Artifacts.keep = keep_before_sync  # type: ignore[method-assign]
