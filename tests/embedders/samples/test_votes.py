"""What several people said of each sample: soft targets, routed beside y."""

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array, csr_matrix
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from skfer import CrossEntropyEmbedder, GaussianMetricEmbedder, MetricLossEmbedder
from skfer.embedders.samples._votes import check_votes
from skfer.exceptions import ArgumentError
from skfer.losses import MultiThresholdTripletLoss
from skfer.nets import Embedded
from skfer.training import Objective


@pytest.fixture
def voted(rows):
    """Rows, labels and the votes of ten people, of whom most agree with the label."""
    X, y = rows
    rng = np.random.RandomState(0)
    codes = np.unique(y, return_inverse=True)[1]
    votes = rng.multinomial(4, np.full(3, 1 / 3), len(y)) + 6 * np.eye(3)[codes]
    return X, y, votes


def test_votes_of_one_mind_are_labels(embedder, rows):
    """Up to rounding: other sums, which the optimizer's first steps can turn into a whole step."""
    X, y = rows
    votes = 7 * np.eye(3)[np.unique(y, return_inverse=True)[1]]
    embedder.set_params(max_epochs=1, lr=1e-3)
    expected = embedder.fit(X, y).transform(X)
    loss = embedder.history_[0]["train_loss"]
    apart = np.abs(embedder.fit(X, y, votes=votes).transform(X) - expected)
    assert apart.max() < 0.05  # 0.024 on one of two kinds of processors, in one of 640 places
    assert apart.mean() < 1e-3
    assert embedder.history_[0]["train_loss"] == pytest.approx(loss, abs=1e-3)


def test_votes_change_what_is_learned(embedder, voted):
    X, y, votes = voted
    plain = embedder.fit(X, y).transform(X)
    fitted = embedder.fit(X, y, votes=votes)
    assert np.abs(fitted.transform(X) - plain).max() > 1e-3
    shares = votes / 10
    assert_array_equal(embedder.fit(X, y, votes=shares).transform(X), fitted.transform(X))
    assert_array_equal(embedder.fit_transform(X, y, votes=votes), fitted.transform(X))


def test_votes_in_parts_and_with_early_stopping(embedder, voted):
    X, y, votes = voted
    embedder.partial_fit(X, y, votes=votes)
    first = embedder.transform(X)
    embedder.partial_fit(X, y, votes=votes)
    assert np.abs(embedder.transform(X) - first).max() > 0
    embedder.set_params(early_stopping=True, validation_fraction=0.3).fit(X, y, votes=votes)
    assert np.isfinite(embedder.history_[-1]["valid_loss"])


@pytest.mark.usefixtures("routing")
def test_votes_are_routed(voted):
    X, y, votes = voted
    seen = []

    class Watched(CrossEntropyEmbedder):
        def fit(self, X, y, groups=None, votes=None):
            seen.append(None if votes is None else votes.shape)
            return super().fit(X, y, votes=votes)

    embedder = Watched(8, max_epochs=1, random_state=0).set_fit_request(votes=True)
    model = make_pipeline(embedder, KNeighborsClassifier(3))
    model.fit(X, y, votes=votes)
    assert seen == [(40, 3)]
    scores = cross_validate(model, X, y, params={"votes": votes}, cv=2)["test_score"]
    assert np.isfinite(scores).all()
    assert seen[1:] == [(20, 3), (20, 3)]
    search = GridSearchCV(model, {"kneighborsclassifier__n_neighbors": [1, 3]}, cv=2)
    search.fit(X, y, votes=votes)
    assert None not in seen
    assert seen[-1] == (40, 3)


def test_soft_targets_make_a_posterior_as_unsure_as_the_voters():
    """Rows without information, of which the people say the same: 7 of 10 the first class."""
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(60, 2)), np.arange(60) % 2
    votes = np.tile([7, 3], (60, 1))
    model = CrossEntropyEmbedder(4, max_epochs=60, lr=0.01, random_state=0)
    probabilities = model.fit(X, y, votes=votes).predict_proba(X)
    assert np.abs(probabilities - [0.7, 0.3]).mean() < 0.05


