"""Labels that are probably wrong."""

import json

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold, LeaveOneGroupOut, ShuffleSplit, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skfer
from skfer.embedders.samples._validation import validation_split
from skfer.exceptions import ArgumentError
from skfer.inspection import LabelIssuesDisplay, _label_issues, label_issues

X, Y = load_iris(return_X_y=True)
MODEL = make_pipeline(StandardScaler(), LogisticRegression())


class Oracle(ClassifierMixin, TransformerMixin, BaseEstimator):
    """Says what stands in X: a place, and the probability of each class."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.n_fitted_ = len(X)
        return self

    def transform(self, X):
        return X[:, :1]

    def predict(self, X):
        return self.classes_[X[:, 1:].argmax(axis=1)]

    def predict_proba(self, X):
        return X[:, 1:]


def by_hand():
    """Two places of six faces each; the last of each has another's label."""
    place = np.repeat([0.0, 10.0], 6) + np.arange(12) / 100
    y = np.array(["joy"] * 5 + ["rage"] + ["rage"] * 5 + ["joy"])
    sure = np.where(place < 5, 0.9, 0.2)
    return np.column_stack([place, sure, 1 - sure]), y


def test_what_is_known_of_each_label_by_hand():
    samples, y = by_hand()
    folds = KFold(2, shuffle=True, random_state=3)
    issues = label_issues(Oracle(), samples, y, cv=folds, n_neighbors=1)
    assert set(issues.order[:2]) == {5, 11}
    np.testing.assert_allclose(issues.confidence[[0, 5, 6, 11]], [0.9, 0.1, 0.8, 0.2])
    np.testing.assert_allclose(issues.other_confidence[[5, 11]], [0.9, 0.8])
    assert [issues.suggested[row] for row in (5, 11)] == ["joy", "rage"]
    for train, test in folds.split(samples):
        for row in test:
            nearest = train[np.abs(samples[train, 0] - samples[row, 0]).argmin()]
            assert issues.neighbor_share[row] == (y[nearest] == y[row])
            smooth = (issues.neighbor_share[row] + 0.5) / 2
            expected = 1 - np.sqrt(issues.confidence[row] * smooth)
            assert issues.score[row] == pytest.approx(expected)


def test_wrong_labels_come_first():
    y = Y.copy()
    y[[5, 25, 45]] = 2
    issues = label_issues(MODEL, X, y)
    assert set(issues.order[:3]) == {5, 25, 45}
    assert issues.is_issue[[5, 25, 45]].all()
    assert issues.is_issue.sum() < 15
    assert [issues.suggested[row] for row in (5, 25, 45)] == ["0"] * 3
    assert ((issues.score >= 0) & (issues.score <= 1)).all()


def test_probabilities_are_those_of_models_that_have_not_seen_the_sample():
    folds = KFold(4, shuffle=True, random_state=1)
    issues = label_issues(MODEL, X, Y, cv=folds)
    expected = cross_val_predict(MODEL, X, Y, cv=folds, method="predict_proba")
    np.testing.assert_allclose(issues.confidence, expected[np.arange(150), Y])
    np.testing.assert_allclose(issues.proba, expected)
    many = label_issues(MODEL, X, Y, cv=folds, n_jobs=2)
    np.testing.assert_array_equal(many.score, issues.score)


def test_persons_are_kept_apart():
    groups = np.arange(150) // 5
    seen = []

    class Watching(Oracle):
        def fit(self, X, y):
            seen.append(set(X[:, 0]))
            return super().fit(X, y)

        def predict_proba(self, X):
            assert not seen[-1] & set(X[:, 0])
            return np.full((len(X), 3), 1 / 3)

    label_issues(Watching(), np.column_stack([groups, X]), Y, groups=groups, n_neighbors=3)
    assert len(seen) == 5
    one_out = label_issues(MODEL, X, Y, groups=groups, cv=LeaveOneGroupOut())
    assert np.isfinite(one_out.score).all()


def test_without_probabilities_or_without_an_embedding():
    y = Y.copy()
    y[25] = 2
    neighbors_alone = label_issues(make_pipeline(StandardScaler(), RidgeClassifier()), X, y)
    assert neighbors_alone.order[0] == 25
    assert np.isnan(neighbors_alone.confidence).all()
    model_alone = label_issues(LogisticRegression(max_iter=500), X, y)
    assert model_alone.order[0] == 25
    assert np.isnan(model_alone.neighbor_share).all()
    assert "neighbors" not in model_alone.reason(25)
    with pytest.raises(ArgumentError, match="neither predict_proba nor"):
        label_issues(RidgeClassifier(), X, y)


