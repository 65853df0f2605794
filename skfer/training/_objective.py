"""What is minimised: a metric loss and a classification loss, weighted."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from skfer.nets import Embedded


class Objective(nn.Module):
    """Weighted sum of a metric loss and cross-entropy.

    A method brings its own by overriding :meth:`metric`, :meth:`features` or
    :meth:`set_progress`.

    Parameters
    ----------
    metric_loss : nn.Module or None
        Called as ``metric_loss(embeddings, labels)``. None leaves cross-entropy alone.
    classification_weight : float, default=0
        Weight of cross-entropy; the network needs a classifier if it is not 0.
    metric_weight : float, default=1
        Weight of the metric loss.
    class_weight : Tensor of shape (n_classes,), optional
        Weights of the classes in cross-entropy.
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
        self.register_buffer("class_weight", class_weight)

    def forward(self, output: Embedded, labels: Tensor) -> Tensor:
        """Loss of a batch; labels below 0 mark samples without a label."""
        loss = output.embedding.new_zeros(())
        if self.metric_loss is not None:
            loss = self.metric_weight * self.metric(output, labels)
        if self.classification_weight:
            loss = loss + self.classification_weight * self.classification(output, labels)
        return loss

    def metric(self, output: Embedded, labels: Tensor) -> Tensor:
        """Metric loss of a batch."""
        return self.metric_loss(output.embedding, labels)

    def classification(self, output: Embedded, labels: Tensor) -> Tensor:
        """Cross-entropy of a batch."""
        return F.cross_entropy(output.logits, labels, self.class_weight, ignore_index=-1)  # type: ignore[arg-type]

    def features(self, embedding: Tensor) -> Tensor:
        """Map embeddings (n, embedding_dim) to what ``transform`` returns, same shape."""
        return embedding

    def directions(self, embedding: Tensor) -> Tensor:
        """As :meth:`features`, where only the spread between samples is asked for."""
        return self.features(embedding)

    def take_over(self, other: Objective) -> None:
        """Copy what another objective of this kind has learned; its settings are not copied."""
        learned = dict(other.named_parameters())
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                parameter.copy_(learned[name])

    def set_progress(self, progress: float) -> None:
        """Take note that training has come to `progress`, from 0 to 1."""

    @property
    def stats(self) -> dict[str, Tensor]:
        """Detached scalars of the latest batch, such as the fraction of active triplets."""
        return getattr(self.metric_loss, "stats", {})
