"""Labels that are probably wrong, by what a model says that was trained without them."""

import re
from collections.abc import Iterator
from html import escape
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, check_cv
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import Parallel, delayed

from skfer._typing import ArrayLike, NDArray
from skfer.embedders.composed._groups import told_groups
from skfer.exceptions import ArgumentError, warn_caller
from skfer.inspection._labels import NO_LABEL, Labels, read_labels
from skfer.inspection._models import embed
from skfer.validation import (
    UNLABELED,
    check_groups,
    check_int,
    check_random_seed,
    check_same_length,
    shown,
)

_MOST_JOBS = 10_000

_SHOWN = 20
_LEAST = 1e-6  # of a probability


class LabelIssues:
    """What is known about each label, and which are probably wrong; made by `label_issues`.

    Parameters
    ----------
    labels : list of str
        The name of each sample's label.
    suggested : list of str
        The likeliest other label of each; the own one where it was not judged.
    score : ndarray of shape (n,)
        How suspicious each label is, from 0 to 1; NaN where it was not judged: for samples without
        a label, or of a class that the training part of their fold lacks.
    confidence : ndarray of shape (n,)
        Probability of the own label by the model that has not seen the sample.
    other_confidence : ndarray of shape (n,)
        Probability of the suggested label.
    neighbor_share : ndarray of shape (n,)
        Share of the nearest faces of other persons that have the own label.
    other_neighbor_share : ndarray of shape (n,)
        Share of them that have the suggested label.
    is_issue : ndarray of shape (n,), bool
        Whether the model and the neighbors prefer the same other label.
    n_neighbors : int
        How many neighbors were asked.
    proba : ndarray of shape (n, n_classes) or None
        All probabilities by the model, for other ways to judge by them; NaN where a label was not
        judged.
    classes : ndarray of shape (n_classes,)
        The class of each column.

    Attributes
    ----------
    order : ndarray of int
        Rows, the most suspicious first, without those that were not judged.

    See Also
    --------
    label_issues : Makes it.
    LabelIssuesDisplay : Shows the faces.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skfer.datasets import make_expressions
    >>> from skfer.inspection import label_issues
    >>> faces = make_expressions(
    ...     12, 2, image_size=16, classes=["anger", "happiness", "surprise"], random_state=0
    ... )
    >>> y = faces.target_names[faces.target]
    >>> y[7] = "happiness"
    >>> issues = label_issues(
    ...     LogisticRegression(), faces.action_units, y, groups=faces.groups
    ... )
    >>> int(issues.order[0]), issues.reason(7)
    (7, 'happiness 0.02, anger 0.95')
    """

    def __init__(
        self,
        *,
        labels: list[str],
        suggested: list[str],
        score: NDArray[np.float64],
        confidence: NDArray[np.float64],
        other_confidence: NDArray[np.float64],
        neighbor_share: NDArray[np.float64],
        other_neighbor_share: NDArray[np.float64],
        is_issue: NDArray[np.bool_],
        n_neighbors: int,
        proba: NDArray[np.float64] | None,
        classes: NDArray[Any],
    ) -> None:
        self.labels = labels
        self.suggested = suggested
        self.score = score
        self.confidence = confidence
        self.other_confidence = other_confidence
        self.neighbor_share = neighbor_share
        self.other_neighbor_share = other_neighbor_share
        self.is_issue = is_issue
        self.n_neighbors = n_neighbors
        self.proba = proba
        self.classes = classes
        order = np.argsort(-np.nan_to_num(score, nan=-1.0), kind="stable")
        self.order = order[np.isfinite(score[order])]

    def reason(self, row: int) -> str:
        """Say why a label is suspicious, in numbers.

        Parameters
        ----------
        row : int
            Which sample.

        Returns
        -------
        str
            The probabilities of the own and the suggested label, and how many neighbors have them,
            as far as either is known.
        """
        own, other, n = self.labels[row], self.suggested[row], self.n_neighbors
        told = []
        if np.isfinite(self.confidence[row]):
            told.append(
                f"{own} {self.confidence[row]:.2f}, {other} {self.other_confidence[row]:.2f}"
            )
        if np.isfinite(self.neighbor_share[row]):
            shares = (self.neighbor_share[row], self.other_neighbor_share[row])
            counts = [round(share * n) for share in shares]
            told.append(f"of {n} neighbors {counts[0]} {own}, {counts[1]} {other}")
        return "; ".join(told) or (own if own == NO_LABEL else f"{own}, not judged")

    def table(self, n: int = _SHOWN) -> list[dict[str, Any]]:
        """Return the most suspicious labels.

        Parameters
        ----------
        n : int, default=20
            How many.

        Returns
        -------
        list of dict
            ``row``, ``label``, ``suggested``, ``score``, ``is_issue`` and ``reason``, the most
            suspicious first; made for ``pandas.DataFrame``.
        """
        return [
            {
                "row": int(row),
                "label": self.labels[row],
                "suggested": self.suggested[row],
                "score": float(self.score[row]),
                "is_issue": bool(self.is_issue[row]),
                "reason": self.reason(int(row)),
            }
            for row in self.order[:n]
        ]

    def __repr__(self) -> str:
        lines = [
            f"{line['row']:>8}  {line['score']:.2f}  {line['reason']}" for line in self.table(10)
        ]
        return "\n".join([self._headline(), f"{'row':>8}  score", *lines])

    def _repr_html_(self) -> str:
        rows = "<tr><th>row</th><th>label</th><th>suggested</th><th>score</th><th>reason</th></tr>"
        for line in self.table():
            told = [escape(str(line[key])) for key in ("label", "suggested", "reason")]
            name = rf"(?<!\w)({'|'.join(map(re.escape, told[:2]))})(?!\w)"
            own, other, why = (re.sub(name, r"<bdi>\1</bdi>", text) for text in told)
            cells = (line["row"], own, other, f"{line['score']:.2f}", why)
            rows += f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
        return f"<p>{escape(self._headline())}</p><table>{rows}</table>"

    def _headline(self) -> str:
        return f"another label is preferred for {self.is_issue.sum():,} of {len(self.order):,}"


