"""Which methods stand side by side in the accuracy tables."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from torch import Tensor

from benchmarks._settings import NOISE
from skfer import (
    CrossEntropyEmbedder,
    GaussianMetricEmbedder,
    MultiThresholdEmbedder,
    TripletCenterEmbedder,
)
from skfer.evaluation import LOSSES, make_methods, pca_baseline
from skfer.losses import TripletCenterLoss
from skfer.training import Objective

CENTER_LOSS = {"center_weight": 0.3, "center_lr": 0.03}
"""The better of the weights 0.3 and 1 on the choosing folds."""
SINGLE = (0.1, 0.2, 0.5, 1.0, 2.0)
"""The single thresholds among which a user would search."""


@dataclass(frozen=True)
class Suite:
    """Methods of one table.

    Attributes
    ----------
    about : str
        What the table shows.
    reference : str
        The method that the others are compared with.
    methods : mapping of str to callable
        From a seed to an unfitted embedder.
    proportions : dict or None
        Share of images kept of each expression, for skewed drawn faces.
    n_subjects : int
        Number of drawn persons.
    searched : tuple of str
        Methods among which a user would search for the best.
    has_variants : bool
        Whether "name, variant" is a variant of "name", of which the best on the choosing folds is
        reported.
    told : tuple of str
        Methods that are told which labels are wrong, and learn from the others alone.
    papers : tuple of str
        What the names of the three papers' methods begin with, where the best of them is compared
        with the best of the others.
    """

    about: str
    reference: str
    methods: Mapping[str, Callable[[int], Any]]
    proportions: dict[str, float] | None = None
    n_subjects: int = 50
    searched: tuple[str, ...] = ()
    has_variants: bool = False
    told: tuple[str, ...] = ()
    papers: tuple[str, ...] = ()


def _of_zoo(
    name: str, settings: Mapping[str, Any] = NOISE, **parameters: Any
) -> Callable[..., Any]:
    """Return a loss of pytorch-metric-learning on the same network."""
    return lambda seed, **more: make_methods(
        [name], random_state=seed, **{**settings, **parameters, **more}
    )[name]


class CenterLoss(TripletCenterLoss):
    """Center loss (Wen et al., ECCV 2016): the distance to the own center alone."""

    def forward(
        self,
        embeddings: Tensor,
        labels: Tensor,
        logits: Tensor | None = None,
        attention: Tensor | None = None,
    ) -> Tensor:
        """Mean squared difference per coordinate, as the triplet-center term measures it."""
        return (embeddings - self.centers[labels]).square().mean()


class CenterLossEmbedder(TripletCenterEmbedder):
    """Cross-entropy and center loss: all as in the triplet-center embedder but the negatives."""

    def make_objective(self) -> Objective:
        """Return center loss, and cross-entropy."""
        objective = super().make_objective()
        objective.metric_loss = CenterLoss(len(self.classes_), self.embedding_dim)
        return objective


def _single(threshold: float) -> Callable[[int], Any]:
    return lambda seed: MultiThresholdEmbedder(thresholds=[threshold], random_state=seed, **NOISE)


MULTI_THRESHOLD = Suite(
    about="Many thresholds at once against a search for one, cross-entropy and the losses of "
    "pytorch-metric-learning. All but PCA have the same network and budget, and all but "
    "cross-entropy have a classification term beside their metric loss, of the weight that is its "
    "default: 2 beside thresholds, 1 beside the others. In each fold the search takes the "
    "threshold that was best on the other folds, and costs the sum of five fits.",
    reference="multi-threshold",
    searched=tuple(f"one threshold, {t}" for t in SINGLE),
    methods={
        "PCA": lambda seed: pca_baseline(random_state=seed),
        "cross-entropy": lambda seed: CrossEntropyEmbedder(random_state=seed, **NOISE),
        **{f"one threshold, {t}": _single(t) for t in SINGLE},
        "peer: batch-hard triplet": _of_zoo("triplet"),
        "peer: MultiSimilarity": _of_zoo("multi-similarity"),
        "peer: ProxyAnchor": _of_zoo("proxy-anchor"),
        "multi-threshold": lambda seed: MultiThresholdEmbedder(random_state=seed, **NOISE),
    },
)

# Milder than in the wild faces, where neutral stands fifty times as often as sadness: some of each
# class have to be left to test on.
SKEWED = {
    "neutral": 1.0,
    "happiness": 1.0,
    "sadness": 0.5,
    "surprise": 0.25,
    "anger": 0.15,
    "fear": 0.1,
    "disgust": 0.1,
    "contempt": 0.05,
}


def _plain_head(seed: int) -> TripletCenterEmbedder:
    """Cross-entropy alone, with its own predictions."""
    return TripletCenterEmbedder(center_weight=0, attention=None, random_state=seed, **NOISE)


def _center(negatives: str, attention: str | None) -> Callable[[int], Any]:
    return lambda seed: TripletCenterEmbedder(
        negatives=negatives, attention=attention, random_state=seed, **NOISE
    )


TRIPLET_CENTER = Suite(
    about="Cross-entropy, with center loss, and with a triplet-center term by each choice of the "
    "negative point, without and with attention; on skewed classes, in balanced batches all.",
    reference="cross-entropy",
    methods={
        "cross-entropy": _plain_head,
        "cross-entropy, attention": lambda seed: TripletCenterEmbedder(
            center_weight=0, random_state=seed, **NOISE
        ),
        "center loss": lambda seed: CenterLossEmbedder(
            **CENTER_LOSS, attention=None, random_state=seed, **NOISE
        ),
        **{
            f"{negatives}{', attention' if attention else ''}": _center(negatives, attention)
            for negatives in ("nearest", "fully-synthesized", "semi-synthesized", "prediction")
            for attention in (None, "both")
        },
    },
    proportions=SKEWED,
    n_subjects=150,
)

BALANCING = Suite(
    about="How skewed classes are balanced: in the batches, by class weights in cross-entropy, by "
    "both or not at all; the triplet-center embedder with its other defaults.",
    reference="balanced batches",
    methods={
        "balanced batches": lambda seed: TripletCenterEmbedder(random_state=seed, **NOISE),
        "class weights": lambda seed: TripletCenterEmbedder(
            sampling="random", class_weight="balanced", random_state=seed, **NOISE
        ),
        "both": lambda seed: TripletCenterEmbedder(
            class_weight="balanced", random_state=seed, **NOISE
        ),
        "neither": lambda seed: TripletCenterEmbedder(
            sampling="random", random_state=seed, **NOISE
        ),
    },
    proportions=SKEWED,
    n_subjects=150,
)

EMBEDDERS = Suite(
    about="All embedders with their defaults, but from noise, in 40 passes. Cross-entropy's own "
    "prediction is its classifier's, as is that of the triplet-center embedder; the Gaussian "
    "embedder's is its posterior, with uniform priors, as all learn from balanced batches and are "
    "judged by balanced accuracy.",
    reference="cross-entropy",
    methods={
        "PCA": lambda seed: pca_baseline(random_state=seed),
        "cross-entropy": _plain_head,
        "peer: MultiSimilarity": _of_zoo("multi-similarity"),
        "multi-threshold": lambda seed: MultiThresholdEmbedder(random_state=seed, **NOISE),
        "triplet-center": lambda seed: TripletCenterEmbedder(random_state=seed, **NOISE),
        "Gaussian": lambda seed: GaussianMetricEmbedder(
            priors="uniform", random_state=seed, **NOISE
        ),
    },
)

ALONE = ", alone"


def _with_and_alone(methods: Mapping[str, Callable[..., Any]]) -> dict[str, Callable[[int], Any]]:
    """Return each loss with a classification term beside it, and alone."""
    variants = {}
    for name, make in methods.items():
        variants[name] = make
        variants[name + ALONE] = partial(make, classification_weight=0)
    return variants


def _ours(cls: type, settings: Mapping[str, Any] = NOISE, **parameters: Any) -> Callable[..., Any]:
    return lambda seed, **more: cls(random_state=seed, **{**settings, **parameters, **more})


DOUBLED = (
    "contrastive",
    "triplet",
    "lifted-structure",
    "n-pairs",
    "circle",
    "supcon",
    "proxy-anchor",
    "soft-triple",
)
"""Losses that a classification term of weight 2 beside them served better than one of weight 1, by
5-NN on the choosing folds of balanced faces."""

RETRIEVAL: dict[str, Any] = {"threshold_range": (0.1, 2.0), "classification_weight": 1.0}
"""Of four settings that which gave multi-threshold the highest MAP@R from the start, on the
choosing folds."""

_ZOO_METHODS = {
    "PCA": lambda seed: pca_baseline(random_state=seed),
    "cross-entropy": _ours(CrossEntropyEmbedder),
    **_with_and_alone(
        {
            name: _of_zoo(name, classification_weight=2.0 if name in DOUBLED else 1.0)
            for name in LOSSES
        }
    ),
    **_with_and_alone({"multi-threshold": _ours(MultiThresholdEmbedder)}),
    "multi-threshold, for retrieval": _ours(MultiThresholdEmbedder, **RETRIEVAL),
    "triplet-center": _ours(TripletCenterEmbedder),
    "triplet-center, nearest": _ours(TripletCenterEmbedder, negatives="nearest"),
    **_with_and_alone({"gaussian": _ours(GaussianMetricEmbedder, priors="uniform")}),
}

ZOO = Suite(
    about="The methods of the three papers among the best-known losses. Network, start, budget and "
    "batches are the same. The weight of the classification term beside a loss of the field, 1 or "
    "2, is what was better by 5-NN on the choosing folds; ours are as they are by default, "
    "triplet-center with either negatives, and multi-threshold also with thresholds up to 2 and a "
    "classification term of weight 1.",
    reference="cross-entropy",
    methods=_ZOO_METHODS,
    has_variants=True,
    papers=("multi-threshold", "triplet-center", "gaussian"),
)

_WEIGHTS = {"": 1.0, ", weight 2": 2.0}
_STARTED: dict[str, Any] = {}
"""An embedder's own defaults, which begin with the start."""

