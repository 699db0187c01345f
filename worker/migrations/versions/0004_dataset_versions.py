"""Datasets of one name in versions, and what was found about their data."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "dataset_names",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("versions", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.execute("INSERT INTO dataset_names (name, versions) SELECT name, 1 FROM datasets")
    # SQLite does not name a constraint that nobody named; PostgreSQL calls it as this convention does.
    names = {"uq": "%(table_name)s_%(column_0_name)s_key"}
    with op.batch_alter_table("datasets", naming_convention=names) as datasets:
        datasets.add_column(sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
        datasets.drop_constraint("datasets_name_key", type_="unique")
        datasets.create_unique_constraint("datasets_name_version_key", ["name", "version"])
    with op.batch_alter_table("datasets") as datasets:
        datasets.alter_column("version", server_default=None)
    op.create_table(
        "data_reports",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("data_reports_by_dataset", "data_reports", ["dataset_id"])