def label_issues(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    cv: Any = 5,
    n_neighbors: int = 20,
    names: Any = None,
    random_state: Any = 0,
    n_jobs: int | None = None,
) -> LabelIssues:
    """Find labels that are probably wrong.

    The estimator is fitted on all folds but one and asked about the faces of the one, so that
    nobody judges a label that it has learned. A label is suspicious where the model gives it a
    small probability, and where few of the nearest faces among those of the training part, which
    are of other persons, have it.

    Parameters
    ----------
    estimator : estimator
        Unfitted: an embedder that predicts, or a pipeline; cloned for each fold. What has no
        ``predict_proba`` is judged by the neighbors alone, what does not embed by the model alone.
    X : array-like
        Samples.
    y : array-like of shape (n,)
        Labels, numbers or words; samples without one are left out.
    groups : array-like of shape (n,), default=None
        Persons, which are kept apart, also by an embedder with ``early_stopping`` (alone or in a
        pipeline); without them every face is a person.
    cv : int, splitter or iterable, default=5
        Folds, each sample tested once. A number makes stratified ones, of persons apart if there
        are `groups`; None makes five.
    n_neighbors : int, default=20
        How many of the nearest faces are asked: at most half as many as a class has in the mean in
        the smallest training part, since of more many would have to be of other classes.
    names : sequence, mapping or Bunch, default=None
        Names of integer classes: ``bunch.target_names``, a dict, or the Bunch.
    random_state : int, RandomState or None, default=0
        Shuffles the folds.
    n_jobs : int, default=None
        Folds to fit side by side, as in joblib.

    Returns
    -------
    LabelIssues
        What is known about each label, with a ranked table.

    Raises
    ------
    ArgumentError
        If the arguments do not fit together, a sample is not tested exactly once, folds do not
        keep the `groups` apart, or no training part has a class that is tested.

    Warns
    -----
    UserWarning
        If training parts lack the class of a sample, as where one person alone has it: no model
        was shown the class, so the label is not judged, and its score is NaN.

    See Also
    --------
    LabelIssuesDisplay : The faces themselves.

    Notes
    -----
    The score is ``1 - sqrt(p * s)``, where p is the probability of the own label, s the share of
    the neighbors that have it, each neighbor and half a one of every class counted (our reading of
    how to join the two). A label is called an issue where both prefer the same other one; how many
    of these are wrong depends on how good the model is, so look at the faces.
    ``python -m benchmarks.label_issues`` compares the ranking with that of cleanlab [1]_.

    References
    ----------
    .. [1] C. G. Northcutt, L. Jiang, I. L. Chuang, "Confident learning: estimating uncertainty in
       dataset labels", Journal of Artificial Intelligence Research 70, 2021.

    Examples
    --------
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skfer.datasets import make_expressions
    >>> from skfer.inspection import label_issues
    >>> faces = make_expressions(
    ...     12, 2, image_size=16, classes=["anger", "happiness", "surprise"], random_state=0
    ... )
    >>> y = faces.target_names[faces.target]
    >>> y[7] = "happiness"
    >>> issues = label_issues(
    ...     KNeighborsClassifier(9), faces.action_units, y, groups=faces.groups
    ... )
    >>> issues.table(1)[0]["row"], issues.table(1)[0]["suggested"]
    (7, 'anger')
    """
    check_int(n_neighbors, "n_neighbors", at_least=1)
    check_int(n_jobs, "n_jobs", at_least=-_MOST_JOBS, at_most=_MOST_JOBS, optional=True)
    check_random_seed(random_state)
    if not hasattr(estimator, "fit"):
        raise ArgumentError("{estimator} must be an estimator, got {}.", shown(estimator))
    n = check_same_length(X=X)
    labels = read_labels(y, names, n_samples=n)
    known = np.flatnonzero(labels.codes != UNLABELED)
    if len(labels.classes) < 2:
        raise ArgumentError("{y} has {} classes: give at least two.", len(labels.classes))
    persons = None
    if groups is not None:
        persons = check_groups(groups, n_samples=n)[known]
    # A memory map that is wanted whole stays one.
    inner = X if len(known) == n else _safe_indexing(X, known)
    codes = labels.codes[known]
    classes = _of_plain_type(labels.classes)
    splits = list(_splits(cv, inner, codes, persons, random_state))
    judged = _can_be_judged(splits, labels, codes, cv)
    least = min(len(train) for train, _ in splits)
    n_neighbors = min(n_neighbors, max(1, round(least / len(classes) / 2)))
    task = delayed(_judge_fold)
    found = Parallel(n_jobs=n_jobs)(
        task(estimator, inner, classes[codes], persons, classes, train, test, n_neighbors)
        for train, test in splits
    )
    model, votes = (_in_order(parts, splits) for parts in zip(*found, strict=True))
    model, votes = (None if table is None else table[judged] for table in (model, votes))
    return _issues(labels, known[judged], model, votes, n_neighbors)


