"""Votes in a comparison: who is given them, which rows and columns, and under which key."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.decomposition import PCA
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skfer import CrossEntropyEmbedder, GaussianMetricEmbedder
from skfer.embedders import WithLabels
from skfer.evaluation import compare
from skfer.evaluation._votes import takes_votes, told_votes
from skfer.exceptions import ArgumentError

RNG = np.random.default_rng(0)
Y = np.array(["fear", "joy", "rage"])[np.arange(24) % 3]
X = RNG.random((24, 5)) + (np.arange(24) % 3)[:, None]
VOTES = RNG.multinomial(4, np.full(3, 1 / 3), 24) + 6 * np.eye(3)[np.arange(24) % 3]
SPLITS = [(np.arange(12), np.arange(12, 24)), (np.arange(12, 24), np.arange(12))]
EMBEDDER = CrossEntropyEmbedder(4, max_epochs=2, random_state=0)
told = []


def without_votes(estimator):
    with sklearn.config_context(enable_metadata_routing=True):
        return clone(estimator).set_fit_request(votes=False)


class Listening(TransformerMixin, BaseEstimator):
    """Tells what its fit is given."""

    def __init__(self, name="listening"):
        self.name = name

    def fit(self, X, y, votes=None):
        told.append((X, y, votes))
        self.is_fitted_ = True
        return self

    def transform(self, X):
        return X


@pytest.fixture(autouse=True)
def _nothing_told():
    told.clear()


def test_votes_are_given_with_the_rows_of_a_fold():
    list(compare({"a": Listening(), "b": without_votes(Listening())}, X, Y, SPLITS, votes=VOTES))
    assert len(told) == 4
    for (train, _), with_votes, hard in zip(SPLITS, told[::2], told[1::2], strict=True):
        assert_array_equal(with_votes[2], VOTES[train])
        assert hard[2] is None


@pytest.mark.parametrize("index", [range(24), range(23, -1, -1)])
def test_columns_of_a_data_frame_keep_their_names(index):
    frame = pd.DataFrame(VOTES[:, ::-1], columns=["rage", "joy", "fear"], index=index)
    list(compare({"a": Listening()}, X, Y, SPLITS, votes=frame))
    for (train, _), (_, _, votes) in zip(SPLITS, told, strict=True):
        assert_array_equal(votes[["fear", "joy", "rage"]], VOTES[train])


def test_a_fold_without_a_class_is_given_the_columns_of_the_others():
    lacking = np.flatnonzero(Y != "joy")
    (fit,) = compare({"a": EMBEDDER}, X, Y, [(lacking, np.arange(24))], votes=VOTES)
    assert set(fit.predicted) <= {"fear", "rage"}
    list(compare({"a": Listening()}, X, Y, [(lacking, np.arange(24))], votes=VOTES))
    assert_array_equal(told[0][2], VOTES[lacking][:, [0, 2]])


def test_a_method_with_votes_stands_beside_the_same_without():
    methods = {
        "votes": EMBEDDER,
        "labels": without_votes(EMBEDDER),
        "piped": make_pipeline(StandardScaler(), EMBEDDER),
        "piped labels": make_pipeline(StandardScaler(), without_votes(EMBEDDER)),
        "pca": PCA(2),
    }
    fits = list(compare(methods, X, Y, SPLITS, votes=VOTES))
    points = {fit.method: fit.points for fit in fits if fit.fold == 0}
    plain = {fit.method: fit.points for fit in compare(methods, X, Y, SPLITS[:1])}
    assert {name for name in methods if points[name] == plain[name]} == {
        "labels",
        "piped labels",
        "pca",
    }
    train, test = SPLITS[0]
    alone = clone(EMBEDDER).fit(X[train], Y[train], votes=VOTES[train])
    (own,) = compare({"e": EMBEDDER}, X, Y, SPLITS[:1], votes=VOTES, classifier="own")
    assert own.predicted == alone.predict(X[test]).tolist()


def test_who_takes_votes():
    assert takes_votes(EMBEDDER)
    assert takes_votes(make_pipeline(PCA(2), "passthrough", make_pipeline(EMBEDDER)))
    assert takes_votes(WithLabels(EMBEDDER))
    hard = pickle.loads(pickle.dumps(without_votes(EMBEDDER)))  # as in another process
    for other in (PCA(2), hard, make_pipeline(PCA(2), hard), WithLabels(hard), WithLabels(PCA(2))):
        assert not takes_votes(other)
        assert told_votes(other, VOTES) == {}
    assert not takes_votes(without_votes(WithLabels(EMBEDDER)))
    assert list(told_votes(make_pipeline(PCA(2), EMBEDDER), VOTES)) == [
        "crossentropyembedder__votes"
    ]
    assert told_votes(EMBEDDER, None) == {}


def test_pipelines_that_route_send_votes_by_their_requests():
    with sklearn.config_context(enable_metadata_routing=True):
        asking = Listening().set_fit_request(votes=True)
        methods = {"a": make_pipeline(StandardScaler(), asking), "b": Listening()}
        list(compare(methods, X, Y, SPLITS[:1], votes=VOTES))
        assert_array_equal(told[0][2], VOTES[:12])
        assert_array_equal(told[1][2], VOTES[:12])
        with pytest.raises(UnsetMetadataPassedError, match="votes"):
            list(compare({"a": make_pipeline(Listening())}, X, Y, SPLITS, votes=VOTES))


WRONG = {
    "rows": (VOTES[:-1], "votes must be of shape .* each of the 24 samples"),
    "columns": (VOTES[:, :2], "votes must have a column for each of the 3 classes"),
    "negative": (-VOTES, "votes must be counts or shares, none of them negative"),
    "order": (VOTES[:, [1, 2, 0]], "votes give the labels a share of .* in the order"),
    "names": (pd.DataFrame(VOTES, columns=list("abc")), "votes have the columns"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_votes_are_refused_before_anything_is_trained(kind):
    votes, said = WRONG[kind]
    with pytest.raises(ArgumentError, match=said):
        list(compare({"a": Listening()}, X, Y, SPLITS, votes=votes))
    assert told == []


def test_kept_fits_are_of_these_votes(tmp_path):
    methods = {"votes": Listening(), "labels": without_votes(Listening())}

    def n_fits(**options):
        told.clear()
        fits = list(compare(methods, X, Y, SPLITS, results=tmp_path / "x", **options))
        assert len(fits) == 4
        return len(told)

    assert n_fits() == 4
    assert n_fits(votes=VOTES) == 2  # hard labels are what they were
    assert n_fits(votes=VOTES) == 0
    assert n_fits(votes=VOTES + 1) == 2
    assert n_fits() == 0
    frame = pd.DataFrame(VOTES, columns=["fear", "joy", "rage"])
    assert n_fits(votes=frame) == 2
    assert n_fits(votes=frame) == 0
    assert n_fits(votes=frame.set_axis(["fear", "rage", "joy"], axis=1)[["fear", "joy", "rage"]])


def test_a_vote_stands_for_a_label_that_is_missing():
    y = Y.astype(object)
    y[[0, 1, 20]] = None
    votes = VOTES.astype(float)
    votes[1] = np.nan
    methods = {"votes": EMBEDDER, "gaussian": GaussianMetricEmbedder(4, max_epochs=1)}
    methods["labels"] = without_votes(EMBEDDER)
    fits = list(compare(methods, X, y, SPLITS[:1], votes=votes))
    found = {fit.method: (fit.n_train, fit.n_unlabeled, fit.n_test) for fit in fits}
    assert found == {"votes": (10, 1, 11), "gaussian": (10, 2, 11), "labels": (10, 0, 11)}
