"""The databases of the worker's tests."""

from tests.worker.conftest import postgresql_schema, postgresql_url

__all__ = ["postgresql_schema", "postgresql_url"]
