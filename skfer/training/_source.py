"""Where batches come from: arrays, memmaps and rows, read a batch at a time."""

import mmap
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Self

import numpy as np
import torch
from torch.utils.data import Dataset

from skfer._typing import NDArray
from skfer.exceptions import ArgumentError
from skfer.training._pictures import PictureSource, fetched

_RELEASE_BYTES = 2**18
_FEW_ROWS_BYTES = 2**22
_SMALL_BYTES = 2**16
"""So few are taken from the processor's memory at once."""
_SHARE = 0.1
"""Of a GPU's free memory, for samples that lie there."""
_PART_BYTES = 2**25
"""Of samples that are sent together."""
_ROUNDING = 1e-12
"""Smaller differences of numbers around 1 may come from rounding alone."""


class ImageSource(Dataset):
    """Images in an array or memmap; a batch is one fancy index, and uint8 stays uint8.

    Parameters
    ----------
    images : array of shape (n, h, w), (n, h, w, channels) or (n, h * w * channels)
        Never copied as a whole.
    shape : tuple of int
        (h, w) or (h, w, channels) of one image.

    See Also
    --------
    RowSource : The same for rows.
    Batches : Draws from it.

    Examples
    --------
    >>> import numpy as np
    >>> from skfer.training import ImageSource
    >>> source = ImageSource(np.zeros((3, 16, 16), np.uint8), (16, 16))
    >>> len(source)
    3
    """

    def __init__(self, images: NDArray[Any], shape: tuple[int, ...]) -> None:
        self.images = images
        self.shape = shape
        self._unreleased = 0

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.images)

    def __getitem__(self, indices: Any) -> torch.Tensor:
        """Return the images of an index array or a slice as a tensor of their own."""
        batch = np.array(self.images[indices])
        self._unreleased += batch.nbytes
        if self._unreleased >= _RELEASE_BYTES:
            release_pages(self.images)
            self._unreleased = 0
        if batch.dtype != np.uint8:
            batch = _as_float32(batch)
        return torch.from_numpy(batch.reshape(-1, *self.shape))

    def take(self, rows: NDArray[np.intp]) -> NDArray[Any]:
        """Return the images of an index array as they were given."""
        return np.array(self.images[rows])


class SamplePart(Dataset):
    """Some of the samples of a source, as a source of their own.

    Parameters
    ----------
    source : ImageSource or RowSource
        The whole.
    rows : array of int
        Which of its samples.

    See Also
    --------
    ImageSource : A whole source.

    Examples
    --------
    >>> import numpy as np
    >>> from skfer.training import ImageSource, SamplePart
    >>> source = ImageSource(np.zeros((6, 16, 16), np.uint8), (16, 16))
    >>> len(SamplePart(source, np.array([1, 4])))
    2
    """

    def __init__(self, source: Any, rows: NDArray[np.intp]) -> None:
        self.source = source
        self.rows = rows

    def __len__(self) -> int:
        """Return the number of samples of the part."""
        return len(self.rows)

    def __getitem__(self, indices: Any) -> torch.Tensor:
        """Return the samples of an index array or a slice, as the source does."""
        return self.source[self.rows[indices]]

    def ahead(self, wanted: Iterable[Any]) -> Iterator[torch.Tensor]:
        """Yield the samples of one index array after the other, as the source does."""
        return fetched(self.source, (self.rows[indices] for indices in wanted))

    def take(self, rows: NDArray[np.intp]) -> Any:
        """Return the samples of an index array as they were given."""
        return self.source.take(self.rows[rows])


def _as_float32(images: NDArray[Any]) -> NDArray[np.float32]:
    """Return images as float32; where this loses something, each less its mean, in another unit.

    Networks standardize each image, and so do not see the difference.
    """
    with np.errstate(over="ignore"):
        narrow = images.astype(np.float32, copy=False)
    if (images.dtype.itemsize <= 4 and images.dtype.kind == "f") or np.array_equal(narrow, images):
        return narrow
    rows = images.reshape(len(images), -1).astype(np.float64)
    exponents = np.frexp(np.abs(rows).max(axis=1, keepdims=True, initial=0))[1]
    rows = np.ldexp(rows, -exponents)  # squares and sums cannot overflow
    rows -= rows.mean(axis=1, keepdims=True)
    constant = np.abs(rows).max(axis=1, keepdims=True, initial=0) < _ROUNDING
    return np.where(constant, 0, rows).astype(np.float32).reshape(images.shape)


