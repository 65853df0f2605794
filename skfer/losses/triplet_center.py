"""The triplet-center loss, with four choices of the negative point."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skfer._asking import may_ask
from skfer.exceptions import ArgumentError
from skfer.losses._checks import check_companion, check_labels, check_points, check_range
from skfer.losses._overflow import Saturate, safe_factor
from skfer.validation import check_choice, check_int, check_real

# Means of more than these are corrected; a training starts from fewer.
_FEW_SAMPLES = 4096
_NEGATIVES = ("nearest", "fully-synthesized", "semi-synthesized", "prediction")


class TripletCenterLoss(nn.Module):
    """Triplets of a sample, the center of its class, and a negative point made of other centers.

    The loss is the mean over the samples of ``[d(f, c_y) - d(f, n) + margin]_+``, with one
    learnable center ``c_k`` for each class and the distance
    ``d(f, c) = mean_j a_j (f_j - c_j)^2``, where ``a`` are attention weights in (0, 1), or 1. The
    mean over the coordinates, not the sum, makes the scale of the loss independent of the length of
    the embedding.

    Parameters
    ----------
    n_classes : int
        The number of classes, at least 2.
    embedding_dim : int
        The length of the embedding.
    margin : float, default=0.5
        By how much the negative point has to be farther away than the own center, as a mean squared
        difference per coordinate, >= 0. For standardized embeddings (variance 1 per coordinate)
        two samples drawn at random are at distance 2 in this unit, whatever `embedding_dim` is.
    negatives : {"nearest", "fully-synthesized", "semi-synthesized", "prediction"}, \
            default="fully-synthesized"
        What the negative point ``n`` of a sample is:

        - ``"nearest"``: the nearest center of another class, the baseline of [2]_;
        - ``"fully-synthesized"``: piece by piece the nearest of the other classes' centers, the
          hardest point that can be composed of pieces of them;
        - ``"semi-synthesized"``: synthesized in some pieces, the nearest center in the rest;
        - ``"prediction"``: the center of the class, other than the own, with the largest logit.
    synthesis_fraction : float, default=0.5
        The fraction of pieces that ``"semi-synthesized"`` synthesizes, rounded half up: those
        with the most attention, among equals those where the two candidates differ more, then the
        first. With 0 it is ``"nearest"``, with 1 ``"fully-synthesized"``.
    synthesis_size : int, default=1
        How many coordinates a piece has, which come from one center; the last piece may be
        shorter. With 1, as one may read [1]_, the point is made coordinate by coordinate, and so
        close to every sample that hardly one can keep the margin: `skfer.TripletCenterEmbedder`
        takes 8. With `embedding_dim` or more it is ``"nearest"``.

    Attributes
    ----------
    centers : Parameter of shape (n_classes, embedding_dim)
        The centers; zeros until `set_centers` or training moves them.
    negatives : str
        May be changed between batches.
    stats : dict of str to Tensor
        What the latest call saw, as scalars without gradient: ``"active_fraction"`` is the
        fraction of samples whose term is above 0.

    Raises
    ------
    ValueError
        If a parameter is out of its range. On a call: if embeddings, labels, logits or attention
        are of the wrong shape or type, if weights (on a CPU) are below 0 or not finite, or
        ``negatives="prediction"`` gets no logits.

    See Also
    --------
    negative_indices : The choice of the negative point alone.
    skfer.nets.SelectiveAttention : Where the attention comes from.
    skfer.TripletCenterEmbedder : Trains with it, and gives it logits and attention.

    Notes
    -----
    This is the center term alone: adding cross-entropy, and weighting the two, is up to the caller.
    The centers learn by gradient, as own and as negative centers. Which pieces
    ``"semi-synthesized"`` takes, and that pieces may have several coordinates, is our reading of
    [1]_. Half precision is computed in float32, and
    the loss is then a float32.

    References
    ----------
    .. [1] H. Rajoli et al., "Triplet loss-less center loss sampling strategies in facial expression
           recognition scenarios", CISS 2023. https://arxiv.org/abs/2302.04108
    .. [2] X. He et al., "Triplet-center loss for multi-view 3D object retrieval", CVPR 2018.
           https://arxiv.org/abs/1803.06189

    Examples
    --------
    >>> import torch
    >>> from skfer.losses import TripletCenterLoss
    >>> loss = TripletCenterLoss(n_classes=3, embedding_dim=2, margin=1.0)
    >>> loss.set_centers(torch.tensor([[0.0, 0.0], [3.0, 1.0], [1.0, 3.0]]), torch.arange(3))
    >>> loss(torch.tensor([[0.0, 0.0]]), torch.tensor([0]))
    tensor(0., grad_fn=<MeanBackward0>)
    >>> loss(torch.tensor([[0.5, 0.0]]), torch.tensor([0]))
    tensor(0.5000, grad_fn=<MeanBackward0>)
    """

    def __init__(
        self,
        n_classes: int,
        embedding_dim: int,
        *,
        margin: float = 0.5,
        negatives: str = "fully-synthesized",
        synthesis_fraction: float = 0.5,
        synthesis_size: int = 1,
    ) -> None:
        super().__init__()
        n_classes = check_int(n_classes, "n_classes", at_least=2)
        embedding_dim = check_int(embedding_dim, "embedding_dim", at_least=1)
        self.margin = check_real(margin, "margin", at_least=0)
        _check_choice(negatives, synthesis_fraction)
        self.negatives = negatives
        self.synthesis_fraction = synthesis_fraction
        self.synthesis_size = check_int(synthesis_size, "synthesis_size", at_least=1)
        self.centers = nn.Parameter(torch.zeros(n_classes, embedding_dim))
        self.stats: dict[str, Tensor] = {}

    def forward(
        self,
        embeddings: Tensor,
        labels: Tensor,
        logits: Tensor | None = None,
        attention: Tensor | None = None,
        weights: Tensor | None = None,
    ) -> Tensor:
        """Return the loss of a batch.

        Parameters
        ----------
        embeddings : Tensor of shape (n_samples, embedding_dim)
            The embeddings.
        labels : Tensor of shape (n_samples,)
            The classes, integers from 0 to ``n_classes - 1``.
        logits : Tensor of shape (n_samples, n_classes), optional
            The classifier's logits; only ``negatives="prediction"`` uses them, and they receive no
            gradient.
        attention : Tensor of shape (n_samples, embedding_dim), optional
            The weights of the coordinates, >= 0; they receive a gradient.
        weights : Tensor of shape (n_samples,), optional
            The weights of the samples in the mean, >= 0, such as how sure their labels are; all
            equal by default.

        Returns
        -------
        Tensor of shape ()
            The loss, >= 0, of the embeddings' dtype, or float32 for half precision.
        """
        embeddings = check_points(embeddings, "embeddings", self.centers.shape[1])
        centers = self.centers.to(embeddings.dtype)
        # Autocast would compute the products in half precision.
        with torch.autocast(embeddings.device.type, enabled=False):
            indices = negative_indices(
                embeddings,
                centers,
                labels,
                negatives=self.negatives,
                synthesis_fraction=self.synthesis_fraction,
                synthesis_size=self.synthesis_size,
                logits=logits,
                attention=attention,
            )
            own = _Pick.apply(centers, labels.to(indices)[:, None].expand_as(indices))
            negative = _Pick.apply(centers, indices)
            differences = _distance_differences(embeddings, own, negative, attention)
            hinges = (differences.mean(1) + self.margin).clamp_min(0)
        self.stats = {"active_fraction": (hinges.detach() > 0).to(hinges.dtype).mean()}
        if weights is None:
            return hinges.mean()
        check_companion(weights, "weights", tuple(hinges.shape))
        check_range(weights, "weights")
        weights = weights.to(hinges)
        return (weights * hinges).sum() / weights.sum().clamp_min(torch.finfo(hinges.dtype).tiny)

    @torch.no_grad()
    def set_centers(self, embeddings: Tensor, labels: Tensor) -> None:
        """Move the centers to the class means of embeddings, without gradient.

        Parameters
        ----------
        embeddings : Tensor of shape (n_samples, embedding_dim)
            The embeddings.
        labels : Tensor of shape (n_samples,)
            The classes, integers from 0 to ``n_classes - 1``. Centers of classes that do not occur
            stay where they are.
        """
        n_classes, embedding_dim = self.centers.shape
        embeddings = check_points(embeddings, "embeddings", embedding_dim).to(self.centers)
        labels = check_labels(labels, len(embeddings), n_classes).to(self.centers.device)
        classes, places = labels.unique(return_inverse=True)
        onehot = embeddings.new_zeros(len(embeddings), len(classes))
        onehot.scatter_(1, places[:, None], 1)
        # Autocast would compute the means in half precision.
        with torch.autocast(embeddings.device.type, enabled=False):
            weights = (onehot / onehot.sum(0)).t()
            means = weights @ embeddings
            if len(embeddings) > _FEW_SAMPLES:  # the sum has lost digits, beside a common offset
                means += 2 * (weights @ (embeddings / 2 - (means / 2)[places]))
        self.centers.index_copy_(0, classes, means)

    def __getstate__(self) -> dict[str, Any]:
        # The statistics of the latest batch may lie on a GPU, which a pickle must not depend on.
        return self.__dict__ | {"stats": {}}

    def extra_repr(self) -> str:
        """Return the settings for the module's representation."""
        n_classes, embedding_dim = self.centers.shape
        return (
            f"n_classes={n_classes}, embedding_dim={embedding_dim}, margin={self.margin}, "
            f"negatives={self.negatives!r}, synthesis_fraction={self.synthesis_fraction}, "
            f"synthesis_size={self.synthesis_size}"
        )


