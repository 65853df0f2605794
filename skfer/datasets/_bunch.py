"""The one kind of Bunch that every loader returns."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from skfer.datasets._summary import as_html, as_text


class Faces(Bunch):
    """What every loader returns: a Bunch of scikit-learn that shows itself in a few lines."""

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)


def make_bunch(
    images: np.ndarray,
    target: np.ndarray,
    *,
    target_names: Sequence[str],
    descr: str,
    columns: Mapping[str, np.ndarray | None],
    wide: Mapping[str, Sequence[str]] | None = None,
    as_frame: bool = False,
    **others: Any,
) -> Faces:
    """Return images and what is known of each; `data` is a flat view of `images`.

    `columns` has one value (or row of values) for each image, or None where the set has none;
    `wide` names the values of such a row.
    """
    for name, column in columns.items():
        if column is not None and len(column) != len(images):
            raise ValueError(f"columns[{name!r}] has {len(column)} values for {len(images)} images")
    frame = make_frame(target, target_names, columns, wide or {}) if as_frame else None
    names = np.array(target_names, dtype=np.str_)
    return Faces(
        images=images,
        data=images.reshape(len(images), -1),
        target=target,
        target_names=names,
        class_names=names[np.unique(target[target >= 0])],
        **columns,
        **others,
        frame=frame,
        DESCR=descr,
    )


def make_frame(
    target: np.ndarray,
    target_names: Sequence[str],
    columns: Mapping[str, np.ndarray | None],
    wide: Mapping[str, Sequence[str]],
) -> Any:
    """Return a pandas DataFrame with a row for each image, without its pixels."""
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("as_frame=True needs pandas: pip install pandas") from error
    words = [target_names[code] if code >= 0 else None for code in target]
    known = {name: column for name, column in columns.items() if column is not None}
    flat = {name: column for name, column in known.items() if np.ndim(column) == 1}
    # Names of files may hold bytes that are no text, which pandas' own strings cannot.
    flat = {
        name: column if _is_text(column) else pd.Series(column, dtype=object)
        for name, column in flat.items()
    }
    parts = {
        f"{name}_{label}": known[name][:, i]
        for name, labels in wide.items()
        for i, label in enumerate(labels)
    }
    return pd.DataFrame({**flat, **parts, "target": target, "expression": words})


def _is_text(column: Any) -> bool:
    """Whether all words of a column, if it has some, can be encoded."""
    try:
        "".join(word for word in column if isinstance(word, str)).encode()
    except UnicodeEncodeError:
        return False
    return True
