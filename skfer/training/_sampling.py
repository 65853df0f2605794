"""Which samples make a batch."""

from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np
import torch

from skfer._typing import NDArray
from skfer.training._plain import generator_state, set_generator
from skfer.validation import as_array, check_int, refusal, shown

_SHUFFLED_AT_ONCE = 256


class Deck:
    """Draws items at random; none comes again before all were drawn.

    A draw that reaches into the next round draws no item twice. The items are in lists: arrays of
    a few items would take longer to handle than to shuffle.

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
        self._left: list[int] = []  # positions still to be drawn in this round, the next one last
        self._rounds: list[list[int]] = []  # shuffled in advance

    def draw(self, k: int) -> list[int]:
        """Draw `k` items without repetition, or all of them if there are fewer."""
        k = min(k, len(self.items))
        if len(self._left) < k:
            fresh, taken = self._shuffled(), set(self._left)
            # What this draw already takes from the old round comes last in the new one.
            again = [i for i in fresh if i in taken]
            self._left = again + [i for i in fresh if i not in taken] + self._left
        return [self.items[self._left.pop()] for _ in range(k)]

    def start_over(self) -> None:
        """Begin a new round, whatever is left of this one."""
        self._left.clear()

    def state_dict(self) -> dict[str, Any]:
        """Return the items and what is drawn next, as tensors."""
        lists = {"items": self.items, "left": self._left, "rounds": self._rounds}
        return {name: torch.tensor(values, dtype=torch.int64) for name, values in lists.items()}

    @classmethod
    def from_state(cls, state: dict[str, Any], rng: np.random.RandomState) -> Self:
        """Return the deck whose state this is, drawing from a generator."""
        deck = cls(state["items"].tolist(), rng)
        deck._left, deck._rounds = state["left"].tolist(), state["rounds"].tolist()
        return deck

    def _shuffled(self) -> list[int]:
        """Return all positions in a random order; small decks are shuffled many times at once."""
        if not self._rounds:
            n = len(self.items)
            keys = self.rng.random_sample((max(1, _SHUFFLED_AT_ONCE // n), n))
            self._rounds = keys.argsort(axis=1).tolist()
        return self._rounds.pop()


class BalancedBatchSampler:
    """Batches of P classes with K samples each, all classes in equal share.

    A pass has as many whole batches as come nearest to drawing as many labeled samples as there
    are, or more where it takes more for the unlabeled ones. What it leaves out comes first in the
    next: within a class no sample repeats before all were drawn, not even across passes. A class
    with fewer than K samples contributes all of them: a class of one sample only serves as a
    negative.

    Parameters
    ----------
    labels : array of int of shape (n,)
        Class codes. Negative codes mark samples without a label.
    classes_per_batch, samples_per_class : int
        P and K. P is lowered to the number of classes.
    seed : int
        Fixes all batches.
    n_unlabeled : int, default=0
        How many samples without a label to add to every batch; see also :meth:`set_unlabeled`.

    See Also
    --------
    ShuffledBatchSampler : All samples alike.

    Examples
    --------
    >>> import numpy as np
    >>> from skfer.training import BalancedBatchSampler
    >>> codes = np.array([0] * 20 + [1] * 4)
    >>> sampler = BalancedBatchSampler(codes, classes_per_batch=2, samples_per_class=4, seed=0)
    >>> np.bincount(codes[next(iter(sampler))]).tolist()
    [4, 4]
    """

    def __init__(
        self,
        labels: NDArray[np.intp],
        classes_per_batch: int,
        samples_per_class: int,
        seed: int,
        n_unlabeled: int = 0,
    ) -> None:
        rng = self._rng = _generator(seed)
        members: dict[int, list[int]] = {}
        for i, c in enumerate(_whole_numbers(labels, "labels").tolist()):
            members.setdefault(c, []).append(i)
        self._unlabeled = [Deck(members.pop(c), rng) for c in list(members) if c < 0]
        self._decks = {c: Deck(members[c], rng) for c in sorted(members)}
        if not self._decks:
            raise refusal("labels", "has no class: all of its {} codes are below 0.", len(labels))
        self._classes = Deck(list(self._decks), rng)
        n_classes = check_int(classes_per_batch, "classes_per_batch", at_least=1)
        self._n_classes = min(n_classes, len(self._decks))
        self._n_samples = check_int(samples_per_class, "samples_per_class", at_least=1)
        self._n_unlabeled = check_int(n_unlabeled, "n_unlabeled", at_least=0)
        sizes = [len(m) for m in members.values()]
        batch = sum(min(samples_per_class, n) for n in sizes) / len(sizes) * self._n_classes
        self._n_batches = max(1, round(sum(sizes) / batch))
        if n_unlabeled:
            n_available = sum(len(deck.items) for deck in self._unlabeled)
            self._n_batches = max(self._n_batches, round(n_available / n_unlabeled))

    def __len__(self) -> int:
        """Return the number of batches of a pass."""
        return self._n_batches

    def __iter__(self) -> Iterator[NDArray[np.intp]]:
        """Yield the indices of one batch after the other, for one pass."""
        for _ in range(self._n_batches):
            yield self._draw()

    def set_unlabeled(self, indices: NDArray[np.intp]) -> None:
        """Draw the samples without a label from these alone, in passes as long as before."""
        self._unlabeled = [Deck(indices.tolist(), self._rng)] if len(indices) else []

    def covering(self) -> list[NDArray[np.intp]]:
        """Return batches that hold every labeled sample at least once.

        All classes still have the same share, so samples of rare ones occur more often. What a
        pass has left to be drawn does not come first: all classes begin a new round.
        """
        for deck in (self._classes, *self._decks.values()):
            deck.start_over()
        n_rounds = max(-(-len(deck.items) // self._n_samples) for deck in self._decks.values())
        n_batches = -(-n_rounds * len(self._decks) // self._n_classes)
        return [self._draw() for _ in range(n_batches)]

    def state_dict(self) -> dict[str, Any]:
        """Return all that the batches to come depend on, as tensors and plain values."""
        return {
            "generator": generator_state(self._rng),
            "unlabeled": [deck.state_dict() for deck in self._unlabeled],
            "decks": [(c, deck.state_dict()) for c, deck in self._decks.items()],
            "classes": self._classes.state_dict(),
            "sizes": (self._n_classes, self._n_samples, self._n_unlabeled, self._n_batches),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where another sampler was, which may have had other labels."""
        set_generator(self._rng, state["generator"])
        self._unlabeled = [Deck.from_state(deck, self._rng) for deck in state["unlabeled"]]
        self._decks = {c: Deck.from_state(deck, self._rng) for c, deck in state["decks"]}
        self._classes = Deck.from_state(state["classes"], self._rng)
        self._n_classes, self._n_samples, self._n_unlabeled, self._n_batches = state["sizes"]

    def _draw(self) -> NDArray[np.intp]:
        drawn: list[int] = []
        for c in self._classes.draw(self._n_classes):
            drawn += self._decks[c].draw(self._n_samples)
        for deck in self._unlabeled:
            drawn += deck.draw(self._n_unlabeled)
        return np.array(drawn, dtype=np.intp)


