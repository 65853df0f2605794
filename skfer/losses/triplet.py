"""Triplet losses of a batch, plain or dual, mined and evaluated on many slices at once.

A slice is a space of its own, with its own distances, triplets and margin; an embedding that is not
sliced is the case of one slice. All distances are squared Euclidean.

The loss is piecewise linear in the distances: a distance has weight +1 for each active triplet in
which it should shrink, and -1 for each in which it should grow. The gradient is therefore computed
together with the value, and no matrix of pairs has to be stored for the backward pass.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Self

import torch
from torch import Tensor

from skfer.losses._checks import shown_tensor, single_at_least
from skfer.validation import check_flag, check_real, refusal

# Work is split into chunks of this many numbers: on a CPU so that a few chunks fit in a core's
# cache, on other devices so that they fit in memory.
_CPU_CHUNK = 2**18
_DEVICE_CHUNK = 2**24
_SMALL_BATCH = 128
"""Samples; in so few another device than a CPU looks at all of them for an anchor's positives."""


def triplet_hinges(
    anchors: Tensor,
    positives: Tensor,
    negatives: Tensor,
    margin: Tensor | float,
    dual: bool = False,
) -> Tensor:
    """Compute the hinges of given triplets, in the plain or the dual form.

    The plain hinge ``[D(a, p) - D(a, n) + margin]_+`` sees the triangle from the anchor only. The
    dual form adds ``[D(a, p) - D(p, n) + margin]_+``, the same comparison from the positive's side,
    and is therefore symmetric in anchor and positive.

    Parameters
    ----------
    anchors, positives, negatives : Tensor of shape (..., n_features)
        The three points of every triplet.
    margin : float or Tensor that broadcasts to the leading shape
        By how much a negative has to be farther away than the positive (squared distance).
    dual : bool, default=False
        Whether to add the hinge from the positive's side.

    Returns
    -------
    Tensor of shape (n_sides, ...)
        The hinges, all >= 0: one side (the anchor's) for the plain form, two for the dual form.
        The loss of a triplet is the sum over the sides. Half precision is computed in float32, and
        so are its hinges.

    Raises
    ------
    ValueError
        If the points are no floating-point tensors of one shape, or `margin` is no number.

    See Also
    --------
    MultiThresholdTripletLoss : Averages them over triplets.

    Notes
    -----
    The dual form is our reading of the "dual triplet loss" of [1]_, which is meant to correct the
    "incomplete judgements" that result from looking at a triangle from one side only.

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
    _check_triplets(anchors=anchors, positives=positives, negatives=negatives)
    anchors, positives, negatives = map(single_at_least, (anchors, positives, negatives))
    if not isinstance(margin, Tensor):
        margin = check_real(margin, "margin")
    elif margin.is_complex():
        raise refusal("margin", "must be real, got {}.", margin.dtype)
    dual = check_flag(dual, "dual")
    edges = [anchors - positives, anchors - negatives]
    if dual:
        edges.append(positives - negatives)
    return _hinges(torch.stack(edges), margin)


def _check_triplets(**ends: Tensor) -> None:
    shape = getattr(ends["anchors"], "shape", None)
    for name, points in ends.items():
        if not isinstance(points, Tensor) or not points.is_floating_point() or not points.ndim:
            raise refusal(name, "must be a floating-point tensor, got {}.", shown_tensor(points))
        if points.shape != shape:
            raise refusal(
                name,
                "must be of the same shape as the anchors, {}, got {}.",
                *(tuple(shape or ()), tuple(points.shape)),
            )


def batch_triplet_losses(
    points: Tensor, labels: Tensor, margins: Tensor, *, mining: str, dual: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Mine the triplets of a batch, slice by slice, and compute their losses and gradients.

    Parameters
    ----------
    points : Tensor of shape (n_slices, n_samples, n_features)
        The points of every slice, of moderate magnitude.
    labels : Tensor of shape (n_samples,)
        The classes, integers of any value.
    margins : Tensor of shape (n_slices,)
        The margin of every slice.
    mining : {"batch-all", "batch-hard"}
        The mean of the hinges above 0 over all triplets; or the mean over the anchors of the loss
        of each anchor's hardest triplet [1]_, its farthest positive and its nearest negative.
    dual : bool
        Whether to add the hinges from the positives' side (see `triplet_hinges`). With
        ``"batch-all"`` this changes nothing: swapping anchor and positive maps one side onto the
        other, so the dual form has the hinges of the plain form, each of them twice.

    Returns
    -------
    losses, active : Tensor of shape (n_slices,)
        The losses, and the fractions of hinges above 0; both are 0 where there is no triplet.
    gradient : Tensor of shape (n_slices, n_samples, n_features)
        The gradient of each slice's loss with respect to its points.

    References
    ----------
    .. [1] A. Hermans, L. Beyer and B. Leibe, "In defense of the triplet loss for person
           re-identification", 2017. https://arxiv.org/abs/1703.07737

    Examples
    --------
    >>> import torch
    >>> from skfer.losses.triplet import batch_triplet_losses
    >>> points, labels = torch.tensor([[[0.0], [0.5], [1.0]]]), torch.tensor([0, 0, 1])
    >>> losses, active, gradient = batch_triplet_losses(
    ...     points, labels, torch.tensor([0.25]), mining="batch-hard", dual=False
    ... )
    >>> losses, active, gradient.flatten()
    (tensor([0.1250]), tensor([0.5000]), tensor([-0.5000,  1.0000, -0.5000]))
    """
    n_slices, n_samples, n_features = points.shape
    losses, active = points.new_empty(2, n_slices)
    gradient = torch.empty_like(points)
    evaluate: Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]
    with torch.no_grad():
        partners = _Partners.of(labels, points.dtype)
        if mining == "batch-hard":
            evaluate = partial(_hardest_triplets, partners=partners, dual=dual)
            item_size = n_samples * max(n_samples // 2, 2 * n_features)
        else:
            evaluate = partial(_all_triplets, partners=partners, weigh=_way_to_weigh(partners))
            item_size = n_samples * max(n_samples, n_features)
        step = _items_per_chunk(points, item_size)
        for start in range(0, n_slices, step):
            chunk = slice(start, start + step)
            results = evaluate(_centered(points[chunk]), margins[chunk, None])
            losses[chunk], active[chunk], gradient[chunk] = results
    return losses, active, gradient


class _Partners(NamedTuple):
    """Which samples of a batch are positives and negatives of which anchors.

    Added to a matrix of pairs, ``not_positive`` leaves the positive pairs as they are and makes all
    other entries so negative that no maximum picks them; ``not_negative`` likewise.
    """

    not_positive: Tensor
    not_negative: Tensor
    n_positives: Tensor
    n_triplets: Tensor

    @classmethod
    def of(cls, labels: Tensor, dtype: torch.dtype) -> Self:
        same = labels[:, None] == labels
        n_same = same.sum(1)
        excluded = -torch.finfo(dtype).max / 4
        not_negative = same.to(dtype).mul_(excluded)
        # No sample is a positive of itself.
        not_positive = (excluded - not_negative).fill_diagonal_(excluded)
        n_positives = n_same - 1
        return cls(not_positive, not_negative, n_positives, n_positives * (len(labels) - n_same))


def _hardest_triplets(
    points: Tensor, margins: Tensor, partners: _Partners, dual: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Return losses, active fractions and gradients of the hardest triplets of some slices."""
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
    # Rows with NaN have no largest value; any index will do, since the loss is NaN anyway.
    return torch.stack([farthest, nearest]).nan_to_num_(0).long()


def _distances(points: Tensor) -> Tensor:
    """Return the squared distances of all pairs, up to a constant for each row.

    Triplets only compare distances within an anchor's row.
    """
    norms = points.square().sum(2)[:, None]
    return torch.baddbmm(norms, points, points.transpose(1, 2), alpha=-2)


def _largest(values: Tensor) -> Tensor:
    """Return the index of each row's largest value, the first of equal ones; overwrites `values`.

    The same as ``values.max(-1)[1]``, which is not vectorized and takes several times as long.
    """
    gaps = values.sub_(values.amax(-1, keepdim=True))
    places = torch.arange(values.shape[-1], dtype=values.dtype, device=values.device)
    # Every gap but 0 is multiplied so much that its index comes after all others.
    huge = torch.finfo(values.dtype).max
    return torch.add(places, gaps, alpha=-huge, out=gaps).amin(-1)


def _rows(places: Tensor) -> Tensor:
    """Turn sample indices (..., n_slices, n_samples) into rows of the flattened points."""
    n_slices, n_samples = places.shape[-2:]
    firsts = torch.arange(0, n_slices * n_samples, n_samples, device=places.device)
    return places + firsts[:, None]


def _edges(points: Tensor, rows: Tensor, dual: bool) -> Tensor:
    """Return each triplet's edge that should shrink, and the one or two that should grow."""
    edges = points.new_empty(3 if dual else 2, *points.shape)
    ends = edges[:2].view(-1, points.shape[-1])
    torch.index_select(points.flatten(0, 1), 0, rows.flatten(), out=ends)
    torch.sub(points, edges[:2], out=edges[:2])
    if dual:
        torch.sub(edges[1], edges[0], out=edges[2])
    return edges


def _hinges(edges: Tensor, margin: Tensor | float) -> Tensor:
    """Return the hinges of triplets, one for each edge that should grow."""
    # From differences, since Gram products lose the distances of close pairs to rounding.
    distances = edges.square().sum(-1)
    return (distances[0] - distances[1:] + margin).clamp_min(0)


def _edge_gradients(edges: Tensor, weights: Tensor, rows: Tensor) -> Tensor:
    """Differentiate the weighted hinges with respect to the points; overwrites `edges`."""
    edges[0] *= weights.sum(0)[..., None]
    edges[1:] *= weights[..., None]
    gradient = edges[0] - edges[1]
    if len(edges) == 3:
        edges[:2] += edges[2]
    flat, (at_positives, at_negatives) = gradient.flatten(0, 1), edges[:2].flatten(1, 2)
    flat.index_add_(0, rows[0].flatten(), at_positives, alpha=-1)
    flat.index_add_(0, rows[1].flatten(), at_negatives)
    return gradient


def _all_triplets(
    points: Tensor,
    margins: Tensor,
    partners: _Partners,
    weigh: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
) -> tuple[Tensor, Tensor, Tensor]:
    """Return losses, active fractions and gradients of all triplets of some slices."""
    distances = _distances(points)
    bounds = (distances - margins[:, None]).sub_(partners.not_negative)
    weights, count = weigh(distances, bounds)
    n_active = count.clamp_min(1)
    gradient = _pair_gradients(weights, points).div_(n_active[:, None, None])
    total = weights.mul_(distances).sum((1, 2)) + margins[:, 0] * count
    n_triplets = partners.n_triplets.sum().clamp_min_(1)
    return total.clamp_min_(0) / n_active, count / n_triplets, gradient


def _way_to_weigh(partners: _Partners) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return what finds the weights of all distances, as is fastest for a batch.

    It takes the distances and the negatives' bounds, (n_slices, n_anchors, n_samples) both. It
    returns in how many active triplets a distance should shrink, less in how many it should grow,
    and the number of active triplets of each slice.
    """
    n_samples, kind = len(partners.n_positives), partners.n_positives.device.type
    is_small = n_samples <= _SMALL_BATCH
    if kind == "cuda" and not is_small:  # without asking, too
        return partial(_weigh_by_sorting, not_positive=partners.not_positive)
    # To ask another device than a CPU takes longer than some more padding.
    width = n_samples - 1 if is_small and kind != "cpu" else int(partners.n_positives.max())
    padding, places = partners.not_positive.topk(max(1, width), dim=1)
    return partial(_weigh_by_comparing, places=places, padding=padding)


def _weigh_by_comparing(
    distances: Tensor, bounds: Tensor, places: Tensor, padding: Tensor
) -> tuple[Tensor, Tensor]:
    """Compare every positive with every negative; `places` has a row of positives a sample.

    To `padding`, where a row has more places than positives, nothing compares.
    """
    places = places.expand(len(distances), -1, -1)
    near = distances.gather(2, places) + padding
    of_positives, of_negatives = _count_active(near, bounds)
    return of_negatives.neg_().scatter_add_(2, places, of_positives), of_positives.sum((1, 2))


def _weigh_by_sorting(
    distances: Tensor, bounds: Tensor, not_positive: Tensor
) -> tuple[Tensor, Tensor]:
    """Search the sorted positives for the bound of every negative, and the other way round.

    A processor mispredicts the branches of a search; a GPU has none to predict.
    """
    near = distances + not_positive
    below = torch.searchsorted(bounds.sort(2)[0], near, out_int32=True)
    not_above = torch.searchsorted(near.sort(2)[0], bounds, right=True, out_int32=True)
    above = distances.shape[2] - not_above
    return (below - above).to(distances.dtype), below.sum((1, 2), dtype=distances.dtype)


def _count_active(near: Tensor, bounds: Tensor) -> tuple[Tensor, Tensor]:
    """Count the active triplets of every positive and of every negative of each anchor.

    A triplet is active where the distance to its positive exceeds the bound of its negative:
    `near` is (n_slices, n_anchors, n_positives), `bounds` is (n_slices, n_anchors, n_samples).
    """
    of_positives, of_negatives = torch.empty_like(near), torch.empty_like(bounds)
    step = _items_per_chunk(near, near.shape[2] * bounds.shape[2])
    n_rows = near.shape[0] * near.shape[1]
    space = near.new_empty(min(step, n_rows), near.shape[2], bounds.shape[2])
    columns = (near[..., None], bounds[:, :, None], of_positives, of_negatives)
    # Written to floating point, comparisons are vectorized.
    for chunk in zip(*(column.flatten(0, 1).split(step) for column in columns), strict=True):
        active = space[: len(chunk[0])]
        torch.gt(chunk[0], chunk[1], out=active)
        torch.sum(active, 2, out=chunk[2])
        torch.sum(active, 1, out=chunk[3])
    return of_positives, of_negatives


def _pair_gradients(weights: Tensor, points: Tensor) -> Tensor:
    """Differentiate the weighted sum of squared distances of all pairs.

    The weights of a row sum to 0, since each triplet has one positive and one negative.
    """
    gradient = points * weights.sum(1)[..., None]
    gradient.baddbmm_(weights, points, beta=2, alpha=-2)
    return gradient.baddbmm_(weights.transpose(1, 2), points, alpha=-2)


def _centered(points: Tensor) -> Tensor:
    """Move each slice's mean to the origin, where Gram products lose the least to rounding."""
    return torch.sub(points, points.mean(1, keepdim=True), out=points.new_empty(points.shape))


def _items_per_chunk(points: Tensor, item_size: int) -> int:
    """Return how many items of that many numbers are computed together."""
    return max(1, (_CPU_CHUNK if points.device.type == "cpu" else _DEVICE_CHUNK) // item_size)
