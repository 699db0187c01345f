"""Jobs that pause, resume from checkpoints and change as they train; keys of requests that are sent again."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

STATES = "state IN ('queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled')"
CONTROL = "control IN ('pause', 'stop', 'cancel')"
KINDS = "kind IN ('dataset', 'parameters', 'checkpoint')"


def upgrade() -> None:
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("control", sa.Text()))
        jobs.add_column(sa.Column("priority", sa.Integer(), nullable=False, server_default="5"))
        jobs.add_column(sa.Column("spent_seconds", sa.Double(), nullable=False, server_default="0"))
        jobs.add_column(sa.Column("claimed_at", sa.Double()))
        jobs.add_column(sa.Column("progress", sa.JSON(none_as_null=True)))
        jobs.add_column(sa.Column("environment", sa.JSON(none_as_null=True)))
        jobs.add_column(sa.Column("revision", sa.Integer(), nullable=False, server_default="0"))
        jobs.add_column(sa.Column("checkpoint", sa.Integer(), nullable=False, server_default="0"))
        jobs.add_column(sa.Column("rerun_of", sa.Text()))
        jobs.drop_constraint("jobs_state", type_="check")
        jobs.create_check_constraint("jobs_state", sa.text(STATES))
        jobs.create_check_constraint("jobs_control", sa.text(CONTROL))
    op.execute("UPDATE jobs SET control = 'cancel' WHERE cancel_requested_at IS NOT NULL AND finished_at IS NULL")
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_column("cancel_requested_at")
        for column in ("priority", "spent_seconds", "revision", "checkpoint"):
            jobs.alter_column(column, server_default=None)
    op.create_index("jobs_by_priority", "jobs", ["queue", "state", "priority", "id"])
    with op.batch_alter_table("job_inputs") as inputs:
        inputs.drop_constraint("job_inputs_kind", type_="check")
        inputs.create_check_constraint("job_inputs_kind", sa.text(KINDS))
    op.create_table(
        "checkpoints",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.CheckConstraint("kind IN ('best', 'periodic', 'control')", name="checkpoints_kind"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "number"),
    )
    op.create_table(
        "revisions",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("patch", sa.JSON(), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("note", sa.Text()),
        sa.Column("who", sa.Text()),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("effective_epoch", sa.Integer()),
        sa.Column("checkpoint", sa.Integer()),
        sa.Column("undone_at", sa.Double()),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "number"),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.Double(), nullable=False),
        sa.Column("body_sha256", sa.Text()),
        sa.Column("created_id", sa.Text()),
        sa.Column("status", sa.Integer()),
        sa.Column("headers", sa.JSON(none_as_null=True)),
        sa.Column("body", sa.Text()),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("key", "route"),
    )
    op.create_index("idempotency_keys_by_age", "idempotency_keys", ["created_at"])
    with op.batch_alter_table("workers") as workers:
        workers.add_column(sa.Column("device", sa.Text()))
        workers.add_column(sa.Column("memory_bytes", sa.BigInteger()))
        workers.add_column(sa.Column("threads", sa.Integer()))
