"""Which of many faces are shown."""

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from skfer._typing import NDArray
from skfer.exceptions import ArgumentError
from skfer.inspection._labels import Labels
from skfer.validation import UNLABELED, as_array, check_int, check_random_seed, shown


def choose_rows(given: Any, labels: Labels, random_state: Any, argument: str) -> NDArray[np.intp]:
    """Return rows as they are given, or drawn from each class in turn.

    Parameters
    ----------
    given : None, int or array-like of int
        None draws one of each class, a number that many; an array is taken as the rows.
    labels : Labels
        Of all faces. Where none has a label, all may be drawn.
    random_state : int, RandomState or None
        Draws them.
    argument : str
        What a caller calls `given`, for errors.
    """
    n = len(labels.codes)
    rows = None if given is None else as_array(given, argument)
    if rows is not None and rows.ndim == 1:
        if rows.dtype.kind not in "iu" or not len(rows) or rows.min() < -n or rows.max() >= n:
            raise ArgumentError(
                f"{{{argument}}} must be rows of X, from 0 to {{}}, or how many to draw; got {{}}.",
                n - 1,
                shown(given),
            )
        return rows.astype(np.intp) % n
    known = np.flatnonzero(labels.codes != UNLABELED)
    known = known if len(known) else np.arange(n)
    wanted = len(np.unique(labels.codes[known])) if len(known) < n or labels.names else 8
    if given is not None:
        wanted = check_int(given, argument, at_least=1, at_most=len(known))
    order = check_random_state(check_random_seed(random_state)).permutation(known)
    codes = labels.codes[order]
    # The first of each class, then the second of each, and so on.
    turn = np.empty(len(order), dtype=np.intp)
    for code in np.unique(codes):
        turn[codes == code] = np.arange((codes == code).sum())
    drawn = order[np.lexsort((codes, turn))][:wanted]
    return drawn[np.argsort(labels.codes[drawn], kind="stable")]
