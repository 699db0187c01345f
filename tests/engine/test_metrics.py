"""Every metric has scikit-learn's value."""

import numpy as np
import pytest
from sklearn import metrics as sk

from engine import metrics
from engine.metrics import Indices

SEEDS = range(8)
Case = tuple[Indices, np.ndarray]


def guesses(seed: int, classes: int, ties: bool, m: int = 60) -> Case:
    """True classes and probabilities that know a little; rounded, they are full of ties."""
    generator = np.random.default_rng(seed)
    y = generator.permutation(np.arange(m) % classes)
    logits = generator.standard_normal((m, classes)) + 0.8 * np.eye(classes)[y]
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    if ties:
        p = np.round(p * 4)
        p[p.sum(axis=1) == 0] = 1
        p /= p.sum(axis=1, keepdims=True)
    return y, p


@pytest.fixture(params=[(s, c, t) for s in SEEDS for c in (2, 3, 10) for t in (False, True)], ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    return guesses(*request.param)


def test_accuracy_and_error(case: Case) -> None:
    y, p = case
    assert metrics.accuracy(y, p) == pytest.approx(sk.accuracy_score(y, p.argmax(axis=1)))
    assert metrics.error(y, p) == pytest.approx(sk.zero_one_loss(y, p.argmax(axis=1)))


def test_precision_recall_and_f1_of_each_class(case: Case) -> None:
    y, p = case
    P, R, F, _ = sk.precision_recall_fscore_support(y, p.argmax(axis=1), zero_division=0)
    np.testing.assert_allclose(metrics.precision(y, p), P)
    np.testing.assert_allclose(metrics.recall(y, p), R)
    np.testing.assert_allclose(metrics.f1_by_class(y, p), F)
    average = "binary" if p.shape[1] == 2 else "macro"
    assert metrics.f1(y, p) == pytest.approx(sk.f1_score(y, p.argmax(axis=1), average=average))


def test_the_confusion_matrix(case: Case) -> None:
    y, p = case
    np.testing.assert_array_equal(metrics.confusion_matrix(y, p), sk.confusion_matrix(y, p.argmax(axis=1)))


def test_the_area_under_the_roc_curve_with_ties_and_one_class_against_the_rest(case: Case) -> None:
    y, p = case
    expected = sk.roc_auc_score(y, p[:, 1] if p.shape[1] == 2 else p, multi_class="ovr", average="macro")
    assert metrics.auc(y, p) == pytest.approx(expected, rel=1e-12)


def test_log_loss(case: Case) -> None:
    y, p = case
    assert metrics.log_loss(y, p) == pytest.approx(sk.log_loss(y, p), rel=1e-9)


def test_the_table_by_class_holds_them_together(case: Case) -> None:
    y, p = case
    labels = tuple(f"class {c}" for c in range(p.shape[1]))
    expected = sk.classification_report(y, p.argmax(axis=1), target_names=labels, output_dict=True, zero_division=0)
    table = metrics.by_class(labels, y, p)
    rows = table["classes"]
    assert isinstance(rows, list)
    for row in rows:
        theirs = expected[row["label"]]
        assert row["precision"] == pytest.approx(theirs["precision"])
        assert row["recall"] == pytest.approx(theirs["recall"])
        assert row["f1"] == pytest.approx(theirs["f1-score"])
        assert row["examples"] == theirs["support"]


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("seed", SEEDS)
def test_errors_of_values(seed: int, outputs: int) -> None:
    generator = np.random.default_rng(seed)
    y = generator.normal(5, 3, (40, outputs))
    p = y + generator.standard_normal((40, outputs))
    if outputs == 1:
        assert metrics.rmse(y, p) == pytest.approx(sk.root_mean_squared_error(y, p))
    assert metrics.rmse(y, p) == pytest.approx(np.sqrt(sk.mean_squared_error(y, p)))
    assert metrics.mae(y, p) == pytest.approx(sk.mean_absolute_error(y, p))
    assert metrics.r2(y, p) == pytest.approx(sk.r2_score(y, p))


@pytest.mark.parametrize("seed", SEEDS)
def test_several_labels(seed: int) -> None:
    generator = np.random.default_rng(seed)
    y, p = generator.integers(0, 2, (40, 3)).astype(float), generator.random((40, 3))
    assert metrics.exact_match(y, p) == pytest.approx(sk.accuracy_score(y, p > 0.5))
    assert metrics.label_error(y, p) == pytest.approx(sk.hamming_loss(y, p > 0.5))


def test_a_metric_without_a_value_on_the_set_is_none() -> None:
    p = np.array([[0.4, 0.6], [0.7, 0.3]])
    assert metrics.auc(np.array([1, 1]), p) is None
    assert metrics.r2(np.array([[2.0], [2.0]]), np.array([[1.0], [3.0]])) is None


def test_a_certain_mistake_costs_much_but_not_infinitely_much() -> None:
    assert metrics.log_loss(np.array([1]), np.array([[1.0, 0.0]])) == pytest.approx(
        sk.log_loss([1], [[1.0, 0.0]], labels=[0, 1])
    )