@torch.no_grad()
def negative_indices(
    embeddings: Tensor,
    centers: Tensor,
    labels: Tensor,
    *,
    negatives: str = "fully-synthesized",
    synthesis_fraction: float = 0.5,
    synthesis_size: int = 1,
    logits: Tensor | None = None,
    attention: Tensor | None = None,
) -> Tensor:
    """Choose the class whose center gives each coordinate of each sample's negative point.

    Parameters
    ----------
    embeddings : Tensor of shape (n_samples, n_features)
        The embeddings.
    centers : Tensor of shape (n_classes, n_features)
        The centers of the classes.
    labels : Tensor of shape (n_samples,)
        The classes, integers from 0 to ``n_classes - 1``.
    negatives, synthesis_fraction, synthesis_size
        As in `TripletCenterLoss`.
    logits : Tensor of shape (n_samples, n_classes), optional
        The classifier's logits, for ``negatives="prediction"``.
    attention : Tensor of shape (n_samples, n_features), optional
        The weights of the coordinates, all 1 by default.

    Returns
    -------
    Tensor of shape (n_samples, n_features), int64
        The classes, never a sample's own. The negative point is
        ``centers.gather(0, negative_indices(...))``.

    Raises
    ------
    ValueError
        If an argument has a wrong shape, type or value, or the logits are missing.

    See Also
    --------
    TripletCenterLoss : Chooses its negatives by it.

    Examples
    --------
    >>> import torch
    >>> from skfer.losses import negative_indices
    >>> centers = torch.tensor([[0.0, 0.0], [3.0, 1.0], [1.0, 3.0]])
    >>> points, labels = torch.tensor([[0.0, 0.0]]), torch.tensor([0])
    >>> negative_indices(points, centers, labels)
    tensor([[2, 1]])
    """
    _check_choice(negatives, synthesis_fraction)
    size = check_int(synthesis_size, "synthesis_size", at_least=1)
    centers = check_points(centers, "centers")
    n_classes, n_features = centers.shape
    embeddings = check_points(embeddings, "embeddings", n_features)
    labels = check_labels(labels, len(embeddings), n_classes).to(embeddings.device)
    if attention is not None:
        check_companion(attention, "attention", tuple(embeddings.shape))
        attention = attention.to(embeddings)
    if negatives == "prediction":
        return _likeliest_other_class(logits, labels, n_classes).expand_as(embeddings)
    factor = safe_factor(embeddings, centers)
    gaps = _gaps(embeddings * factor, centers * factor, labels)
    if negatives == "fully-synthesized":
        return _synthesized(gaps, labels, attention, size)
    nearest = _nearest(gaps, labels, attention).expand_as(embeddings)
    if negatives == "nearest":
        return nearest
    synthesized = _synthesized(gaps, labels, attention, size)
    n_first = _round_half_up(synthesis_fraction * -(-n_features // size))
    differences = (centers.gather(0, nearest) - centers.gather(0, synthesized)).abs_()
    first = _rank_first(
        None if attention is None else _of_pieces(attention, size),
        _of_pieces(differences, size),
        n_first,
    )
    return torch.where(_to_coordinates(first, size, n_features), synthesized, nearest)


def _gaps(embeddings: Tensor, centers: Tensor, labels: Tensor) -> Tensor:
    """Return |f_j - c_kj| of shape (n_samples, n_classes, n_features), infinite for own classes."""
    return _without_own((embeddings[:, None] - centers).abs_(), labels)


def _without_own(values: Tensor, labels: Tensor) -> Tensor:
    """Make values (n_samples, n_classes, n) of the own classes infinite, in place."""
    # By an index a GPU would have to wait for the number that it is to set.
    return values.scatter_(1, labels[:, None, None].expand(-1, 1, values.shape[2]), torch.inf)


def _nearest(gaps: Tensor, labels: Tensor, attention: Tensor | None) -> Tensor:
    """Return the other class (n_samples, 1) with the nearest center."""
    squares = gaps.square()
    if attention is None:
        distances = squares.sum(2)
    else:
        distances = torch.einsum("bkj,bj->bk", squares, attention)
    # Exclude the own class again, since an attention of 0 turns its infinite gap into NaN.
    return distances.scatter_(1, labels[:, None], torch.inf).argmin(1, keepdim=True)


def _likeliest_other_class(logits: Tensor | None, labels: Tensor, n_classes: int) -> Tensor:
    """Return the class (n_samples, 1), other than the own, with the largest logit."""
    if logits is None:
        raise ArgumentError(
            "{logits} must be given for {negatives='prediction'}: TripletCenterEmbedder gives "
            "those of its classifier, MetricLossEmbedder calls a loss without any."
        )
    check_companion(logits, "logits", (len(labels), n_classes))
    # The own class must be below all others, even where their logits are -inf.
    others = logits.clamp_min(torch.finfo(logits.dtype).min)
    return others.scatter(1, labels[:, None], -torch.inf).argmax(1, keepdim=True)


def _synthesized(gaps: Tensor, labels: Tensor, attention: Tensor | None, size: int) -> Tensor:
    """Return the other class (n_samples, n_features) that is nearest in each piece."""
    if size == 1:
        return gaps.min(1)[1]
    squares = gaps.square()
    if attention is not None:
        squares *= attention[:, None]
    distances = _without_own(_of_pieces(squares, size), labels)
    return _to_coordinates(distances.min(1)[1], size, gaps.shape[2])


def _of_pieces(values: Tensor, size: int) -> Tensor:
    """Sum values (..., n_features) over pieces of so many coordinates."""
    if size == 1:
        return values
    n_features = values.shape[-1]
    padded = F.pad(values, (0, -n_features % size))
    return padded.unflatten(-1, (-1, size)).sum(-1)


def _to_coordinates(of_pieces: Tensor, size: int, n_features: int) -> Tensor:
    """Give every coordinate the value of its piece."""
    return of_pieces.repeat_interleave(size, dim=-1)[..., :n_features]


def _rank_first(attention: Tensor | None, differences: Tensor, n_first: int) -> Tensor:
    """Mask each sample's first pieces, by attention, then by difference, then by index."""
    if n_first == 0:
        return torch.zeros_like(differences, dtype=torch.bool)
    keys = differences if attention is None else attention
    mask = keys >= keys.topk(n_first, sorted=False)[0].amin(1, keepdim=True)
    if may_ask() and (mask.sum(1) == n_first).all():
        return mask
    # Ties need sorts, which are much slower. Stable sorts keep the order of the lesser key.
    order = differences.argsort(dim=1, descending=True, stable=True)
    if attention is not None:
        by_attention = attention.gather(1, order).argsort(dim=1, descending=True, stable=True)
        order = order.gather(1, by_attention)
    return torch.zeros_like(mask).scatter_(1, order[:, :n_first], True)


def _round_half_up(number: float) -> int:
    # 0.29 * 50 is 14.499999999999998.
    return math.floor(round(number, 9) + 0.5)


def _distance_differences(
    points: Tensor, own: Tensor, negative: Tensor, attention: Tensor | None
) -> Tensor:
    """Return ``a ((f - own)^2 - (f - negative)^2)``, coordinate by coordinate.

    Both ways are right for points of ordinary size, but round differently, which a training
    amplifies: there it is always this one.
    """
    weights = () if attention is None else (attention.to(points),)
    if safe_factor(points, own, negative, *weights) != 1:
        return _far_differences(points, own, negative, attention)
    differences = (points - own).square() - (points - negative).square()
    return differences if attention is None else differences * attention.to(points)


def _far_differences(
    points: Tensor, own: Tensor, negative: Tensor, attention: Tensor | None
) -> Tensor:
    """Return the same as a product, which is finite for points so far away that squares are not.

    What overflows nevertheless becomes as large as the sum over the batch allows.
    """
    limit = torch.finfo(points.dtype).max
    # Quarters and halves, since a difference of two large numbers overflows too.
    sums = (points / 4 - own / 4) + (points / 4 - negative / 4)
    steps = negative / 2 - own / 2
    if attention is not None:
        steps = steps * Saturate.apply(attention.to(points), limit)
    return Saturate.apply(8 * (steps * sums), limit / 2 / points.numel())


class _Pick(torch.autograd.Function):
    """``centers.gather(0, indices)``, with a gradient that always sums in the same order."""

    @staticmethod
    def forward(ctx: Any, centers: Tensor, indices: Tensor) -> Tensor:
        ctx.save_for_backward(indices)
        ctx.n_classes = len(centers)
        return centers.gather(0, indices)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (indices,) = ctx.saved_tensors
        sums = _scatter_sums if grad.device.type == "cpu" else _masked_sums
        return sums(grad, indices, ctx.n_classes), None


def _scatter_sums(values: Tensor, indices: Tensor, n_classes: int) -> Tensor:
    """Sum values (n_samples, n_features) by class; fast, and in a fixed order on a CPU only."""
    return values.new_zeros(n_classes, values.shape[1]).scatter_add(0, indices, values)


def _masked_sums(values: Tensor, indices: Tensor, n_classes: int) -> Tensor:
    """Sum values (n_samples, n_features) by class, in a fixed order on any device."""
    classes = torch.arange(n_classes, device=values.device)[:, None, None]
    return torch.where(indices == classes, values, 0).sum(1)


def _check_choice(negatives: str, synthesis_fraction: float) -> None:
    check_choice(negatives, "negatives", _NEGATIVES)
    check_real(synthesis_fraction, "synthesis_fraction", at_least=0, at_most=1)
