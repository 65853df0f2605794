"""Triplets whose pairs count as much as people agree on them, by autograd."""

import torch
from torch import Tensor


def voted_triplet_loss(
    slices: Tensor,
    labels: Tensor,
    votes: Tensor,
    margins: Tensor,
    *,
    mining: str,
    dual: bool,
) -> tuple[Tensor, Tensor]:
    """Return the weighted mean of the hinges of a batch, and the weighted fraction above 0.

    The weight of a triplet is the probability that two voters, one for each face, give anchor and
    positive the same class, times the probability that two give anchor and negative other classes.

    Parameters
    ----------
    slices : Tensor of shape (n_samples, n_slices, n_features)
        Unit vectors.
    labels : Tensor of shape (n_samples,)
        The classes: they tell which samples are positives and negatives.
    votes : Tensor of shape (n_samples, n_classes)
        Shares of the classes.
    margins : Tensor of shape (n_slices,)
        The margin of every slice.
    mining, dual
        As in `MultiThresholdTripletLoss`.
    """
    agreement = votes @ votes.t()
    same = labels[:, None] == labels
    of_positives = (agreement * same).fill_diagonal_(0)
    of_negatives = (1 - agreement) * ~same
    # In batch-all training the dual form is the plain one, twice.
    points = slices.transpose(0, 1)
    distances = 2 - 2 * points @ points.transpose(1, 2)
    if mining == "batch-all":
        table = of_positives.topk(max(1, int((of_positives > 0).sum(1).max())), dim=1)[1]
        near = distances.gather(2, table.expand(len(distances), -1, -1))
        hinges = near[..., None] - distances[:, :, None] + margins[:, None, None, None]
        weights = of_positives.gather(1, table)[..., None] * of_negatives[:, None]
        return _mean_of_active(hinges.clamp_min(0), weights.expand_as(hinges))
    hinges, weights = _hardest(distances, of_positives, of_negatives, margins, dual)
    sums = _positive(weights.sum((1, 2)))
    active = (weights * (hinges > 0)).sum((1, 2)) / sums
    return ((weights * hinges).sum((1, 2)) / sums).mean() * len(hinges[0]), active.mean()


def _mean_of_active(hinges: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    every = weights.flatten(1).sum(1)
    active = (weights * (hinges > 0)).flatten(1).sum(1)
    loss = (weights * hinges).flatten(1).sum(1) / _positive(active)
    return loss.mean(), (active / _positive(every)).mean()


def _hardest(
    distances: Tensor, of_positives: Tensor, of_negatives: Tensor, margins: Tensor, dual: bool
) -> tuple[Tensor, Tensor]:
    """Return hinges and weights (n_slices, n_sides, n_samples) of the hardest triplets."""
    seen = distances.detach()
    farthest = seen.where(of_positives > 0, -torch.inf).argmax(2)
    nearest = seen.where(of_negatives > 0, torch.inf).argmin(2)
    rows = torch.arange(distances.shape[1], device=distances.device)
    layers = torch.arange(len(distances), device=distances.device)[:, None]
    own = distances[layers, rows, farthest]
    sides = [distances[layers, rows, nearest]]
    if dual:
        sides.append(distances[layers, farthest, nearest])
    hinges = (own[:, None] - torch.stack(sides, 1) + margins[:, None, None]).clamp_min(0)
    weights = of_positives[rows, farthest] * of_negatives[rows, nearest]
    return hinges, weights[:, None].expand_as(hinges)


def _positive(sums: Tensor) -> Tensor:
    return sums.clamp_min(torch.finfo(sums.dtype).tiny)
