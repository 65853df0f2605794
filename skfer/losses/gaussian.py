"""The Gaussian loss: classes as Gaussians of one width, judged by the posterior they give."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from skfer.losses._checks import check_labels, check_points


class GaussianMetricLoss(nn.Module):
    """Squared error of the posterior of a Gaussian mixture with one component for each class.

    Every class of the batch is a Gaussian around the mean ``mu_k`` of its samples, all with the
    same standard deviation. The loss is the mean over the samples of
    ``sum_k (P(k | f) - [y = k])^2`` with ``P(k | f) = softmax_k(-||f - mu_k||^2 / (2 sigma^2))``,
    over the classes present in the batch. The gradient flows through the means too.

    Parameters
    ----------
    sigma : float, default=0.5
        The standard deviation of the Gaussians, relative or absolute.
    relative : bool, default=True
        If True, the standard deviation is ``sigma * sqrt(n_features)``: `sigma` counts in units of
        the distance that an embedding of unit spread per coordinate has from its mean, so that it
        means the same for every length of the embedding. The spread is taken to be 1, as after a
        batch norm without affine part, and not measured: classes that move apart have to make the
        loss smaller. If False, `sigma` is the standard deviation itself, as in [1]_, whose public
        code takes 0.5 for 64 features without standardisation.

    Attributes
    ----------
    stats : dict of str to Tensor
        What the latest call saw, as scalars without gradient: ``"active_fraction"`` is the
        fraction of samples whose own class has a posterior below one half (with soft targets:
        whose posterior is more than one half away from the target in total variation).

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
    Half precision is computed in float32, and the loss is then a float32. The gradient can be taken
    once, not twice. The unit of the relative `sigma` and the soft targets are our reading.

    References
    ----------
    .. [1] P. D. Marrero Fernandez et al., "Deep metric structured learning for facial expression
           recognition", 2020. https://arxiv.org/abs/2001.06612

    Examples
    --------
    >>> import torch
    >>> from skfer.losses import GaussianMetricLoss
    >>> loss = GaussianMetricLoss(sigma=1.0, relative=False)
    >>> embeddings = torch.tensor([[0.0, 1.0], [0.0, -1.0], [2.0, 0.0]])
    >>> loss(embeddings, torch.tensor([4, 4, 2]))
    tensor(0.0284)
    >>> loss.log_posterior(embeddings, torch.tensor([4, 4, 2])).exp()
    tensor([[0.1192, 0.8808],
            [0.1192, 0.8808],
            [0.8808, 0.1192]])
    """

    def __init__(self, sigma: float = 0.5, *, relative: bool = True) -> None:
        super().__init__()
        if not (sigma > 0 and math.isfinite(sigma)):
            raise ValueError(f"sigma must be a positive number, got {sigma!r}.")
        self.sigma = sigma
        self.relative = relative
        self._error: Tensor | None = None

    def __getstate__(self) -> dict[str, Any]:
        # What the latest batch left lives on a device, which a pickle must not name.
        return self.__dict__ | {"_error": None}

    def forward(
        self,
        embeddings: Tensor,
        labels: Tensor,
        *,
        queries: Tensor | None = None,
        targets: Tensor | None = None,
    ) -> Tensor:
        """Return the loss of a batch.

        Parameters
        ----------
        embeddings : Tensor of shape (n_samples, n_features)
            The labelled samples, whose means are the Gaussians' means.
        labels : Tensor of shape (n_samples,)
            Their classes, integers of any value; with `targets`, columns of `targets`.
        queries : Tensor of shape (n_queries, n_features), optional
            The points where the posterior is judged, such as mixed or unlabelled samples. By
            default the embeddings themselves.
        targets : Tensor of shape (n_queries, n_classes), optional
            What the posterior should be, rows that sum to 1. By default the labels. Columns of
            classes without a sample among `labels` do not count.

        Returns
        -------
        Tensor of shape ()
            The loss, from 0 to 2; of the embeddings' dtype, or float32 if theirs is of half
            precision.
        """
        if queries is not None and targets is None:
            raise ValueError("targets must be given with queries, one row for each of them.")
        embeddings, queries = _check_points(embeddings, queries)
        n_classes = _check_targets(targets, len(embeddings if queries is None else queries))
        # Mixed precision would take the products in half precision.
        with torch.autocast(embeddings.device.type, enabled=False):
            classes, onehot = _present_classes(embeddings, labels, n_classes)
            targets = onehot if targets is None else targets.to(onehot).t()[classes]
            loss, self._error = _PosteriorError.apply(
                embeddings, queries, onehot, targets, self._variance(embeddings)
            )
        return loss

    def log_posterior(
        self,
        embeddings: Tensor,
        labels: Tensor,
        *,
        queries: Tensor | None = None,
        n_classes: int | None = None,
    ) -> Tensor:
        """Return the logarithm of the posterior whose error the loss is.

        Parameters
        ----------
        embeddings, labels, queries
            As in a call of the loss.
        n_classes : int, optional
            If given, labels are from 0 to ``n_classes - 1``, and so are the columns.

        Returns
        -------
        Tensor of shape (n_queries, n_present) or (n_queries, n_classes)
            Log posteriors of the classes present among `labels`, in ascending order, or of
            `n_classes` classes, with -inf for the absent ones. Differentiable, means included.
        """
        embeddings, queries = _check_points(embeddings, queries)
        with torch.autocast(embeddings.device.type, enabled=False):
            classes, onehot = _present_classes(embeddings, labels, n_classes)
            points, centred = _centre(embeddings, queries)
            means = _mean_weights(onehot) @ points
            scores = _scores(centred, means, self._variance(embeddings))
            logarithms = scores.log_softmax(0).t()
        if n_classes is None:
            return logarithms
        absent = logarithms.new_full((len(logarithms), n_classes), -torch.inf)
        return absent.index_copy(1, classes, logarithms)

    @property
    def stats(self) -> dict[str, Tensor]:
        """What the latest call saw."""
        if self._error is None:
            return {}
        misplaced = self._error.abs().sum(0) > 1
        return {"active_fraction": misplaced.to(self._error.dtype).mean()}

    def extra_repr(self) -> str:
        """Return the settings for the module's representation."""
        return f"sigma={self.sigma}, relative={self.relative}"

    def _variance(self, embeddings: Tensor) -> float:
        variance = self.sigma**2 * (embeddings.shape[1] if self.relative else 1)
        # What is divided by it, in value and gradient, has to stay finite.
        return max(variance, torch.finfo(embeddings.dtype).tiny ** 0.5)