class TestObjective:
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(6) % 3
    votes = torch.tensor([[0.5, 0.5, 0]] * 6)

    def test_cross_entropy_with_soft_targets(self):
        value = Objective(None, 1.0)(Embedded(self.logits, self.logits), self.labels, self.votes)
        torch.testing.assert_close(value, F.cross_entropy(self.logits, self.votes))

    def test_class_weights_mean_what_they_mean_with_labels(self):
        weight, one_hot = torch.tensor([1.0, 2.0, 5.0]), torch.eye(3)[self.labels]
        objective = Objective(None, 1.0, class_weight=weight)
        output = Embedded(self.logits, self.logits)
        torch.testing.assert_close(
            objective(output, self.labels, one_hot), objective(output, self.labels)
        )

    def test_samples_without_votes_do_not_count(self):
        votes = self.votes.clone()
        votes[3:] = 0
        output = Embedded(self.logits, self.logits)
        some = Embedded(self.logits[:3], self.logits[:3])
        objective = Objective(None, 1.0)
        expected = objective(some, self.labels[:3], votes[:3])
        torch.testing.assert_close(objective(output, self.labels, votes), expected)


def test_a_loss_is_told_of_votes_if_it_asks(voted):
    X, y, votes = voted
    seen = []

    def loss(embeddings, labels, votes=None):
        seen.append(None if votes is None else votes.sum(1).tolist())
        return embeddings.square().mean()

    model = MetricLossEmbedder(loss, embedding_dim=4, max_epochs=1, random_state=0)
    model.fit(X, y, votes=votes)
    assert all(np.allclose(sums, 1) for sums in seen)
    model.set_params(loss=MultiThresholdTripletLoss([0.5]), max_epochs=2)
    plain = model.fit(X, y).transform(X)
    assert np.abs(model.fit(X, y, votes=votes).transform(X) - plain).max() > 1e-4


def test_a_sample_without_a_label_takes_the_class_with_most_votes(voted):
    X, y, votes = voted
    codes = np.unique(y, return_inverse=True)[1]
    some = np.where(np.arange(40) % 5 == 0, -1, codes)
    votes[:, 2] += votes[:, 2] == votes.max(1)  # no draws
    model = CrossEntropyEmbedder(8, max_epochs=1, random_state=0).fit(X, some, votes=votes)
    full = np.where(some < 0, votes.argmax(1), codes)
    assert_array_equal(model.class_count_, np.bincount(full))
    votes[0] = 0
    with pytest.raises(ArgumentError, match=r"votes .* the sample 0 has neither"):
        model.fit(X, some, votes=votes)
    half = GaussianMetricEmbedder(8, max_epochs=4, random_state=0).fit(X, some, votes=votes)
    assert len(half.transduction_) == 40


def test_columns_are_classes_or_codes():
    codes, classes = np.array([0, 1, 2, -1]), np.array([1, 3, 4])
    votes = np.array([[9, 1, 0, 0, 0], [0, 0, 0, 2, 2], [np.nan] * 5, [0, 1, np.nan, 0, 3]])
    found, shares = check_votes(votes, codes, classes, accepts_unlabeled=False)
    assert_array_equal(found, [0, 1, 2, 2])
    assert_array_equal(shares, [[1, 0, 0], [0, 0.5, 0.5], [0, 0, 1], [0.25, 0, 0.75]])
    assert shares.dtype == np.float32
    same = check_votes(votes[:, [1, 3, 4]], codes, classes, accepts_unlabeled=False)[1]
    assert_array_equal(same, shares)


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("change", [np.array(["calm", "glad", "sad"]), np.arange(1, 4)])
def test_folds_that_lack_a_class_need_a_data_frame(change, voted):
    X, y, votes = voted
    codes = np.unique(y, return_inverse=True)[1]
    y = change[codes]
    rows = np.flatnonzero(codes == 1)
    folds = [(np.setdiff1d(np.arange(len(y)), rows), rows)]
    model = CrossEntropyEmbedder(4, max_epochs=1, random_state=0).set_fit_request(votes=True)
    told = (
        "votes must have a column for each of the 2 classes .* got 3 columns. In cross-validation, "
        "where a fold may lack a class, give a data frame whose columns are named after the classes"
    )
    options = {"cv": folds, "error_score": "raise"}
    with pytest.raises(ArgumentError, match=told):
        cross_validate(model, X, y, params={"votes": votes}, **options)
    named = pd.DataFrame(votes, columns=change)
    scores = cross_validate(model, X, y, params={"votes": named}, **options)
    assert scores["test_score"].shape == (1,)