class ShuffledBatchSampler:
    """Batches drawn from all samples alike, each sample once in a pass.

    Parameters
    ----------
    n_samples : int
        Number of samples.
    batch_size : int
        Samples in a batch; the sizes of a pass's batches differ by one at most.
    seed : int
        Fixes all batches.

    See Also
    --------
    BalancedBatchSampler : All classes alike.

    Examples
    --------
    >>> import numpy as np
    >>> from skfer.training import ShuffledBatchSampler
    >>> sampler = ShuffledBatchSampler(6, batch_size=3, seed=0)
    >>> sorted(np.concatenate(list(sampler)).tolist())
    [0, 1, 2, 3, 4, 5]
    """

    def __init__(self, n_samples: int, batch_size: int, seed: int) -> None:
        self._n_samples = check_int(n_samples, "n_samples", at_least=1, at_most=2**40)
        batch_size = check_int(batch_size, "batch_size", at_least=1)
        # A batch of one sample would break batch norm.
        self._n_batches = max(1, min(round(n_samples / batch_size), n_samples // 2))
        self._rng = _generator(seed)

    def __len__(self) -> int:
        """Return the number of batches of a pass."""
        return self._n_batches

    def __iter__(self) -> Iterator[NDArray[np.intp]]:
        """Yield the indices of one batch after the other, for one pass."""
        yield from self.covering()

    def covering(self) -> list[NDArray[np.intp]]:
        """Return batches in which every sample comes once."""
        return np.array_split(self._rng.permutation(self._n_samples), self._n_batches)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the generator, as tensors and plain values."""
        return {"generator": generator_state(self._rng)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where another sampler of as many samples was."""
        set_generator(self._rng, state["generator"])


class SubsetSampler:
    """Batches of a sampler over part of the samples, as indices into all of them.

    Parameters
    ----------
    sampler : iterable of index arrays
        Draws positions in `subset`.
    subset : array of int
        Indices of the part.

    See Also
    --------
    BalancedBatchSampler : The usual one to take a part of.

    Examples
    --------
    >>> import numpy as np
    >>> from skfer.training import ShuffledBatchSampler, SubsetSampler
    >>> sampler = SubsetSampler(ShuffledBatchSampler(2, batch_size=2, seed=0), np.array([5, 7]))
    >>> sorted(np.concatenate(list(sampler)).tolist())
    [5, 7]
    """

    def __init__(self, sampler: Any, subset: NDArray[np.intp]) -> None:
        several = hasattr(sampler, "__iter__") and hasattr(sampler, "__len__")
        if not several or isinstance(sampler, str | bytes | Mapping | np.ndarray):
            raise refusal(
                "sampler",
                "must draw batches, as BalancedBatchSampler does, got {}.",
                shown(sampler),
            )
        self.sampler = sampler
        self.subset = _whole_numbers(subset, "subset")

    def __len__(self) -> int:
        """Return the number of batches of a pass."""
        return len(self.sampler)

    def __iter__(self) -> Iterator[NDArray[np.intp]]:
        """Yield the indices of one batch after the other, for one pass."""
        for batch in self.sampler:
            batch = _whole_numbers(batch, "sampler")
            if batch.size and batch.max() >= len(self.subset):
                n = len(self.subset)
                raise refusal("sampler", "must draw from the {} samples, got {}.", n, shown(batch))
            yield self.subset[batch]

    def covering(self) -> list[NDArray[np.intp]]:
        """Return batches of the part that hold every labeled sample at least once."""
        return [self.subset[batch] for batch in self.sampler.covering()]

    def set_unlabeled(self, indices: NDArray[np.intp]) -> None:
        """Draw the samples without a label from those of these that belong to the part."""
        self.sampler.set_unlabeled(np.flatnonzero(np.isin(self.subset, indices)))

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the sampler."""
        return self.sampler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where the sampler of another training on the same part was."""
        self.sampler.load_state_dict(state)


def _generator(seed: int) -> np.random.RandomState:
    return np.random.RandomState(check_int(seed, "seed", at_least=0, at_most=2**32 - 1))


def _whole_numbers(values: Any, name: str) -> NDArray[np.intp]:
    """Return a column of whole numbers, as it was given if it is an array."""
    column = as_array(values, name)
    if column.ndim != 1 or column.dtype.kind not in "iu":
        raise refusal(name, "must be one whole number a sample, got {}.", shown(values))
    return column
