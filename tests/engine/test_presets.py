"""The gallery holds valid jobs on sets that everyone has, with something to look at."""

from engine import JobSpec
from engine.data import SAMPLES
from engine.presets import PRESETS


def test_every_preset_survives_json_and_runs_on_a_sample_set() -> None:
    for preset in PRESETS:
        document = preset.to_json()
        assert JobSpec.model_validate(document["spec"]) == preset.spec
        assert preset.spec.data.train in SAMPLES
        assert preset.look_at
        assert preset.title


def test_names_differ() -> None:
    names = [preset.name for preset in PRESETS]
    assert len(names) == len(set(names))
