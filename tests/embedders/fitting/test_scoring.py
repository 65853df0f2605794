"""Scores on the samples set aside, and the schedule that goes with early stopping."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import balanced_accuracy_score
from skorch.callbacks import Callback, EarlyStopping, EpochScoring

import skfer
from skfer import CrossEntropyEmbedder, GaussianMetricEmbedder, MultiThresholdEmbedder
from skfer.embedders.fitting._scoring import EMBEDDING_SCORERS
from skfer.inspection import TrainingDisplay
from skfer.metrics import recall_at_k

STOPPING = {"early_stopping": True, "validation_fraction": 0.25, "n_iter_no_change": 3}
QUICK = {"embedding_dim": 16, "max_epochs": 4, "random_state": 0} | STOPPING


class Split(Callback):
    """Takes note of the samples set aside."""

    def on_train_begin(self, net, **kwargs):
        self.net = net

    def on_epoch_begin(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        self.valid = np.unique(np.concatenate(dataset_valid.sampler))


def test_scores_change_nothing_of_what_is_learned(embedder, faces):
    X, y = faces.images, faces.target
    embedder.set_params(**STOPPING)
    plain = embedder.fit(X, y).transform(X)
    embedder.set_params(scoring="recall_at_1")
    assert_array_equal(embedder.fit(X, y).transform(X), plain)
    scores = [epoch["valid_recall_at_1"] for epoch in embedder.history_]
    assert len(scores) == embedder.n_iter_
    assert all(0 <= score <= 1 for score in scores)


@pytest.mark.parametrize("classification_weight", [0, 1])
@pytest.mark.parametrize("cls", [MultiThresholdEmbedder, GaussianMetricEmbedder])
def test_scores_are_those_of_a_fit_without_the_samples_set_aside(rows, cls, classification_weight):
    """The last score is what predictions of a model that learned from the others alone give."""
    X, y = rows
    split = Split()
    seen = {}

    def scorer(model, X_valid, y_valid):
        seen.update(model=model, X=X_valid, predicted=model.predict(X_valid))
        return balanced_accuracy_score(y_valid, seen["predicted"])

    model = cls(**QUICK, classification_weight=classification_weight, callbacks=[split])
    model.set_params(
        scoring={"own": scorer, "name": "balanced_accuracy", "map": "mean_average_precision_at_r"}
    )
    model.fit(X, y)
    valid = split.valid
    assert_array_equal(seen["X"], X[valid])
    last = model.history_[-1]
    assert last["valid_own"] == last["valid_name"]
    assert last["valid_own"] == balanced_accuracy_score(y[valid], seen["predicted"])
    assert 0 <= last["valid_map"] <= 1
    if cls is GaussianMetricEmbedder:
        n_train = len(X) - len(valid)
        assert len(seen["model"].transduction_) == n_train
        assert len(model.transduction_) == len(X)
    elif not classification_weight:
        assert seen["model"]._class_counts.sum() == len(X) - len(valid)
        assert model._class_counts.sum() == len(X)


def test_subclasses_and_unlabeled_samples_are_scored():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(80, 4)) + 4 * np.eye(4)[np.arange(80) % 2]
    y = np.where(np.arange(80) % 4 < 2, np.arange(80) % 2 + 1, -1)
    model = GaussianMetricEmbedder(**QUICK, max_subclasses=2, scoring=["accuracy"]).fit(X, y)
    assert model.history_[-1]["valid_accuracy"] > 0.7
    assert len(model.transduction_) == 80


def test_a_table_with_names_is_scored(rows):
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(rows[0], columns=list("abcde"))
    model = CrossEntropyEmbedder(**QUICK, scoring="accuracy").fit(X, rows[1])
    assert "valid_accuracy" in model.history_[0]
    assert_array_equal(model.feature_names_in_, list("abcde"))


def test_a_callback_stops_by_a_score(rows):
    stop = EarlyStopping("valid_recall_at_1", patience=2, lower_is_better=False)
    model = CrossEntropyEmbedder(**QUICK | {"max_epochs": 30, "n_iter_no_change": 30})
    model.set_params(scoring="recall_at_1", callbacks=[stop]).fit(*rows)
    assert model.n_iter_ < 30


def test_scores_are_drawn(rows):
    model = CrossEntropyEmbedder(**QUICK, scoring="accuracy").fit(*rows)
    display = TrainingDisplay.from_estimator(model, metrics=["accuracy"])
    drawn = display.lines_["CrossEntropyEmbedder", "valid_accuracy"].get_ydata()
    assert_array_equal(drawn, [epoch["valid_accuracy"] for epoch in model.history_])


def test_scores_are_kept(rows, tmp_path):
    model = CrossEntropyEmbedder(**QUICK, scoring=lambda model, X, y: model.score(X, y))
    model.set_params(checkpoint=tmp_path / "fits")
    history = model.fit(*rows).history_
    assert [e["valid_score"] for e in model.fit(*rows).history_] == [
        e["valid_score"] for e in history
    ]
    skfer.save(model, tmp_path / "model.skfer")
    assert skfer.load(tmp_path / "model.skfer").history_ == model.history_


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"scoring": "accuracy", "early_stopping": False}, "early_stopping=True"),
        ({"scoring": "acuracy"}, r"'acuracy', which is neither.*recall_at_1"),
        ({"scoring": {"mine": 3}}, "has 3, which is neither"),
        ({"scoring": {"loss": "accuracy"}}, "has a scorer named loss, as the history calls"),
        ({"scoring": {"loss_best": "accuracy"}}, "has a scorer named loss_best"),
        ({"scoring": ["accuracy", len]}, r"a list that holds <built-in function len>.* a dict"),
        (
            {"scoring": lambda model, X, y: {"a": 1}},
            "scoring has a scorer that returned .*'a': 1.* v",
        ),
        ({"scoring": {"own": lambda model, X, y: [1, 2]}}, "for valid_own, and no number"),
        ({"callbacks": [EpochScoring("accuracy")]}, "scoring='balanced_accuracy'"),
    ],
)
def test_what_cannot_be_scored_is_refused(rows, given, words):
    with pytest.raises(ValueError, match=words):
        CrossEntropyEmbedder(**QUICK | given).fit(*rows)


def test_partial_fit_does_not_score(rows):
    model = CrossEntropyEmbedder(scoring="accuracy", random_state=0).partial_fit(*rows)
    assert "valid_accuracy" not in model.history_[0]


@pytest.mark.parametrize(
    ("given", "schedule", "warns"),
    [
        ({}, "constant", False),
        ({"early_stopping": False}, "one-cycle", False),
        ({"n_iter_no_change": 4}, "one-cycle", False),  # it cannot stop early
        ({"schedule": "constant"}, "constant", False),
        ({"schedule": "one-cycle"}, "one-cycle", True),
        ({"schedule": "cosine"}, "cosine", True),
    ],
)
def test_schedule_that_suits_early_stopping(rows, given, schedule, warns):
    model = CrossEntropyEmbedder(**QUICK | given)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(*rows)
    assert model.net_.schedule == schedule
    assert [str(w.message)[:9] for w in caught] == ["schedule="] * warns
    assert all(w.filename == __file__ for w in caught)


def test_the_measure_by_name_is_the_measure(faces):
    seen = []

    def scorer(model, X, y):
        seen.append(recall_at_k(model.transform(X), y))
        return seen[-1]

    model = MultiThresholdEmbedder(**QUICK | {"max_epochs": 1, "backbone": "scratch"})
    model.set_params(scoring={"own": scorer, "name": "recall_at_1"})
    model.fit(faces.images, faces.target)
    assert model.history_[0]["valid_own"] == model.history_[0]["valid_name"] == seen[0]


def test_a_score_that_is_none_is_kept(rows, tmp_path):
    model = CrossEntropyEmbedder(**QUICK, scoring=lambda *_: np.nan).fit(*rows)
    skfer.save(model, tmp_path / "model.skfer")
    again = skfer.load(tmp_path / "model.skfer")
    assert all(np.isnan(epoch["valid_score"]) for epoch in again.history_)
    assert not {"nan", "score"} & set(skfer.model_card(again).lower().replace("_", " ").split())


@pytest.mark.parametrize("scoring", ["neg_log_loss", "roc_auc_ovr"])
def test_a_score_that_lacks_a_class_is_none(rows, scoring):
    X, y = rows
    watch = Split()
    CrossEntropyEmbedder(**QUICK, callbacks=[watch]).fit(X, y)
    alone = np.setdiff1d(np.arange(len(y)), watch.valid)[:1]  # of its class, and trained on
    y = np.where(np.isin(np.arange(len(y)), alone), "zest", y)
    model = CrossEntropyEmbedder(**QUICK, scoring=["accuracy", scoring])
    words = rf"valid_{scoring} is NaN.* none of the classes \['zest'\]"
    with pytest.warns(UserWarning, match=words) as caught:
        history = model.fit(X, y).history_
    assert len(caught) == 1
    assert all(np.isnan(epoch[f"valid_{scoring}"]) for epoch in history)
    assert all(0 <= epoch["valid_accuracy"] <= 1 for epoch in history)


def test_a_scorer_that_fails_ends_the_fit(rows):
    def fails(model, X, y):
        raise ValueError("no such file")

    with pytest.raises(ValueError, match="no such file"):
        CrossEntropyEmbedder(**QUICK, scoring=fails).fit(*rows)


def test_a_face_does_not_find_its_own_person(rows):
    X, y = rows[0], np.arange(len(rows[0])) % 2
    X, y, groups = (np.repeat(part, 3, axis=0) for part in (X, y, np.arange(len(X))))
    split, seen = Split(), {}

    def scorer(model, X, y):
        seen.update(Z=model.transform(X), y=y)
        return 0

    model = CrossEntropyEmbedder(**QUICK, callbacks=[split])
    model.set_params(scoring={"own": scorer, "found": "recall_at_1"}).fit(X, y, groups=groups)
    found = model.history_[-1]["valid_found"]
    assert found == recall_at_k(seen["Z"], seen["y"], groups=groups[split.valid])
    assert found < recall_at_k(seen["Z"], seen["y"])  # of which each has copies


def test_a_score_that_lacks_another_person_is_none(rows):
    X, y = rows
    model = CrossEntropyEmbedder(**QUICK | {"validation_fraction": 0.5}, scoring="recall_at_1")
    with pytest.warns(UndefinedMetricWarning, match="outside its own group"):
        model.fit(X, y, groups=np.arange(len(y)) // 4 % 2)
    assert np.isnan(model.history_[0]["valid_recall_at_1"])


@pytest.mark.parametrize("name", EMBEDDING_SCORERS)
def test_scores_by_name_draw_nothing_from_the_global_generator(name, global_state):
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(60, 5)), np.arange(60) % 3
    model = CrossEntropyEmbedder(
        8, max_epochs=2, early_stopping=True, validation_fraction=0.4, scoring=name, random_state=0
    )
    found = []
    for seed in (1, 2):
        np.random.seed(seed)  # noqa: NPY002
        before = global_state()
        found.append([epoch[f"valid_{name}"] for epoch in model.fit(X, y).history_])
        assert global_state() == before
    assert found[0] == found[1]
