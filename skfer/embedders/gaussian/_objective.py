"""How the Gaussian embedder trains: what is minimised, and when classes are split."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from skfer.embedders._labels import UNLABELED
from skfer.embedders.gaussian._pseudo_labels import from_guess
from skfer.losses import GaussianMetricLoss, mixup
from skfer.nets import Embedded
from skfer.training import Batches, Objective

FIRST_ROUND = 1 / 3
"""At which fraction of the training classes are split, and strangers guessed, for the first time;
before, the network knows too little."""
MAX_ROUNDS = 20


class GaussianObjective(Objective):
    """The Gaussian loss on (sub-)classes, and cross-entropy on classes beside it.

    Labels are (sub-)classes. With `guessing`, they are -1 for strangers, samples without a label,
    and below that for strangers whose (sub-)class is guessed, see
    :func:`~skfer.embedders.gaussian._pseudo_labels.as_guess`. A guessed one counts as much as a
    sample with a label, but moves no mean.
    """

    owners: Tensor
    guessing = False

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

    def forward(self, output: Embedded, labels: Tensor) -> Tensor:
        """Loss of a batch: of the labelled samples, and of guessed strangers if there are such."""
        if not self.guessing:
            return super().forward(output, labels)
        known, guessed = labels >= 0, labels < UNLABELED
        mine, theirs = _part(output, known), _part(output, guessed)
        loss: Tensor | float = 0.0
        if guessed.any():
            share = (guessed.sum() / known.sum()).clamp(max=1.0)
            loss = share * self._of_guesses(
                mine, labels[known], theirs, from_guess(labels[guessed])
            )
        # Last, as its statistics are those that are kept.
        return super().forward(mine, labels[known]) + loss

    def metric(self, output: Embedded, labels: Tensor) -> Tensor:
        """Gaussian loss, of mixed samples if wanted."""
        points = output.embedding
        if self.mixup is None or not self.training:
            return self.metric_loss(points, labels)
        queries, targets = self._mixed(points, self._one_hot(labels, points))
        return self.metric_loss(points, labels, queries=queries, targets=targets)

    def classification(self, output: Embedded, labels: Tensor) -> Tensor:
        """Cross-entropy on classes."""
        return super().classification(output, self.owners[labels])

    def _of_guesses(self, mine: Embedded, codes: Tensor, theirs: Embedded, found: Tensor) -> Tensor:
        """Both losses of strangers, around the means of the labelled samples."""
        targets = self._one_hot(found, mine.embedding)
        loss = self.metric_loss(mine.embedding, codes, queries=theirs.embedding, targets=targets)
        if not self.classification_weight:
            return loss
        return loss + self.classification_weight * self.classification(theirs, found)

    def _mixed(self, points: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        partners = torch.randperm(len(points), device=points.device)
        alpha = points.new_tensor(float(self.mixup))  # type: ignore[arg-type]
        shares = torch.distributions.Beta(alpha, alpha).sample((len(points),))
        return mixup(points, targets, partners, shares)

    def _one_hot(self, codes: Tensor, like: Tensor) -> Tensor:
        return F.one_hot(codes, len(self.owners)).to(like)


def _part(output: Embedded, which: Tensor) -> Embedded:
    return Embedded._make(None if tensor is None else tensor[which] for tensor in output)


class WatchedBatches:
    """Batches of one training, before whose epochs and after whose steps something is done.

    All epochs have as many batches as the first, whatever becomes of the sampler: the schedule
    counts on it.

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
        self._n_batches = len(batches)

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return self._n_batches

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (inputs, labels), for one epoch."""
        self.before_epoch(self.epoch)
        self.epoch += 1
        for batch in islice(_endless(self.batches), self._n_batches):
            yield batch
            # The step on a batch is over when the next one is asked for.
            if self.after_step is not None:
                self.after_step()


def _endless(batches: Batches) -> Iterator[tuple[Tensor, Tensor]]:
    while True:
        yield from batches


def split_rounds(epochs: int, max_subclasses: int) -> set[int]:
    """Return the epochs before which classes are split: none, or some in equal steps."""
    if max_subclasses == 1:
        return set()
    first = int(FIRST_ROUND * epochs)
    step = -(-(epochs - first) // MAX_ROUNDS)
    return set(range(first, epochs, step))
