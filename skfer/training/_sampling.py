"""Which samples make a batch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


class Deck:
    """Draws items at random; none comes again before all were drawn.

    Where one round ends and the next begins inside one draw, no item is drawn twice.

    Parameters
    ----------
    items : array of shape (n,)
        What to draw from.
    rng : RandomState
        Shuffles the items once a round.
    """

    def __init__(self, items: NDArray[np.intp], rng: np.random.RandomState) -> None:
        self.items = items
        self.rng = rng
        self._left = np.empty(0, dtype=np.intp)  # positions still to be drawn in this round

    def draw(self, k: int) -> NDArray[np.intp]:
        """Draw `k` items without repetition, or all of them if there are fewer."""
        n = len(self.items)
        if k >= n:
            return self.items[self.rng.permutation(n)]
        if len(self._left) < k:
            fresh = self.rng.permutation(n)
            taken = np.zeros(n, dtype=bool)
            taken[self._left] = True
            seen = taken[fresh]
            # What this draw has already taken goes to the end of the new round.
            self._left = np.concatenate([self._left, fresh[~seen], fresh[seen]])
        drawn, self._left = self._left[:k], self._left[k:]
        return self.items[drawn]


class BalancedBatchSampler:
    """Batches of P classes with K samples each, all classes in equal share.

    One pass has as many batches as it takes to draw ``len(labels)`` samples. Inside a class
    no sample repeats before all were drawn, over passes too. A class with fewer than K
    samples gives all it has, once: a class of one sample serves as negative only.

    Parameters
    ----------
    labels : array of int of shape (n,)
        Class codes. Negative codes mark samples without a label.
    classes_per_batch, samples_per_class : int
        P and K. P is lowered to the number of classes.
    seed : int
        Fixes all batches.
    n_unlabeled : int, default=0
        How many samples without a label to add to every batch.
    """

    def __init__(
        self,
        labels: NDArray[np.intp],
        classes_per_batch: int,
        samples_per_class: int,
        seed: int,
        n_unlabeled: int = 0,
    ) -> None:
        rng = np.random.RandomState(seed)
        order = np.argsort(labels, kind="stable")
        classes, starts = np.unique(labels[order], return_index=True)
        members = dict(zip(classes.tolist(), np.split(order, starts[1:]), strict=True))
        self._unlabeled = [Deck(m, rng) for c, m in members.items() if c < 0]
        self._decks = {c: Deck(m, rng) for c, m in members.items() if c >= 0}
        self._classes = Deck(classes[classes >= 0], rng)
        self._n_classes = min(classes_per_batch, len(self._decks))
        self._n_samples = samples_per_class
        self._n_unlabeled = n_unlabeled
        sizes = [min(samples_per_class, len(d.items)) for d in self._decks.values()]
        batch = np.mean(sizes) * self._n_classes
        n_labeled = sum(len(d.items) for d in self._decks.values())
        self._n_batches = max(1, round(n_labeled / batch))

    def __len__(self) -> int:
        """Return the number of batches of a pass."""
        return self._n_batches

    def __iter__(self) -> Iterator[NDArray[np.intp]]:
        """Yield the indices of one batch after the other, for one pass."""
        for _ in range(self._n_batches):
            drawn = [
                self._decks[c].draw(self._n_samples)
                for c in self._classes.draw(self._n_classes).tolist()
            ]
            drawn += [deck.draw(self._n_unlabeled) for deck in self._unlabeled]
            yield np.concatenate(drawn)


class ShuffledBatchSampler:
    """Batches drawn from all samples alike, each once a pass.

    Parameters
    ----------
    n_samples : int
        Number of samples.
    batch_size : int
        Samples of a batch; the batches of a pass differ by one at most.
    seed : int
        Fixes all batches.
    """

    def __init__(self, n_samples: int, batch_size: int, seed: int) -> None:
        self._n_samples = n_samples
        # A batch of one sample would break batch norm.
        self._n_batches = max(1, min(round(n_samples / batch_size), n_samples // 2))
        self._rng = np.random.RandomState(seed)

    def __len__(self) -> int:
        """Return the number of batches of a pass."""
        return self._n_batches

    def __iter__(self) -> Iterator[NDArray[np.intp]]:
        """Yield the indices of one batch after the other, for one pass."""
        yield from np.array_split(self._rng.permutation(self._n_samples), self._n_batches)
