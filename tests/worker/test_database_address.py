"""Why nobody can connect: a wrong password, a missing database, a closed port and the rest, a line for each."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa

from worker.database_address import read_address, why_no_connection
from worker.errors import StoreUnavailable
from worker.storage.database import open_database

SECRET = "hunter2"  # noqa: S105 - of a user that the tests make
Say = Callable[[str], str]


@pytest.fixture
def said() -> Say:
    """What opening the database at an address is refused with: one line."""

    def refusal(url: str) -> str:
        with pytest.raises(StoreUnavailable) as refused:
            open_database(url, busy_seconds=2).close()
        (line,) = str(refused.value).splitlines()
        assert SECRET not in line
        return line

    return refusal


@pytest.fixture(scope="module")
def user(postgresql_url: str) -> Iterator[sa.URL]:
    """An address with the name and password of a user whom the server asks for it."""
    address = sa.make_url(postgresql_url).set(drivername="postgresql")
    name = f"user_{uuid4().hex}"
    host = str(address.query.get("host", ""))
    rules = Path(host) / "pg_hba.conf"  # where the server is the tests' own, which trusts everybody
    before = rules.read_text() if host else ""
    with psycopg.connect(address.render_as_string(hide_password=False), autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{SECRET}'")
        if host:
            rules.write_text(f"local all {name} scram-sha-256\n{before}")
            admin.execute("SELECT pg_reload_conf()")
        yield address.set(username=name, password=SECRET)
        if host:
            rules.write_text(before)
            admin.execute("SELECT pg_reload_conf()")
        admin.execute(f"DROP ROLE {name}")


def text(address: sa.URL) -> str:
    return address.render_as_string(hide_password=False)


def test_postgresql_s_refusals_are_told_apart(user: sa.URL, said: Say) -> None:
    name = user.username
    assert f"refuses the password of the user {name!r}" in said(text(user.set(password=f"{SECRET}?")))
    in_query = user.set(password=None).update_query_dict({"password": f"{SECRET}?"})
    assert f"refuses the password of the user {name!r}" in said(text(in_query))
    assert "asks for the password" in said(text(sa.URL.create(**user._asdict() | {"password": None})))
    assert "has no database 'nowhere'" in said(text(user.set(database="nowhere")))
    nobody = sa.make_url(text(user)).set(username="nobody_at_all")
    assert "nobody_at_all" in said(text(nobody))


def test_a_user_who_may_not_make_tables_is_told_so(user: sa.URL, said: Say) -> None:
    assert "lacks a right: permission denied for schema public" in said(text(user))


def test_what_is_no_postgresql_is_told_apart(said: Say) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        closed = gone.getsockname()[1]
    assert f"no PostgreSQL listens at 127.0.0.1:{closed}: start it" in said(
        f"postgresql://me:{SECRET}@127.0.0.1:{closed}/name"
    )
    assert "there is no host 'nowhere.invalid':" in said(f"postgresql://me:{SECRET}@nowhere.invalid/x")
    folder = "/no/such/folder"
    assert f"no PostgreSQL listens at {folder}" in said(f"postgresql://me:{SECRET}@/name?host={folder}")
    assert "invalid sslmode" in said(f"postgresql://me:{SECRET}@127.0.0.1/x?sslmode={SECRET}")


def test_who_does_not_answer_is_told_apart() -> None:
    address = read_address(f"postgresql://me:{SECRET}@example.org/name")
    line = why_no_connection(address, psycopg.errors.ConnectionTimeout("connection timeout expired"))
    assert line.startswith("nothing answers at example.org:5432")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://host/name", "mysql is not supported"),
        ("no address", "must be an address such as"),
        ("sqlite://", "must name a file"),
    ],
)
def test_an_address_of_nothing_is_refused(url: str, words: str, said: Say) -> None:
    assert words in said(url)


def test_a_file_that_is_no_database_is_told_apart_from_one_that_cannot_be_opened(tmp_path: Path, said: Say) -> None:
    (tmp_path / "text").write_bytes(b"not a database, but long enough to look" * 100)
    assert f"{tmp_path}/text is no database of SQLite, or damaged" in said(f"sqlite:///{tmp_path}/text")
    (tmp_path / "folder.db").mkdir()
    assert f"{tmp_path}/folder.db cannot be opened" in said(f"sqlite:///{tmp_path}/folder.db")
    assert f"({tmp_path}/text: File exists)" in said(f"sqlite:///{tmp_path}/text/new.db")


def test_a_database_that_was_cut_short_is_told_so(tmp_path: Path, empty_sqlite: Path, said: Say) -> None:
    (tmp_path / "cut.db").write_bytes(empty_sqlite.read_bytes()[:5000])
    assert "damaged (database disk image is malformed)" in said(f"sqlite:///{tmp_path}/cut.db")
