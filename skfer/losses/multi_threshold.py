"""The multi-threshold triplet loss: an embedding in slices, each with a threshold of its own."""

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from skfer._typing import NDArray
from skfer.exceptions import ArgumentError
from skfer.losses._checks import (
    check_indices,
    check_labels,
    check_points,
    check_shares,
    shown_tensor,
)
from skfer.losses._once import differentiable_once
from skfer.losses._voted import disagreement, voted_triplet_loss
from skfer.losses.triplet import batch_triplet_losses, triplet_hinges
from skfer.validation import check_choice, check_flag, check_int, check_real, shown

# Points of the unit sphere are at most this far apart (squared).
_LARGEST_DISTANCE = 4.0
_MINING = ("batch-all", "batch-hard")


class MultiThresholdTripletLoss(nn.Module):
    """Triplet losses on the slices of an embedding, each with a threshold of its own.

    The embedding is cut into as many slices as there are thresholds, and each slice is normalized
    to unit length. Triplets are mined in each slice separately, with the slice's own threshold as
    the margin between squared distances. The loss is the mean over the slices, so that no single
    threshold has to be searched for.

    Parameters
    ----------
    thresholds : sequence of float of shape (n_slices,)
        The threshold of each slice, in (0, 4]: squared distances of unit vectors.
    dual : bool, default=True
        Whether to compare from the positive's side of each triplet as well as from the anchor's,
        see `triplet_hinges`. With ``mining="batch-all"`` this changes nothing.
    mining : {"batch-all", "batch-hard"}, default="batch-all"
        Which triplets of the batch count. ``"batch-all"`` is the mean of all hinges above 0;
        ``"batch-hard"`` takes each anchor's farthest positive and nearest negative [2]_, and the
        mean over the anchors that have both.

    Attributes
    ----------
    thresholds : Tensor of shape (n_slices,), float64
        The thresholds; a buffer of the module.
    mining : str
        May be changed between batches.
    stats : dict of str to Tensor
        What the latest call saw, as scalars without gradient: ``"active_fraction"`` is the
        fraction of hinges above 0, averaged over the slices (0 if there was no triplet).

    Raises
    ------
    ValueError
        If a threshold is outside (0, 4], there is none, or `mining` is unknown. On a call: if the
        embeddings are not of shape (n_samples, n_features) with real floating-point numbers and
        with as many features as fill the slices evenly, or if the labels are not one integer for
        each sample.

    See Also
    --------
    slice_thresholds : Thresholds that sample a range evenly.
    normalize_slices : The slices as the loss sees them.

    Notes
    -----
    The dual form and the mining inside each slice are our reading of [1]_. A batch without a
    triplet gives a loss of 0 with a gradient of 0. Half precision is computed in float32, and the
    loss is then a float32. The gradient can be taken once, not twice: ``create_graph=True`` is an
    error.

    References
    ----------
    .. [1] W. Yang et al., "Multi-threshold deep metric learning for facial expression recognition",
           Pattern Recognition 156, 2024. https://arxiv.org/abs/2406.16434
    .. [2] A. Hermans, L. Beyer and B. Leibe, "In defense of the triplet loss for person
           re-identification", 2017. https://arxiv.org/abs/1703.07737

    Examples
    --------
    >>> import torch
    >>> from skfer.losses import MultiThresholdTripletLoss
    >>> loss = MultiThresholdTripletLoss([0.5, 1.5], mining="batch-hard")
    >>> embeddings = torch.tensor([[1.0, 0, 1, 0], [1, 0, 0, 1], [0, 1, 0, 1]])
    >>> loss(embeddings, torch.tensor([4, 4, 2]))
    tensor(2.5000)
    >>> loss.stats
    {'active_fraction': tensor(0.5000)}
    """

    thresholds: Tensor

    def __init__(
        self, thresholds: Sequence[float], *, dual: bool = True, mining: str = "batch-all"
    ) -> None:
        super().__init__()
        self.register_buffer("thresholds", _check_thresholds(thresholds))
        self.dual = check_flag(dual, "dual")
        self.mining = check_choice(mining, "mining", _MINING)
        self.stats: dict[str, Tensor] = {}

    def forward(
        self,
        embeddings: Tensor,
        labels: Tensor,
        triplets: tuple[Tensor, Tensor, Tensor] | None = None,
        votes: Tensor | None = None,
    ) -> Tensor:
        """Return the loss of a batch.

        Parameters
        ----------
        embeddings : Tensor of shape (n_samples, n_features)
            The embeddings, not normalized; n_features is a multiple of the number of thresholds.
        labels : Tensor of shape (n_samples,)
            The classes, integers of any value.
        triplets : tuple of three Tensors of shape (n_triplets,), optional
            Indices of anchors, positives and negatives that a miner has chosen, the same for all
            slices. By default triplets are mined as `mining` says. The loss is their mean, whether
            they are active or not.
        votes : Tensor of shape (n_samples, n_classes), optional
            Share of each class in what people said of each sample, rows that sum to 1, or to 0 for
            a sample without a label: any three samples are a triplet then, which weighs as much as
            its anchor and positive agree and its anchor and negative do not, and nothing if one of
            them has no label. The hardest are looked for among those that labels tell.

        Returns
        -------
        Tensor of shape ()
            The loss, >= 0, of the embeddings' dtype, or float32 for half precision.
        """
        check_choice(self.mining, "mining", _MINING)
        embeddings = _check_embeddings(embeddings, len(self.thresholds))
        labels = check_labels(labels, len(embeddings)).to(embeddings.device)
        margins = self.thresholds.to(embeddings)
        shares = None if votes is None else _check_votes(votes, len(embeddings)).to(embeddings)
        if triplets is not None:
            return self._loss_of_given(embeddings, triplets, shares)
        if shares is not None:
            return self._loss_of_voted(embeddings, labels, shares)

        def evaluate(points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            return batch_triplet_losses(points, labels, margins, mining=self.mining, dual=self.dual)

        # Autocast would mine on Gram products in half precision.
        with torch.autocast(embeddings.device.type, enabled=False):
            loss, active = _MeanOverSlices.apply(embeddings, len(margins), evaluate)
        self.stats = {"active_fraction": active}
        return loss

    def _loss_of_given(self, embeddings: Tensor, triplets: Any, votes: Tensor | None) -> Tensor:
        slices = normalize_slices(embeddings, len(self.thresholds))
        a, p, n = _check_triplets(triplets, len(slices), slices.device)
        margins = self.thresholds.to(slices)
        hinges = triplet_hinges(slices[a], slices[p], slices[n], margins, self.dual)
        if votes is not None:
            hinges = hinges * _shares_of(votes.to(slices), a, p, n)[:, None]
        n_hinges = max(1, hinges.numel())
        self.stats = {"active_fraction": (hinges.detach() > 0).sum().to(hinges) / n_hinges}
        # A triplet is the sum over its sides; the sum over no triplet is 0, with a gradient of 0.
        return hinges.sum() * (len(hinges) / n_hinges)

    def _loss_of_voted(self, embeddings: Tensor, labels: Tensor, votes: Tensor) -> Tensor:
        with torch.autocast(embeddings.device.type, enabled=False):
            slices = normalize_slices(embeddings, len(self.thresholds))
            loss, active = voted_triplet_loss(
                slices,
                labels,
                votes,
                self.thresholds.to(slices),
                mining=self.mining,
                dual=self.dual,
            )
        self.stats = {"active_fraction": active.detach()}
        return loss

    def __getstate__(self) -> dict[str, Any]:
        # The statistics of the latest batch may lie on a GPU, which a pickle must not depend on.
        return self.__dict__ | {"stats": {}}

    def extra_repr(self) -> str:
        """Return the settings for the module's representation."""
        thresholds = [round(value, 4) for value in self.thresholds.tolist()]
        return f"thresholds={thresholds}, dual={self.dual}, mining={self.mining!r}"

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        """Move or cast the module; on devices without double precision the thresholds go single."""
        try:
            return super()._apply(fn, recurse)
        except TypeError:
            self.thresholds = self.thresholds.float()
            return super()._apply(fn, recurse)


def _shares_of(votes: Tensor, a: Tensor, p: Tensor, n: Tensor) -> Tensor:
    """Return what each triplet weighs by the votes, 1 in the mean."""
    agreement = (votes[a] * votes[n]).sum(1)
    weights = (votes[a] * votes[p]).sum(1) * disagreement(votes[a], votes[n], agreement)
    if not len(weights):
        return weights
    return weights / weights.mean().clamp_min(torch.finfo(weights.dtype).tiny)


def normalize_slices(embeddings: Tensor, n_slices: int) -> Tensor:
    """Cut embeddings into slices and normalize each slice to unit length.

    Parameters
    ----------
    embeddings : Tensor of shape (n_samples, n_features)
        The embeddings; n_features is a multiple of `n_slices`.
    n_slices : int
        The number of slices, all of one size.

    Returns
    -------
    Tensor of shape (n_samples, n_slices, n_features // n_slices)
        Unit vectors, of the embeddings' dtype, or float32 for half precision. A slice of zeros
        stays as it is. Slices of any finite magnitude are normalized exactly and have finite
        gradients; only below about 1e-37 (in float32) a slice counts as zeros. Gradients of slices
        shorter than about 1e-4 have no room in float16.

    Raises
    ------
    ValueError
        If the embeddings are not of shape (n_samples, n_features) with real floating-point numbers,
        or cannot be cut evenly.

    See Also
    --------
    MultiThresholdTripletLoss : The loss in such slices.

    Examples
    --------
    >>> import torch
    >>> from skfer.losses import normalize_slices
    >>> normalize_slices(torch.tensor([[3e30, 4e30, 0.0, -1e-20]]), 2)
    tensor([[[ 0.6000,  0.8000],
             [ 0.0000, -1.0000]]])
    """
    embeddings = _check_embeddings(embeddings, check_int(n_slices, "n_slices", at_least=1))
    slices = embeddings.reshape(len(embeddings), n_slices, -1)
    scaled, _, length = _scale(slices)
    return scaled * length.reciprocal()


def slice_thresholds(low: float, high: float, n: int) -> NDArray[np.float64]:
    """Return evenly spaced thresholds over a range, ends included.

    Parameters
    ----------
    low, high : float
        The range, with 0 < low < high <= 4 (squared distances of unit vectors).
    n : int
        The number of thresholds; a single one is the middle of the range.

    Returns
    -------
    ndarray of shape (n,)
        The thresholds, ascending.

    Raises
    ------
    ValueError
        If the range is empty or leaves (0, 4], or `n` is below 1.

    See Also
    --------
    max_threshold : The largest that makes sense.
    MultiThresholdTripletLoss : The loss that takes them.

    Examples
    --------
    >>> from skfer.losses import slice_thresholds
    >>> slice_thresholds(0.25, 1.0, 4)
    array([0.25, 0.5 , 0.75, 1.  ])
    >>> slice_thresholds(0.25, 1.0, 1)
    array([0.625])
    """
    low = check_real(low, "low", above=0)
    high = check_real(high, "high", above=0, at_most=_LARGEST_DISTANCE)
    if low >= high:
        raise ArgumentError("{low} must be below {high}, got {} and {}.", low, high)
    n = check_int(n, "n", at_least=1)
    return np.linspace(low, high, n) if n > 1 else np.array([(low + high) / 2])


def max_threshold(n_classes: int) -> float:
    """Return the largest threshold that all classes can meet at once.

    Parameters
    ----------
    n_classes : int
        The number of classes C, at least 2.

    Returns
    -------
    float
        2C / (C - 1), the squared distance of C equidistant points on the unit sphere, which is at
        most 4.

    Raises
    ------
    ValueError
        If there are fewer than two classes.

    See Also
    --------
    slice_thresholds : Thresholds over a range.

    Notes
    -----
    That the range of valid thresholds ends here is our reading.

    Examples
    --------
    >>> from skfer.losses import max_threshold
    >>> max_threshold(2), max_threshold(5)
    (4.0, 2.5)
    """
    n_classes = check_int(n_classes, "n_classes", at_least=2)
    return min(_LARGEST_DISTANCE, 2 * n_classes / (n_classes - 1))


class _MeanOverSlices(torch.autograd.Function):
    """The mean loss and active fraction of the slices, whose gradient `evaluate` returns with them.

    Computing the gradient in the forward pass stores one number per feature, and saves autograd's
    bookkeeping, which takes as long as all the rest at usual batch sizes.
    """

    @staticmethod
    def forward(
        ctx: Any,
        embeddings: Tensor,
        n_slices: int,
        evaluate: Callable[[Tensor], tuple[Tensor, Tensor, Tensor]],
    ) -> tuple[Tensor, Tensor]:
        slices = embeddings.reshape(len(embeddings), n_slices, -1).transpose(0, 1)
        units, magnitude, length = _scale(slices)
        units /= length
        losses, active, gradient = evaluate(units)
        # Normalizing removes the part of the gradient that is parallel to the unit vector.
        gradient -= units * (gradient * units).sum(-1, keepdim=True)
        gradient /= length * n_slices * magnitude
        ctx.save_for_backward(gradient.transpose(0, 1).flatten(1))
        active = active.mean()
        ctx.mark_non_differentiable(active)
        return losses.mean(), active

    @staticmethod
    @differentiable_once
    def backward(ctx: Any, grad_loss: Tensor, _: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * grad_loss, None, None


def _scale(slices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return slices divided by their largest magnitude, that magnitude, and their length then.

    Squares of large numbers overflow and those of small numbers vanish, hence the division first.
    The magnitude is a constant to autograd, since the direction does not depend on it.
    """
    magnitude = slices.detach().abs().amax(-1, keepdim=True)
    # The gradient grows with 1/magnitude: where it would overflow, the slice counts as zeros.
    is_zero = magnitude < 16 * torch.finfo(slices.dtype).tiny
    magnitude.masked_fill_(is_zero, 1)
    scaled = slices / magnitude
    length = torch.linalg.vector_norm(scaled, dim=-1, keepdim=True)
    return scaled, magnitude, length.masked_fill(is_zero, 1)


def _check_embeddings(embeddings: Tensor, n_slices: int) -> Tensor:
    embeddings = check_points(embeddings, "embeddings")
    n_features = embeddings.shape[1]
    if n_features % n_slices:
        raise ArgumentError(
            "{embeddings} must have a multiple of {} features, the same number for each slice; "
            "got {} features.",
            n_slices,
            n_features,
        )
    return embeddings


def _check_triplets(triplets: Any, n_samples: int, device: torch.device) -> list[Tensor]:
    given = list(triplets) if isinstance(triplets, tuple | list) else []
    shapes = {getattr(rows, "shape", None) for rows in given}
    if len(given) != 3 or len(shapes) > 1 or not all(isinstance(r, Tensor) for r in given):
        raise ArgumentError(
            "{triplets} must be three tensors of indices, of one shape (n_triplets,), got {}.",
            shown(triplets),
        )
    n = n_samples if given[0].numel() else None
    return [check_indices(r, "triplets", n, "indices of samples").to(device) for r in given]


def _check_votes(votes: Any, n_samples: int) -> Tensor:
    fits = isinstance(votes, Tensor) and votes.ndim == 2 and len(votes) == n_samples
    if not fits or votes.is_complex():
        raise ArgumentError(
            "{votes} must be a tensor of shape ({}, n_classes), got {}.",
            n_samples,
            shown_tensor(votes),
        )
    check_shares(votes, "votes")
    return votes


def _check_thresholds(thresholds: Any) -> Tensor:
    if isinstance(thresholds, Tensor) and thresholds.is_complex():
        thresholds = thresholds.tolist()  # which is refused, as a list of complex numbers is
    try:
        values = torch.as_tensor(thresholds, dtype=torch.float64, device="cpu").detach().clone()
    except (TypeError, ValueError, RuntimeError):
        values = torch.empty(0)
    if values.ndim != 1 or len(values) == 0:
        raise ArgumentError(
            "{thresholds} must be a sequence of at least one number, got {}.", shown(thresholds)
        )
    outside = values[~((values > 0) & (values <= _LARGEST_DISTANCE))].tolist()
    if outside:
        raise ArgumentError(
            "{thresholds} must lie in (0, 4], the squared distances between unit vectors; got {}.",
            shown(outside),
        )
    return values
