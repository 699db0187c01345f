"""Small jobs on made-up data, from the spec to the last event."""

from collections.abc import Mapping

import numpy as np

from engine import (
    Dataset,
    EpochEnded,
    Event,
    Finished,
    JobSpec,
    Network,
    PreparedData,
    RandomStreams,
    Source,
    Table,
    prepare,
    train,
)

Fields = Mapping[str, object]
KINDS = ("two classes", "three classes", "labels", "value", "values")


def toy(kind: str = "two classes", m: int = 60, inputs: int = 4, seed: int = 0) -> Dataset:
    """m examples to train on, half as many to tune on and half as many to test on."""
    generator = np.random.default_rng(seed)
    rows = 2 * m
    x = generator.standard_normal((rows, inputs))
    score = x @ generator.standard_normal((inputs, 3)) + 0.5 * generator.standard_normal((rows, 3))
    label = {
        "two classes": (score[:, 0] > 0).astype(float),
        "three classes": score.argmax(axis=1).astype(float),
        "labels": (score > 0).astype(float),
        "value": score[:, 0],
        "values": score[:, :2],
    }[kind]
    if kind.endswith("classes"):
        label[:3] = np.arange(3) % (2 if kind == "two classes" else 3)  # every class occurs in train
    table = Table({"x": x, "label": label})
    return Dataset(
        {
            "train": table.take(slice(0, m)),
            "dev": table.take(slice(m, m + m // 2)),
            "test": table.take(slice(m + m // 2, rows)),
        }
    )


def spec_of(**fields: object) -> JobSpec:
    """A job on the toy data: one hidden layer, no gradient checks, whatever else is wanted."""
    defaults: dict[str, object] = {
        "data": {"train": "toy", "target": "label"},
        "layers": [{"type": "dense", "units": 5}, {"type": "tanh"}],
        "checks": {"gradients": []},
    }
    return JobSpec.model_validate(defaults | fields)


def prepared(spec: JobSpec, dataset: Dataset, source: Source | None = None) -> tuple[Network, PreparedData]:
    scales = None if source is None else source.preprocessor
    data = prepare(spec.data, {"toy": dataset}, loss=spec.loss.type, dtype=spec.precision, source=scales)
    return Network.of(spec, data.preprocessor), data


def events_of(
    spec: JobSpec,
    dataset: Dataset | None = None,
    given: Mapping[str, np.ndarray] | None = None,
    streams: RandomStreams | None = None,
    source: Source | None = None,
) -> list[Event]:
    network, data = prepared(spec, dataset or toy(), source)
    return list(train(network, spec, data, given=given, source=source, streams=streams))


def rows_of(events: list[Event]) -> list[dict[str, float]]:
    return [{k: v for k, v in e.row.items() if v is not None} for e in events if isinstance(e, EpochEnded)]


def finished(events: list[Event]) -> Finished:
    last = events[-1]
    assert isinstance(last, Finished)
    return last
