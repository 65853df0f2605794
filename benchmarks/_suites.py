"""Which methods stand side by side in the accuracy tables."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pytorch_metric_learning import distances, losses, miners, reducers
from torch import Tensor, nn

from skfer import CrossEntropyEmbedder, MultiThresholdEmbedder
from skfer._evaluation import pca_baseline
from skfer.embedders._base import BaseEmbedder
from skfer.training import Objective

SINGLE = (0.1, 0.2, 0.5, 1.0, 2.0)
"""The single thresholds among which a user would search."""


@dataclass(frozen=True)
class Suite:
    """Methods of one table.

    Attributes
    ----------
    about : str
        What the table shows.
    ours : str
        The method that the others are compared with.
    methods : mapping of str to callable
        From a seed to an unfitted embedder.
    proportions : dict or None
        Share of images kept of each expression, for skewed drawn faces.
    version : str
        Goes up when settings change, so that older fits are not mixed in.
    """

    about: str
    ours: str
    methods: Mapping[str, Callable[[int], Any]]
    proportions: dict[str, float] | None = None
    version: str = "1"


class PeerLoss(nn.Module):
    """A loss of pytorch-metric-learning, with a miner if it takes one."""

    def __init__(self, loss: nn.Module, miner: nn.Module | None = None) -> None:
        super().__init__()
        self.loss = loss
        self.miner = miner

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        pairs = None if self.miner is None else self.miner(embeddings, labels)
        return self.loss(embeddings, labels, pairs)


class PeerEmbedder(BaseEmbedder):
    """The same network and classification term beside a loss of pytorch-metric-learning."""

    def __init__(self, peer: str = "triplet", *, random_state: Any = None) -> None:
        super().__init__(random_state=random_state)
        self.peer = peer

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseEmbedder._parameter_constraints,
        "peer": [str],
    }

    def _make_objective(self) -> Objective:
        return Objective(self._peer_loss(), self.classification_weight)

    def _peer_loss(self) -> PeerLoss:
        if self.peer == "triplet":
            distance = distances.LpDistance(power=2)
            loss = losses.TripletMarginLoss(0.5, distance=distance, reducer=reducers.MeanReducer())
            return PeerLoss(loss, miners.BatchHardMiner(distance=distance))
        if self.peer == "multi-similarity":
            return PeerLoss(losses.MultiSimilarityLoss(), miners.MultiSimilarityMiner())
        n_classes = len(self.classes_)
        return PeerLoss(losses.ProxyAnchorLoss(n_classes, self.embedding_dim))


def _single(threshold: float) -> Callable[[int], Any]:
    return lambda seed: MultiThresholdEmbedder(thresholds=[threshold], random_state=seed)


MULTI_THRESHOLD = Suite(
    about="Many thresholds at once against a search for one, cross-entropy and the losses of "
    "pytorch-metric-learning. All but PCA have the same network and budget, and all but "
    "cross-entropy have the same classification term beside their metric loss. A search for one "
    "threshold costs the sum of the five fits.",
    ours="multi-threshold",
    methods={
        "PCA": lambda seed: pca_baseline(random_state=seed),
        "cross-entropy": lambda seed: CrossEntropyEmbedder(random_state=seed),
        **{f"one threshold, {t}": _single(t) for t in SINGLE},
        "peer: batch-hard triplet": lambda seed: PeerEmbedder("triplet", random_state=seed),
        "peer: MultiSimilarity": lambda seed: PeerEmbedder("multi-similarity", random_state=seed),
        "peer: ProxyAnchor": lambda seed: PeerEmbedder("proxy-anchor", random_state=seed),
        "multi-threshold": lambda seed: MultiThresholdEmbedder(random_state=seed),
    },
)

SUITES: dict[str, Suite] = {"multi-threshold": MULTI_THRESHOLD}
