"""What the Gaussian embedder minimizes."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from skfer._asking import may_ask
from skfer._typing import NDArray
from skfer.embedders._directions import GAUSSIAN_SHARE_OF_MEAN
from skfer.losses import GaussianMetricLoss, mixup, mixup_within_classes
from skfer.nets import Embedded
from skfer.training import Objective


class GaussianObjective(Objective):
    """The Gaussian loss on components, and cross-entropy on classes beside it.

    Labels are components: classes, or sub-classes. A sample with a pseudo-label counts as much as a
    labeled one, but moves no mean.

    Parameters
    ----------
    loss : GaussianMetricLoss
        The loss on components.
    classification_weight : float
        Weight of cross-entropy.
    n_classes : int
        Number of classes; at first each of them is one component.
    mixup : float, "batch" or None
        Parameter of the Beta distribution by which embeddings are mixed; "batch" mixes within
        classes, by one share from Beta(2, 2) for all; None mixes none.
    """

    component_classes: Tensor

    def share_of_mean(self) -> float:
        """Return a half: where classes are skewed the mean lies in the largest one."""
        return GAUSSIAN_SHARE_OF_MEAN

    def __init__(
        self,
        loss: GaussianMetricLoss,
        classification_weight: float,
        *,
        n_classes: int,
        mixup: float | str | None,
    ) -> None:
        super().__init__(loss, classification_weight)
        self.mixup = mixup
        self.register_buffer("component_classes", torch.arange(n_classes))

    def set_component_classes(self, classes: NDArray[np.intp]) -> None:
        """Take labels for components of these classes from now on."""
        before, now = self.component_classes, torch.from_numpy(np.array(classes, dtype=np.int64))
        if now.shape == before.shape:
            before.copy_(now)  # where it was, so that a recording that reads it stays right
        else:
            self.component_classes = now.to(before.device)

    def forward(
        self,
        output: Embedded,
        labels: Tensor,
        votes: Tensor | None = None,
        is_pseudo: Tensor | None = None,
    ) -> Tensor:
        """Return the loss of a batch.

        Parameters
        ----------
        output : Embedded
            What the network returned for the n samples of the batch.
        labels : Tensor of shape (n,)
            Component of each sample.
        votes : Tensor of shape (n, n_classes), optional
            What several people said of each sample.
        is_pseudo : Tensor of bool of shape (n,), optional
            Which of them are pseudo-labels; -1 marks a sample that does not count.
        """
        if is_pseudo is None:
            return super().forward(output, labels, votes)
        is_labeled = (labels >= 0) & ~is_pseudo
        labeled, pseudo = _rows(output, is_labeled), _rows(output, is_pseudo)
        loss: Tensor | float = 0.0
        if is_pseudo.any():
            share = (is_pseudo.sum() / is_labeled.sum()).clamp(max=1.0)
            loss = share * self._pseudo_loss(labeled, labels[is_labeled], pseudo, labels[is_pseudo])
        # Last, since the statistics of the last call are kept.
        votes = None if votes is None else votes[is_labeled]
        return super().forward(labeled, labels[is_labeled], votes) + loss

    def is_recordable(self, *, bounded: bool) -> bool:
        """Return whether it is as above, without mixtures, and embeddings need not be looked at."""
        ours = type(self), type(self.metric_loss), self.mixup
        return bounded and ours == (GaussianObjective, GaussianMetricLoss, None)

    def metric(self, output: Embedded, labels: Tensor) -> Tensor:
        """Return the Gaussian loss; in training of mixed samples, if `mixup` is set."""
        points = output.embedding
        if self.mixup is None or not self.training:
            # To say so where the labels could be asked would have them checked, each time.
            n_classes = None if may_ask() else len(self.component_classes)
            return self.metric_loss(points, labels, n_classes=n_classes)
        if self.mixup == "batch":
            partners, share = _draw_mixtures(points, 2.0, 1)
            points, labels = mixup_within_classes(points, labels, partners, share.item())
            # The sum of no point is 0, with a gradient of 0.
            return self.metric_loss(points, labels) if len(points) else points.sum()
        queries, targets = self._mixed(points, self._one_hot(labels, points))
        return self.metric_loss(points, labels, queries=queries, targets=targets)

    def metric_of_votes(self, output: Embedded, labels: Tensor, votes: Tensor) -> Tensor:
        """Return the Gaussian loss with votes as targets; once classes are split, the plain one."""
        points = output.embedding
        if len(self.component_classes) > votes.shape[1] or self.mixup == "batch":
            return self.metric(output, labels)
        mixes = self.mixup is not None and self.training
        queries, targets = self._mixed(points, votes) if mixes else (points, votes)
        return self.metric_loss(points, labels, queries=queries, targets=targets)

    @property
    def heeds_votes(self) -> bool:
        """Whether votes change anything: mixtures within classes have labels alone."""
        return bool(self.classification_weight) or self.mixup != "batch"

    def classification(self, output: Embedded, labels: Tensor) -> Tensor:
        """Return the cross-entropy on classes."""
        return super().classification(output, self.component_classes[labels])

    def _pseudo_loss(
        self, labeled: Embedded, labels: Tensor, pseudo: Embedded, pseudo_labels: Tensor
    ) -> Tensor:
        """Return both losses of pseudo-labeled samples, around the means of the labeled ones."""
        targets = self._one_hot(pseudo_labels, labeled.embedding)
        loss = self.metric_loss(
            labeled.embedding, labels, queries=pseudo.embedding, targets=targets
        )
        if not self.classification_weight:
            return loss
        return loss + self.classification_weight * self.classification(pseudo, pseudo_labels)

    def _mixed(self, points: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        partners, shares = _draw_mixtures(points, float(self.mixup), len(points))  # type: ignore[arg-type]
        return mixup(points, targets, partners, shares)

    def _one_hot(self, labels: Tensor, like: Tensor) -> Tensor:
        return F.one_hot(labels, len(self.component_classes)).to(like)


def _draw_mixtures(points: Tensor, alpha: float, n_shares: int) -> tuple[Tensor, Tensor]:
    """Return a partner of each point, and shares from Beta(alpha, alpha)."""
    partners = torch.randperm(len(points), device=points.device)
    both = points.new_tensor(alpha)
    return partners, torch.distributions.Beta(both, both).sample((n_shares,))


def _rows(output: Embedded, mask: Tensor) -> Embedded:
    return Embedded._make(None if tensor is None else tensor[mask] for tensor in output)
