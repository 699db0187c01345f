"""What this machine offers to trainshed, what it lacks, and what to do about it."""

import importlib.util
import os
import platform
import shutil
import socket
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from worker.settings import Settings

RESERVE_BYTES = 256 * 1024**2
PACKAGES = ("numpy", "fastapi", "celery", "kombu", "redis", "sqlalchemy")
WAL_RESET_FIXED = (3, 51, 3)  # https://sqlite.org/wal.html#walresetbug
PROCESSORS = Path("/proc/cpuinfo")

Verdict = Literal["ok", "note", "broken"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    verdict: Verdict
    detail: str


def examine(console: Console, settings: "Settings") -> bool:
    """Print every finding; whether nothing is broken."""
    table = Table.grid(padding=(0, 2))
    sound = True
    for finding in findings(settings):
        style = {"ok": "green", "note": "yellow", "broken": "bold red"}[finding.verdict]
        table.add_row(finding.subject, Text(finding.verdict, style), Text(finding.detail))
        sound = sound and finding.verdict != "broken"
    console.print(table)
    return sound


def findings(settings: "Settings") -> Iterator[Finding]:
    """Look at everything, the cheapest first."""
    yield _python()
    yield Finding("packages", "ok", ", ".join(f"{name} {version(name)}" for name in PACKAGES))
    yield from _extras()
    yield _cores(settings)
    yield _disk(settings.data_dir)
    yield _port(settings.host, settings.port)
    yield from _redis(settings)
    yield from _sql(settings)
    yield _gpu(settings)


def _python() -> Finding:
    system = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {sys.executable}"
    return Finding("python", "ok", system)


def _extras() -> Iterator[Finding]:
    offers = {
        "postgres": ("psycopg", '"psycopg[binary]"', "PostgreSQL"),
    }
    for extra, (module, package, offer) in offers.items():
        if importlib.util.find_spec(module) is None:
            yield Finding(f"extra {extra}", "note", f"absent: no {offer}; pip install {package}")
        else:
            yield Finding(f"extra {extra}", "ok", offer)
    if _has("mkl"):
        yield Finding("extra mkl", "ok", f"matrix products by MKL {version('mkl')}")
    elif PROCESSORS.exists() and "GenuineIntel" in PROCESSORS.read_text():
        yield Finding("extra mkl", "note", "absent: no quicker matrix products by MKL; pip install mkl")


def _cores(settings: "Settings") -> Finding:
    share = f"{settings.concurrency} job(s) at a time with {settings.blas_threads} BLAS thread(s) each"
    detail = f"{os.cpu_count()}; {share}"
    return Finding("cores", "ok", detail)


def _disk(data_dir: Path) -> Finding:
    folder = data_dir.absolute()
    while not folder.exists():
        folder = folder.parent
    try:
        with TemporaryFile(dir=folder):
            pass
    except OSError:
        return Finding("disk", "broken", f"{folder} is not writable; set TRAINSHED_DATA_DIR to a folder that is")
    free = shutil.disk_usage(folder).free
    if free < RESERVE_BYTES:
        return Finding("disk", "broken", f"{free / 1024**2:.0f} MiB free in {folder}; at least 256 MiB are needed")
    return Finding("disk", "ok", f"{free / 1024**3:.1f} GiB free in {data_dir.absolute()}")


def _port(host: str, port: int) -> Finding:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return Finding("port", "note", f"{host}:{port} cannot be bound ({error.strerror}); set TRAINSHED_PORT")
    return Finding("port", "ok", f"{host}:{port} is free")


def _redis(settings: "Settings") -> Iterator[Finding]:
    """A named one is asked; else one of our own is started for a moment."""
    from worker.broker import check_broker
    from worker.embedded_redis import EmbeddedRedis
    from worker.errors import BrokerUnavailable
    from worker.redis_address import RedisAddress
    from worker.redis_server import find_server

    if settings.redis_url is not None:
        fault = check_broker(settings)
        address = RedisAddress(settings.redis_url.get_secret_value())
        yield Finding("Redis", "ok", f"{address} answers") if fault is None else Finding("Redis", "broken", str(fault))
        return
    try:
        server = find_server()
        with EmbeddedRedis(server.program):
            pass
    except BrokerUnavailable as error:
        yield Finding("Redis", "broken", str(error))
        return
    yield Finding("Redis", "ok", f"{server.version}, started by `trainshed serve` from {server.program}")
    yield Finding("Redis", "note", "one of our own serves this machine only; for more set TRAINSHED_REDIS_URL")


def _sql(settings: "Settings") -> Iterator[Finding]:
    """SQLite is a file that need not exist yet; a named server is asked."""
    from worker.database import Database
    from worker.errors import StoreUnavailable

    if settings.database_url is None:
        yield Finding("sql", "ok", f"SQLite {sqlite3.sqlite_version}, in {settings.data_dir.absolute()}")
        yield Finding("sql", "note", "SQLite cannot serve more than one machine; set TRAINSHED_DATABASE_URL")
        if sqlite3.sqlite_version_info < WAL_RESET_FIXED:
            yield Finding("sql", "note", "this SQLite has the WAL-reset bug; a lock around writes avoids it")
        return
    try:
        database = Database(settings.sql_url)
        try:
            database.ping()
        finally:
            database.close()
    except StoreUnavailable as error:
        yield Finding("sql", "broken", str(error))
    else:
        yield Finding("sql", "ok", database.kind)


def _gpu(settings: "Settings") -> Finding:
    try:
        installed = next(version(name) for name in ("cupy-cuda12x", "cupy-cuda13x", "cupy") if _has(name))
    except StopIteration:
        verdict: Verdict = "broken" if "gpu" in settings.queues else "note"
        return Finding("gpu", verdict, 'no CuPy, so no GPU queue; pip install "cupy-cuda12x[ctk]"')
    return Finding("gpu", "ok", f"CuPy {installed}")


def _has(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True
