"""Which samples make a batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SHUFFLED_AT_ONCE = 256


class Deck:
    """Draws items at random; none comes again before all were drawn.

    Where one round ends and the next begins inside one draw, no item is drawn twice. Lists, since
    arrays of a few items take longer to handle than to shuffle.

    Parameters
    ----------
    items : list of int
        What to draw from.
    rng : RandomState
        Shuffles the items once a round.
    """

    def __init__(self, items: list[int], rng: np.random.RandomState) -> None:
        self.items = items
        self.rng = rng
        self._left: list[int] = []  # positions still to be drawn in this round, the next ones last
        self._rounds: list[list[int]] = []  # shuffled already

    def draw(self, k: int) -> list[int]:
        """Draw `k` items without repetition, or all of them if there are fewer."""
        k = min(k, len(self.items))
        if len(self._left) < k:
            fresh, taken = self._shuffled(), set(self._left)
            # What this draw has already taken goes to the end of the new round.
            again = [i for i in fresh if i in taken]
            self._left = again + [i for i in fresh if i not in taken] + self._left
        return [self.items[self._left.pop()] for _ in range(k)]

    def _shuffled(self) -> list[int]:
        """Return all positions in a random order; small decks are shuffled many times at once."""
        if not self._rounds:
            n = len(self.items)
            keys = self.rng.random_sample((max(1, _SHUFFLED_AT_ONCE // n), n))
            self._rounds = keys.argsort(axis=1).tolist()
        return self._rounds.pop()


class BalancedBatchSampler:
    """Batches of P classes with K samples each, all classes in equal share.

    One pass has as many batches as it takes to draw as many labelled samples as there are, and as
    many unlabelled ones. Inside a class no sample repeats before all were drawn, over passes too.
    A class with fewer than K samples gives all it has, once: a class of one sample serves as
    negative only.

    Parameters
    ----------
    labels : array of int of shape (n,)
        Class codes. Negative codes mark samples without a label.
    classes_per_batch, samples_per_class : int
        P and K. P is lowered to the number of classes.
    seed : int
        Fixes all batches.
    n_unlabeled : int, default=0
        How many samples without a label to add to every batch; see also :meth:`offer`.
    """

    def __init__(
        self,
        labels: NDArray[np.intp],
        classes_per_batch: int,
        samples_per_class: int,
        seed: int,
        n_unlabeled: int = 0,
    ) -> None:
        rng = self._rng = np.random.RandomState(seed)
        members: dict[int, list[int]] = {}
        for i, c in enumerate(labels.tolist()):
            members.setdefault(c, []).append(i)
        self._unlabeled = [Deck(members.pop(c), rng) for c in list(members) if c < 0]
        self._decks = {c: Deck(members[c], rng) for c in sorted(members)}
        self._classes = Deck(list(self._decks), rng)
        self._n_classes = min(classes_per_batch, len(self._decks))
        self._n_samples = samples_per_class
        self._n_unlabeled = n_unlabeled
        sizes = [len(m) for m in members.values()]
        batch = sum(min(samples_per_class, n) for n in sizes) / len(sizes) * self._n_classes
        self._n_batches = max(1, round(sum(sizes) / batch))
        if n_unlabeled:
            n_strangers = sum(len(deck.items) for deck in self._unlabeled)
            self._n_batches = max(self._n_batches, round(n_strangers / n_unlabeled))

    def __len__(self) -> int:
        """Return the number of batches of a pass."""
        return self._n_batches

    def __iter__(self) -> Iterator[NDArray[np.intp]]:
        """Yield the indices of one batch after the other, for one pass."""
        for _ in range(self._n_batches):
            yield self._draw()

    def offer(self, which: NDArray[np.intp]) -> None:
        """Draw samples without a label from these alone, from now on; passes keep their length."""
        self._unlabeled = [Deck(which.tolist(), self._rng)] if len(which) else []

    def covering(self) -> list[NDArray[np.intp]]:
        """Return batches in which every labelled sample comes once at least.

        All classes still have the same share, so samples of rare ones come more often.
        """
        n_rounds = max(-(-len(deck.items) // self._n_samples) for deck in self._decks.values())
        n_batches = -(-n_rounds * len(self._decks) // self._n_classes)
        return [self._draw() for _ in range(n_batches)]

    def _draw(self) -> NDArray[np.intp]:
        drawn: list[int] = []
        for c in self._classes.draw(self._n_classes):
            drawn += self._decks[c].draw(self._n_samples)
        for deck in self._unlabeled:
            drawn += deck.draw(self._n_unlabeled)
        return np.array(drawn, dtype=np.intp)


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
        yield from self.covering()

    def covering(self) -> list[NDArray[np.intp]]:
        """Return batches in which every sample comes once."""
        return np.array_split(self._rng.permutation(self._n_samples), self._n_batches)


class SubsetSampler:
    """Batches of a sampler over part of the samples, as indices into all of them.

    Parameters
    ----------
    sampler : iterable of index arrays
        Draws among the part.
    which : array of int
        The part.
    """

    def __init__(self, sampler: Any, which: NDArray[np.intp]) -> None:
        self.sampler = sampler
        self.which = which

    def __len__(self) -> int:
        """Return the number of batches of a pass."""
        return len(self.sampler)

    def __iter__(self) -> Iterator[NDArray[np.intp]]:
        """Yield the indices of one batch after the other, for one pass."""
        for batch in self.sampler:
            yield self.which[batch]

    def offer(self, which: NDArray[np.intp]) -> None:
        """Draw samples without a label from these alone, where they belong to the part."""
        self.sampler.offer(np.flatnonzero(np.isin(self.which, which)))
