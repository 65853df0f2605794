"""What is minimized: a metric loss and a classification loss, weighted."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skfer.nets import Embedded
from skfer.training._module_state import buffer_traces, set_tensors


class Objective(nn.Module):
    """Weighted sum of a metric loss and cross-entropy.

    For most losses this class will do as it is. An embedder whose loss needs more than the
    embedding and the labels overrides :meth:`metric`; one whose ``transform`` gives something
    other than the output of the network, or directions of it, overrides :meth:`features`, or
    :meth:`points`, :meth:`share_of_mean`, and :meth:`directed` with :meth:`n_directions`.
    Parameters of the losses, such as learned centers, are trained together with the network.

    Parameters
    ----------
    metric_loss : nn.Module or None
        Called as ``metric_loss(embeddings, labels)``. None leaves cross-entropy alone, unless a
        class overrides :meth:`metric`.
    classification_weight : float, default=0
        Weight of cross-entropy; the network needs a classifier if it is not 0.
    metric_weight : float, default=1
        Weight of the metric loss.
    class_weight : Tensor of shape (n_classes,), optional
        Weights of the classes in cross-entropy.

    Attributes
    ----------
    robustness : float
        q of the generalized cross-entropy (1 - p ** q) / q [1]_, which takes the place of the
        cross-entropy where it is above 0: the gradient of a label with probability p is
        p ** q times that of cross-entropy, so that labels which stay improbable, as wrong ones do
        at first, teach little. At 1 it is the mean absolute error.

    References
    ----------
    .. [1] Z. Zhang, M. Sabuncu, "Generalized cross entropy loss for training deep neural networks
       with noisy labels", NeurIPS 2018, eq. 6.

    See Also
    --------
    skfer.embedders.BaseEmbedder : Its hook ``make_objective`` returns an objective.

    Examples
    --------
    >>> import torch
    >>> from skfer.losses import GaussianMetricLoss
    >>> from skfer.nets import Embedded
    >>> from skfer.training import Objective
    >>> objective = Objective(GaussianMetricLoss(), classification_weight=0.5)
    >>> output = Embedded(embedding=torch.zeros(4, 8), logits=torch.zeros(4, 2))
    >>> objective(output, torch.tensor([0, 0, 1, 1]))
    tensor(0.8466)
    """

    class_weight: Tensor | None

    def __init__(
        self,
        metric_loss: nn.Module | None,
        classification_weight: float = 0.0,
        *,
        metric_weight: float = 1.0,
        class_weight: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.metric_loss: Any = metric_loss
        self.metric_weight = metric_weight
        self.classification_weight = classification_weight
        self.robustness = 0.0
        self.register_buffer("class_weight", class_weight)
        self._buffers_at_start: dict[str, str | None] = {}

    def forward(self, output: Embedded, labels: Tensor, votes: Tensor | None = None) -> Tensor:
        """Return the loss of a batch.

        Parameters
        ----------
        output : Embedded
            What the network returned for the n samples of the batch.
        labels : Tensor of shape (n,)
            Class codes.
        votes : Tensor of shape (n, n_classes), optional
            What several people said of each sample: rows sum to 1.

        Returns
        -------
        Tensor of shape ()
            The weighted sum.
        """
        loss = output.embedding.new_zeros(())
        if self.metric_loss is not None or self._has_own_metric(votes):
            metric = (
                self.metric(output, labels)
                if votes is None
                else self.metric_of_votes(output, labels, votes)
            )
            loss = self.metric_weight * metric
        if self.classification_weight:
            classification = (
                self.classification(output, labels)
                if votes is None
                else self.classification_of_votes(output, labels, votes)
            )
            loss = loss + self.classification_weight * classification
        return loss

    def _has_own_metric(self, votes: Tensor | None) -> bool:
        """Whether the class has a metric loss in itself, by a method that it overrides."""
        of_votes = type(self).metric_of_votes is not Objective.metric_of_votes
        return type(self).metric is not Objective.metric or (votes is not None and of_votes)

    def metric(self, output: Embedded, labels: Tensor) -> Tensor:
        """Return the metric loss of a batch; the arguments are those of :meth:`forward`."""
        return self.metric_loss(output.embedding, labels)

    def classification(self, output: Embedded, labels: Tensor) -> Tensor:
        """Return the cross-entropy of a batch; labels of -1 do not count."""
        if self.robustness:
            return self.classification_of_votes(output, labels, _as_votes(labels, output.logits))
        loss = F.cross_entropy(output.logits, labels, self.class_weight, ignore_index=-1)  # type: ignore[arg-type]
        # A mean over no label is NaN. A CPU may be asked for it, which takes less time.
        if loss.device.type == "cpu" and not math.isnan(loss.item()):
            return loss
        return torch.where((labels >= 0).any(), loss, loss.new_zeros(()))

    def metric_of_votes(self, output: Embedded, labels: Tensor, votes: Tensor) -> Tensor:
        """Return the metric loss of a batch with votes; by default they change nothing."""
        return self.metric(output, labels)

    def classification_of_votes(self, output: Embedded, labels: Tensor, votes: Tensor) -> Tensor:
        """Return the cross-entropy of a batch with the votes as its targets."""
        # As with labels, the weighted terms are divided by the sum of their weights.
        weights = votes if self.class_weight is None else votes * self.class_weight
        log_posterior = output.logits.log_softmax(1)  # type: ignore[union-attr]
        q = self.robustness
        gains = torch.expm1(q * log_posterior) / q if q else log_posterior
        return -(weights * gains).sum() / weights.sum().clamp_min(torch.finfo(weights.dtype).tiny)

    def is_recordable(self, *, bounded: bool) -> bool:
        """Return whether a GPU computes a batch of labels alone by itself.

        That is without asking for a number of it in between, always by the same kernels. What
        another class does is not known here.

        Parameters
        ----------
        bounded : bool
            Whether no coordinate of an embedding is large, as where embeddings are standardized.
        """
        return type(self) is Objective and self.metric_loss is None

    @property
    def heeds_votes(self) -> bool:
        """Whether votes change anything: in cross-entropy, or in a metric loss made for them."""
        made_for = type(self).metric_of_votes is not Objective.metric_of_votes
        return bool(self.classification_weight) or made_for

    def features(self, embedding: Tensor) -> Tensor:
        """Map embeddings (n, embedding_dim) to what ``transform`` returns, of the same shape.

        So it is where no directions are wanted (``normalize_embedding``).
        """
        return embedding

    def points(self, embedding: Tensor) -> Tensor:
        """Map embeddings to what ``transform`` takes directions of: :meth:`features`."""
        return self.features(embedding)

    def placed(self, embedding: Tensor, center: Tensor | None) -> Tensor:
        """Return :meth:`features`, or :meth:`points` as directions from a center."""
        if center is None:
            return self.features(embedding)
        points = self.points(embedding)
        return self.directed(points, center.to(points))

    def directed(self, points: Tensor, center: Tensor) -> Tensor:
        """Return points as directions from a center: their difference, of unit length.

        Parameters
        ----------
        points : Tensor of shape (n, embedding_dim)
            What :meth:`points` returned.
        center : Tensor of shape (embedding_dim,)
            Such as the mean of the points of a training set.
        """
        return F.normalize(points - center)

    def share_of_mean(self) -> float:
        """Return which part of the mean is the center of directions: 1 is the mean itself.

        It counts where the embedding is standardized, so that 0, the origin, lies amid the classes.
        """
        return 1.0

    def n_directions(self) -> int:
        """Return of how many directions, of equal length, :meth:`directed` is made."""
        return 1

    def directions(self, embedding: Tensor) -> Tensor:
        """Return a cheaper form of :meth:`features` that will do to measure their spread."""
        return self.features(embedding)

    def copy_learned(self, other: "Objective") -> None:
        """Copy what another objective of this kind has learned, not its settings.

        That is the parameters, and the buffers of the metric loss that training has changed.
        """
        learned = dict(other.named_parameters())
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                parameter.copy_(learned[name])
        if not all(isinstance(part.metric_loss, nn.Module) for part in (self, other)):
            return
        # One that was loaded from a file has noted nothing.
        now, before = buffer_traces(other.metric_loss), other._buffers_at_start
        changed = {name for name, trace in now.items() if before.get(name, trace) != trace}
        buffers = other.metric_loss.named_buffers()
        set_tensors(self.metric_loss, {n: b.detach().clone() for n, b in buffers if n in changed})

    def _note_start(self) -> None:
        """Note the buffers of the metric loss as they are before any training."""
        if isinstance(self.metric_loss, nn.Module):
            self._buffers_at_start = buffer_traces(self.metric_loss)

    @property
    def stats(self) -> dict[str, Tensor]:
        """Detached scalars of the latest batch, such as the fraction of active triplets."""
        return getattr(self.metric_loss, "stats", {})

    @stats.setter
    def stats(self, values: dict[str, Tensor]) -> None:
        if self.metric_loss is not None:
            self.metric_loss.stats = values


def _as_votes(labels: Tensor, logits: Any) -> Tensor:
    """Return votes for the labels alone; rows of labels of -1 are 0."""
    classes = torch.arange(logits.shape[1], device=labels.device)
    return (labels[:, None] == classes).to(logits.dtype)
