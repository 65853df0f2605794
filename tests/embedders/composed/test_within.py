"""Embedders are found in whatever scikit-learn puts around them."""

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

from skfer import CrossEntropyEmbedder, GaussianMetricEmbedder, MultiThresholdEmbedder
from skfer.embedders import WithLabels
from skfer.embedders.composed._describing import describe, lines_of, title_of
from skfer.embedders.composed._within import embedders_in, makes_one_embedding, named

X, Y = load_iris(return_X_y=True)
HOME = "/" + "home/me"  # in two parts, so that nobody takes it for one of this machine


def one(kind=CrossEntropyEmbedder, **settings):
    return kind(8, max_epochs=1, random_state=0, **settings)


def both():
    return make_union(one(MultiThresholdEmbedder), one(GaussianMetricEmbedder))


CASES = {
    "embedder": (one(), ["CrossEntropyEmbedder"], True),
    "pipeline": (make_pipeline(make_pipeline(StandardScaler(), one()), "passthrough"), 1, True),
    "union": (
        make_pipeline(both(), KNeighborsClassifier()),
        ["MultiThresholdEmbedder", "GaussianMetricEmbedder"],
        True,
    ),
    "union with a gap": (FeatureUnion([("a", one()), ("b", "drop")]), 1, True),
    "columns": (ColumnTransformer([("a", one(), [0, 1]), ("b", "drop", [2, 3])]), 1, True),
    "frozen": (FrozenEstimator(one().fit(X, Y)), 1, True),
    "calibrated": (CalibratedClassifierCV(one(), cv=2, ensemble=False), 1, True),
    "folds": (CalibratedClassifierCV(one(), cv=2), 2, False),
    "votes": (VotingClassifier([("a", one()), ("b", one(GaussianMetricEmbedder))]), 2, False),
    "stacked": (StackingClassifier([("a", one())], KNeighborsClassifier(), cv=2), 1, False),
    "search": (GridSearchCV(one(), {"lr": [1e-3]}, cv=2), 1, True),
    "labels": (WithLabels(one()), 1, True),
    "classifier": (make_pipeline(one(), RandomForestClassifier(2)), 1, True),
    "none": (make_pipeline(StandardScaler(), RandomForestClassifier(2)), 0, False),
}


@pytest.mark.parametrize("name", CASES)
def test_which_embedders_there_are(name):
    model, wanted, has_one_embedding = CASES[name]
    model.fit(X, Y)
    found = list(embedders_in(model))
    assert all(hasattr(embedder, "net_") for embedder in found)
    wanted = ["CrossEntropyEmbedder"] * wanted if isinstance(wanted, int) else wanted
    if name == "votes":
        wanted[1] = "GaussianMetricEmbedder"
    assert [type(embedder).__name__ for embedder in found] == wanted
    assert makes_one_embedding(model) is has_one_embedding


def test_each_has_a_name_of_its_own():
    a, b, c = one(), one(GaussianMetricEmbedder), one()
    names = ["CrossEntropyEmbedder 1", "GaussianMetricEmbedder", "CrossEntropyEmbedder 2"]
    assert list(named([a, b, c]).items()) == list(zip(names, [a, b, c], strict=True))


def test_a_model_is_described_with_what_is_inside():
    model = make_pipeline(both(), CalibratedClassifierCV(KNeighborsClassifier(3))).fit(X, Y)
    steps = describe(model)
    assert list(lines_of(steps)) == [
        "- FeatureUnion()",
        "  - MultiThresholdEmbedder(embedding_dim=8, max_epochs=1, random_state=0)",
        "  - GaussianMetricEmbedder(embedding_dim=8, max_epochs=1, random_state=0)",
        "- CalibratedClassifierCV(estimator=KNeighborsClassifier(n_neighbors=3))",
    ]
    assert title_of(steps) == (
        "FeatureUnion(MultiThresholdEmbedder + GaussianMetricEmbedder) + CalibratedClassifierCV"
    )
    folds = describe(CalibratedClassifierCV(FrozenEstimator(one().fit(X, Y)), cv=2).fit(X, Y))
    assert title_of(folds) == "CalibratedClassifierCV(CrossEntropyEmbedder)"
    folds = describe(CalibratedClassifierCV(CrossEntropyEmbedder(max_epochs=1), cv=2).fit(X, Y))
    assert list(lines_of(folds, "`")) == [
        "- `CalibratedClassifierCV(cv=2)`",
        "  - 2 x `CrossEntropyEmbedder(max_epochs=1)`",
    ]


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"checkpoint": f"{HOME}/fits", "device": "cpu", "verbose": 1, "callbacks": []}, {}),
        ({"scoring": "accuracy"}, {}),
        ({"backbone_weights": f"{HOME}/a b/w.pt"}, {"backbone_weights": "'w.pt'"}),
        ({"backbone_weights": "me/w.pt"}, {"backbone_weights": "'w.pt'"}),
        ({"backbone_weights": "C:\\Users\\me\\w.pt"}, {"backbone_weights": "'w.pt'"}),
        ({"backbone": "timm/resnet18"}, {"backbone": "'timm/resnet18'"}),
        ({"random_state": 3}, {"random_state": "3"}),
    ],
)
def test_nothing_is_told_of_the_machine(settings, wanted):
    embedder = CrossEntropyEmbedder(**settings)
    assert describe(embedder)[0]["parameters"] == wanted
    # What wraps an embedder has it as a parameter.
    (unfitted,) = describe(StackingClassifier([("a", embedder)]))
    assert "home" not in str(unfitted)
    assert "Users" not in str(unfitted)


def test_paths_deep_in_parameters_are_names():
    (told,) = describe(KNeighborsClassifier(metric_params={"table": [f"{HOME}/x.npy", "~/y.npy"]}))
    assert told["parameters"] == {"metric_params": "{'table': ['x.npy', 'y.npy']}"}


def test_long_parameters_and_odd_estimators():
    class Odd(StandardScaler):
        def get_params(self, deep=True):
            return {"of_its_own": np.arange(500).tolist()}

    (told,) = describe(Odd())
    text = told["parameters"]["of_its_own"]
    assert text.startswith("[0, 1, 2")
    assert text.endswith(" ...")
    assert len(text) == 204


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (f"{HOME}/", "''"),
        (f"file://{HOME}/a.pt", "'a.pt'"),
        ("/", "'/'"),
        ("1/2", "'1/2'"),
    ],
)
def test_folders_with_and_without_an_end(value, wanted):
    (told,) = describe(KNeighborsClassifier(metric_params={"p": value}))
    assert told["parameters"] == {"metric_params": f"{{'p': {wanted}}}"}


def test_weights_of_parts_are_no_file():
    union = FeatureUnion([("a", one()), ("b", one())], transformer_weights={"a": 2.0})
    (told,) = describe(union.fit(X, Y))
    assert told["parameters"] == {"transformer_weights": "{'a': 2.0}"}
