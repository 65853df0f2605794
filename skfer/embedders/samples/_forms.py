"""The forms in which other libraries hold samples."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from scipy.sparse import issparse
from skorch.helper import SliceDataset
from torch.utils.data import DataLoader, Dataset

from skfer.embedders.samples._inputs import check_no_single_path
from skfer.exceptions import ArgumentError, shorten
from skfer.training import PictureSource
from skfer.validation import shown


def as_arrays(X: Any) -> Any:
    """Return X without tensors and collections of other libraries: as arrays, or lists of them.

    Parameters
    ----------
    X : array-like
        What a user gave. Arrays, data frames and lists of them are returned as they are.

    Raises
    ------
    ArgumentError
        If it is no collection of samples, a table of records, or a tensor that numpy cannot hold.
    """
    check_no_single_path(X)
    if isinstance(X, PictureSource) or issparse(X):  # of paths; for scikit-learn to refuse
        return X
    if isinstance(X, SliceDataset):
        X = [X[i] for i in range(len(X))]
    _refuse_records(X)
    X = _listed(X)
    if isinstance(X, list | tuple) and len(X) and isinstance(X[0], torch.Tensor):
        return [_as_array(item) for item in X]
    if isinstance(X, torch.Tensor):
        return _as_array(X)
    has_rows = hasattr(X, "__len__") or hasattr(X, "__array__") or hasattr(X, "shape")
    if not has_rows or isinstance(X, Mapping | set | Dataset | DataLoader):
        raise ArgumentError(
            "{X} must be an array of images or rows, or a list of images or paths, got {}. Of a "
            "data set of torch skorch.helper.SliceDataset(dataset) makes such a list.",
            shown(X),
        )
    return X


def _refuse_records(X: Any) -> None:
    """Raise ArgumentError for a table whose rows are mappings, such as one of Hugging Face."""
    # Of a series of pandas X[0] may be a name, and there are no records in arrays.
    if not _is_sequence(X) or hasattr(X, "__array__") or not len(X):
        return
    if not isinstance(X[0], Mapping):
        return
    words = [word for word in X[0] if isinstance(word, str)]
    word = next((word for word in ("image", "img") if word in words), "image")
    raise ArgumentError(
        "{X} is a table of records, with the columns {}: give its column of images, such as {}.",
        shown(words),
        f"[row[{word!r}] for row in X]" if isinstance(X, list | tuple) else f"X[{word!r}]",
    )


def _listed(X: Any) -> Any:
    """Return a list of what a sequence of another library holds, or its array of images."""
    if isinstance(X, list | tuple | np.ndarray | torch.Tensor) or hasattr(X, "iloc"):
        return X
    if hasattr(X, "__array__") and len(getattr(X, "shape", ())) < 2:  # columns of such a library
        array = np.asarray(X)
        return array if array.ndim > 2 or not hasattr(X, "shape") else X
    is_array = any(hasattr(X, name) for name in ("shape", "__array__", "dtype", "columns"))
    return list(X) if _is_sequence(X) and not is_array else X


def _is_sequence(X: Any) -> bool:
    if isinstance(X, np.ndarray | torch.Tensor | Mapping | set | Dataset | DataLoader):
        return False
    return hasattr(X, "__len__") and hasattr(X, "__getitem__")


def _as_array(tensor: Any) -> Any:
    if not isinstance(tensor, torch.Tensor):
        return tensor
    try:
        tensor = tensor.detach().cpu()
        return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    except (TypeError, RuntimeError, NotImplementedError) as error:
        kind = f"{tensor.dtype}, {tensor.layout} on {tensor.device}"
        raise ArgumentError(
            "{X} must be dense tensors of numbers, got one of {}: {}", kind, shorten(str(error))
        ) from None
