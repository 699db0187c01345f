"""The tables, as a new database gets them; the migrations bring an older one to the same, which a test compares.

Times are seconds since 1970, UTC, by the database's clock. What a principal makes has its tenant, and its name as
`created_by`; what hangs on such a row needs neither.
"""

import sqlalchemy as sa
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Text,
    UniqueConstraint,
)

from worker.domain.work_items import Status

metadata = sa.MetaData()

# Alembic's own: the migration that a database is at.
alembic_version = sa.Table(
    "alembic_version",
    metadata,
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)

# What workers do, whatever it is: one row an item, and beside it the row of its kind where the kind has a table.
work_items = sa.Table(
    "work_items",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("topic", Text, nullable=False),  # who waits for it is woken under this id; deleted with what has this id
    Column("tenant", Text, nullable=False),  # whose it is
    Column("created_by", Text, nullable=False),  # the name of the principal
    Column("queue", Text, nullable=False),
    Column("priority", Integer, nullable=False),  # 9 is claimed first
    Column("state", Text, nullable=False),
    Column("request", JSON(none_as_null=True)),
    Column("progress", JSON(none_as_null=True)),
    Column("result", JSON(none_as_null=True)),
    Column("error", JSON(none_as_null=True)),
    Column("attempt", Integer, nullable=False),  # the fencing token: only ever grows
    Column("setbacks", Integer, nullable=False),  # attempts in a row that lost their lease before they had saved
    Column("worker", Text),
    Column("lease_until", Double),
    Column("control", Text),  # what somebody wants of a worker, until it confirms
    Column("revision", Integer, nullable=False),  # of what is wanted: a worker reads it with every heartbeat
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("claimed_at", Double),  # by the attempt that runs
    Column("spent_seconds", Double, nullable=False),  # by the attempts before it
    Column("finished_at", Double),
    Column("published_at", Double),  # last message; a queued row without one is its own outbox
    CheckConstraint(f"state IN ({', '.join(repr(str(status)) for status in Status)})", name="work_items_state"),
    CheckConstraint("(state = 'running') = (lease_until IS NOT NULL)", name="work_items_lease"),
    CheckConstraint("control IN ('pause', 'stop', 'cancel')", name="work_items_control"),
    Index("work_items_by_state", "kind", "state", "tenant", "id"),
    Index("work_items_by_tenant", "tenant", "kind", "id"),
    Index("work_items_by_urgency", "queue", "state", "priority", "created_at", "id"),
    Index("work_items_by_topic", "topic"),
)

