"""Drift: the features that a model was asked about lately, against those of the rows that it learned from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from pydantic import JsonValue

from engine import Dataset, load
from engine.data.checks.drift import FEWEST, drift, has_drifted
from engine.data.checks.mismatch import Mismatch
from engine.data.preparation import divided
from worker.datasets.library import DatasetLibrary
from worker.domain.models import ModelVersion, RegisteredModel
from worker.errors import NothingToCompare
from worker.storage.artifacts import Artifacts
from worker.store import TenantStore
from worker.store.feature_samples import FeatureSample


@dataclass(frozen=True)
class Drift:
    """What the comparison found."""

    name: str
    version: int
    since: datetime  # of the oldest sample
    seen: int  # rows that were asked about
    found: Mismatch
    drifted: bool


def drift_of(
    model: RegisteredModel, version: ModelVersion, store: TenantStore, artifacts: Artifacts, library: DatasetLibrary
) -> Drift:
    """Compare the samples of all processes with the version's training rows.

    Raises NothingToCompare where sampling is off, too few rows came, or the training data were deleted.
    """
    predictor = load(artifacts.verified(version.file, version.sha256))
    features = tuple(predictor.preprocessor.shapes)
    samples = [sample for sample in store.feature_samples.of(model.name) if sample.columns == features]
    rows = merged(samples)
    if len(rows) < FEWEST:
        on = "" if model.drift else f'; PUT /v1/models/{model.name} with {{"drift": true}} has them sampled'
        raise NothingToCompare(f"{len(rows)} rows of requests were sampled, and {FEWEST} are needed{on}")
    spec = predictor.spec
    datasets: dict[str, Dataset] = {}
    for reference, ident in version.datasets.items():
        if store.datasets.stored(ident) is None:
            raise NothingToCompare(f"the dataset {reference!r} that version {version.version} learned from was deleted")
        datasets[reference] = library.open(ident)
    train = divided(spec.data, datasets, spec.loss.type)[1]["train"]
    found = drift(predictor.preprocessor, train, rows)
    if found is None:
        raise NothingToCompare(f"version {version.version} learned from too few rows to compare with")
    seen = sum(sample.seen for sample in samples)
    return Drift(model.name, version.version, samples[0].since, seen, found, has_drifted(found))


def merged(samples: Sequence[FeatureSample], seed: int = 0) -> list[Sequence[JsonValue]]:
    """One sample of all: from each so many rows as it stands for, in proportion."""
    samples = [sample for sample in samples if sample.rows]
    total = sum(sample.seen for sample in samples)
    size = min((len(sample.rows) * total / sample.seen for sample in samples), default=0.0)
    generator = np.random.default_rng(seed)
    rows: list[Sequence[JsonValue]] = []
    for sample in samples:
        count = round(size * sample.seen / total)
        chosen = generator.permutation(len(sample.rows))[:count]
        rows.extend(sample.rows[place] for place in chosen.tolist())
    return rows
