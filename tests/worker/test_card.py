"""A card is Markdown that shows what was measured, and nothing that names and labels could add to it."""

from worker.models.card import markdown

CARD = {
    "name": "flowers",
    "task": {"target": "label", "kind": "classes", "classes": ["a", "b_c"]},
    "data": {
        "datasets": [
            {"reference": "iris@2", "name": "iris", "version": 2, "rows": 150, "sha256": "f0"},
            {"reference": "gone", "name": None, "version": None, "rows": None, "sha256": None},
        ],
        "feature_count": 3,
        "features": [
            {"name": "width | <b>", "kind": "number", "min": 1 / 3, "max": 7, "may_be_missing": False},
            {"name": "color", "kind": "one_hot", "labels": [f"c{i}" for i in range(11)], "may_be_missing": True},
            {"name": "image", "kind": "image", "shape": [8, 8, 3], "may_be_missing": False},
        ],
    },
    "split": {"how": {"type": "random"}, "examples": {"train": 90, "test": 30}},
    "network": {
        "layers": [{"type": "dense", "units": 5}, {"type": "tanh"}, {"type": "dense", "units": 2}],
        "inputs": 4,
        "parameters": 37,
        "precision": "float32",
    },
    "training": {"job": "job_1", "seed": 7, "epochs": 3, "stop_reason": "completed"},
    "result": {
        "train": {"loss": 0.123456789, "examples": 90, "confusion": [[1]]},
        "test": {"loss": None, "examples": 30},
    },
    "gradient_checks": [{"at": "start", "verdict": "great", "difference": 1e-9}],
    "diagnosis": {"verdict": "high variance", "evidence": ["train error\n1 %"]},
    "limits": ["It is few."],
}
TEXT = """\
# flowers version 2 (champion, latest)

It tells classes apart: `label` (a, b\\_c).

## Data

| dataset | version | rows | sha256 |
| --- | --- | --- | --- |
| iris | 2 | 150 | f0 |
| gone |  |  |  |

3 features:

| feature | kind | values | may be missing |
| --- | --- | --- | --- |
| width \\| \\<b\\> | number | 0.333333 to 7 | no |
| color | one_hot | c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 … | yes |
| image | image | 8x8x3 | no |

## Split

random: train 90, test 30

## Network and training

4 inputs → dense 5 → tanh → dense 2; 37 parameters, float32.
Trained by job_1, seed 7, 3 epochs (completed).

## Result

| | train | test |
| --- | --- | --- |
| loss | 0.123457 |  |
| examples | 90 | 30 |

## Gradient checks

- start: great (difference 1e-09)

## Diagnosis

**high variance**

- train error 1 %

## Limits

- It is few.
"""


def test_the_card_of_a_measured_model_shows_it_all() -> None:
    assert markdown(CARD, 2, ["champion", "latest"]) == TEXT


def test_the_card_of_a_checkpoint_says_what_is_not_known() -> None:
    text = markdown(CARD | {"result": None, "gradient_checks": [], "diagnosis": None}, 1, [])
    assert text.startswith("# flowers version 1\n\nIt tells")
    start = text.index("## Result")
    assert text[start:] == (
        "## Result\n\nNot measured.\n\n## Gradient checks\n\nNone was made.\n\n## Diagnosis\n\n"
        "None: it was not measured.\n\n## Limits\n\n- It is few.\n"
    )