def test_too_few_columns_are_no_matter_of_folds(rows):
    with pytest.raises(ArgumentError, match=r"3 classes .*; got 2 columns\.$"):
        CrossEntropyEmbedder(8, max_epochs=1).fit(*rows, votes=np.ones((40, 2)))


def test_nobody_may_be_nan(voted):
    """As a pivot of a table of single votes has it."""
    X, y, votes = voted
    some = np.where(votes > 0.2, votes, 0)
    pivot = np.where(some > 0, some, np.nan)
    embedders = [CrossEntropyEmbedder(8, max_epochs=2, random_state=0) for _ in range(2)]
    Z, W = (
        e.fit(X, y, votes=v).transform(X) for e, v in zip(embedders, (some, pivot), strict=True)
    )
    assert_array_equal(Z, W)


def _with_one_more(votes):
    # pandas 2.0 warns where `assign` puts a word beside numbers that are names of columns.
    return pd.DataFrame({**votes, "other": 1})


@pytest.mark.parametrize("names", [["calm", "glad", "sad"], [3, 5, 7], ["1", "2", "4"]])
def test_named_columns_are_found_by_name(names):
    classes = np.array(names)
    codes = np.arange(9) % 3
    votes = pd.DataFrame(np.random.default_rng(0).integers(1, 9, (9, 3)), columns=names)
    _, expected = check_votes(votes.to_numpy(), codes, classes, accepts_unlabeled=False)
    other = _with_one_more(votes)[[names[2], "other", names[0], names[1]]]
    for frame in (votes, votes[names[::-1]], other, votes.rename(columns=str)):
        found = check_votes(frame, codes, classes, accepts_unlabeled=False)[1]
        assert_array_equal(found, expected)
    nameless = pd.DataFrame(votes.to_numpy())
    assert_array_equal(check_votes(nameless, codes, classes, accepts_unlabeled=False)[1], expected)
    with pytest.raises(ArgumentError, match=r"votes have the columns \['a', 'b', 'c'\]"):
        check_votes(votes.set_axis(list("abc"), axis=1), codes, classes, accepts_unlabeled=False)


@pytest.mark.parametrize("columns", [["0", "4", "7"], [0, 4, 7], [0.0, 4.0, 7.0], ["7", 4, 0.0]])
@pytest.mark.parametrize("kind", [int, float])
def test_numbers_are_found_by_value(columns, kind):
    codes, classes = np.arange(9) % 3, np.array([0, 4, 7], dtype=kind)
    votes = pd.DataFrame(np.random.default_rng(0).integers(1, 9, (9, 3)), columns=columns)
    order = np.argsort([float(name) for name in columns])
    _, expected = check_votes(votes.to_numpy()[:, order], codes, classes, accepts_unlabeled=False)
    found = check_votes(_with_one_more(votes), codes, classes, accepts_unlabeled=False)[1]
    assert_array_equal(found, expected)


def test_words_are_not_found_by_value():
    votes = pd.DataFrame(np.ones((3, 3)), columns=["1", "2", "3"])
    with pytest.raises(ArgumentError, match="votes have the columns"):
        check_votes(votes, np.arange(3), np.array(["01", "1", "2"]), accepts_unlabeled=False)