jobs = sa.Table(
    "jobs",
    metadata,
    Column("id", Text, ForeignKey("work_items.id", ondelete="CASCADE"), primary_key=True),
    Column("name", Text),
    Column("spec", JSON, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("data_hash", Text, nullable=False),
    Column("batch", Integer, nullable=False),  # number of the attempt's last write, so that a repeated one is known
    Column("updated_at", Double, nullable=False),
    Column("stage", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("epochs", Integer, nullable=False),
    Column("environment", JSON(none_as_null=True)),
    Column("checkpoint", Integer, nullable=False),  # number of the last one ever: none is given twice
    Column("rerun_of", Text),  # no foreign key: the other job may be deleted
    Column("stop_reason", Text),
    Column("warnings", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("seq", Integer, nullable=False),  # number of the last event
    Column("timeline", JSON, nullable=False),
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
    Column("at", Double, nullable=False),  # when the epoch ended
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
    Column("item_id", Text, ForeignKey("work_items.id", ondelete="CASCADE"), unique=True),  # null: an attempt at the
    # job wrote the report, as the job's spec wants it
    Column("report", JSON(none_as_null=True)),
    Column("attempt", Integer),  # of the job, where that wrote the report
    Column("created_by", Text, nullable=False),
    Column("created_at", Double, nullable=False),
)

checkpoints = sa.Table(
    "checkpoints",
    metadata,
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("epoch", Integer, nullable=False),  # epochs that were finished
    Column("step", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("file", Text, nullable=False),  # relative to the artifacts' root
    Column("sha256", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("revision", Integer, nullable=False),  # the hyper-parameters in force
    Column("metrics", JSON, nullable=False),
    Column("created_at", Double, nullable=False),
    CheckConstraint("kind IN ('best', 'periodic', 'control')", name="checkpoints_kind"),
)

revisions = sa.Table(
    "revisions",
    metadata,
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("patch", JSON, nullable=False),
    Column("before", JSON, nullable=False),
    Column("after", JSON, nullable=False),
    Column("spec", JSON, nullable=False),  # the whole of it, after this revision
    Column("note", Text),
    Column("who", Text),
    Column("created_at", Double, nullable=False),
    Column("effective_epoch", Integer),  # null until a worker has applied it
    Column("checkpoint", Integer),  # taken just before
    Column("undone_at", Double),
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
    Column("tenant", Text, nullable=False),
    Column("created_by", Text, nullable=False),
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
    UniqueConstraint("tenant", "name", "version", name="datasets_name_version_key"),
    Index("datasets_by_tenant", "tenant", "id"),
)

dataset_names = sa.Table(
    "dataset_names",
    metadata,
    Column("tenant", Text, primary_key=True),
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
    Column("tenant", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("upload_bytes", BigInteger, nullable=False),
    Column("upload_sha256", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("tensors", JSON, nullable=False),
    Column("created_at", Double, nullable=False),
    UniqueConstraint("tenant", "name", name="parameter_sets_name_key"),
    Index("parameter_sets_by_tenant", "tenant", "id"),
)

job_inputs = sa.Table(
    "job_inputs",
    metadata,
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("reference", Text, primary_key=True),  # as the spec writes it
    Column("kind", Text, primary_key=True),
    Column("input_id", Text, nullable=False),  # no foreign key: the dataset of a finished job may be deleted
    CheckConstraint("kind IN ('dataset', 'parameters', 'checkpoint')", name="job_inputs_kind"),
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
    Column("device", Text),
    Column("memory_bytes", BigInteger),
    Column("threads", Integer),
)

idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("created_by", Text, primary_key=True),  # the keys of one principal mean nothing to another
    Column("key", Text, primary_key=True),
    Column("route", Text, primary_key=True),
    Column("attempt", Integer, nullable=False),  # requests that took it up; a later one fences an earlier one out
    Column("lease_until", Double, nullable=False),
    Column("body_sha256", Text),
    Column("created_id", Text),  # written together with what was created
    Column("status", Integer),  # null: no answer yet
    Column("headers", JSON(none_as_null=True)),
    Column("body", Text),
    Column("created_at", Double, nullable=False),
    Index("idempotency_keys_by_age", "created_at"),
)

registered_models = sa.Table(
    "registered_models",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("created_by", Text, nullable=False),
    Column("versions", Integer, nullable=False),  # made so far: the number of a deleted one is not given again
    Column("changes", Integer, nullable=False),  # of its aliases, so far
    Column("revision", Integer, nullable=False),  # grows by any change, so that a process sees what it has to reload
    Column("drift", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
)

model_versions = sa.Table(
    "model_versions",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("created_by", Text, nullable=False),
    Column("job_id", Text, nullable=False),  # no foreign key: a version outlives its job
    Column("checkpoint", Integer),
    Column("file", Text, nullable=False),  # named by its content: several versions may share it
    Column("sha256", Text, nullable=False),
    Column("weights_sha256", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("spec", JSON, nullable=False),
    Column("data_hash", Text, nullable=False),
    Column("datasets", JSON, nullable=False),
    Column("metrics", JSON(none_as_null=True)),
    Column("environment", JSON(none_as_null=True)),
    Column("card", JSON, nullable=False),
    Column("strict", Boolean, nullable=False),
    Column("threshold", Double),
    Column("created_at", Double, nullable=False),
    ForeignKeyConstraint(["tenant", "name"], ["registered_models.tenant", "registered_models.name"]),
    Index("model_versions_by_sha256", "sha256"),
)

model_aliases = sa.Table(
    "model_aliases",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("alias", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("change", Integer, nullable=False),  # the number of its last one in the history
    Column("changed_at", Double, nullable=False),
    ForeignKeyConstraint(
        ["tenant", "name", "version"], ["model_versions.tenant", "model_versions.name", "model_versions.version"]
    ),
)

alias_history = sa.Table(
    "alias_history",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("alias", Text, nullable=False),
    Column("change", Text, nullable=False),
    Column("version", Integer),
    Column("previous", Integer),
    Column("back_to", Integer),  # the change that a rollback of this one returns to
    Column("who", Text, nullable=False),
    Column("at", Double, nullable=False),
    CheckConstraint("change IN ('set', 'rollback', 'removed')", name="alias_history_change"),
    ForeignKeyConstraint(["tenant", "name"], ["registered_models.tenant", "registered_models.name"]),
    Index("alias_history_by_alias", "tenant", "name", "alias", "number"),
)

batch_predictions = sa.Table(
    "batch_predictions",
    metadata,
    Column("id", Text, ForeignKey("work_items.id", ondelete="CASCADE"), primary_key=True),
    Column("name", Text, nullable=False),  # no foreign key: what was predicted outlives the version
    Column("version", Integer, nullable=False),
    Column("dataset_id", Text, nullable=False),
    Column("reference", Text, nullable=False),  # what the request called the dataset
    Column("format", Text, nullable=False),
    Column("keep", JSON, nullable=False),  # columns of the dataset that go into the result
    Column("threshold", Double),
    Column("rows", BigInteger, nullable=False),
    CheckConstraint("format IN ('csv', 'parquet')", name="batch_predictions_format"),
    Index("batch_predictions_by_model", "name", "version"),
    Index("batch_predictions_by_dataset", "dataset_id"),
)

feature_samples = sa.Table(
    "feature_samples",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("process", Text, primary_key=True),
    Column("since", Double, primary_key=True),  # a process begins a new sample every hour
    Column("seen", BigInteger, nullable=False),  # rows that the sample stands for
    Column("columns", JSON, nullable=False),
    Column("rows", JSON, nullable=False),
    Column("updated_at", Double, nullable=False),
    ForeignKeyConstraint(["tenant", "name"], ["registered_models.tenant", "registered_models.name"]),
)