def test_rows_that_are_all_labeled_are_not_copied_as_a_whole(tmp_path, monkeypatch):
    X, y = load_iris(return_X_y=True)
    np.save(tmp_path / "X.npy", X)
    mapped, taken = np.load(tmp_path / "X.npy", mmap_mode="r"), []

    def take(rows, which):
        taken.append(len(which))
        return rows[which]

    monkeypatch.setattr(_label_issues, "_safe_indexing", take)
    label_issues(LogisticRegression(max_iter=1000), mapped, y, random_state=0)
    assert max(taken) < len(y)


def test_words_names_and_samples_without_a_label():
    words = np.array(["setosa", "versicolor", "virginica"])
    some = np.where(np.arange(150) % 10 == 0, "", words[Y])
    issues = label_issues(MODEL, X, some)
    assert np.isnan(issues.score[::10]).all()
    assert len(issues.order) == 135
    assert issues.labels[0] == "unlabeled"
    coded = label_issues(MODEL, X, np.where(np.arange(150) % 10 == 0, -1, Y), names=words)
    np.testing.assert_allclose(coded.score, issues.score)
    assert coded.labels == issues.labels


def test_table_and_reprs():
    y = Y.copy()
    y[25] = 2
    issues = label_issues(MODEL, X, y, names=["<a>", "b", "c"])
    lines = issues.table(3)
    assert lines[0] == {
        "row": 25,
        "label": "c",
        "suggested": "<a>",
        "score": issues.score[25],
        "is_issue": True,
        "reason": issues.reason(25),
    }
    json.dumps(lines)
    assert issues.reason(25).endswith("of 20 neighbors 0 c, 20 <a>")
    text = repr(issues)
    assert text.splitlines()[0].startswith("another label is preferred for ")
    assert len(text.splitlines()) == 12
    page = issues._repr_html_()
    assert "&lt;a&gt;" in page
    assert "<a>" not in page


@pytest.mark.parametrize(
    "model",
    [MODEL, make_pipeline(StandardScaler(), RidgeClassifier()), LogisticRegression(max_iter=1000)],
)
def test_labels_of_a_class_that_one_person_has_are_not_judged(model):
    """No model was shown the class: the person's faces are not called wrong for it."""
    y, groups = Y.copy(), np.arange(150) // 5
    y[10:15] = 7
    y[[30, 120]] = 2, 0
    names = {0: "joy", 1: "fear", 2: "rage", 7: "<awe>"}
    warned = (
        r"5 labels are not judged.*one of \['<awe>'\]. Add faces of other persons.*or give a cv"
    )
    with pytest.warns(UserWarning, match=warned) as caught:
        issues = label_issues(model, X, y, groups=groups, names=names)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert np.isnan(issues.score[10:15]).all()
    assert np.isnan(issues.confidence[10:15]).all()
    assert np.isnan(issues.neighbor_share[10:15]).all()
    assert not issues.is_issue[10:15].any()
    assert sorted(issues.order) == [*range(10), *range(15, 150)]
    assert {30, 120} <= set(issues.order[:20])
    assert issues.labels[10] == issues.suggested[10] == "<awe>"
    assert issues.reason(10) == "<awe>, not judged"
    if issues.proba is not None:
        np.testing.assert_array_equal(np.isnan(issues.proba).any(axis=1), np.isnan(issues.score))
    assert "of 145" in repr(issues)
    assert len(issues.table(150)) == 145
    for kind in ("faces", "confidence"):
        display = LabelIssuesDisplay.from_issues(issues, np.zeros((150, 4, 4)), kind=kind)
        display.figure_.canvas.draw()
    assert sum(len(one.get_offsets()) for one in display.scatters_.values()) == 145


def test_other_labels_are_judged_as_if_those_of_a_class_unseen_were_not_asked_about():
    y, folds = Y.copy(), KFold(5, shuffle=True, random_state=0)
    y[3] = 7
    with pytest.warns(UserWarning, match=r"1 labels are not judged.*one of \['7'\]"):
        issues = label_issues(MODEL, X, y, cv=folds)
    expected = cross_val_predict(MODEL, X, Y, cv=folds, method="predict_proba")
    fold = next(test for _, test in folds.split(X) if 3 in test)
    others = np.setdiff1d(fold, 3)
    assert np.isfinite(issues.score[others]).all()
    assert issues.proba.shape == (150, 4)
    assert np.abs(issues.confidence[others] - expected[others, Y[others]]).max() < 0.1