@pytest.mark.parametrize("as_frame", [False, True])
def test_classes_that_are_whole_floats_are_codes(as_frame):
    codes, classes = np.arange(9) % 3, np.array([0, 4, 7])
    votes = np.random.default_rng(0).integers(1, 9, (9, 8))
    expected = check_votes(votes, codes, classes, accepts_unlabeled=False)[1]
    given = pd.DataFrame(votes) if as_frame else votes
    found = check_votes(given, codes, classes.astype(float), accepts_unlabeled=False)[1]
    assert_array_equal(found, expected)
    with pytest.raises(ArgumentError, match="votes must have a column for each of the 3 classes"):
        check_votes(given, codes, classes + 0.5, accepts_unlabeled=False)


@pytest.mark.parametrize("change", [torch.Tensor.half, torch.Tensor.requires_grad_])
def test_votes_in_a_tensor(voted, change):
    X, y, votes = voted
    model = CrossEntropyEmbedder(4, max_epochs=1, random_state=0)
    expected = model.fit(X, y, votes=votes).transform(X)
    given = change(torch.tensor(votes).float())
    assert_array_equal(model.fit(X, y, votes=given).transform(X), expected)


def test_columns_in_another_order_are_noticed(voted):
    """As those of the table of FER+, whose order is not that of the codes."""
    X, y, votes = voted
    with pytest.raises(ArgumentError, match=r"votes give the labels a share of 0\.0\d in the mean"):
        CrossEntropyEmbedder(8, max_epochs=1).fit(X, y, votes=votes[:, [1, 2, 0]] ** 3)


@pytest.mark.parametrize(
    ("votes", "message"),
    [
        (np.ones((40, 2)), r"votes must have a column for each of the 3 classes .*; got 2"),
        (np.ones((40, 5)), "votes must have a column for each of the 3 classes"),
        (np.ones((39, 3)), r"votes must be of shape .* 40 samples; got shape \(39, 3\)"),
        (np.ones(40), r"got shape \(40,\)"),
        (-np.ones((40, 3)), "none of them negative"),
        (np.full((40, 3), np.inf), "none of them negative or infinite"),
        ([["a", "b", "c"]] * 40, "votes must be an array of numbers"),
        (csr_matrix(np.ones((40, 3))), "votes must be a dense array, got a sparse one of shape"),
        (csr_array(np.ones((40, 3))), r"of shape \(40, 3\): give votes.toarray\(\)"),
    ],
)
def test_votes_that_do_not_fit(votes, message, rows):
    with pytest.raises(ArgumentError, match=message):
        CrossEntropyEmbedder(8, max_epochs=1).fit(*rows, votes=votes)


@pytest.mark.parametrize("classes", [[0, 2], [1, 2]])
def test_columns_of_other_classes_are_not_mistaken_for_integers(classes):
    """Of a fold that lacks the last of three classes, whose columns are in their order."""
    votes = np.array([[9, 1, 0], [1, 9, 0], [8, 1, 1]])
    codes = np.array([0, 1, 0])
    with pytest.raises(ArgumentError, match=r"votes have 3 columns .* for each integer"):
        check_votes(votes, codes, np.array(classes), accepts_unlabeled=False)
    by_integer = np.zeros((3, 4))
    by_integer[:, [*classes, 3]] = votes
    shares = check_votes(by_integer, codes, np.array(classes), accepts_unlabeled=False)[1]
    assert_array_equal(shares.argmax(axis=1), codes)


@pytest.mark.parametrize(
    "embedder",
    [
        GaussianMetricEmbedder(8, mixup="batch", classification_weight=0),
        GaussianMetricEmbedder.from_paper(image_size=None),
        MetricLossEmbedder(embedding_dim=8, classification_weight=0),
    ],
)
def test_votes_that_nothing_heeds_are_refused(embedder, voted):
    X, y, votes = voted
    with pytest.raises(ArgumentError, match="votes would change nothing"):
        embedder.set_params(max_epochs=1).fit(X, y, votes=votes)
    assert not hasattr(embedder, "net_")
    embedder.fit(X, y)
