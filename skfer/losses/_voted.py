"""Triplets whose pairs count as much as people agree on them, by autograd."""

import torch
from torch import Tensor


def disagreement(votes: Tensor, others: Tensor, agreement: Tensor) -> Tensor:
    """Return the probability that two voters give two samples other classes, 0 without votes.

    `votes` and `others` are (..., n_classes), and `agreement` is that they give the same class.
    """
    # Shares sum to 1 or 0; rounded, so that what they miss of 1 is not taken for disagreement.
    return (1 - agreement) * (votes.sum(-1) * others.sum(-1)).round()


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

    Any three samples are a triplet. Its weight is the probability that two voters, one for each
    face, give anchor and positive the same class, times the probability that two give anchor and
    negative other classes. For a sample without votes both are 0. The hardest are found among
    those that labels tell, since there is hardly a pair of which no voter says the opposite.

    Parameters
    ----------
    slices : Tensor of shape (n_samples, n_slices, n_features)
        Unit vectors, or zeros.
    labels : Tensor of shape (n_samples,)
        The classes: in "batch-hard" they tell which samples are positives and negatives.
    votes : Tensor of shape (n_samples, n_classes)
        Shares of the classes.
    margins : Tensor of shape (n_slices,)
        The margin of every slice.
    mining, dual
        As in `MultiThresholdTripletLoss`.
    """
    of_positives = votes @ votes.t()
    of_negatives = disagreement(votes[:, None], votes, of_positives)
    if mining == "batch-hard":
        same = labels[:, None] == labels
        of_positives, of_negatives = of_positives * same, of_negatives * ~same
    for weights in (of_positives, of_negatives):
        weights.fill_diagonal_(0)
    # In batch-all training the dual form is the plain one, twice.
    points = slices.transpose(0, 1)
    norms = points.detach().any(2).to(points)
    distances = norms[:, :, None] + norms[:, None] - 2 * points @ points.transpose(1, 2)
    if mining == "batch-all":
        return _mean_of_active(distances, of_positives, of_negatives, margins)
    hinges, weights = _hardest(distances, of_positives, of_negatives, margins, dual)
    sums = _positive(weights.sum((1, 2)))
    active = (weights * (hinges > 0)).sum((1, 2)) / sums
    return ((weights * hinges).sum((1, 2)) / sums).mean() * len(hinges[0]), active.mean()


def _mean_of_active(
    distances: Tensor, of_positives: Tensor, of_negatives: Tensor, margins: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the mean hinge above 0 of all triplets, and the fraction of those."""
    with torch.no_grad():
        shrink, grow = _weigh(distances, of_positives, of_negatives, margins)
        # A pair is no triplet, though it may count as both: its distance cancels out, its weight
        # not.
        pairs = (of_positives * of_negatives).sum()
        active = (shrink.sum((1, 2)) - pairs).clamp_min(0)
        every = of_positives.sum(1) @ of_negatives.sum(1) - pairs
    total = ((shrink - grow) * distances).sum((1, 2)) + margins * active
    total = total - total.detach().clamp_max(0)  # what rounding leaves below 0
    return (total / _positive(active)).mean(), (active / _positive(every)).mean()


def _weigh(
    distances: Tensor, of_positives: Tensor, of_negatives: Tensor, margins: Tensor
) -> tuple[Tensor, Tensor]:
    """Return by how much each distance counts in active triplets, as positive's and as negative's.

    With weights that autograd does not follow, the loss is a sum over pairs: through all triplets
    it would take most of a training's time. A triplet is active where the positive is farther than
    the negative less the margin, and what is farther is found in a row that is sorted.
    """
    ordered, order = distances.sort(2)
    bounds, far = distances - margins[:, None, None], margins[:, None, None]
    n_negatives = torch.searchsorted(ordered - far, distances)
    n_others = torch.searchsorted(ordered, bounds, right=True)
    shrink = of_positives * _sums(of_negatives, order).gather(2, n_negatives)
    positives = _sums(of_positives, order)
    grow = of_negatives * (positives[..., -1:] - positives.gather(2, n_others))
    return shrink, grow


def _sums(weights: Tensor, order: Tensor) -> Tensor:
    """Return the sums of the first 0 to n weights of each row, in another order of its columns."""
    n = order.shape[2]
    weights = weights.expand_as(order).gather(2, order)
    # A product, since cumsum adds up in no fixed order on a GPU.
    return weights @ weights.new_ones(n, n + 1).triu(1)


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