def test_probabilities_are_those_of_their_classes_where_a_training_part_lacks_one():
    """Faces of a class are alike; the class that one training part lacks is in the middle."""
    y = np.repeat(["a", "b", "c"], 6)
    samples = np.repeat([0.0, 1.0, 2.0], 6)[:, None]
    some = np.array([0, 1, 2, *range(6, 12), 12, 13, 14])
    others = np.setdiff1d(np.arange(18), some)
    folds = [(others, some), (some, others)]
    with pytest.warns(UserWarning, match=r"6 labels are not judged.*one of \['b'\]"):
        found = label_issues(KNeighborsClassifier(1), samples, y, cv=folds)
    np.testing.assert_array_equal(found.proba[:3], [[1, 0, 0]] * 3)
    np.testing.assert_array_equal(found.proba[12:], [[0, 0, 1]] * 6)
    assert (found.confidence[y != "b"] == 1).all()
    assert not found.is_issue.any()


def test_folds_of_which_nothing_could_be_judged_are_refused():
    with pytest.raises(ArgumentError, match=r"cv KFold.* leaves no label to be judged.* shuffle"):
        label_issues(MODEL, X, Y, cv=KFold(3))


def test_faces_by_an_embedder(faces):
    rng = np.random.RandomState(0)
    wrong = rng.permutation(len(faces.target))[:6]
    y = faces.target.copy()
    y[wrong] = rng.permutation(y)[:6]
    model = skfer.TripletCenterEmbedder(16, max_epochs=6, samples_per_class=4, random_state=0)
    display = LabelIssuesDisplay.from_estimator(
        model, faces.images, y, groups=faces.groups, cv=2, n_neighbors=5, names=faces, n_faces=5
    )
    assert len(display.images_) == 5
    score = display.issues.score
    assert roc_auc_score(y != faces.target, score) > 0.5
    assert [text.get_text().split("\n")[0] for text in display.ax_.texts] == [
        display.issues.labels[row] for row in display.rows
    ]
    display.plot(kind="confidence")
    assert sum(len(one.get_offsets()) for one in display.scatters_.values()) == len(y)
    display.figure_.canvas.draw()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"y": Y[1:]}, "y has 149 entries"),
        ({"y": [1] * 150}, "y has 1 classes"),
        ({"groups": [1]}, "groups has 1 entries"),
        ({"cv": 1}, "cv"),
        ({"cv": ShuffleSplit(2)}, "cv must test each sample once"),
        ({"n_neighbors": 0}, "n_neighbors"),
        ({"names": ["a"]}, "names has 1 entries"),
    ],
)
def test_refusals_name_the_argument(options, text):
    with pytest.raises(ArgumentError, match=text):
        label_issues(**{"estimator": MODEL, "X": X, "y": Y} | options)


def test_refusals_of_the_display():
    issues = label_issues(MODEL, X, Y)
    with pytest.raises(ArgumentError, match="images is missing"):
        LabelIssuesDisplay.from_issues(issues, None)
    with pytest.raises(ArgumentError, match="images holds 3 pictures"):
        LabelIssuesDisplay.from_issues(issues, np.zeros((3, 4, 4)))
    with pytest.raises(ArgumentError, match="n_faces"):
        LabelIssuesDisplay.from_issues(issues, np.zeros((150, 4, 4)), n_faces=0)
    with pytest.raises(ArgumentError, match="kind must be one of"):
        LabelIssuesDisplay.from_issues(issues, np.zeros((150, 4, 4)), kind="all")


@pytest.mark.parametrize("kind", ["faces", "confidence"])
def test_looks_as_kept(kind, as_kept):
    digits = load_digits(n_class=4)
    y = digits.target.copy()
    y[::40] = (y[::40] + 1) % 4
    model = make_pipeline(StandardScaler(), KNeighborsClassifier(9))
    issues = label_issues(model, digits.data, y)
    assert roc_auc_score(y != digits.target, issues.score) > 0.99
    display = LabelIssuesDisplay.from_issues(issues, digits.images, n_faces=12, kind=kind)
    as_kept(display.figure_, f"label_issues_{kind}")


@pytest.mark.parametrize("cv", [None, 5, np.int64(5)])
def test_a_number_of_folds_of_any_kind_keeps_persons_apart(cv):
    class Asked(Oracle):
        def fit(self, X, y):
            self.persons_ = set(X[:, 0])
            return super().fit(X, y)

        def predict_proba(self, X):
            assert self.persons_.isdisjoint(X[:, 0])
            return X[:, 1:]

    persons = np.tile(np.arange(10.0), 4)
    samples = np.column_stack([persons, np.full(40, 0.4), np.full(40, 0.6)])
    y = np.repeat(["joy", "rage"], 20)
    issues = label_issues(Asked(), samples, y, groups=persons.astype(int), cv=cv)
    assert issues.proba.shape == (40, 2)


