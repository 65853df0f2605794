"""How the Gaussian embedder trains: what is minimised, and when classes are split."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from skfer.embedders._labels import UNLABELED
from skfer.embedders._strangers import from_guess
from skfer.losses import GaussianMetricLoss, mixup
from skfer.nets import Embedded
from skfer.training import Batches, Objective

FIRST_SPLIT = 1 / 3
"""At which fraction of the training classes are split for the first time."""
MAX_ROUNDS = 20


class GaussianObjective(Objective):
    """The Gaussian loss on (sub-)classes, and cross-entropy on classes beside it.

    Labels are (sub-)classes; -1 for strangers, samples without a label; and below that for
    strangers whose (sub-)class is guessed, see :func:`~skfer.embedders._strangers.as_guess`. A
    guessed one counts as much as a sample with a label, but moves no mean.
    """

    owners: Tensor

    def __init__(
        self,
        loss: GaussianMetricLoss,
        classification_weight: float,
        *,
        n_classes: int,
        mixup: float | None,
    ) -> None:
        super().__init__(loss, classification_weight)
        self.mixup = mixup
        self.register_buffer("owners", torch.arange(n_classes))

    def set_owners(self, owners: NDArray[np.intp]) -> None:
        """From now on labels are sub-classes, of these classes."""
        self.owners = torch.from_numpy(np.array(owners, dtype=np.int64)).to(self.owners.device)

    def metric(self, output: Embedded, labels: Tensor) -> Tensor:
        """Gaussian loss of the labelled samples, mixed if wanted, and of guessed strangers."""
        known, guessed = labels >= 0, labels < UNLABELED
        points, codes = output.embedding[known], labels[known]
        of_guesses: Tensor | float = 0.0
        if guessed.any():
            targets = self._one_hot(from_guess(labels[guessed]), points)
            strangers = output.embedding[guessed]
            loss = self.metric_loss(points, codes, queries=strangers, targets=targets)
            of_guesses = _share(guessed, known) * loss
        # Last, as its statistics are those that are kept.
        if self.mixup is None or not self.training:
            return self.metric_loss(points, codes) + of_guesses
        queries, targets = self._mixed(points, self._one_hot(codes, points))
        return self.metric_loss(points, codes, queries=queries, targets=targets) + of_guesses

    def classification(self, output: Embedded, labels: Tensor) -> Tensor:
        """Cross-entropy of the labelled samples and of guessed strangers, on classes."""
        known, guessed = labels >= 0, labels < UNLABELED
        codes = torch.where(known, self.owners[labels.clamp_min(0)], UNLABELED)
        loss = super().classification(output, codes)
        if guessed.any():
            found = self.owners[from_guess(labels[guessed])]
            of_guesses = F.cross_entropy(output.logits[guessed], found)  # type: ignore[index]
            loss = loss + _share(guessed, known) * of_guesses
        return loss

    def _mixed(self, points: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        partners = torch.randperm(len(points), device=points.device)
        alpha = points.new_tensor(float(self.mixup))  # type: ignore[arg-type]
        shares = torch.distributions.Beta(alpha, alpha).sample((len(points),))
        return mixup(points, targets, partners, shares)

    def _one_hot(self, codes: Tensor, like: Tensor) -> Tensor:
        return F.one_hot(codes, len(self.owners)).to(like)


def _share(guessed: Tensor, known: Tensor) -> Tensor:
    """Return which share of a batch's strangers is guessed."""
    return guessed.sum() / (~known).sum()


class WatchedBatches:
    """Batches of one training, before whose epochs and after whose steps something is done.

    Parameters
    ----------
    batches : Batches
        What is trained on.
    before_epoch : callable
        Takes the number of the epoch, from 0; may change the labels of `batches`.
    after_step : callable, optional
        Takes nothing.
    """

    def __init__(
        self,
        batches: Batches,
        before_epoch: Callable[[int], None],
        after_step: Callable[[], None] | None = None,
    ) -> None:
        self.batches = batches
        self.before_epoch = before_epoch
        self.after_step = after_step
        self.epoch = 0

    def __len__(self) -> int:
        """Return the number of batches of a pass."""
        return len(self.batches)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (inputs, labels), for one pass."""
        self.before_epoch(self.epoch)
        self.epoch += 1
        for batch in self.batches:
            yield batch
            # The step on a batch is over when the next one is asked for.
            if self.after_step is not None:
                self.after_step()


def split_rounds(epochs: int, max_subclasses: int) -> set[int]:
    """Return the epochs before which classes are split: none, or some in equal steps."""
    if max_subclasses == 1:
        return set()
    first = int(FIRST_SPLIT * epochs)
    step = -(-(epochs - first) // MAX_ROUNDS)
    return set(range(first, epochs, step))
