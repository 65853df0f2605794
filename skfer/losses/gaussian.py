"""The Gaussian loss: the squared error of the posterior of one Gaussian per class."""

from typing import Any

import torch
from torch import Tensor, nn

from skfer._asking import may_ask
from skfer.exceptions import ArgumentError
from skfer.losses._checks import (
    check_companion,
    check_indices,
    check_labels,
    check_points,
    check_range,
    refuse_soft_labels,
    shown_tensor,
)
from skfer.losses._once import differentiable_once
from skfer.losses._overflow import safe_unit
from skfer.validation import check_flag, check_int, check_real

# Products of points that are farther apart, by squared distances in units of twice the variance,
# may cost a posterior its fourth digit in single precision.
_FAR = 512.0


class GaussianMetricLoss(nn.Module):
    """Squared error of the posterior of a Gaussian mixture with one component per class.

    Each class of the batch is a Gaussian around the mean ``mu_k`` of its samples, and all have the
    same standard deviation. The loss is the mean over the samples of
    ``sum_k (P(k | f) - [y = k])^2`` with ``P(k | f) = softmax_k(-||f - mu_k||^2 / (2 sigma^2))``,
    over the classes present in the batch. The gradient also flows through the means.

    Parameters
    ----------
    sigma : float, default=0.5
        The standard deviation of the Gaussians, relative or absolute.
    relative_sigma : bool, default=True
        If True, the standard deviation is ``sigma * sqrt(n_features)``: `sigma` is in units of the
        distance of an embedding from its mean when each coordinate has unit variance, so that its
        meaning does not depend on the length of the embedding. The variance is taken to be 1, as
        after a batch norm without affine part, and not measured, since classes that move apart
        must make the loss smaller. If False, `sigma` is the standard deviation itself, as in [1]_,
        whose public code uses 0.5 for 64 features that are not standardized.

    Attributes
    ----------
    stats : dict of str to Tensor
        What the latest call saw, as scalars without gradient: ``"active_fraction"`` is the
        fraction of samples whose own class has a posterior below one half (with soft targets:
        whose posterior is farther than one half from the target in total variation).

    Raises
    ------
    ValueError
        If `sigma` is not a positive number. On a call: if the embeddings or queries are not
        floating-point numbers of shape (n_samples, n_features), or the labels not one integer for
        each embedding; if queries come without targets, or targets do not fit the queries and the
        labels.

    See Also
    --------
    mixup : Points between the samples, with the soft targets that belong to them.

    Notes
    -----
    Half precision is computed in float32, and the loss is then a float32. Where embeddings are so
    far apart, in units of `sigma`, that single precision would lose digits, and with CUDA always,
    the loss is computed in double precision inside, and does not depend on which sample comes
    first; other devices, such as MPS, lose them. The gradient can be taken
    once, not twice: ``create_graph=True`` is an error. The unit of the relative `sigma` and the
    soft targets are our reading.

    References
    ----------
    .. [1] P. D. Marrero Fernandez et al., "Deep metric structured learning for facial expression
           recognition", 2020. https://arxiv.org/abs/2001.06612

    Examples
    --------
    >>> import torch
    >>> from skfer.losses import GaussianMetricLoss
    >>> loss = GaussianMetricLoss(sigma=1.0, relative_sigma=False)
    >>> embeddings = torch.tensor([[0.0, 1.0], [0.0, -1.0], [2.0, 0.0]])
    >>> loss(embeddings, torch.tensor([4, 4, 2]))
    tensor(0.0284)
    >>> loss.log_posterior(embeddings, torch.tensor([4, 4, 2])).exp()
    tensor([[0.1192, 0.8808],
            [0.1192, 0.8808],
            [0.8808, 0.1192]])
    """

    def __init__(self, sigma: float = 0.5, *, relative_sigma: bool = True) -> None:
        super().__init__()
        self.sigma = check_real(sigma, "sigma", above=0)
        self.relative_sigma = check_flag(relative_sigma, "relative_sigma")
        self._error: Tensor | None = None
        self._stats: dict[str, Tensor] = {}

    def __getstate__(self) -> dict[str, Any]:
        # The errors of the latest batch may lie on a GPU, which a pickle must not depend on.
        return self.__dict__ | {"_error": None, "_stats": {}}

    def forward(
        self,
        embeddings: Tensor,
        labels: Tensor,
        *,
        queries: Tensor | None = None,
        targets: Tensor | None = None,
        n_classes: int | None = None,
    ) -> Tensor:
        """Return the loss of a batch.

        Parameters
        ----------
        embeddings : Tensor of shape (n_samples, n_features)
            The labeled samples, whose means are the Gaussians' means.
        labels : Tensor of shape (n_samples,)
            Their classes, integers of any value; with `targets`, columns of `targets`.
        queries : Tensor of shape (n_queries, n_features), optional
            The points at which the posterior is compared with its target, such as mixed or
            unlabeled samples. By default the embeddings themselves.
        targets : Tensor of shape (n_queries, n_classes), optional
            What the posterior should be: rows that sum to 1. By default the one-hot labels.
            Columns of classes that have no sample among `labels` are ignored.
        n_classes : int, optional
            If given, labels are from 0 to ``n_classes - 1``; `targets` have as many columns.

        Returns
        -------
        Tensor of shape ()
            The loss, from 0 to 2, of the embeddings' dtype, or float32 for half precision.
        """
        if queries is not None and targets is None:
            raise ArgumentError("{targets} must be given with {queries}, one row for each of them.")
        refuse_soft_labels(labels)
        embeddings, queries = _check_points(embeddings, queries)
        dtype = embeddings.dtype
        embeddings, queries, variance = self._scaled(embeddings, queries)
        n_queries = len(embeddings if queries is None else queries)
        n_classes = check_int(n_classes, "n_classes", at_least=1, optional=True)
        if targets is not None:
            n_classes = _check_targets(targets, n_queries, n_classes).shape[1]
        # Autocast would compute the products in half precision.
        with torch.autocast(embeddings.device.type, enabled=False):
            classes, onehot = _present_classes(embeddings, labels, n_classes)
            targets = onehot if targets is None else targets.to(onehot).t()[classes]
            if not may_ask():
                targets = targets.masked_fill(_is_absent(onehot), 0)
            loss, error = _PosteriorError.apply(embeddings, queries, onehot, targets, variance)
        is_given = loss.dtype == dtype
        self._error = error if is_given else error.to(dtype)
        return loss if is_given else loss.to(dtype)

    def log_posterior(
        self,
        embeddings: Tensor,
        labels: Tensor,
        *,
        queries: Tensor | None = None,
        n_classes: int | None = None,
    ) -> Tensor:
        """Return the logarithm of the posterior that the loss compares with its target.

        Parameters
        ----------
        embeddings, labels, queries
            As in a call of the loss.
        n_classes : int, optional
            If given, labels are from 0 to ``n_classes - 1``, and so are the columns.

        Returns
        -------
        Tensor of shape (n_queries, n_present) or (n_queries, n_classes)
            Log posteriors of the classes present among `labels`, in ascending order, or of all
            `n_classes` classes, with -inf for the absent ones. Differentiable, also with respect
            to the means.
        """
        embeddings, queries = _check_points(embeddings, queries)
        dtype = embeddings.dtype
        embeddings, queries, variance = self._scaled(embeddings, queries)
        n_classes = check_int(n_classes, "n_classes", at_least=1, optional=True)
        with torch.autocast(embeddings.device.type, enabled=False):
            classes, onehot = _present_classes(embeddings, labels, n_classes)
            points, centered = _center(embeddings, queries)
            means = _mean_weights(onehot) @ points
            logarithms = _log_posterior(centered, means, variance, onehot).t().to(dtype)
        if n_classes is None:
            return logarithms
        absent = logarithms.new_full((len(logarithms), n_classes), -torch.inf)
        return absent.index_copy(1, classes, logarithms)

    @property
    def stats(self) -> dict[str, Tensor]:
        """What the latest call saw."""
        if self._error is None:
            return self._stats
        misplaced = self._error.abs().sum(0) > 1
        return {"active_fraction": misplaced.to(self._error.dtype).mean()}

    @stats.setter
    def stats(self, values: dict[str, Tensor]) -> None:
        self._error, self._stats = None, values

    def extra_repr(self) -> str:
        """Return the settings for the module's representation."""
        return f"sigma={self.sigma}, relative_sigma={self.relative_sigma}"

    def _scaled(
        self, embeddings: Tensor, queries: Tensor | None
    ) -> tuple[Tensor, Tensor | None, float]:
        """Return embeddings, queries and variance in a unit in which no square overflows.

        They are of double precision where single precision could be too little.
        """
        width = self.sigma * (embeddings.shape[1] ** 0.5 if self.relative_sigma else 1)
        points = (embeddings,) if queries is None else (embeddings, queries)
        factor, largest = safe_unit(*points, width=width)
        if factor != 1:
            embeddings = embeddings * factor
            queries = None if queries is None else queries * factor
        # Quotients by the variance have to stay finite, in value and gradient.
        least = torch.finfo(embeddings.dtype).tiny ** 0.5
        variance = max((width * factor) ** 2, least)
        is_near = 2 * embeddings.shape[1] * largest**2 < _FAR * variance
        kind = embeddings.device.type
        # A GPU computes the same with and without being asked; others may have no such numbers.
        if kind == "cuda" or (kind == "cpu" and not is_near):
            embeddings = embeddings.double()
            queries = None if queries is None else queries.double()
        return embeddings, queries, variance


