// A session with the types that openapi-typescript makes of /openapi.json. It compiles only if the types are what they
// should be: they must refuse what stands below a @ts-expect-error.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Spec = components["schemas"]["JobSpec"];

// Many answers come as CSV, too: who wants JSON alone says so.
const client = createClient<paths, `application/${string}json`>({ baseUrl: process.argv[2] });
const files = createClient<paths>({ baseUrl: process.argv[2] });

const smallest: Spec = { data: { train: "iris", target: "label" } };
const spec: Spec = {
  ...smallest,
  layers: [{ type: "dense", units: 8 }, { type: "tanh" }],
  optimizer: { type: "adam", learning_rate: 0.01 },
  schedule: { type: "table", rates: [[1, 0.005]] },
  training: { epochs: 3, early_stopping: null },
};
// @ts-expect-error: momentum has a beta, Adam has not
const wrong: Spec = { ...smallest, optimizer: { type: "adam", beta: 0.9 } };
// @ts-expect-error: there is no such layer
const unknown: Spec = { ...smallest, layers: [{ type: "conv" }] };

const validated = await client.POST("/v1/jobs", { body: smallest, params: { query: { validate_only: true } } });
if (!validated.data || !("cost" in validated.data)) throw new Error(JSON.stringify(validated.error));

const submitted = await client.POST("/v1/jobs", { body: spec });
if (!submitted.data || !("id" in submitted.data)) throw new Error(JSON.stringify(submitted.error));
const path = { job_id: submitted.data.id };

const { data: stream } = await files.GET("/v1/jobs/{job_id}/stream", { params: { path }, parseAs: "stream" });
let events = "";
for await (const chunk of stream!.pipeThrough(new TextDecoderStream())) events += chunk;

const { data: job } = await client.GET("/v1/jobs/{job_id}", { params: { path, query: { wait: 30 } } });
const { data: listed } = await client.GET("/v1/jobs", { params: { query: { limit: 1, state: "succeeded" } } });
const first = job?.spec.layers?.[0];
const rows = [[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]];
const { data: answer } = await client.POST("/v1/jobs/{job_id}/predict", { params: { path }, body: { rows } });

const name = { name: "typescript" };
await client.POST("/v1/models/{name}/versions", { params: { path: name }, body: { job: submitted.data.id } });
const { data: served } = await client.POST("/v1/models/{name}/predict", { params: { path: name }, body: { rows } });

const dataset = await files.POST("/v1/datasets", {
  params: { query: { name: "typescript" } },
  headers: { "Content-Type": "text/csv" },
  body: "x,y\n1,2\n2,4\n",
  bodySerializer: (text) => text,
});
const { error: problem } = await client.POST("/v1/jobs", { body: { data: { train: "irsi", target: "label" } } });

console.log(
  JSON.stringify({
    job: submitted.data.id,
    parameters: validated.data.cost.parameters,
    state: job?.state,
    units: first?.type === "dense" ? first.units : null,
    last: events.trim().split("\n\n").at(-1)?.split("\n")[0],
    predictions: answer?.predictions,
    served: served?.predictions,
    rows: dataset.data?.rows,
    listed: listed?.data[0]?.id,
    code: problem?.code,
  }),
);
