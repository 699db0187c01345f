"""How good a network is on a set of examples: one function a metric.

Classification metrics take the true class indices y (m,) and the probabilities p (m × C); regression metrics take
values y and predictions p (m × k). A metric that has no value on a set (AUC with one class) is None.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.floating]
Indices: TypeAlias = NDArray[np.intp]
Targets: TypeAlias = NDArray[np.floating] | NDArray[np.integer]
Metric: TypeAlias = Callable[[Targets, Floats], float | None]


def hardmax(p: Floats) -> Indices:
    """The predicted class: the one of the largest probability (the first, if several are)."""
    predicted: Indices = np.argmax(p, axis=1)
    return predicted


def accuracy(y: Targets, p: Floats) -> float | None:
    """The share of examples whose class is predicted."""
    return float(np.mean(hardmax(p) == y))


def error(y: Targets, p: Floats) -> float | None:
    """The share of examples whose class is missed."""
    return float(np.mean(hardmax(p) != y))


def log_loss(y: Targets, p: Floats) -> float | None:
    """−mean log p of the true class, with p kept off 0 by the machine's epsilon, as scikit-learn does."""
    smallest = np.finfo(np.float64).eps
    chosen = p[np.arange(len(y)), y.astype(np.intp)].astype(np.float64)
    return float(-np.mean(np.log(np.clip(chosen, smallest, 1 - smallest))))


def confusion_matrix(y: Targets, p: Floats) -> Indices:
    """Counts by true class (rows) and predicted class (columns)."""
    classes = p.shape[1]
    return np.bincount(y.astype(np.intp) * classes + hardmax(p), minlength=classes**2).reshape(classes, classes)


def precision(y: Targets, p: Floats) -> list[float]:
    """Of those predicted as a class, the share that is of it; 0 where none is predicted."""
    counts = confusion_matrix(y, p)
    return [float(v) for v in np.diag(counts) / np.maximum(counts.sum(axis=0), 1)]


def recall(y: Targets, p: Floats) -> list[float]:
    """Of those of a class, the share that is predicted as it; 0 where there is none."""
    counts = confusion_matrix(y, p)
    return [float(v) for v in np.diag(counts) / np.maximum(counts.sum(axis=1), 1)]


def f1_by_class(y: Targets, p: Floats) -> list[float]:
    """2·TP/(2·TP + FP + FN) of each class."""
    counts = confusion_matrix(y, p)
    return [float(v) for v in 2 * np.diag(counts) / np.maximum(counts.sum(axis=0) + counts.sum(axis=1), 1)]


def f1(y: Targets, p: Floats) -> float | None:
    """F1 of the second class where there are two, else the unweighted mean over the classes."""
    scores = f1_by_class(y, p)
    return scores[1] if len(scores) == 2 else float(np.mean(scores))


def auc(y: Targets, p: Floats) -> float | None:
    """The area under the ROC curve; over several classes the mean of one class against the rest."""
    classes = p.shape[1]
    areas = [area_under_roc(y == c, p[:, c]) for c in ([1] if classes == 2 else range(classes))]
    found = [area for area in areas if area is not None]
    return float(np.mean(found)) if len(found) == len(areas) else None


def area_under_roc(positive: NDArray[np.bool_], score: Floats) -> float | None:
    """The chance that a positive scores above a negative, ties counting half (Mann–Whitney U / n₊n₋)."""
    n_positive = int(np.count_nonzero(positive))
    n_negative = len(positive) - n_positive
    if n_positive == 0 or n_negative == 0:
        return None
    _, tie, counts = np.unique(score, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    rank = (last - (counts - 1) / 2)[tie]  # ties share their mean rank
    u = rank[positive].sum() - n_positive * (n_positive + 1) / 2
    return float(u / (n_positive * n_negative))


def rmse(y: Targets, p: Floats) -> float | None:
    """√ mean (y − p)²."""
    return float(np.sqrt(np.mean((y - p) ** 2, dtype=np.float64)))


def mae(y: Targets, p: Floats) -> float | None:
    """mean |y − p|."""
    return float(np.mean(np.abs(y - p), dtype=np.float64))


def r2(y: Targets, p: Floats) -> float | None:
    """1 − Σ(y − p)²/Σ(y − ȳ)², the mean over the outputs; None where a target is constant."""
    values = np.asarray(y, np.float64)
    spread = ((values - values.mean(axis=0)) ** 2).sum(axis=0)
    if not np.all(spread > 0):
        return None
    return float(np.mean(1 - ((values - p) ** 2).sum(axis=0) / spread))


def exact_match(y: Targets, p: Floats) -> float | None:
    """The share of examples all of whose labels are predicted rightly, a label being on from 0.5."""
    return float(np.mean(np.all((p > 0.5) == (y > 0.5), axis=1)))


def label_error(y: Targets, p: Floats) -> float | None:
    """The share of single labels that are predicted wrongly (Hamming loss)."""
    return float(np.mean((p > 0.5) != (y > 0.5)))


METRICS: Mapping[str, Mapping[str, Metric]] = {
    "classes": {"accuracy": accuracy, "error": error, "f1": f1, "auc": auc, "log_loss": log_loss},
    "multilabel": {"accuracy": exact_match, "error": label_error},
    "values": {"rmse": rmse, "mae": mae, "r2": r2},
}
"""What a task's result holds, by the target's kind."""

EVERY_EPOCH: Mapping[str, tuple[str, ...]] = {
    "classes": ("accuracy", "error"),
    "multilabel": ("accuracy", "error"),
    "values": ("rmse",),
}
"""What every metrics row holds beside the cost."""

RISING = ("accuracy", "f1", "auc", "r2")
"""Metrics that improve by rising; costs, losses and errors improve by falling."""


def by_class(labels: tuple[str, ...], y: Targets, p: Floats) -> dict[str, object]:
    """Precision, recall, F1 and count of each class, and the confusion matrix."""
    columns = zip(labels, precision(y, p), recall(y, p), f1_by_class(y, p), strict=True)
    counts = np.bincount(y.astype(np.intp), minlength=len(labels))
    return {
        "classes": [
            {"label": label, "precision": P, "recall": R, "f1": F, "examples": int(counts[index])}
            for index, (label, P, R, F) in enumerate(columns)
        ],
        "confusion_matrix": confusion_matrix(y, p).tolist(),
    }