def mixup(
    embeddings: Tensor, targets: Tensor, partners: Tensor, shares: Tensor
) -> tuple[Tensor, Tensor]:
    """Mix each sample with a partner, both the embedding and the target.

    Parameters
    ----------
    embeddings : Tensor of shape (n_samples, n_features)
        The samples.
    targets : Tensor of shape (n_samples, n_classes)
        Their targets, such as one-hot labels.
    partners : Tensor of shape (n_samples,)
        The index of each sample's partner.
    shares : Tensor of shape (n_samples,)
        The sample's own share of the mixture, from 0 to 1; the authors draw it from Beta(2, 2).

    Returns
    -------
    embeddings : Tensor of shape (n_samples, n_features)
        ``share * f_i + (1 - share) * f_partner``.
    targets : Tensor of shape (n_samples, n_classes)
        The targets, mixed likewise.

    Raises
    ------
    ValueError
        If the arguments are no such tensors, a partner is no sample, or a share (on a CPU) is
        outside [0, 1].

    See Also
    --------
    skfer.GaussianMetricEmbedder : Trains with it.

    Notes
    -----
    Mixing one-hot targets, and taking the Gaussians' means from the unmixed samples, is our reading
    of [1]_; for what its public code does, see `mixup_within_classes`.

    References
    ----------
    .. [1] P. D. Marrero Fernandez et al., "Deep metric structured learning for facial expression
           recognition", 2020. https://arxiv.org/abs/2001.06612

    Examples
    --------
    >>> import torch
    >>> from skfer.losses import mixup
    >>> points, targets = torch.tensor([[0.0], [8.0]]), torch.eye(2)
    >>> mixup(points, targets, torch.tensor([1, 0]), torch.tensor([0.75, 0.5]))
    (tensor([[2.],
            [4.]]), tensor([[0.7500, 0.2500],
            [0.5000, 0.5000]]))
    """
    embeddings = check_points(embeddings, "embeddings")
    n_samples = len(embeddings)
    _check_targets(targets, n_samples)
    partners = _check_partners(partners, n_samples)
    check_companion(shares, "shares", (n_samples,))
    check_range(shares, "shares", 1)
    shares = shares[:, None]
    mixed = torch.lerp(embeddings.index_select(0, partners), embeddings, shares.to(embeddings))
    return mixed, torch.lerp(targets.index_select(0, partners), targets, shares.to(targets))


