"""Gradient checks that are asked for, in one table with those that a job's spec wants."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "gradient_checks",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("requested", sa.JSON(none_as_null=True)),
        sa.Column("report", sa.JSON(none_as_null=True)),
        sa.Column("error", sa.JSON(none_as_null=True)),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("setbacks", sa.Integer(), nullable=False),
        sa.Column("worker", sa.Text()),
        sa.Column("lease_until", sa.Double()),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("finished_at", sa.Double()),
        sa.Column("published_at", sa.Double()),
        sa.CheckConstraint("(state = 'running') = (lease_until IS NOT NULL)", name="gradient_checks_lease"),
        sa.CheckConstraint("state IN ('queued', 'running', 'succeeded', 'failed')", name="gradient_checks_state"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "number"),
    )
    op.create_index("gradient_checks_by_state", "gradient_checks", ["state"])
    op.execute(
        "INSERT INTO gradient_checks (job_id, number, state, report, attempt, setbacks, created_at, finished_at) "
        "SELECT job_id, number, 'succeeded', report, attempt, 0, updated_at, updated_at "
        "FROM gradient_reports JOIN jobs ON jobs.id = gradient_reports.job_id"
    )
    op.drop_table("gradient_reports")
