"""The embedders that the shared tests run on; a new one is one more row here."""

from dataclasses import dataclass, field
from typing import Any

from pytorch_metric_learning.losses import ProxyAnchorLoss
from pytorch_metric_learning.miners import MultiSimilarityMiner

import skfer
from helpers.own_embedder import ProxyEmbedder

QUICK = {
    "embedding_dim": 16,
    "backbone": "scratch",  # as large as the images, which are small in tests
    "max_epochs": 2,
    "samples_per_class": 4,
    "random_state": 0,
}


@dataclass(frozen=True)
class Case:
    """An embedder, and what its tests have to know of it.

    Attributes
    ----------
    cls : type
        Its class.
    params : dict
        Parameters without which it is not quick to fit, beside `QUICK`.
    has_active_fraction : bool
        Whether its loss tells the fraction of active triplets or samples.
    """

    cls: type
    params: dict[str, Any] = field(default_factory=dict)
    has_active_fraction: bool = True

    def make(self):
        """Return it unfitted, quick to fit."""
        return self.cls(**QUICK | self.params)


CASES = [
    Case(skfer.CrossEntropyEmbedder, has_active_fraction=False),
    Case(skfer.GaussianMetricEmbedder),
    Case(skfer.MetricLossEmbedder, {"loss": ProxyAnchorLoss, "miner": MultiSimilarityMiner}, False),
    Case(skfer.MultiThresholdEmbedder),
    Case(skfer.TripletCenterEmbedder),
    Case(ProxyEmbedder, has_active_fraction=False),  # of the guide, on public names alone
]
