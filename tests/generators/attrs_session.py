"""A session with the package that openapi-python-client makes of /openapi.json; prints what came of it."""

import io
import json
import sys

from trainshed_client import Client
from trainshed_client.api.datasets import upload_dataset
from trainshed_client.api.jobs import get_job, submit_job
from trainshed_client.api.models import predict_with_model, register_version
from trainshed_client.api.predictions import predict_with_job
from trainshed_client.models import (
    Adam,
    DataSpec,
    Dense,
    Job,
    JobSpec,
    NewVersion,
    Problem,
    Rows,
    RowsBody,
    Table,
    Tanh,
    TrainingSpec,
    UploadDatasetForm,
    Validated,
)
from trainshed_client.types import File

ROWS = [[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]]
IRIS = DataSpec(train="iris", target="label")

with Client(base_url=sys.argv[1]) as client:
    validated = submit_job.sync(client=client, body=JobSpec(data=IRIS), validate_only=True)
    assert isinstance(validated, Validated), validated
    spec = JobSpec(
        data=IRIS,
        layers=[Dense(units=8), Tanh()],
        optimizer=Adam(learning_rate=0.01),
        schedule=Table(rates=[[1, 0.005]]),
        training=TrainingSpec(epochs=3, early_stopping=None),
    )
    job = submit_job.sync(client=client, body=spec)
    while isinstance(job, Job) and not job.done:
        job = get_job.sync(job.id, client=client, wait=30)
    assert isinstance(job, Job), job
    answer = predict_with_job.sync(job.id, client=client, body=Rows(rows=ROWS))
    register_version.sync("attrs", client=client, body=NewVersion(job=job.id))
    served = predict_with_model.sync("attrs", client=client, body=RowsBody(rows=ROWS))
    table = File(payload=io.BytesIO(b"x,y\n1,2\n2,4\n"), file_name="table.csv", mime_type="text/csv")
    dataset = upload_dataset.sync(client=client, body=UploadDatasetForm(file=table), name="attrs")
    problem = submit_job.sync(client=client, body=JobSpec(data=DataSpec(train="irsi", target="label")))
    assert isinstance(problem, Problem), problem
    print(
        json.dumps(
            {
                "job": job.id,
                "parameters": validated.cost.parameters,
                "state": job.state,
                "units": job.spec.layers[0].units,
                "rows": dataset.rows,
                "predictions": [one.to_dict() for one in answer.predictions],
                "served": [one.to_dict() for one in served.predictions],
                "code": problem.code,
            }
        )
    )