def _of_plain_type(classes: NDArray[Any]) -> NDArray[Any]:
    """Return classes as scikit-learn takes them, which refuses numbers in an array of objects."""
    return np.array(classes.tolist()) if classes.dtype == object else classes


def _splits(
    cv: Any, X: Any, codes: NDArray[np.intp], groups: Any, random_state: Any
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    if cv is None or isinstance(cv, Integral):
        kind = StratifiedKFold if groups is None else StratifiedGroupKFold
        n_folds = 5 if cv is None else check_int(cv, "cv", at_least=2)
        cv = kind(n_folds, shuffle=True, random_state=random_state)
    tested = np.zeros(len(codes), dtype=np.intp)
    try:
        rows = np.arange(len(codes))
        folds = [(rows[train], rows[test]) for train, test in check_cv(cv).split(X, codes, groups)]
    except (ValueError, TypeError, IndexError) as error:
        raise ArgumentError("{cv} {} cannot split the samples: {}", shown(cv), error) from error
    for train, test in folds:
        if groups is not None and np.isin(groups[test], groups[train]).any():
            raise ArgumentError(
                "{cv} {} tests a person of whom its training part has faces too: give a number, "
                "or a splitter that keeps {groups} apart.",
                shown(cv),
            )
        tested[test] += 1
        yield train, test
    if (tested != 1).any():
        raise ArgumentError(
            "{cv} must test each sample once, and tests {} of {} not at all or more often.",
            int((tested != 1).sum()),
            len(tested),
        )


def _can_be_judged(
    splits: list[tuple[NDArray[np.intp], NDArray[np.intp]]],
    labels: Labels,
    codes: NDArray[np.intp],
    cv: Any,
) -> NDArray[np.bool_]:
    """Tell which labels are of a class that the training part of their fold has; warn of others."""
    judged = np.zeros(len(codes), dtype=bool)
    for train, test in splits:
        judged[test] = np.isin(codes[test], codes[train])
    if not judged.any():
        raise ArgumentError(
            "{cv} {} leaves no label to be judged: every training part lacks the classes that are "
            "tested. Have it shuffle, or give a number.",
            shown(cv),
        )
    if not judged.all():
        names = [labels.of(code) for code in np.unique(codes[~judged])]
        warn_caller(
            f"{(~judged).sum():,} labels are not judged, and have the score NaN: the training part "
            f"of their fold lacks their class, which is one of {shown(names)}. Add faces of other "
            "persons to it, leave it out, or give a cv whose training parts have it."
        )
    return judged


def _judge_fold(
    estimator: Any,
    X: Any,
    y: NDArray[Any],
    groups: NDArray[Any] | None,
    classes: NDArray[Any],
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    n_neighbors: int,
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Return probabilities of a fold's samples by a model of the others, and neighbors' votes."""
    told = told_groups(estimator, None if groups is None else groups[train])
    fitted = clone(estimator).fit(_safe_indexing(X, train), y[train], **told)
    asked = _safe_indexing(X, test)
    model = None
    if hasattr(fitted, "predict_proba"):
        model = np.zeros((len(test), len(classes)))
        model[:, np.searchsorted(classes, fitted.classes_)] = fitted.predict_proba(asked)
    try:
        where = embed(fitted, asked)
    except ArgumentError:
        return _at_least_one(model, None)
    nearest = NearestNeighbors(n_neighbors=n_neighbors)
    nearest.fit(embed(fitted, _safe_indexing(X, train)))
    found = y[train][nearest.kneighbors(where, return_distance=False)]
    votes = np.stack([(found == label).mean(axis=1) for label in classes], axis=1)
    return _at_least_one(model, votes)


def _at_least_one(model: Any, votes: Any) -> tuple[Any, Any]:
    if model is None and votes is None:
        raise ArgumentError(
            "{estimator} must predict probabilities or embed, and has neither predict_proba nor "
            "transform."
        )
    return model, votes


def _in_order(parts: Any, splits: Any) -> NDArray[np.float64] | None:
    """Join what the folds found, row by row."""
    if any(part is None for part in parts):
        return None
    rows = np.concatenate([test for _, test in splits])
    joined = np.concatenate(parts)
    return joined[np.argsort(rows)]


class _Preference(NamedTuple):
    """Own and best other value of each row, and which class the other is."""

    own: NDArray[np.float64]
    other: NDArray[np.float64]
    other_class: NDArray[np.intp]


def _preference(table: NDArray[np.float64], codes: NDArray[np.intp]) -> _Preference:
    rows = np.arange(len(table))
    others = table.copy()
    others[rows, codes] = -1
    other_class = others.argmax(axis=1)
    return _Preference(table[rows, codes], table[rows, other_class], other_class)


def _issues(
    labels: Labels, known: NDArray[np.intp], model: Any, votes: Any, n_neighbors: int
) -> LabelIssues:
    codes = labels.codes[known]
    joined = _joined(model, votes, n_neighbors, len(labels.classes))
    both = _preference(joined, codes)
    n = len(labels.codes)
    rows = np.arange(len(codes))

    def spread(values: Any) -> NDArray[np.float64]:
        whole = np.full(n, np.nan)
        whole[known] = values
        return whole

    def shares(table: Any, columns: NDArray[np.intp]) -> NDArray[np.float64]:
        return spread(np.nan if table is None else table[rows, columns])

    proba = None
    if model is not None:
        proba = np.full((n, model.shape[1]), np.nan)
        proba[known] = model
    is_issue = np.zeros(n, dtype=bool)
    is_issue[known] = _is_issue([t for t in (model, votes) if t is not None], codes)
    suggested = labels.codes.copy()
    suggested[known] = both.other_class
    return LabelIssues(
        labels=[labels.of(code) for code in labels.codes],
        suggested=[labels.of(code) for code in suggested],
        score=spread(1 - both.own),
        confidence=shares(model, codes),
        other_confidence=shares(model, both.other_class),
        neighbor_share=shares(votes, codes),
        other_neighbor_share=shares(votes, both.other_class),
        is_issue=is_issue,
        n_neighbors=n_neighbors,
        proba=proba,
        classes=labels.classes,
    )


def _joined(model: Any, votes: Any, n_neighbors: int, n_classes: int) -> NDArray[np.float64]:
    """Return the geometric mean of the model's probabilities and the neighbors' shares."""
    if votes is None:
        return model
    # A class that no neighbor has is not impossible.
    smooth = (votes * n_neighbors + 0.5) / (n_neighbors + 0.5 * n_classes)
    if model is None:
        return smooth
    return np.sqrt(np.clip(model, _LEAST, 1) * smooth)


def _is_issue(tables: list[NDArray[np.float64]], codes: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Whether all tables prefer the same class to the own one; of several that tie, any."""
    agreed = np.ones(tables[0].shape, dtype=bool)
    for table in tables:
        best = _preference(table, codes)
        agreed &= (table == best.other[:, None]) & (best.other > best.own)[:, None]
    return np.asarray(agreed.any(axis=1))
