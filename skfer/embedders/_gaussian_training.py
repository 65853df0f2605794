"""How the Gaussian embedder trains: what is minimised, and when classes are split."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from skfer.embedders._labels import UNLABELED
from skfer.losses import GaussianMetricLoss, mixup
from skfer.nets import Embedded
from skfer.training import Batches, Objective

FIRST_SPLIT = 1 / 3
"""At which fraction of the training classes are split for the first time."""
MAX_ROUNDS = 20


class GaussianObjective(Objective):
    """The Gaussian loss on (sub-)classes, and cross-entropy on classes beside it."""

    owners: Tensor

    def __init__(
        self,
        loss: GaussianMetricLoss,
        classification_weight: float,
        *,
        n_classes: int,
        mixup: float | None,
        unlabeled_threshold: float,
    ) -> None:
        super().__init__(loss, classification_weight)
        self.mixup = mixup
        self.unlabeled_threshold = unlabeled_threshold
        self.register_buffer("owners", torch.arange(n_classes))

    def set_owners(self, owners: NDArray[np.intp]) -> None:
        """From now on labels are sub-classes, of these classes."""
        self.owners = torch.from_numpy(np.array(owners, dtype=np.int64)).to(self.owners.device)

    def metric(self, output: Embedded, labels: Tensor) -> Tensor:
        """Gaussian loss, of mixed and confident unlabelled samples if there are such."""
        known = labels >= 0
        points, codes = output.embedding[known], labels[known]
        mix = self.mixup is not None and self.training
        if len(codes) == len(labels) and not mix:
            return self.metric_loss(points, codes)
        queries, targets = points, self._one_hot(codes, points)
        if mix:
            queries, targets = self._mixed(queries, targets)
        if len(codes) < len(labels):
            strangers = output.embedding[~known]
            found, sure = self._guess(points, codes, strangers)
            queries = torch.cat([queries, strangers[sure]])
            targets = torch.cat([targets, self._one_hot(found[sure], points)])
        return self.metric_loss(points, codes, queries=queries, targets=targets)

    def classification(self, output: Embedded, labels: Tensor) -> Tensor:
        """Cross-entropy of the labelled samples, on classes."""
        codes = torch.where(labels < 0, UNLABELED, self.owners[labels.clamp_min(0)])
        return super().classification(output, codes)

    @torch.no_grad()
    def _guess(self, points: Tensor, codes: Tensor, strangers: Tensor) -> tuple[Tensor, Tensor]:
        """Return the likeliest (sub-)class of each stranger, and whether that is sure."""
        loss: GaussianMetricLoss = self.metric_loss
        posterior = loss.log_posterior(
            points.detach(), codes, queries=strangers, n_classes=len(self.owners)
        )
        best, found = posterior.exp().max(dim=1)
        return found, best > self.unlabeled_threshold

    def _mixed(self, points: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        partners = torch.randperm(len(points), device=points.device)
        alpha = points.new_tensor(float(self.mixup))  # type: ignore[arg-type]
        shares = torch.distributions.Beta(alpha, alpha).sample((len(points),))
        return mixup(points, targets, partners, shares)

    def _one_hot(self, codes: Tensor, like: Tensor) -> Tensor:
        return F.one_hot(codes, len(self.owners)).to(like)


class SplitBatches:
    """Batches of one training, before some of whose epochs classes are split.

    Parameters
    ----------
    batches : Batches
        What is trained on.
    rounds : set of int
        The epochs before which they are, counted from 0.
    split : callable
        Splits, and changes the labels of `batches`.
    """

    def __init__(self, batches: Batches, rounds: set[int], split: Callable[[], None]) -> None:
        self.batches = batches
        self.rounds = rounds
        self.split = split
        self.epoch = 0

    def __len__(self) -> int:
        """Return the number of batches of a pass."""
        return len(self.batches)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (inputs, labels), for one pass."""
        if self.epoch in self.rounds:
            self.split()
        self.epoch += 1
        yield from self.batches


def split_rounds(epochs: int, max_subclasses: int) -> set[int]:
    """Return the epochs before which classes are split: none, or some in equal steps."""
    if max_subclasses == 1:
        return set()
    first = int(FIRST_SPLIT * epochs)
    step = -(-(epochs - first) // MAX_ROUNDS)
    return set(range(first, epochs, step))