def mixup(
    embeddings: Tensor, targets: Tensor, partners: Tensor, shares: Tensor
) -> tuple[Tensor, Tensor]:
    """Mix every sample with a partner, in the embedding and in the target.

    Parameters
    ----------
    embeddings : Tensor of shape (n_samples, n_features)
        The samples.
    targets : Tensor of shape (n_samples, n_classes)
        Their targets, such as one-hot labels.
    partners : Tensor of shape (n_samples,)
        The index of each sample's partner.
    shares : Tensor of shape (n_samples,)
        What share of the mixture is the sample's own, from 0 to 1; drawn from Beta(2, 2) in the
        authors' manner.

    Returns
    -------
    embeddings : Tensor of shape (n_samples, n_features)
        ``share * f_i + (1 - share) * f_partner``.
    targets : Tensor of shape (n_samples, n_classes)
        The same of the targets.

    Notes
    -----
    To mix one-hot targets, and to take the Gaussians' means from the unmixed samples, is our
    reading of [1]_.

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
    shares = shares[:, None]
    mixed = torch.lerp(embeddings.index_select(0, partners), embeddings, shares.to(embeddings))
    return mixed, torch.lerp(targets.index_select(0, partners), targets, shares.to(targets))


class _PosteriorError(torch.autograd.Function):
    """Mean squared error of the posterior, and the errors (n_classes, n_queries) themselves.

    The gradient is written out and made at once: with few classes the time goes into the number of
    steps, which autograd would double. Classes come first, since sums over a short last axis are
    slow.
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
        points, centred = _centre(embeddings, queries)
        weights = _mean_weights(onehot)
        means = weights @ points
        posterior = _scores(centred, means, var).log_softmax(0).exp_()
        error = posterior - targets
        ctx.mark_non_differentiable(error)
        if any(ctx.needs_input_grad):
            pull = posterior * error
            pull = (pull - posterior * pull.sum(0)).mul_(2 / (error.shape[1] * var))
            to_means = pull @ centred - pull.sum(1, keepdim=True) * means
            to_queries = pull.t() @ means
            if queries is None:
                to_points = torch.addmm(to_queries, weights.t(), to_means)
            else:
                to_points = weights.t() @ to_means
            ctx.save_for_backward(to_points, to_queries, error)
        return error.square().sum() / error.shape[1], error

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        to_points, to_queries, error = ctx.saved_tensors
        _, of_queries, _, of_targets, _ = ctx.needs_input_grad
        to_queries = to_queries * grad if of_queries else None
        to_targets = error * (grad * (-2 / error.shape[1])) if of_targets else None
        return to_points * grad, to_queries, None, to_targets, None


def _scores(centred: Tensor, means: Tensor, var: float) -> Tensor:
    """Return (|f|^2 - |f - mean|^2) / (2 var) of shape (n_classes, n_queries).

    The softmax over the classes does not see |f|^2, so products do.
    """
    norms = means.square().sum(1, keepdim=True)
    return torch.addmm(norms, means, centred.t(), beta=-0.5 / var, alpha=1 / var)


def _centre(embeddings: Tensor, queries: Tensor | None) -> tuple[Tensor, Tensor]:
    """Move the first sample to the origin, where products do not lose the points' differences.

    The posterior does not depend on where the origin is, so that it is a constant to autograd; and
    a sample makes embeddings that are all equal exactly 0, as no mean would.
    """
    origin = embeddings.detach()[0]
    points = embeddings - origin
    return points, points if queries is None else queries - origin


def _mean_weights(onehot: Tensor) -> Tensor:
    """Return the (n_classes, n_samples) weights of the samples in their class's mean."""
    return onehot / onehot.sum(1, keepdim=True)


def _present_classes(
    embeddings: Tensor, labels: Tensor, n_classes: int | None
) -> tuple[Tensor, Tensor]:
    """Return the classes among the labels and the labels as (n_present, n_samples) one-hot rows."""
    labels = check_labels(labels, len(embeddings), n_classes).to(embeddings.device)
    classes, places = labels.unique(return_inverse=True)
    onehot = embeddings.new_zeros(len(classes), len(embeddings))
    return classes, onehot.scatter_(0, places[None], 1)


def _check_points(embeddings: Tensor, queries: Tensor | None) -> tuple[Tensor, Tensor | None]:
    embeddings = check_points(embeddings, "embeddings")
    if queries is not None:
        queries = check_points(queries, "queries", embeddings.shape[1]).to(embeddings.dtype)
    return embeddings, queries


def _check_targets(targets: Tensor | None, n_queries: int) -> int | None:
    """Return the number of classes that the targets have columns for."""
    if targets is None:
        return None
    if targets.ndim != 2 or len(targets) != n_queries or not targets.is_floating_point():
        raise ValueError(
            f"targets must be a floating-point tensor of shape ({n_queries}, n_classes), one row "
            f"for each query; got {targets.dtype} of shape {tuple(targets.shape)}."
        )
    return targets.shape[1]