def mixup_within_classes(
    embeddings: Tensor, labels: Tensor, partners: Tensor, share: float
) -> tuple[Tensor, Tensor]:
    """Mix every sample with a partner by one share, and keep the pairs of one class.

    Parameters
    ----------
    embeddings : Tensor of shape (n_samples, n_features)
        The samples.
    labels : Tensor of shape (n_samples,)
        Their classes, integers of any value.
    partners : Tensor of shape (n_samples,)
        The index of each sample's partner.
    share : float
        The sample's own share of all mixtures, from 0 to 1; the authors draw one for each batch,
        from Beta(2, 2).

    Returns
    -------
    embeddings : Tensor of shape (n_kept, n_features)
        ``share * f_i + (1 - share) * f_partner`` of the pairs of one class; there may be none.
    labels : Tensor of shape (n_kept,)
        Their classes.

    Raises
    ------
    ValueError
        If the arguments are no such tensors, a partner is no sample, or `share` is outside [0, 1].

    See Also
    --------
    mixup : Mixes pairs of all classes, and their targets.

    Notes
    -----
    This is what the public code of [1]_ does in effect: it mixes the numbers of the classes, as it
    mixes the embeddings, and then looks for the mixtures that are the number of a class, which are
    those of two samples of one class. It takes the means of the Gaussians from the mixtures, as
    `GaussianMetricLoss` does when it is called with them. Leaving out the other pairs is our
    reading.

    References
    ----------
    .. [1] P. D. Marrero Fernandez et al., "Deep metric structured learning for facial expression
           recognition", 2020. https://arxiv.org/abs/2001.06612

    Examples
    --------
    >>> import torch
    >>> from skfer.losses import mixup_within_classes
    >>> points, labels = torch.tensor([[0.0], [8.0], [4.0]]), torch.tensor([5, 5, 3])
    >>> mixup_within_classes(points, labels, torch.tensor([1, 2, 2]), 0.75)
    (tensor([[2.],
            [4.]]), tensor([5, 3]))
    """
    embeddings = check_points(embeddings, "embeddings")
    labels = check_labels(labels, len(embeddings)).to(embeddings.device)
    partners = _check_partners(partners, len(embeddings)).to(embeddings.device)
    share = check_real(share, "share", at_least=0, at_most=1)
    kept = labels == labels[partners]
    mixed = torch.lerp(embeddings[partners[kept]], embeddings[kept], share)
    return mixed, labels[kept]


