"""What this machine offers to trainshed, what it lacks, and what to do about it: a sentence for each."""

import os
import platform
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import httpx
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from worker.settings import Settings

MIB, GIB = 1024**2, 1024**3
PACKAGES = ("numpy", "fastapi", "celery", "kombu", "redis", "sqlalchemy")
CUPY = ("cupy-cuda12x", "cupy-cuda13x", "cupy")
WAL_RESET_FIXED = (3, 51, 3)  # https://sqlite.org/wal.html#walresetbug
PROCESSORS = Path("/proc/cpuinfo")
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}  # noqa: S104 - none is opened here

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
    for _ in range(2):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")  # a long path is broken over lines, not cut short
    broken = []
    for finding in look_at_all(settings):
        style = {"ok": "green", "note": "yellow", "broken": "bold red"}[finding.verdict]
        table.add_row(finding.subject, Text(finding.verdict, style), Text(_make_sentence(finding.detail)))
        if finding.verdict == "broken":
            broken.append(finding.subject)
    console.print(table)
    console.print(f"Broken: {', '.join(broken)}." if broken else "Nothing is broken.")
    return not broken


def look_at_all(settings: "Settings") -> Iterator[Finding]:
    """Look at everything, the cheapest first."""
    system = f"{platform.system()} {platform.machine()}"
    yield Finding("Python", "ok", f"Python {platform.python_version()} runs on {system}, from {sys.executable}")
    yield Finding("packages", "ok", f"{', '.join(f'{name} {version(name)}' for name in PACKAGES)} are installed")
    yield from _check_mkl()
    yield _check_cores(settings)
    yield _check_disk(settings)
    yield _check_port(settings)
    yield from _check_redis(settings)
    yield from _check_sql(settings)
    yield _check_gpu(settings)


def _check_mkl() -> Iterator[Finding]:
    if _has("mkl"):
        yield Finding("MKL", "ok", f"MKL {version('mkl')} multiplies matrices")
    elif PROCESSORS.exists() and "GenuineIntel" in PROCESSORS.read_text():
        yield Finding("MKL", "note", "without MKL this processor multiplies matrices more slowly: pip install mkl")


def _check_cores(settings: "Settings") -> Finding:
    cores, jobs, threads = os.cpu_count() or 1, settings.concurrency, settings.blas_threads
    share = f"a worker trains {_count(jobs, 'job')} at a time, with {_count(threads, 'BLAS thread')} each"
    return Finding("cores", "ok", f"of {_count(cores, 'core')}, {share}")


def _check_disk(settings: "Settings") -> Finding:
    from worker.storage.data_dir import HINT, why_not_writable

    folder = settings.data_dir.absolute()
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if (reason := why_not_writable(there)) is not None:
        return Finding("disk", "broken", f"{there} cannot be written to ({reason}); {HINT}")
    free, reserve = shutil.disk_usage(there).free, settings.disk_reserve_bytes
    if free < reserve:
        return Finding(
            "disk",
            "broken",
            f"only {free / MIB:.0f} MiB are free in {folder}, of which {reserve / MIB:.0f} MiB are kept: make room, "
            "or lower TRAINSHED_DISK_RESERVE_BYTES",
        )
    return Finding("disk", "ok", f"{free / GIB:.1f} GiB are free in {folder}")


def _check_port(settings: "Settings") -> Finding:
    from service.listener import PortUnavailable, listen

    host, port = settings.host, settings.port
    try:
        listen(host, port).close()
    except PortUnavailable as error:
        url = f"http://{ANY_ADDRESS.get(host, f'[{host}]' if ':' in host else host)}:{port}"
        if _is_trainshed(url):
            return Finding("port", "ok", f"a trainshed answers at {url} already")
        return Finding("port", "note", str(error))
    return Finding("port", "ok", f"port {port} on {host} is free")


def _is_trainshed(url: str) -> bool:
    try:
        return bool(httpx.get(f"{url}/", timeout=2.0, trust_env=False).json()["name"] == "trainshed")
    except (httpx.HTTPError, ValueError, LookupError, TypeError):
        return False


def _check_redis(settings: "Settings") -> Iterator[Finding]:
    """A named one is asked; else one of our own is started for a moment."""
    from worker.errors import BrokerUnavailable
    from worker.queue.broker import check_broker
    from worker.queue.embedded_redis import EmbeddedRedis
    from worker.queue.redis_server import find_server
    from worker.redis_address import RedisAddress

    if settings.redis_url is not None:
        fault = check_broker(settings)
        address = RedisAddress(settings.redis_url.get_secret_value())
        yield (
            Finding("Redis", "ok", f"the Redis at {address} answers")
            if fault is None
            else Finding("Redis", "broken", str(fault))
        )
        return
    try:
        server = find_server()
        with EmbeddedRedis(server.program):
            pass
    except BrokerUnavailable as error:
        yield Finding("Redis", "broken", str(error))
        return
    yield Finding("Redis", "ok", f"`trainshed serve` starts {server.version} from {server.program}")
    yield Finding(
        "Redis", "note", "it serves workers of this machine only; for more name another in TRAINSHED_REDIS_URL"
    )


def _check_sql(settings: "Settings") -> Iterator[Finding]:
    """A server is asked; a file need not exist yet."""
    from worker.database_address import read_address, sqlite_path
    from worker.errors import StoreUnavailable
    from worker.storage.database import Database

    address = read_address(settings.sql_url)
    file = sqlite_path(address) if address.get_backend_name() == "sqlite" else None
    try:
        if file is None or file.exists():
            database = Database(settings.sql_url)
            try:
                database.connect()
            finally:
                database.close()
    except StoreUnavailable as error:
        yield Finding("SQL", "broken", str(error))
        return
    if file is None:
        yield Finding("SQL", "ok", f"PostgreSQL at {address.host or 'its socket'} answers")
        return
    yield Finding("SQL", "ok", f"SQLite {sqlite3.sqlite_version} keeps the jobs in {file}")
    yield Finding("SQL", "note", "it serves one machine only; for more name a PostgreSQL in TRAINSHED_DATABASE_URL")
    if find_spec("psycopg") is None:
        yield Finding("SQL", "note", 'for PostgreSQL psycopg is missing: pip install "psycopg[binary]"')
    if sqlite3.sqlite_version_info < WAL_RESET_FIXED:
        yield Finding("SQL", "note", "this SQLite has the WAL-reset bug, which a lock around all writes avoids")


def _check_gpu(settings: "Settings") -> Finding:
    from worker.process.gpu_check import NoGpu, find_gpu

    lacking: Verdict = "broken" if "gpu" in settings.queues else "note"
    installed = next((f"CuPy {version(name)}" for name in CUPY if _has(name)), None)
    if installed is None:
        return Finding("GPU", lacking, 'without CuPy nothing trains on a GPU: pip install "cupy-cuda12x[ctk]"')
    try:
        return Finding("GPU", "ok", f"{installed} trains on the {find_gpu()}")
    except NoGpu as error:
        return Finding("GPU", lacking, f"{installed} is installed, but {error}")


def _has(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _make_sentence(text: str) -> str:
    """With a capital, unless a path or a name begins it, and a full stop."""
    first = text.split()[0]
    return (text[0].upper() + text[1:] if first.isalpha() and first not in PACKAGES else text) + "."