ZOO_STARTED = Suite(
    about="The methods of the three papers among the best-known losses, from the start of drawn "
    "faces, as every embedder is by default: network, start, budget and batches are the same. The "
    "weight of the classification term beside a loss of the field, 1 or 2, is what was better by "
    "5-NN on the choosing folds; ours are as they are by default, triplet-center with either "
    "negatives, and multi-threshold also with thresholds up to 2 and a classification term of "
    "weight 1, which gave it the highest MAP@R on the choosing folds.",
    reference="cross-entropy",
    methods={
        "cross-entropy": _ours(CrossEntropyEmbedder, _STARTED),
        **{
            name + words: _of_zoo(name, _STARTED, classification_weight=weight)
            for name in LOSSES
            for words, weight in _WEIGHTS.items()
        },
        "multi-threshold": _ours(MultiThresholdEmbedder, _STARTED),
        "multi-threshold, for retrieval": _ours(MultiThresholdEmbedder, _STARTED, **RETRIEVAL),
        "triplet-center": _ours(TripletCenterEmbedder, _STARTED),
        "triplet-center, nearest": _ours(TripletCenterEmbedder, _STARTED, negatives="nearest"),
        "gaussian": _ours(GaussianMetricEmbedder, _STARTED, priors="uniform"),
    },
    has_variants=True,
    papers=("multi-threshold", "triplet-center", "gaussian"),
)

