"""Triplets of a batch: mined, judged plainly or from both sides, on many slices at once.

A slice is a space of its own, with its own distances, its own triplets and its own margin; a single
space is the case of one slice. All distances are squared Euclidean.

The losses are sums of distances whose weights are constant near by: a distance counts once for each
active triplet in which it is to shrink, and minus once for each in which it is to grow. So the
gradient is made together with the value, and no matrix of pairs is kept for the way back.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Self

import torch
from torch import Tensor

# Work is cut into pieces of this many numbers: on a CPU so that a few of them stay within a core's
# cache, elsewhere so that they fit the memory.
_CPU_PIECE = 2**18
_DEVICE_PIECE = 2**25


def triplet_hinges(
    anchors: Tensor,
    positives: Tensor,
    negatives: Tensor,
    margin: Tensor | float,
    dual: bool = False,
) -> Tensor:
    """Judge given triplets, plainly or from both of their positive ends.

    The plain hinge ``[D(a, p) - D(a, n) + margin]_+`` looks at the triangle from the anchor only.
    The dual form adds ``[D(a, p) - D(p, n) + margin]_+``, the same judgement from the positive's
    side, and so is symmetric in the two.

    Parameters
    ----------
    anchors, positives, negatives : Tensor of shape (..., n_features)
        The three points of every triplet.
    margin : float or Tensor that broadcasts to the leading shape
        By how much a negative has to be farther away than the positive (squared distance).
    dual : bool, default=False
        Whether to judge from the positive's side too.

    Returns
    -------
    Tensor of shape (n_sides, ...)
        The hinges, all >= 0: one side (the anchor's) for the plain form, two for the dual form.
        The loss of a triplet is the sum over the sides.

    Notes
    -----
    The dual form is our reading of the "dual triplet loss" of Yang et al., whose aim is to mend the
    incomplete judgement of a triangle by one of its sides.

    References
    ----------
    .. [1] W. Yang et al., "Multi-threshold deep metric learning for facial expression recognition",
           Pattern Recognition 156, 2024. https://arxiv.org/abs/2406.16434

    Examples
    --------
    >>> import torch
    >>> from skfer.losses import triplet_hinges
    >>> a, p, n = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 2.0]])
    >>> triplet_hinges(a, p, n, margin=3.5, dual=True)
    tensor([0.0000, 0.5000])
    """
    edges = [anchors - positives, anchors - negatives]
    if dual:
        edges.append(positives - negatives)
    return _hinges(torch.stack(edges), margin)


def judge_batch(
    points: Tensor, labels: Tensor, margins: Tensor, *, mining: str, dual: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Judge the triplets of a batch, slice by slice, and differentiate the judgement.

    Parameters
    ----------
    points : Tensor of shape (n_slices, n_samples, n_features)
        The points of every slice, of ordinary magnitudes.
    labels : Tensor of shape (n_samples,)
        The classes, integers of any value.
    margins : Tensor of shape (n_slices,)
        The margin of every slice.
    mining : {"batch-all", "batch-hard"}
        Over all triplets, the mean of the hinges above 0; or, over the anchors, the mean loss of
        each one's hardest triplet [1]_: with its farthest positive and its nearest negative.
    dual : bool
        Whether to judge from the positives' sides too (see `triplet_hinges`). Over all triplets
        this changes nothing: swapping anchor and positive maps one side onto the other, so that
        the dual form has the hinges of the plain form, each of them twice.

    Returns
    -------
    losses, active : Tensor of shape (n_slices,)
        The losses, and the fractions of hinges above 0. Both are 0 where there is no triplet.
    gradient : Tensor of shape (n_slices, n_samples, n_features)
        The gradient of every slice's loss by its points.

    References
    ----------
    .. [1] A. Hermans, L. Beyer and B. Leibe, "In defense of the triplet loss for person
           re-identification", 2017. https://arxiv.org/abs/1703.07737

    Examples
    --------
    >>> import torch
    >>> from skfer.losses.triplet import judge_batch
    >>> points, labels = torch.tensor([[[0.0], [0.5], [1.0]]]), torch.tensor([0, 0, 1])
    >>> losses, active, gradient = judge_batch(
    ...     points, labels, torch.tensor([0.25]), mining="batch-hard", dual=False
    ... )
    >>> losses, active, gradient.flatten()
    (tensor([0.1250]), tensor([0.5000]), tensor([-0.5000,  1.0000, -0.5000]))
    """
    n_slices, n_samples, n_features = points.shape
    losses, active = points.new_empty(2, n_slices)
    gradient = torch.empty_like(points)
    judge: Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]
    with torch.no_grad():
        partners = _Partners.of(labels, points.dtype)
        if mining == "batch-hard":
            judge = partial(_judge_hardest, partners=partners, dual=dual)
            size = n_samples * max(n_samples // 2, 2 * n_features)
        else:
            judge = partial(_judge_all, partners=partners, table=_positives_table(partners))
            size = n_samples * max(n_samples, n_features)
        step = _piece(points, size)
        for start in range(0, n_slices, step):
            part = slice(start, start + step)
            judged = judge(_centred(points[part]), margins[part, None])
            losses[part], active[part], gradient[part] = judged
    return losses, active, gradient


class _Partners(NamedTuple):
    """Who is whose positive and whose negative in a batch."""

    # Added to values of pairs, these leave the positive (negative) pairs and sink all others.
    not_positive: Tensor
    not_negative: Tensor
    # How many each sample has, and the number of triplets that gives it as an anchor.
    n_positives: Tensor
    n_triplets: Tensor

    @classmethod
    def of(cls, labels: Tensor, dtype: torch.dtype) -> Self:
        same = labels[:, None] == labels
        n_same = same.sum(1)
        sunk = -torch.finfo(dtype).max / 4
        not_negative = same.to(dtype).mul_(sunk)
        # Nobody is a positive of theirs.
        not_positive = (sunk - not_negative).fill_diagonal_(sunk)
        n_positives = n_same - 1
        return cls(not_positive, not_negative, n_positives, n_positives * (len(labels) - n_same))


def _judge_hardest(
    points: Tensor, margins: Tensor, partners: _Partners, dual: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Return losses, active fractions and gradient of the hardest triplets of a few slices."""
    valid = partners.n_triplets > 0
    n_valid = valid.sum().clamp_min_(1)
    rows = _rows(_mine(points, partners))
    edges = _edges(points, rows, dual)
    hinges = _hinges(edges, margins).mul_(valid)
    active = (hinges > 0).to(points.dtype)
    gradient = _edge_gradients(edges, active * 2 / n_valid, rows)
    return hinges.sum((0, 2)) / n_valid, active.mean(0).sum(1) / n_valid, gradient


def _mine(points: Tensor, partners: _Partners) -> Tensor:
    """Return the farthest positives and the nearest negatives, (2, n_slices, n_samples)."""
    distances = _distances(points)
    nearest = _largest(partners.not_negative - distances)
    farthest = _largest(distances.add_(partners.not_positive))
    # NaN has no place; any will do, as the loss is NaN then.
    return torch.stack([farthest, nearest]).nan_to_num_(0).long()


def _distances(points: Tensor) -> Tensor:
    """Return the squared distances of all pairs, up to a constant of each row.

    Triplets compare distances within an anchor's row alone.
    """
    norms = points.square().sum(2)[:, None]
    return torch.baddbmm(norms, points, points.transpose(1, 2), alpha=-2)


def _largest(values: Tensor) -> Tensor:
    """Return the place of every row's largest value, the first of equal ones; spoils `values`.

    The same as ``values.max(-1)[1]``, which is not vectorised and takes several times as long.
    """
    gaps = values.sub_(values.amax(-1, keepdim=True))
    places = torch.arange(values.shape[-1], dtype=values.dtype, device=values.device)
    # Any gap but 0, made immense, puts a place behind all others.
    immense = torch.finfo(values.dtype).max
    return torch.add(places, gaps, alpha=-immense, out=gaps).amin(-1)


def _rows(places: Tensor) -> Tensor:
    """Turn samples (..., n_slices, n_samples) into rows of the flat points, slice after slice."""
    n_slices, n_samples = places.shape[-2:]
    firsts = torch.arange(0, n_slices * n_samples, n_samples, device=places.device)
    return places + firsts[:, None]


def _edges(points: Tensor, rows: Tensor, dual: bool) -> Tensor:
    """Return the edge of each triplet that is to shrink, and the one or two that are to grow."""
    edges = points.new_empty(3 if dual else 2, *points.shape)
    ends = edges[:2].view(-1, points.shape[-1])
    torch.index_select(points.flatten(0, 1), 0, rows.flatten(), out=ends)
    torch.sub(points, edges[:2], out=edges[:2])
    if dual:
        torch.sub(edges[1], edges[0], out=edges[2])
    return edges


def _hinges(edges: Tensor, margin: Tensor | float) -> Tensor:
    """Return the hinges of triplets, one for each of the edges that are to grow."""
    # Distances from differences: products of points would lose those of near pairs.
    distances = edges.square().sum(-1)
    return (distances[0] - distances[1:] + margin).clamp_min(0)


def _edge_gradients(edges: Tensor, weights: Tensor, rows: Tensor) -> Tensor:
    """Differentiate the hinges by the points, each hinge weighted; spoils `edges`."""
    edges[0] *= weights.sum(0)[..., None]
    edges[1:] *= weights[..., None]
    gradient = edges[0] - edges[1]
    if len(edges) == 3:
        edges[:2] += edges[2]
    flat, (at_positives, at_negatives) = gradient.flatten(0, 1), edges[:2].flatten(1, 2)
    flat.index_add_(0, rows[0].flatten(), at_positives, alpha=-1)
    flat.index_add_(0, rows[1].flatten(), at_negatives)
    return gradient


def _judge_all(
    points: Tensor, margins: Tensor, partners: _Partners, table: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return losses, active fractions and gradient of all triplets of a few slices."""
    distances = _distances(points)
    places, sunk = table[0].expand(len(points), -1, -1), table[1]
    near = distances.gather(2, places) + sunk
    bounds = (distances - margins[:, None]).sub_(partners.not_negative)
    of_positives, of_negatives = _count_active(near, bounds)

    count = of_positives.sum((1, 2))
    weights = of_negatives.neg_().scatter_add_(2, places, of_positives)
    n_active = count.clamp_min(1)
    gradient = _pair_gradients(weights, points).div_(n_active[:, None, None])
    total = weights.mul_(distances).sum((1, 2)) + margins[:, 0] * count
    n_triplets = partners.n_triplets.sum().clamp_min_(1)
    return total.clamp_min_(0) / n_active, count / n_triplets, gradient


def _positives_table(partners: _Partners) -> tuple[Tensor, Tensor]:
    """List every sample's positives in a row of its own, and what sinks the rest of its row."""
    width = max(1, int(partners.n_positives.max()))
    sunk, places = partners.not_positive.topk(width, dim=1)
    return places, sunk


def _count_active(near: Tensor, bounds: Tensor) -> tuple[Tensor, Tensor]:
    """Count the active triplets of every positive and of every negative of each anchor.

    A triplet is active where the distance to its positive exceeds the bound of its negative:
    `near` is (n_slices, n_anchors, n_positives), `bounds` is (n_slices, n_anchors, n_samples).
    """
    of_positives, of_negatives = torch.empty_like(near), torch.empty_like(bounds)
    step = _piece(near, near.shape[2] * bounds.shape[2])
    n_rows = near.shape[0] * near.shape[1]
    space = near.new_empty(min(step, n_rows), near.shape[2], bounds.shape[2])
    columns = (near[..., None], bounds[:, :, None], of_positives, of_negatives)
    # Comparing all is faster than searching in sorted positives, which a processor mispredicts;
    # and written as floating-point numbers, comparisons are vectorised.
    for piece in zip(*(column.flatten(0, 1).split(step) for column in columns), strict=True):
        active = space[: len(piece[0])]
        torch.gt(piece[0], piece[1], out=active)
        torch.sum(active, 2, out=piece[2])
        torch.sum(active, 1, out=piece[3])
    return of_positives, of_negatives


def _pair_gradients(weights: Tensor, points: Tensor) -> Tensor:
    """Differentiate the weighted sum of squared distances of all pairs.

    The weights of a row add up to 0, as each triplet has one positive and one negative.
    """
    gradient = points * weights.sum(1)[..., None]
    gradient.baddbmm_(weights, points, beta=2, alpha=-2)
    return gradient.baddbmm_(weights.transpose(1, 2), points, alpha=-2)


def _centred(points: Tensor) -> Tensor:
    """Move every slice's mean to the origin.

    Products of points that lie close together lose the distances between them; products of what is
    left after centring do not.
    """
    return torch.sub(points, points.mean(1, keepdim=True), out=points.new_empty(points.shape))


def _piece(points: Tensor, item_size: int) -> int:
    """Return how many items of that many numbers are worked on together."""
    return max(1, (_CPU_PIECE if points.device.type == "cpu" else _DEVICE_PIECE) // item_size)
