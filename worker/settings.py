"""What an operator may choose, read once at a process's entrance and passed inward."""

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from worker.redis_address import RedisAddress

KIB, MIB, GIB = 1024, 1024**2, 1024**3
CONTAINER = Path("/sys/fs/cgroup/memory.max")

Queue = Literal["cpu", "gpu"]


class Settings(BaseSettings):
    """Every field is an environment variable with the prefix `TRAINSHED_`: `TRAINSHED_DATA_DIR`, …"""

    model_config = SettingsConfigDict(env_prefix="TRAINSHED_", frozen=True, extra="ignore")

    # where things are
    data_dir: Path = Field(
        Path(".trainshed"),
        description="folder of the database, the datasets and the models; shared by the API and every worker",
    )
    database_url: SecretStr | None = Field(
        None, description="postgresql://user:password@host/name; without it SQLite, in data_dir/trainshed.db"
    )
    redis_url: SecretStr | None = Field(
        None,
        description="redis://, rediss:// or redis+socket:// address; without it a Redis of our own is started",
    )
    host: str = Field("127.0.0.1", description="address that the API listens on")
    port: int = Field(8000, ge=0, le=65535, description="port that the API listens on; 0 takes a free one")

    # the worker
    concurrency: PositiveInt = Field(1, description="jobs that one worker trains at a time")
    queues: Annotated[tuple[Queue, ...], NoDecode] = Field(
        ("cpu",), description="queues that a worker serves, comma-separated: cpu, gpu", min_length=1
    )
    lease_seconds: PositiveFloat = Field(
        30.0, description="a worker that is silent for longer than this has lost its job"
    )
    heartbeat_seconds: PositiveFloat = Field(10.0, description="a worker renews its lease this often")
    sweep_seconds: PositiveFloat = Field(5.0, description="lost jobs and unsent nudges are looked for this often")
    republish_seconds: PositiveFloat = Field(
        10.0, description="a queued job that no worker has claimed is nudged again after this long"
    )
    max_attempts: PositiveInt = Field(5, description="workers that a job may lose before it counts as failed")
    max_runtime_seconds: PositiveFloat = Field(
        86400.0, description="a single attempt is stopped after this long, whatever it does"
    )
    checkpoint_seconds: PositiveFloat = Field(
        10.0, description="a job saves where it stands this often; a lost worker costs no more work than that"
    )
    stall_seconds: PositiveFloat = Field(
        600.0, description="a job that makes no step for this long counts as lost, though its process lives"
    )
    max_memory_bytes: PositiveInt | None = Field(
        None, description="memory that a job's process may hold; by default nine tenths of the machine's, shared out"
    )
    disk_reserve_bytes: NonNegativeInt = Field(
        256 * MIB, description="while less of data_dir's disk is free, what would fill it is answered with 507"
    )
    busy_seconds: PositiveFloat = Field(
        10.0, description="a write waits this long for the database before it is answered with 503"
    )

    # the API
    api_processes: PositiveInt = Field(1, description="API processes that share the port; `--workers` says the same")
    look_seconds: PositiveFloat = Field(
        1.0, description="an API process sees within this long that another one has moved an alias"
    )

    # limits
    max_layers: PositiveInt = Field(64, description="hidden layers of a network")
    max_units: PositiveInt = Field(65_536, description="units of a layer")
    max_epochs: PositiveInt = Field(100_000, description="epochs of a job")
    max_batch_size: PositiveInt = Field(65_536, description="examples of a mini-batch")
    max_data_bytes: PositiveInt = Field(
        GIB,
        description="a job's examples in memory; more stay in their file and are read while the network trains, "
        "which takes 100 MiB",
    )
    max_parameters: PositiveInt = Field(50_000_000, description="trainable numbers of a network")
    max_body_bytes: PositiveInt = Field(256 * KIB, description="JSON body of a request")
    max_upload_bytes: PositiveInt = Field(256 * MIB, description="uploaded file, as it is sent")
    max_expanded_bytes: PositiveInt = Field(GIB, description="uploaded file, expanded")
    max_rows: PositiveInt = Field(10_000_000, description="rows of a dataset")
    max_columns: PositiveInt = Field(65_536, description="numbers in a row of a dataset")
    max_predict_bytes: PositiveInt = Field(64 * MIB, description="body of a request for predictions")
    max_predictor_bytes: PositiveInt = Field(
        512 * MIB, description="models that an API process keeps in memory; those not used for longest go first"
    )
    max_wait_seconds: PositiveFloat = Field(60.0, description="a long poll of a job returns after this long")
    max_page: PositiveInt = Field(1000, description="entries of a page; a page that asks for more is refused")
    max_queued: PositiveInt = Field(100_000, description="jobs that may wait at a time")

    @model_validator(mode="before")
    @classmethod
    def _split_queues(cls, values: object) -> object:
        """`TRAINSHED_QUEUES=cpu,gpu` is a list in one string."""
        if isinstance(values, dict) and isinstance(values.get("queues"), str):
            names = [name.strip() for name in values["queues"].split(",")]
            return {**values, "queues": tuple(name for name in names if name)}
        return values

    @field_validator("redis_url")
    @classmethod
    def _redis_url_can_be_read(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            RedisAddress(url.get_secret_value())
        return url

    @model_validator(mode="after")
    def _heartbeat_fits_lease(self) -> Self:
        if self.heartbeat_seconds * 2 > self.lease_seconds:
            raise ValueError(
                f"heartbeat_seconds is {self.heartbeat_seconds:g} and lease_seconds {self.lease_seconds:g}; "
                "a lease must outlive two heartbeats: raise lease_seconds or lower heartbeat_seconds"
            )
        return self

    @property
    def sql_url(self) -> str:
        """The database's address, with its password: for connecting, never for a log."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_dir.absolute() / 'trainshed.db'}"

    @property
    def memory_limit(self) -> int:
        """Bytes that one job's process may hold: of the machine, or of the container that it is in."""
        if self.max_memory_bytes is not None:
            return self.max_memory_bytes
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        if CONTAINER.exists() and (limit := CONTAINER.read_text().strip()).isdigit():
            total = min(total, int(limit))
        return total * 9 // 10 // self.concurrency

    @property
    def blas_threads(self) -> int:
        """Cores for one job: oversubscribed BLAS threads make every job ten times slower."""
        usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1  # macOS
        return max(1, usable // self.concurrency)
