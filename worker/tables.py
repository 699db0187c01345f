"""The tables; what they look like today is made by the migrations, which a test compares with this file.

Times are seconds since 1970, UTC, by the database's clock.
"""

import sqlalchemy as sa
from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    Text,
    UniqueConstraint,
)

from worker.gradient_checks import CheckState
from worker.jobs import Status

metadata = sa.MetaData()

jobs = sa.Table(
    "jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text),
    Column("state", Text, nullable=False),
    Column("spec", JSON, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("queue", Text, nullable=False),
    Column("data_hash", Text, nullable=False),
    Column("attempt", Integer, nullable=False),  # the fencing token: only ever grows
    Column("setbacks", Integer, nullable=False),  # attempts that ended with a lost lease
    Column("worker", Text),
    Column("lease_until", Double),
    Column("batch", Integer, nullable=False),  # number of the attempt's last write, so that a repeated one is known
    Column("cancel_requested_at", Double),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("started_at", Double),
    Column("finished_at", Double),
    Column("published_at", Double),  # last nudge; a queued row without one is its own outbox
    Column("stage", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("epochs", Integer, nullable=False),
    Column("stop_reason", Text),
    Column("error", JSON(none_as_null=True)),
    Column("result", JSON(none_as_null=True)),
    Column("warnings", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("seq", Integer, nullable=False),  # number of the last event
    Column("timeline", JSON, nullable=False),
    CheckConstraint(f"state IN ({', '.join(repr(str(status)) for status in Status)})", name="jobs_state"),
    CheckConstraint("(state = 'running') = (lease_until IS NOT NULL)", name="jobs_lease"),
    Index("jobs_by_state", "state", "id"),
)

events = sa.Table(
    "events",
    metadata,
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("type", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("data", JSON, nullable=False),
)

metrics = sa.Table(
    "metrics",
    metadata,
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("train_cost", Double),  # these two also stand in the row; here they can be compared
    Column("dev_cost", Double),
    Column("row", JSON, nullable=False),
)

layer_statistics = sa.Table(
    "layer_statistics",
    metadata,
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("layers", JSON, nullable=False),
)

gradient_checks = sa.Table(
    "gradient_checks",
    metadata,
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("state", Text, nullable=False),
    Column("requested", JSON(none_as_null=True)),  # null: an attempt wrote the report, as the job's spec wants it
    Column("report", JSON(none_as_null=True)),
    Column("error", JSON(none_as_null=True)),
    Column("attempt", Integer, nullable=False),  # as in jobs, and so are the next three
    Column("setbacks", Integer, nullable=False),
    Column("worker", Text),
    Column("lease_until", Double),
    Column("created_at", Double, nullable=False),
    Column("finished_at", Double),
    Column("published_at", Double),
    CheckConstraint(f"state IN ({', '.join(repr(str(state)) for state in CheckState)})", name="gradient_checks_state"),
    CheckConstraint("(state = 'running') = (lease_until IS NOT NULL)", name="gradient_checks_lease"),
    Index("gradient_checks_by_state", "state"),
)

models = sa.Table(
    "models",
    metadata,
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("file", Text, nullable=False),  # relative to the artifacts' root
    Column("sha256", Text, nullable=False),
    Column("weights_sha256", Text, nullable=False),
    Column("created_at", Double, nullable=False),
)

datasets = sa.Table(
    "datasets",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("media_type", Text),  # null: a sample
    Column("upload_bytes", BigInteger, nullable=False),
    Column("upload_sha256", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("summary", JSON, nullable=False),
    Column("created_at", Double, nullable=False),
    UniqueConstraint("name", "version", name="datasets_name_version_key"),
)

dataset_names = sa.Table(
    "dataset_names",
    metadata,
    Column("name", Text, primary_key=True),
    Column("versions", Integer, nullable=False),  # made so far: the number of a deleted one is not given again
)

data_reports = sa.Table(
    "data_reports",
    metadata,
    Column("key", Text, primary_key=True),  # a hash of the contents and of what was asked about them
    Column("dataset_id", Text, ForeignKey("datasets.id", ondelete="CASCADE"), nullable=False),
    Column("report", JSON, nullable=False),
    Column("created_at", Double, nullable=False),
    Index("data_reports_by_dataset", "dataset_id"),
)

parameter_sets = sa.Table(
    "parameter_sets",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("upload_bytes", BigInteger, nullable=False),
    Column("upload_sha256", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("tensors", JSON, nullable=False),
    Column("created_at", Double, nullable=False),
)

job_inputs = sa.Table(
    "job_inputs",
    metadata,
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("reference", Text, primary_key=True),  # as the spec writes it
    Column("kind", Text, primary_key=True),
    Column("input_id", Text, nullable=False),  # no foreign key: the dataset of a finished job may be deleted
    CheckConstraint("kind IN ('dataset', 'parameters')", name="job_inputs_kind"),
    Index("job_inputs_by_input", "input_id"),
)

workers = sa.Table(
    "workers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("queues", Text, nullable=False),  # ",cpu,gpu,": found with LIKE
    Column("started_at", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
    Column("job_id", Text),
)
