"""Celery as a doorbell and Redis as pub/sub: publishing ids, hearing that something has changed."""
