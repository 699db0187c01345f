"""The databases of the worker's tests."""

from tests.worker.conftest import postgresql, postgresql_url

__all__ = ["postgresql", "postgresql_url"]
