"""What an operator may choose, read once at a process's entrance and passed inward."""

import os
import warnings
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from worker.addresses import HostNames, Networks, Origins, RootPath
from worker.quantities import ByteCount, Count, PositiveByteCount, Seconds, read_count
from worker.redis_address import RedisAddress
from worker.settings_sources import DOTENV, PREFIX, InvalidSettings, Sources

KIB, MIB, GIB = 1024, 1024**2, 1024**3
SECRETS = Path("/run/secrets")  # where Docker mounts them
CONTAINER = Path("/sys/fs/cgroup/memory.max")

Queue = Literal["cpu", "gpu"]
QUEUES: tuple[Queue, ...] = get_args(Queue)
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "console", "json"]

Folder = Annotated[Path, AfterValidator(Path.expanduser)]


class Settings(BaseSettings):
    """Every field is an environment variable with the prefix `TRAINSHED_`: `TRAINSHED_DATA_DIR`, …

    `worker.settings_sources` says where else they are looked for.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=DOTENV,
        env_ignore_empty=True,
        dotenv_filtering="only_existing",
        frozen=True,
        validate_default=False,
        extra="ignore",
    )

    # where things are
    data_dir: Folder = Field(
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
    secrets_dir: Folder = Field(
        SECRETS, description="folder of files named as these variables are, each with its value"
    )
    log_level: LogLevel = Field("info", description="least that is logged: debug, info, warning or error")
    log_format: LogFormat = Field(
        "auto", description="console is for people, json for programs; auto is console on a terminal, json elsewhere"
    )
    host: str = Field("127.0.0.1", description="address that the API listens on")
    port: Annotated[int, BeforeValidator(read_count)] = Field(
        8000, ge=0, le=65535, description="port that the API listens on; 0 takes a free one"
    )

    # the worker
    concurrency: Count = Field(1, description="jobs that one worker trains at a time")
    queues: Annotated[tuple[Queue, ...], NoDecode] = Field(
        ("cpu",), description="queues that a worker serves, comma-separated: cpu, gpu", min_length=1
    )
    lease_seconds: Seconds = Field(30.0, description="a worker that is silent for longer than this has lost its job")
    heartbeat_seconds: Seconds = Field(10.0, description="a worker renews its lease this often")
    sweep_seconds: Seconds = Field(5.0, description="lost jobs and unpublished jobs are looked for this often")
    republish_seconds: Seconds = Field(
        10.0, description="a queued job that no worker has claimed is published again after this long"
    )
    max_attempts: Count = Field(5, description="workers that a job may lose before it counts as failed")
    max_runtime_seconds: Seconds = Field(
        86400.0, description="a single attempt is stopped after this long, whatever it does"
    )
    checkpoint_seconds: Seconds = Field(
        10.0, description="a job saves where it stands this often; a lost worker costs no more work than that"
    )
    stall_seconds: Seconds = Field(
        600.0, description="a job that makes no step for this long counts as lost, though its process lives"
    )
    max_memory_bytes: PositiveByteCount | None = Field(
        None, description="memory that a job's process may hold; by default nine tenths of the machine's, shared out"
    )
    disk_reserve_bytes: ByteCount = Field(
        256 * MIB, description="while less of data_dir's disk is free, what would fill it is answered with 507"
    )
    busy_seconds: Seconds = Field(
        10.0, description="a write waits this long for the database before it is answered with 503"
    )

    # the API
    api_processes: Count = Field(1, description="API processes on one port, each replaced if it ends; as `--workers`")
    root_path: RootPath = Field(
        "", description="path under which a proxy shows the API, such as /ml, whether or not the proxy strips it"
    )
    trusted_proxies: Networks = Field(
        ("127.0.0.1", "::1"),
        description="addresses and networks, comma-separated, of proxies whose X-Forwarded-… headers are heeded",
    )
    allowed_hosts: HostNames = Field(
        (),
        description="names, comma-separated, that a request's Host may have beside localhost (`*.example.org`, `*`); "
        "without any, an API on a loopback address takes localhost alone, and one on another address every name",
    )
    cors_origins: Origins = Field(
        (),
        description="origins, comma-separated, whose pages may use the API from a browser: "
        "`https://dash.example.org`, or `*`",
    )

    # limits
    max_layers: Count = Field(64, description="hidden layers of a network")
    max_units: Count = Field(65_536, description="units of a layer")
    max_epochs: Count = Field(100_000, description="epochs of a job")
    max_batch_size: Count = Field(65_536, description="examples of a mini-batch")
    max_data_bytes: PositiveByteCount = Field(
        GIB,
        description="a job's examples in memory; more stay in their file and are read while the network trains, "
        "which takes 100 MiB",
    )
    max_parameters: Count = Field(50_000_000, description="trainable numbers of a network")
    max_body_bytes: PositiveByteCount = Field(256 * KIB, description="JSON body of a request")
    max_upload_bytes: PositiveByteCount = Field(256 * MIB, description="uploaded file, as it is sent")
    max_expanded_bytes: PositiveByteCount = Field(GIB, description="uploaded file, expanded")
    max_rows: Count = Field(10_000_000, description="rows of a dataset")
    max_columns: Count = Field(65_536, description="numbers in a row of a dataset")
    max_predict_bytes: PositiveByteCount = Field(64 * MIB, description="body of a request for predictions")
    max_predictor_bytes: PositiveByteCount = Field(
        512 * MIB, description="models that an API process keeps in memory; those not used for longest go first"
    )
    max_wait_seconds: Seconds = Field(60.0, description="a long poll of a job returns after this long")
    max_page: Count = Field(1000, description="entries of a page; a page that asks for more is refused")
    max_queued: Count = Field(100_000, description="jobs that may wait at a time")

    @field_validator("queues", mode="before")
    @classmethod
    def _split_queues(cls, value: object) -> object:
        """`TRAINSHED_QUEUES=cpu,gpu` is a list in one string."""
        if isinstance(value, str):
            return tuple(name for part in value.split(",") if (name := part.strip()))
        return value

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _heed_no_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("secrets_dir")
    @classmethod
    def _is_there(cls, value: Path) -> Path:
        """The one by default need not be there."""
        if value != SECRETS and not value.is_dir():
            raise ValueError("must be a folder that exists")
        return value

    @field_validator("database_url")
    @classmethod
    def _can_be_connected_to(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            from worker.database_address import read_address  # SQLAlchemy: only where an address is named

            read_address(value.get_secret_value())
        return value

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
                f"{PREFIX}HEARTBEAT_SECONDS is {self.heartbeat_seconds:g} and {PREFIX}LEASE_SECONDS "
                f"{self.lease_seconds:g}; a lease must outlive two heartbeats: raise the lease or lower the heartbeat"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Where the fields are looked for; called by pydantic-settings."""
        return tuple(Sources(settings_cls, init_settings).in_order)

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


def read_settings(**arguments: object) -> Settings:
    """The settings of this process; `arguments` stand over all that is named elsewhere.

    Raises InvalidSettings for values that are not allowed and for names `TRAINSHED_…` that nobody knows.
    """
    try:
        sources = Sources(Settings)
        wrong = sources.wrong_names()
        with warnings.catch_warnings(action="error", category=UserWarning):  # of a secret that is a folder, say
            settings = Settings(**arguments)  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        raise InvalidSettings([*wrong, *map(sources.wrong_value, error.errors())]) from None
    except (SettingsError, OSError, UnicodeError) as error:
        raise InvalidSettings([_why_unread(error)]) from error
    if wrong:
        raise InvalidSettings(wrong)
    return settings


def _why_unread(error: Exception) -> str:
    reason = error.__cause__ if isinstance(error, SettingsError) else error
    if isinstance(reason, OSError):
        return f"{reason.filename} cannot be read: {reason.strerror}"
    if isinstance(reason, UnicodeError):
        return f"{DOTENV}, or a file in the folder of secrets, is not text in UTF-8"
    return str(reason or error)