def release_pages(array: NDArray[Any]) -> None:
    """Release the pages of a memmap, which would otherwise add up to the whole file.

    They stay in the system's file cache. A private mapping keeps its pages, since they may hold
    changes that exist nowhere else.

    Parameters
    ----------
    array : array
        The array that was read from; arrays in memory are left alone.

    See Also
    --------
    ImageSource : Does it after every batch.

    Examples
    --------
    >>> import numpy as np
    >>> from skfer.training import release_pages
    >>> release_pages(np.zeros(3))  # no memmap: nothing to do
    """
    mapped = getattr(array, "_mmap", None)
    if (
        mapped is not None
        and hasattr(mapped, "madvise")
        and getattr(array, "mode", None) in ("r", "r+")
    ):
        mapped.madvise(mmap.MADV_DONTNEED)


class RowSource(Dataset):
    """Rows of features, standardized: all at once if they are few, else a batch at a time.

    In double precision, since a column's offset may be large beside its spread.

    Parameters
    ----------
    rows : array of shape (n, n_features)
        Never copied as a whole.
    mean, scale : array of shape (n_features,)
        What to subtract, and then to divide by.

    See Also
    --------
    ImageSource : The same for images.

    Examples
    --------
    >>> import numpy as np
    >>> from skfer.training import RowSource
    >>> rows = np.array([[1.0, 4.0], [3.0, 8.0]], np.float32)
    >>> len(RowSource(rows, rows.mean(0), rows.std(0)))
    2
    """

    def __init__(
        self, rows: NDArray[Any], mean: NDArray[np.float64], scale: NDArray[np.float64]
    ) -> None:
        self.rows = rows
        self.mean = mean
        self.scale = scale
        self._ready = self._standardize(rows) if rows.nbytes <= _FEW_ROWS_BYTES else None

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    def __getitem__(self, indices: Any) -> torch.Tensor:
        """Return the rows of an index array or a slice as float32."""
        if self._ready is not None:
            return torch.from_numpy(np.array(self._ready[indices]))
        return torch.from_numpy(self._standardize(self.rows[indices]))

    def take(self, rows: NDArray[np.intp]) -> NDArray[Any]:
        """Return the rows of an index array as they were given."""
        return np.array(self.rows[rows])

    def _standardize(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        with np.errstate(over="ignore"):
            standardized = (rows - self.mean) / self.scale
            narrow = standardized.astype(np.float32, order="C", copy=False)
        if not np.isfinite(narrow).all():
            row, column = np.argwhere(~np.isfinite(narrow))[0]
            raise ArgumentError(
                "{X} has a value too large to be compared with those of the fit: {} in column {}, "
                "whose mean is {} and standard deviation {}. Leave such rows out, or scale X.",
                rows[row, column],
                column,
                self.mean[column],
                self.scale[column],
            )
        return narrow


def on_device(tensor: torch.Tensor, device: torch.device | str) -> torch.Tensor:
    """Return a tensor of the processor on a device, without waiting for a GPU to take it."""
    if tensor.device.type != "cpu" or torch.device(device).type != "cuda":
        return tensor.to(device)
    if tensor.nbytes > _SMALL_BYTES:
        # From other memory a GPU would copy as soon as it has done all that it was told before.
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


class ResidentSource(Dataset):
    """Samples that lie on a GPU, all of them."""

    def __init__(self, samples: torch.Tensor) -> None:
        self.samples = samples

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.samples)

    def __getitem__(self, indices: NDArray[np.intp]) -> torch.Tensor:
        """Return the samples of an index array."""
        # Looked up here, since an index that is out of range would end the work of the GPU.
        rows = torch.from_numpy(np.arange(len(self))[indices])
        return self.samples.index_select(0, on_device(rows, self.samples.device))