NEGATIVES = Suite(
    about="What the center term does to the embedding beside cross-entropy alone, by the pieces "
    "that synthesized negatives are made of.",
    reference="center_weight=0",
    methods={
        "center_weight=0": _ours(TripletCenterEmbedder, center_weight=0),
        "nearest": _ours(TripletCenterEmbedder, negatives="nearest"),
        **{
            f"pieces of {size}": _ours(
                TripletCenterEmbedder, negatives="fully-synthesized", synthesis_size=size
            )
            for size in (1, 8, 32)
        },
        **{
            f"pieces of {size}, fast centers": _ours(
                TripletCenterEmbedder,
                negatives="fully-synthesized",
                synthesis_size=size,
                center_lr=0.03,
            )
            for size in (1, 8, 32)
        },
    },
)

_SHORT: dict[str, Any] = NOISE | {"image_size": None}


def _published(cls: type, **parameters: Any) -> Callable[[int], Any]:
    return lambda seed: cls.from_paper(random_state=seed, **_SHORT | parameters)


def _from_start(cls: type, label_noise: bool | str, seed: int) -> Any:
    return cls(label_noise=label_noise, random_state=seed)


PAPERS = Suite(
    about="The defaults, and what `from_paper` returns, in one budget. The Gaussian embedder "
    "is also shown with the defaults and either way of mixing, and as published with a learning "
    "rate that suits the budget.",
    reference="cross-entropy",
    methods={
        "cross-entropy": _ours(CrossEntropyEmbedder),
        "multi-threshold": _ours(MultiThresholdEmbedder),
        "multi-threshold, as published": _published(MultiThresholdEmbedder, n_classes=8),
        "triplet-center": _ours(TripletCenterEmbedder),
        "triplet-center, as published": _published(TripletCenterEmbedder),
        "gaussian": _ours(GaussianMetricEmbedder, priors="uniform"),
        "gaussian, mixup=2": _ours(GaussianMetricEmbedder, priors="uniform", mixup=2.0),
        "gaussian, mixup=batch": _ours(GaussianMetricEmbedder, priors="uniform", mixup="batch"),
        "gaussian, as published": _published(GaussianMetricEmbedder, priors="uniform"),
        "gaussian, as published, faster": _published(
            GaussianMetricEmbedder, priors="uniform", lr=6e-3, schedule="one-cycle"
        ),
    },
)

