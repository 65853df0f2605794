"""Pictures that are decoded while the network works on others."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from skfer._typing import NDArray

_AHEAD = 2  # batches, beside one for each thread


class PictureSource(Dataset):
    """Pictures that are decoded each time that they are asked for; never all at once.

    Parameters
    ----------
    items : list
        What they are decoded from, such as paths.
    read : callable
        ``read(item)`` returns a uint8 array of shape `shape`. What it raises ends the training,
        unless another picture stands in: see :meth:`stand_in`.
    shape : tuple of int
        (h, w) or (h, w, channels) of one picture.

    Attributes
    ----------
    broken : dict of int to Exception
        What was raised for each picture that another one stands in for.

    See Also
    --------
    ImageSource : The same for images in memory.

    Examples
    --------
    >>> import numpy as np
    >>> from skfer.training import PictureSource
    >>> source = PictureSource([3, 5], lambda k: np.full((16, 16), k, np.uint8), (16, 16))
    >>> len(source)
    2
    """

    def __init__(
        self, items: list[Any], read: Callable[[Any], NDArray[np.uint8]], shape: tuple[int, ...]
    ) -> None:
        self.items = items
        self.shape = shape
        self.broken: dict[int, Exception] = {}
        self._read = read
        self._labels: NDArray[Any] | None = None
        self._tell: Callable[[int, Exception], None] = lambda i, error: None
        self._told: set[int] = set()

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.items)

    def __getitem__(self, indices: Any) -> torch.Tensor:
        """Return the pictures of an index array or a slice as a tensor."""
        batch = self._decode(indices)
        self._tell_broken()
        return batch

    def stand_in(self, labels: NDArray[Any], tell: Callable[[int, Exception], None]) -> None:
        """Have another picture of the same label stand in for one that cannot be read.

        Parameters
        ----------
        labels : array of shape (n,)
            Label of each picture. The next one of its label that can be read stands in.
        tell : callable
            ``tell(i, error)`` is called once for each picture that cannot be read.
        """
        self._labels, self._tell = labels, tell

    def ahead(self, wanted: Iterable[Any]) -> Iterator[torch.Tensor]:
        """Yield the pictures of one index array after the other, and decode the next meanwhile.

        In as many threads as torch has, and no more than two batches further than these reach.
        """
        n_threads = torch.get_num_threads()
        pending: deque[Future[torch.Tensor]] = deque()
        with ThreadPoolExecutor(n_threads) as pool:
            try:
                for indices in wanted:
                    pending.append(pool.submit(self._decode, indices))
                    if len(pending) >= n_threads + _AHEAD:
                        yield self._taken(pending.popleft())
                while pending:
                    yield self._taken(pending.popleft())
            finally:
                for future in pending:
                    future.cancel()

    def take(self, rows: NDArray[np.intp]) -> list[Any]:
        """Return what the pictures of an index array are decoded from."""
        return [self.items[i] for i in rows]

    def _taken(self, future: Future[torch.Tensor]) -> torch.Tensor:
        batch = future.result()
        self._tell_broken()  # by the thread that trains: warnings are its own
        return batch

    def _tell_broken(self) -> None:
        for i in self.broken.keys() - self._told:
            self._told.add(i)
            self._tell(i, self.broken[i])

    def _decode(self, indices: Any) -> torch.Tensor:
        rows = range(len(self))[indices] if isinstance(indices, slice) else indices
        batch = np.empty((len(rows), *self.shape), dtype=np.uint8)
        for place, i in enumerate(rows):
            batch[place] = self._picture(int(i))
        return torch.from_numpy(batch)

    def _picture(self, i: int) -> NDArray[np.uint8]:
        first: Exception | None = None
        for j in self._candidates(i):
            if j in self.broken:
                continue
            try:
                return self._read(self.items[j])
            except Exception as error:
                first = first or error
                if self._labels is None:
                    raise
                self.broken[j] = error
        broken = first or self.broken[i]
        broken.add_note(f"No picture with the label of X[{i}] can be read: none stands in for it.")
        raise broken

    def _candidates(self, i: int) -> Iterable[int]:
        """Return a picture and, should it break, those that may stand in for it, lazily."""
        yield i
        if self._labels is not None:
            same = np.flatnonzero(self._labels == self._labels[i])
            yield from np.roll(same, -1 - int(np.searchsorted(same, i)))[:-1].tolist()


def fetched(source: Any, wanted: Iterable[Any]) -> Iterator[torch.Tensor]:
    """Return the samples of one index array after the other.

    Parameters
    ----------
    source : ImageSource, RowSource or PictureSource
        One that has a method ``ahead`` may fetch the next while these are worked on.
    wanted : iterable of index arrays or slices
        What to fetch.
    """
    if hasattr(source, "ahead"):
        return source.ahead(wanted)
    return (source[indices] for indices in wanted)
