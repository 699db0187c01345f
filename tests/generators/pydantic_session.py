"""A session with the package that openapi-generator makes of /openapi.json; prints what came of it."""

import json
import sys
from typing import get_args

import generated as api

ROWS = [[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]]
IRIS = api.DataSpec(train="iris", target="label")

with open(sys.argv[2]) as file:
    schemas = json.load(file)["components"]["schemas"]
for name, schema in schemas.items():  # the generator was seen to take fields for null because others are
    fields = {field.alias or own: field for own, field in getattr(getattr(api, name, None), "model_fields", {}).items()}
    for one in fields.keys() & schema.get("required", ()):
        null = type(None) in get_args(fields[one].annotation)
        assert not null or '"null"' in json.dumps(schema["properties"][one]), f"{name}.{one}"

with api.ApiClient(api.Configuration(host=sys.argv[1])) as client:
    jobs, models, predictions = api.JobsApi(client), api.ModelsApi(client), api.PredictionsApi(client)
    validated = jobs.submit_job(api.JobSpec(data=IRIS), validate_only=True)
    spec = api.JobSpec(
        data=IRIS,
        layers=[api.Layer(api.Dense(type="dense", units=8)), api.Layer(api.Tanh(type="tanh"))],
        optimizer=api.Optimizer(api.Adam(type="adam", learning_rate=0.01)),
        schedule=api.Schedule(api.Table(type="table", rates=[[1, 0.005]])),
        training=api.TrainingSpec(epochs=3, early_stopping=None),
    )
    job = jobs.submit_job(spec)
    while not job.done:
        job = jobs.get_job(job.id, wait=30)
    rows = [api.RowsRowsInner(row) for row in ROWS]
    answer = predictions.predict_with_job(job.id, api.Rows(rows=rows))
    models.register_version("pydantic", api.NewVersion(job=job.id))
    served = models.predict_with_model("pydantic", api.RowsBody(rows=rows))
    dataset = api.DatasetsApi(client).upload_dataset("pydantic", b"x,y\n1,2\n2,4\n", _content_type="text/csv")
    try:
        jobs.submit_job(api.JobSpec(data=api.DataSpec(train="irsi", target="label")))
    except api.ApiException as error:
        problem = error.data
    print(
        json.dumps(
            {
                "job": job.id,
                "parameters": validated.cost.parameters,
                "state": job.state,
                "units": job.spec.layers[0].actual_instance.units,
                "rows": dataset.rows,
                "predictions": answer.predictions,
                "served": served.predictions,
                "code": problem.code,
            }
        )
    )
