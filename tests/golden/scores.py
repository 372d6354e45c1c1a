"""Writes tests/golden/scores.json: scores of labelled samples and of pairs by scikit-learn.

Usage: python tests/golden/scores.py     (scikit-learn, numpy; their versions are in the file)
"""
import json
import pathlib
import warnings

import numpy as np
import sklearn
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, log_loss


def classification(seed, samples, classes, skill, never_labelled=(), never_predicted=()):
    """Scores of random samples; `skill` is added to the right class."""
    random = np.random.default_rng(seed)
    allowed = [k for k in range(classes) if k not in never_labelled]
    labels = random.choice(allowed, samples)
    scores = random.normal(size=(samples, classes)).round(3)
    scores[np.arange(samples), labels] += skill
    scores[:, list(never_predicted)] -= 12  # beyond 36 scikit-learn clips the log loss
    scores = scores.round(3)
    exponential = np.exp(scores - scores.max(1, keepdims=True))
    predicted = scores.argmax(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a predicted class without a label
        expected = {"accuracy": accuracy_score(labels, predicted),
                    "macro_f1": f1_score(labels, predicted, average="macro", zero_division=0),
                    "balanced_accuracy": balanced_accuracy_score(labels, predicted),
                    "log_loss": log_loss(labels, exponential / exponential.sum(1, keepdims=True), labels=range(classes))}
    return {"labels": labels.tolist(), "scores": scores.tolist(), "expected": {k: float(v) for k, v in expected.items()}}


def preference(seed, pairs):
    random = np.random.default_rng(seed)
    values = (random.normal(size=(pairs, 2)) * 2 + [0.5, 0]).round(3)
    margin = values[:, 0] - values[:, 1]
    right = np.ones(pairs, dtype=int)
    expected = {"accuracy": accuracy_score(right, (margin > 0).astype(int)),
                "margin": margin.mean(), "chosen": values[:, 0].mean(), "rejected": values[:, 1].mean(),
                "log_loss": log_loss(right, 1 / (1 + np.exp(-margin)), labels=[0, 1])}
    return {"pairs": values.tolist(), "expected": {k: float(v) for k, v in expected.items()}}


golden = {
    "made_by": f"scikit-learn {sklearn.__version__}, numpy {np.__version__}",
    "classification": {
        "two": classification(1, 60, 2, 1.0),
        "five": classification(2, 80, 5, 1.5),
        "absent": classification(3, 40, 4, 1.0, never_labelled=[2], never_predicted=[2]),
        "only_predicted": classification(4, 40, 4, 0.5, never_labelled=[1]),
        "only_labelled": classification(5, 40, 3, 0.5, never_predicted=[0]),
    },
    "preference": preference(6, 70),
}
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
