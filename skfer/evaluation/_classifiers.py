"""What predicts after an embedder, by name."""

from collections.abc import Callable
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from skfer.embedders import LabeledOnly
from skfer.exceptions import ArgumentError
from skfer.validation import check_choice, check_flag

N_NEIGHBORS = 5

_MAKE: dict[str, Callable[[], BaseEstimator]] = {
    "knn": lambda: KNeighborsClassifier(N_NEIGHBORS),
    "svm": lambda: SVC(class_weight="balanced"),
    "logistic": lambda: LogisticRegression(class_weight="balanced", max_iter=1000),
}


def make_classifier(name: str, embedder: Any, method: str) -> BaseEstimator | None:
    """Return the classifier of a name, None where the embedder's own prediction is wanted.

    Parameters
    ----------
    name : {"knn", "svm", "logistic", "own"}
        5 nearest neighbors, a support vector machine, logistic regression, or none.
    embedder : transformer
        The embedder that it follows.
    method : str
        What to call the embedder in an error.

    Raises
    ------
    ArgumentError
        If the name is unknown, or "own" and the embedder does not predict.
    """
    if not isinstance(name, str) or name not in (*_MAKE, "own"):
        known = ", ".join([*_MAKE, "own"])
        raise ArgumentError("{classifier=} is unknown: give one of {}.", known, classifier=name)
    if name == "own":
        if not hasattr(embedder, "predict"):
            raise ArgumentError(
                "{classifier=own}: {} has no prediction of its own: leave it out, or give another.",
                method,
            )
        return None
    return _MAKE[name]()


def with_classifier(embedder: Any, name: str, *, unlabeled: bool = False) -> Any:
    """Return a pipeline of an embedder and a classifier, or the embedder if it shall predict.

    Parameters
    ----------
    embedder : transformer
        Unfitted.
    name : {"knn", "svm", "logistic", "own"}
        What predicts.
    unlabeled : bool, default=False
        Whether the embedder is to learn from samples without a label too: the classifier then
        learns from the others alone.

    Returns
    -------
    estimator

    Raises
    ------
    ArgumentError
        If the name is unknown, or "own" and the embedder does not predict.

    See Also
    --------
    compare : Makes such pipelines.

    Examples
    --------
    >>> from skfer import MultiThresholdEmbedder
    >>> from skfer.evaluation import with_classifier
    >>> with_classifier(MultiThresholdEmbedder(), "knn")[-1]
    KNeighborsClassifier()
    """
    check_choice(name, "name", [*_MAKE, "own"])
    classifier = make_classifier(name, embedder, type(embedder).__name__)
    unlabeled = check_flag(unlabeled, "unlabeled")
    if classifier is None:
        return embedder
    return make_pipeline(embedder, LabeledOnly(classifier) if unlabeled else classifier)