class _PosteriorError(torch.autograd.Function):
    """Mean squared error of the posterior, and the errors (n_classes, n_queries) themselves.

    The gradient is written out and computed with the value: with few classes the number of
    operations determines the time, and autograd would double it. The classes are the first axis,
    since sums over a short last axis are slow.
    """

    @staticmethod
    def forward(
        ctx: Any,
        embeddings: Tensor,
        queries: Tensor | None,
        onehot: Tensor,
        targets: Tensor,
        var: float,
    ) -> tuple[Tensor, Tensor]:
        points, centered = _center(embeddings, queries)
        weights = _mean_weights(onehot)
        means = weights @ points
        posterior = _log_posterior(centered, means, var, onehot).exp_()
        error = posterior - targets
        ctx.mark_non_differentiable(error)
        if any(ctx.needs_input_grad):
            pull = posterior * error
            pull = (pull - posterior * pull.sum(0)).mul_(2 / (error.shape[1] * var))
            to_means = pull @ centered - pull.sum(1, keepdim=True) * means
            to_queries = pull.t() @ means
            if queries is None:
                to_points = torch.addmm(to_queries, weights.t(), to_means)
            else:
                to_points = weights.t() @ to_means
            ctx.save_for_backward(to_points, to_queries, error)
        return error.square().sum() / error.shape[1], error

    @staticmethod
    @differentiable_once
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        to_points, to_queries, error = ctx.saved_tensors
        _, of_queries, _, of_targets, _ = ctx.needs_input_grad
        to_queries = to_queries * grad if of_queries else None
        to_targets = error * (grad * (-2 / error.shape[1])) if of_targets else None
        return to_points * grad, to_queries, None, to_targets, None


