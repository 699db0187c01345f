"""Whether a job is a tenant's: asked in the statement that reads what hangs on the job."""

import sqlalchemy as sa

from worker.errors import UnknownJob
from worker.store.item_rows import ITEMS


def is_job_of(tenant: str, job_id: str) -> sa.ColumnElement[bool]:
    """The condition that a job is a tenant's."""
    return sa.exists().where(ITEMS.id == job_id, ITEMS.tenant == tenant)


def job_state(connection: sa.Connection, tenant: str, job_id: str) -> str:
    """The state of a tenant's job; raises UnknownJob."""
    state: str | None = connection.scalar(STATE, {"job_id": job_id, "tenant": tenant})
    if state is None:
        raise UnknownJob(job_id)
    return state


STATE = sa.select(ITEMS.state).where(ITEMS.id == sa.bindparam("job_id"), ITEMS.tenant == sa.bindparam("tenant"))