TOLD = "cross-entropy, right labels alone"

_DEFAULTS = {
    "cross-entropy": CrossEntropyEmbedder,
    "multi-threshold": MultiThresholdEmbedder,
    "triplet-center": TripletCenterEmbedder,
    "gaussian": GaussianMetricEmbedder,
}

LABEL_NOISE = Suite(
    about="Embedders with their defaults, from the start of drawn faces, with and without "
    "`label_noise`; to be run with `--wrong`. The classifiers that follow an embedder learn from "
    "the wrong labels too. *Right labels alone* is what it would be worth to know which are wrong.",
    reference="cross-entropy",
    told=(TOLD,),
    methods={
        TOLD: _ours(CrossEntropyEmbedder, _STARTED),
        **{
            f"{name}{words}": partial(_from_start, cls, label_noise)
            for name, cls in _DEFAULTS.items()
            for words, label_noise in {
                "": False,
                ", label_noise": True,
                ", label_noise=auto": "auto",
            }.items()
        },
    },
)

SUITES: dict[str, Suite] = {
    "label-noise": LABEL_NOISE,
    "multi-threshold": MULTI_THRESHOLD,
    "triplet-center": TRIPLET_CENTER,
    "balancing": BALANCING,
    "embedders": EMBEDDERS,
    "negatives": NEGATIVES,
    "papers": PAPERS,
    "zoo": ZOO,
    "zoo-started": ZOO_STARTED,
    "zoo-skewed": replace(ZOO, proportions=SKEWED, n_subjects=150),
}