def _log_posterior(centered: Tensor, means: Tensor, var: float, onehot: Tensor) -> Tensor:
    """Return the logarithms of the posteriors, of shape (n_classes, n_queries)."""
    scores = _scores(centered, means, var)
    if not may_ask():  # else all are present
        scores = scores.masked_fill(_is_absent(onehot), -torch.inf)
    return scores.log_softmax(0)


def _is_absent(onehot: Tensor) -> Tensor:
    """Tell of each class, (n_classes, 1), whether it has no sample."""
    return onehot.sum(1, keepdim=True) == 0


def _scores(centered: Tensor, means: Tensor, var: float) -> Tensor:
    """Return (|f|^2 - |f - mean|^2) / (2 var) of shape (n_classes, n_queries).

    A softmax over the classes does not depend on |f|^2, so that products suffice.
    """
    norms = means.square().sum(1, keepdim=True)
    return torch.addmm(norms, means, centered.t(), beta=-0.5 / var, alpha=1 / var)


def _center(embeddings: Tensor, queries: Tensor | None) -> tuple[Tensor, Tensor]:
    """Move the first sample to the origin, so that products lose less to rounding.

    The posterior does not depend on the origin, which is therefore a constant to autograd. A sample
    is subtracted and not the mean, so that embeddings that are all equal become exactly 0.
    """
    origin = embeddings.detach()[0]
    points = embeddings - origin
    return points, points if queries is None else queries - origin


def _mean_weights(onehot: Tensor) -> Tensor:
    """Return the weight of each sample in each class mean, of shape (n_classes, n_samples)."""
    return onehot / onehot.sum(1, keepdim=True).clamp_min(1)


def _present_classes(
    embeddings: Tensor, labels: Tensor, n_classes: int | None
) -> tuple[Tensor, Tensor]:
    """Return the classes among the labels and the labels as (n_present, n_samples) one-hot rows.

    Where it may not be asked which are present, these are all, and rows of absent ones are 0.
    """
    labels = check_labels(labels, len(embeddings), n_classes).to(embeddings.device)
    if may_ask():
        classes, places = labels.unique(return_inverse=True)
    elif n_classes is not None:
        classes, places = torch.arange(n_classes, device=labels.device), labels
    else:
        raise RuntimeError("how many classes there are has to be known.")
    onehot = embeddings.new_zeros(len(classes), len(embeddings))
    return classes, onehot.scatter_(0, places[None], 1)


def _check_points(embeddings: Tensor, queries: Tensor | None) -> tuple[Tensor, Tensor | None]:
    embeddings = check_points(embeddings, "embeddings")
    if queries is not None:
        queries = check_points(queries, "queries", embeddings.shape[1]).to(embeddings.dtype)
    return embeddings, queries


def _check_targets(targets: Tensor, n_points: int, n_classes: int | None = None) -> Tensor:
    """Return targets (n_points, n_classes)."""
    is_table = isinstance(targets, Tensor) and targets.ndim == 2 and targets.is_floating_point()
    n_columns = targets.shape[1] if is_table else 0
    fits = n_columns and n_classes in (None, n_columns)
    if not fits or len(targets) != n_points:
        raise ArgumentError(
            "{targets} must be a floating-point tensor of shape ({}, {}), one row for each "
            "point; got {}.",
            n_points,
            n_classes or "n_classes",
            shown_tensor(targets),
        )
    return targets


def _check_partners(partners: Tensor, n_samples: int) -> Tensor:
    """Return the indices (n_samples,) of the samples that others are mixed with."""
    if not isinstance(partners, Tensor) or partners.shape != (n_samples,):
        raise ArgumentError(
            "{partners} must be a tensor of shape ({},), got {}.", n_samples, shown_tensor(partners)
        )
    return check_indices(partners, "partners", n_samples, "indices of samples")