def test_folds_that_share_a_person_are_refused():
    folds = list(KFold(5, shuffle=True, random_state=0).split(X))
    with pytest.raises(ArgumentError, match="tests a person of whom its training part has faces"):
        label_issues(MODEL, X, Y, groups=np.arange(len(Y)) // 2, cv=folds)


def test_no_more_neighbors_are_asked_than_half_a_class():
    samples, y = by_hand()
    folds = KFold(3, shuffle=True, random_state=0)
    issues = label_issues(Oracle(), samples, y, cv=folds, n_neighbors=1000)
    assert issues.n_neighbors == 2  # 8 faces to learn from, of two classes
    assert (issues.neighbor_share * 2 == np.round(issues.neighbor_share * 2)).all()
    assert any("of 2 neighbors" in row["reason"] for row in issues.table())
    assert set(issues.order[:2]) == {5, 11}
    few = label_issues(Oracle(), samples[3:9], y[3:9], cv=2)
    assert few.n_neighbors == 1
    some, others = np.array([0, 1, 6, 7]), np.array([2, 3, 4, 5, 8, 9, 10, 11])
    uneven = label_issues(Oracle(), samples, y, cv=[(some, others), (others, some)])
    assert uneven.n_neighbors == 1  # the smaller part has 4 faces to learn from


def test_names_of_classes_have_no_part():
    """Neighbors often tie: which class comes first decides nothing."""
    rng = np.random.RandomState(0)
    model, votes = rng.dirichlet(np.ones(5), 200), rng.multinomial(6, np.ones(5) / 5, 200) / 6
    codes = rng.randint(5, size=200)
    for others in ([votes], [model, votes]):
        found = _label_issues._is_issue(others, codes)
        for _ in range(5):
            order = rng.permutation(5)
            renamed = _label_issues._is_issue([t[:, order] for t in others], order.argsort()[codes])
            assert (found == renamed).all()
    # Its neighbors are of two classes as often, of which the model prefers one.
    tables = [np.array([[0.1, 0.2, 0.7]]), np.array([[0.0, 0.5, 0.5]])]
    assert _label_issues._is_issue(tables, np.array([0])).tolist() == [True]
    assert _label_issues._is_issue(tables, np.array([2])).tolist() == [False]


def test_a_label_that_is_as_likely_as_another_is_no_issue():
    for table in ([[0.5, 0.5]], [[0.4, 0.4, 0.2]]):
        assert _label_issues._is_issue([np.array(table)], np.array([0])).tolist() == [False]
        assert _label_issues._is_issue([np.array(table)], np.array([1])).tolist() == [False]


def test_reason_tells_what_is_known():
    y = np.where(np.arange(150) == 25, 2, Y)
    alone = label_issues(make_pipeline(StandardScaler(), RidgeClassifier()), X, y)
    assert alone.reason(25) == "of 20 neighbors 0 2, 20 0"
    y = np.where(np.arange(150) == 3, np.nan, y)
    assert label_issues(MODEL, X, y).reason(3) == "unlabeled"


@pytest.mark.parametrize("with_scaler", [False, True])
def test_early_stopping_keeps_persons_apart(with_scaler, monkeypatch):
    seen = []

    def split(codes, groups, fraction, seed):
        train, valid = validation_split(codes, groups, fraction, seed)
        assert not set(groups[train]) & set(groups[valid])
        seen.append(set(groups))
        return train, valid

    monkeypatch.setattr("skfer.embedders.base.validation_split", split)
    model = skfer.CrossEntropyEmbedder(
        4, max_epochs=1, early_stopping=True, validation_fraction=0.3, random_state=0
    )
    if with_scaler:
        model = make_pipeline(StandardScaler(), model)
    persons = np.arange(150) // 5
    y = np.where(np.arange(150) % 10 == 0, -1, Y)
    label_issues(model, X, y, groups=persons, cv=2)
    assert len(seen) == 2
    assert seen[0] | seen[1] == set(persons)
    assert not seen[0] & seen[1]


def test_labels_in_a_column_of_objects_with_gaps():
    y = np.where(np.arange(len(Y)) < 2, None, Y)
    issues = label_issues(MODEL, X, y)
    assert np.isnan(issues.score[:2]).all()
    same = label_issues(MODEL, X, np.where(np.arange(len(Y)) < 2, np.nan, Y))
    np.testing.assert_array_equal(issues.score, same.score)