def resident(source: Any, device: torch.device | str) -> Any:
    """Return the samples of a source on a GPU, if they take little of its free memory.

    A batch of them has then not to be fetched and sent. Elsewhere, and for pictures that are
    decoded on the way, it is the source itself.
    """
    whole = source.source if isinstance(source, SamplePart) else source
    if torch.device(device).type != "cuda" or not isinstance(whole, ImageSource | RowSource):
        return source
    n, first = len(source), source[np.arange(1)]
    size = first.nbytes
    if n * size > _SHARE * torch.cuda.mem_get_info(device)[0]:
        return source
    step = max(1, _PART_BYTES // size)
    there = torch.empty((n, *first.shape[1:]), dtype=first.dtype, device=device)
    for rows in (slice(i, i + step) for i in range(0, n, step)):
        there[rows] = on_device(source[rows], device)
    return ResidentSource(there)


Source = ImageSource | RowSource | PictureSource | SamplePart
"""What gives the inputs of an index array or a slice as a tensor."""


class Batches:
    """One epoch after the other over the batches of a source.

    The sampler may change between epochs, but all epochs have as many batches as the first: the
    schedule of the learning rate relies on it.

    Parameters
    ----------
    source : ImageSource or RowSource
        Gives the inputs for an array of indices.
    labels : array of int of shape (n,)
        Class codes.
    sampler : iterable of index arrays
        Draws the batches of an epoch; it has a length.
    votes : array of float of shape (n, n_classes), optional
        What several people said of each sample.

    See Also
    --------
    BalancedBatchSampler : What draws their indices.

    Examples
    --------
    >>> import numpy as np
    >>> from skfer.training import Batches, ImageSource, ShuffledBatchSampler
    >>> source = ImageSource(np.zeros((6, 16, 16), np.uint8), (16, 16))
    >>> batches = Batches(source, np.arange(6) % 2, ShuffledBatchSampler(6, 3, seed=0))
    >>> len(list(batches))
    2
    """

    def __init__(
        self,
        source: Source,
        labels: NDArray[np.intp],
        sampler: Any,
        votes: NDArray[np.float32] | None = None,
    ) -> None:
        self.source = source
        self.sampler = sampler
        self._n_batches = len(sampler)
        self._votes = None if votes is None else torch.from_numpy(votes)
        self.relabel(labels)

    def relabel(self, labels: NDArray[np.intp], is_pseudo: NDArray[np.bool_] | None = None) -> None:
        """Give the samples other labels from now on.

        Parameters
        ----------
        labels : array of int of shape (n,)
            Class codes.
        is_pseudo : array of bool of shape (n,), optional
            Which of them are pseudo-labels.
        """
        self._labels = torch.from_numpy(np.array(labels, dtype=np.int64))
        self._is_pseudo = None if is_pseudo is None else torch.from_numpy(np.array(is_pseudo))

    def to(self, device: torch.device | str, *, and_of: Self | None = None) -> None:
        """Have the inputs lie on a GPU from now on, if they take little of its memory.

        Those of other batches lie there too if they are the same.
        """
        there = resident(self.source, device)
        if and_of is not None and and_of.source is self.source:
            and_of.source = there
        self.source = there

    def state_dict(self) -> dict[str, Any]:
        """Return the labels, and the state of the sampler; a list of batches has none."""
        sampler = None if isinstance(self.sampler, list) else self.sampler.state_dict()
        return {"labels": self._labels, "is_pseudo": self._is_pseudo, "sampler": sampler}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where the batches of the same samples in another training were."""
        self._labels, self._is_pseudo = state["labels"], state["is_pseudo"]
        if state["sampler"] is not None:
            self.sampler.load_state_dict(state["sampler"])

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return self._n_batches

    def __iter__(self) -> Iterator[tuple[torch.Tensor, Any]]:
        """Yield (inputs, labels) for the batches of one epoch.

        Where there is more to know of samples than a label, a dict takes the place of the labels:
        ``labels``, ``votes`` and ``is_pseudo``, as an objective is called with.
        """
        drawn: deque[NDArray[np.intp]] = deque()

        def noted() -> Iterator[NDArray[np.intp]]:
            for indices in islice(_endless(self.sampler), self._n_batches):
                drawn.append(indices)  # a source may fetch some batches ahead
                yield indices

        for inputs in fetched(self.source, noted()):
            rows = torch.from_numpy(drawn.popleft())
            labels = self._labels[rows]
            known = {"votes": self._votes, "is_pseudo": self._is_pseudo}
            others = {name: values[rows] for name, values in known.items() if values is not None}
            yield inputs, {"labels": labels, **others} if others else labels


def _endless(sampler: Any) -> Iterator[NDArray[np.intp]]:
    while True:
        yield from sampler
