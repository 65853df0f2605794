"""What several people said of each sample, for the methods whose `fit` takes it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import has_fit_parameter

from skfer._typing import NDArray
from skfer.embedders import WithLabels
from skfer.embedders.samples._labels import encode, find_classes
from skfer.embedders.samples._votes import check_votes
from skfer.validation import as_array


@dataclass(frozen=True)
class Votes:
    """Votes as they were given, and what they are of which class."""

    given: Any  # array or data frame
    codes: NDArray[np.intp]  # of y, -1 where it has no label
    shares: NDArray[np.float32]  # a column for each class of y

    def told(self, rows: NDArray[np.intp]) -> Any:
        """Return what a fit on some rows is given: the columns of an array for its classes.

        Those of a data frame are found by their names.
        """
        part = _safe_indexing(self.given, rows)
        if hasattr(part, "columns") or part.shape[1] != self.shares.shape[1]:
            return part
        return part[:, self._classes(rows)]

    def are_there(self, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return where there are votes, or a label, for a class that the rows have labels of."""
        return self.shares[np.ix_(rows, self._classes(rows))].sum(axis=1) > 0

    def _classes(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        codes = self.codes[rows]
        return np.unique(codes[codes >= 0])


def read_votes(votes: Any, y: NDArray[Any]) -> Votes:
    """Return votes that go together with all labels; refuse others, before the first training."""
    classes = find_classes(y, "compare")
    codes = encode(y, classes)
    _, shares = check_votes(votes, codes, classes, accepts_unlabeled=True)
    given = votes if hasattr(votes, "columns") else as_array(votes, "votes", float)
    return Votes(given, codes, shares)


def takes_votes(estimator: Any) -> bool:
    """Whether an unfitted method is given votes: its `fit`, or that of a step, takes them.

    Unless its request says otherwise: ``set_fit_request(votes=False)``.
    """
    if isinstance(estimator, Pipeline):
        return any(takes_votes(step) for _, step in estimator.steps)
    if not hasattr(estimator, "fit") or not has_fit_parameter(estimator, "votes"):
        return False
    if isinstance(estimator, WithLabels) and not takes_votes(estimator.embedder):
        return False
    requests = getattr(get_routing_for_object(estimator), "fit", None)
    return getattr(requests, "requests", {}).get("votes") in (None, True)


def told_votes(estimator: Any, votes: Any) -> dict[str, Any]:
    """Return what tells an unfitted method the votes in `fit`."""
    if votes is None or not takes_votes(estimator):
        return {}
    # Pipelines that route are told as they are: a step that has not said whether it wants votes
    # is an error there.
    if isinstance(estimator, Pipeline) and not get_config()["enable_metadata_routing"]:
        told = [(name, told_votes(step, votes)) for name, step in estimator.steps]
        return {f"{name}__{key}": value for name, some in told for key, value in some.items()}
    return {"votes": votes}
