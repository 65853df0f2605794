"""The best-known metric losses by name, as pytorch-metric-learning computes them."""

from collections.abc import Callable
from typing import Any

from skfer.embedders import MetricLossEmbedder
from skfer.exceptions import install_hint

_Parameters = dict[str, Any]


def zoo_embedder(name: str, **parameters: Any) -> MetricLossEmbedder:
    """Return the embedder that minimizes a loss of this name, one of ``LOSSES``, unfitted.

    Raises
    ------
    ImportError
        If pytorch-metric-learning is not installed.
    """
    try:
        import pytorch_metric_learning as peer
        from pytorch_metric_learning import distances, losses, miners, reducers  # noqa: F401 (reached through peer)
    except ImportError as error:
        call = install_hint("metric-learning", "pytorch-metric-learning")
        raise ImportError(f"{name} is a loss of pytorch-metric-learning: {call}.") from error
    return MetricLossEmbedder(**_ZOO[name](peer) | parameters)


def _triplet(peer: Any) -> _Parameters:
    """Return the hardest triplets of a batch; the mean over all of them, as it was published."""
    distance = peer.distances.LpDistance(power=2)
    params = {"margin": 0.5, "distance": distance, "reducer": peer.reducers.MeanReducer()}
    miner = peer.miners.BatchHardMiner(distance=distance)
    return {"loss": peer.losses.TripletMarginLoss, "loss_params": params, "miner": miner}


def _multi_similarity(peer: Any) -> _Parameters:
    return {"loss": peer.losses.MultiSimilarityLoss, "miner": peer.miners.MultiSimilarityMiner}


def _plain(name: str) -> Callable[[Any], _Parameters]:
    return lambda peer: {"loss": getattr(peer.losses, name)}


def _proxies(name: str, **loss_params: Any) -> Callable[[Any], _Parameters]:
    """Return a loss with proxies, which learn faster than the network."""
    more = {"loss_params": loss_params} if loss_params else {}
    return lambda peer: {"loss": getattr(peer.losses, name), "loss_lr": 0.06, **more}


_ZOO: dict[str, Callable[[Any], _Parameters]] = {
    "contrastive": _plain("ContrastiveLoss"),
    "triplet": _triplet,
    "lifted-structure": _plain("LiftedStructureLoss"),
    "n-pairs": _plain("NPairsLoss"),
    "multi-similarity": _multi_similarity,
    "circle": _plain("CircleLoss"),
    "supcon": _plain("SupConLoss"),
    "proxy-nca": _proxies("ProxyNCALoss"),
    "proxy-anchor": _proxies("ProxyAnchorLoss"),
    "soft-triple": _proxies("SoftTripleLoss"),
    # Its own scale of 64 and margin of 28.6 degrees are for thousands of classes: on a few it
    # stands still, or ends in NaN.
    "arcface": _proxies("ArcFaceLoss", scale=16, margin=10),
    "cosface": _proxies("CosFaceLoss"),
}
"""The losses, with the settings of pytorch-metric-learning where nothing else stands here."""
