"""Models as ONNX graphs: what another runtime computes is what scikit-learn computes."""

import json
import os
import sys
import warnings
from enum import Enum
from importlib import import_module
from importlib.metadata import version

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.embedders import CASES
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import calibration
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris, make_blobs
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import (
    LogisticRegression,
    LogisticRegressionCV,
    RidgeClassifier,
    RidgeClassifierCV,
)
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import (
    KNeighborsClassifier,
    NearestCentroid,
    NeighborhoodComponentsAnalysis,
)
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import SVC, LinearSVC, NuSVC
from torch import nn

import skfer
from skfer import CrossEntropyEmbedder, GaussianMetricEmbedder, MultiThresholdEmbedder
from skfer.cli import main
from skfer.datasets import make_expressions
from skfer.embedders import LabeledOnly, WithLabels
from skfer.evaluation import EMBEDDERS, make_methods
from skfer.exceptions import ArgumentError
from skfer.metrics._embedding_steps import embedding_steps
from skfer.persistence._onnx_steps import classifier_module
from skfer.preprocessing import FaceAligner

pytestmark = pytest.mark.onnx
CLASSIFIERS = [
    KNeighborsClassifier(3),
    KNeighborsClassifier(4, metric="cosine"),
    SVC(kernel="linear", class_weight="balanced"),
    SVC(kernel="sigmoid", decision_function_shape="ovo"),
    SVC(kernel="poly", coef0=1, break_ties=True),
    LinearSVC(),
    LogisticRegression(),
    LogisticRegressionCV(Cs=3, cv=2),
    LabeledOnly(RidgeClassifier()),
    LabeledOnly(CalibratedClassifierCV(SVC(), ensemble=False)),
    RidgeClassifier(),
    RidgeClassifierCV(),
    LinearDiscriminantAnalysis(),
    NearestCentroid(),
    NuSVC(),
    CalibratedClassifierCV(SVC(), ensemble=False),
    CalibratedClassifierCV(LinearSVC(), cv=3),
    CalibratedClassifierCV(KNeighborsClassifier(3), method="isotonic", cv=3),
    CalibratedClassifierCV(NearestCentroid(), cv=3),
]
if hasattr(calibration, "_TemperatureScaling"):  # of scikit-learn 1.8 and later
    CLASSIFIERS += [
        CalibratedClassifierCV(last, method="temperature", ensemble=False)
        for last in (SVC(), LogisticRegression(), KNeighborsClassifier(5))
    ]
# Before, onnxruntime's own kernels divide by the number of pictures.
TAKES_NONE = tuple(map(int, version("onnxruntime").split(".")[:2])) >= (1, 32)
X, Y = load_iris(return_X_y=True)
WORDS = np.array(["anger", "fear", "joy"])[Y]


@pytest.fixture(scope="module")
def faces():
    return make_expressions(4, 1, image_size=24, random_state=0)


@pytest.fixture(scope="module")
def fitted():
    return CrossEntropyEmbedder(8, max_epochs=4, random_state=0).fit(X, WORDS)


def answers(path, inputs):
    onnxruntime = import_module("onnxruntime")
    session = onnxruntime.InferenceSession(path)
    (given,) = session.get_inputs()
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {given.name: inputs}), strict=True))


def export(model, path):
    """Write a model, and let it compute as its graph does from then on: on a CPU, in float32."""
    skfer.export_onnx(model, path)
    for _, step in getattr(model, "steps", [("", model)]):
        if hasattr(step, "precision") and not isinstance(step, FrozenEstimator):
            step.set_params(device="cpu", precision="float32")


def check_same(model, inputs, folder, *, embed=None, given=None):
    export(model, folder / "x.onnx")
    found = answers(folder / "x.onnx", inputs if given is None else given)
    if TAKES_NONE:
        none = (inputs if given is None else given)[:0]
        assert {len(value) for value in answers(folder / "x.onnx", none).values()} == {0}
    wanted = (model if embed is None else embed).transform(inputs)
    # An epoch from noise leaves coordinates that enlarge the rounding errors of the network.
    assert_allclose(found["embedding"], wanted, rtol=1e-5, atol=5e-5 * np.abs(wanted).max())
    if "label" in found:
        assert_array_equal(model.classes_[found["label"]], model.predict(inputs))
    if "posterior" in found:
        assert_allclose(found["posterior"], model.predict_proba(inputs), atol=2e-5)
    if "decision" in found:
        decision = model.decision_function(inputs)
        assert_allclose(found["decision"].reshape(decision.shape), decision, atol=2e-5)
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.cls.__name__)
def test_every_embedder(case, faces, tmp_path):
    model = case.make().fit(faces.images, faces.target)
    found = check_same(model, faces.images, tmp_path)
    assert ("posterior" in found) == hasattr(model, "predict_proba")


class Few(CrossEntropyEmbedder):
    """Its signature leaves out where and how precisely it computes."""

    def __init__(self, embedding_dim=8, *, max_epochs=1, random_state=0):
        super().__init__(embedding_dim, max_epochs=max_epochs, random_state=random_state)


def test_an_embedder_of_few_parameters(faces, tmp_path):
    model = Few().fit(faces.images, faces.target)
    skfer.export_onnx(model, tmp_path / "x.onnx")
    found = answers(tmp_path / "x.onnx", faces.images)["embedding"]
    model.precision = "float32"
    assert_allclose(found, model.transform(faces.images), rtol=1e-5, atol=5e-5)


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("name", EMBEDDERS)
def test_from_the_usual_start_it_is_the_same_to_1e_5(name, color, faces, tmp_path):
    """Networks from noise after an epoch, as elsewhere here, enlarge what is rounded."""
    images = np.repeat(faces.images[..., None], 3, axis=3) if color else faces.images
    model = make_methods([name], random_state=0, max_epochs=2)[name].fit(images, faces.target)
    export(model, tmp_path / "x.onnx")
    found = answers(tmp_path / "x.onnx", images)
    assert_allclose(found["embedding"], model.transform(images), rtol=0, atol=1e-5)
    assert_allclose(found["posterior"], model.predict_proba(images), rtol=0, atol=1e-5)


@pytest.mark.parametrize("shape", [(24, 24, 3), (40, 32), (70, 64, 1)])
def test_color_and_other_sizes(shape, tmp_path):
    rng = np.random.RandomState(0)
    images = rng.randint(0, 256, (16, *shape)).astype(np.uint8)
    model = CrossEntropyEmbedder(8, max_epochs=1, random_state=0).fit(images, np.arange(16) % 2)
    check_same(model, images, tmp_path)
    check_same(model, images[:1], tmp_path)


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_gaussians_with_sub_classes(kind, tmp_path):
    model = GaussianMetricEmbedder(4, covariance_type=kind, max_epochs=4, random_state=0)
    model.fit(X, WORDS)
    # As where a class was split, and where one has no samples.
    model.means_ = np.concatenate([model.means_, model.means_[:1] + 1])
    model.weights_ = np.array([0.2, 0.3, 0.0, 0.5])
    model._component_classes = np.array([0, 1, 2, 0])
    if kind != "tied":
        model.covariances_ = np.concatenate([model.covariances_, 2 * model.covariances_[:1]])
    check_same(model, X, tmp_path, given=X.astype(np.float32))


def test_class_means(tmp_path):
    model = MultiThresholdEmbedder(
        8, n_thresholds=2, classification_weight=0, max_epochs=4, random_state=0
    )
    check_same(model.fit(X, WORDS), X, tmp_path, given=X.astype(np.float32))


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("last", CLASSIFIERS, ids=lambda c: f"{type(c).__name__}-{c.get_params()}")
def test_classifiers(last, n_classes, tmp_path):
    some = n_classes > Y
    embedder = CrossEntropyEmbedder(8, max_epochs=4, random_state=0)
    model = make_pipeline(embedder, StandardScaler(), PCA(4), last)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of parameters of LogisticRegressionCV
        model.fit(X[some], WORDS[some])
    rows = X[some]
    check_same(model, rows, tmp_path, embed=model[:-1], given=rows.astype(np.float32))


def with_probabilities(kind, **settings):
    """Return an SVM that scikit-learn 1.9 warns of, and 1.11 has no more."""
    return kind(probability=True, random_state=0, **settings)


@pytest.mark.parametrize("kind", [SVC, NuSVC])
@pytest.mark.parametrize("n_classes", [2, 3, 8])
def test_posterior_of_an_svm(kind, n_classes, tmp_path):
    """Near and between classes that overlap the coupling takes most turns."""
    rows, labels = make_blobs(300, 4, centers=n_classes, cluster_std=4, random_state=0)
    embedder = CrossEntropyEmbedder(8, max_epochs=4, random_state=0)
    settings = {"nu": 0.05} if kind is NuSVC else {"kernel": "poly", "coef0": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        model = make_pipeline(embedder, with_probabilities(kind, **settings)).fit(rows, labels)
    more = np.random.RandomState(1).uniform(-20, 20, (300, 4)).astype(np.float32)
    found = check_same(model, more, tmp_path, embed=model[:-1])
    assert_allclose(found["posterior"], model.predict_proba(more), rtol=0, atol=1e-5)


def test_calibration_of_a_fitted_classifier(fitted, tmp_path):
    points = fitted.transform(X)
    last = CalibratedClassifierCV(FrozenEstimator(SVC().fit(points, WORDS)), method="isotonic")
    model = make_pipeline(fitted, last.fit(points, WORDS))
    check_same(model, X, tmp_path, embed=fitted, given=X.astype(np.float32))


def test_scalers_and_projections(tmp_path):
    for steps in (
        (MinMaxScaler(clip=True), TruncatedSVD(3)),
        (Normalizer("max"), PCA(2, whiten=True)),
        (Normalizer("l1"), "passthrough", StandardScaler(with_mean=False)),
        (LinearDiscriminantAnalysis(solver="eigen"), NearestCentroid(priors="empirical")),
        (StandardScaler(with_std=False), KNeighborsClassifier(4, weights="distance")),
        (RobustScaler(unit_variance=True), NeighborhoodComponentsAnalysis(3, max_iter=3)),
        (RobustScaler(with_centering=False), RobustScaler(with_scaling=False)),
        (MaxAbsScaler(**{"clip": True} if hasattr(MaxAbsScaler(), "clip") else {}),),
        (StandardScaler(), MaxAbsScaler()),
    ):
        model = make_pipeline(CrossEntropyEmbedder(8, max_epochs=2, random_state=0), *steps)
        some = np.r_[:60, 100:150]  # other shares of the classes
        model.fit(X[some], WORDS[some])
        rest = X[60:100] if hasattr(steps[-1], "predict") else X
        embed = model[:-1] if hasattr(steps[-1], "predict") else None
        check_same(model, rest, tmp_path, embed=embed, given=rest.astype(np.float32))


def in_float32(*kinds, **settings):
    common = {"max_epochs": 1, "random_state": 0, "precision": "float32", "device": "cpu"}
    return [kind(**common | settings) for kind in kinds]


def test_embedders_side_by_side(faces, tmp_path):
    parts = in_float32(MultiThresholdEmbedder, CrossEntropyEmbedder)
    union = FeatureUnion([("a", parts[0]), ("b", parts[1]), ("c", "drop")])
    union.set_params(transformer_weights={"b": 0.5})
    model = make_pipeline(FaceAligner(image_size=24), union, StandardScaler(), LogisticRegression())
    model.fit(faces.images, faces.target)
    check_same(model, faces.images, tmp_path, embed=model[:-1])
    found = check_same(model[1], faces.images, tmp_path)
    assert list(found) == ["embedding"]
    on_rows = make_pipeline(make_union(*in_float32(CrossEntropyEmbedder, GaussianMetricEmbedder)))
    on_rows.fit(X, WORDS)
    check_same(on_rows, X, tmp_path, given=X.astype(np.float32))


def test_pipelines_within_pipelines_and_searches(faces, tmp_path):
    (embedder,) = in_float32(CrossEntropyEmbedder)
    model = make_pipeline(
        FaceAligner(image_size=24), make_pipeline(embedder, KNeighborsClassifier())
    )
    model.fit(faces.images, faces.target)
    check_same(model, faces.images, tmp_path, embed=model[1][:-1])
    search = GridSearchCV(embedder, {"lr": [1e-3]}, cv=2).fit(faces.images, faces.target)
    check_same(search, faces.images, tmp_path)
    frozen = make_pipeline(FrozenEstimator(embedder.fit(X, Y)), NearestCentroid()).fit(X, Y)
    check_same(frozen, X, tmp_path, embed=embedder, given=X.astype(np.float32))


def test_steps_in_wrappers(faces, tmp_path):
    (embedder,) = in_float32(CrossEntropyEmbedder)
    last = make_pipeline(StandardScaler(), LogisticRegression())
    fitted = clone(embedder).fit(faces.images, faces.target)
    frozen = clone(last).fit(fitted.transform(faces.images), faces.target)
    for model in (
        make_pipeline(embedder, LabeledOnly(last)),
        make_pipeline(WithLabels(embedder), PCA(4), LogisticRegression()),
        make_pipeline(FrozenEstimator(fitted), LabeledOnly(FrozenEstimator(frozen))),
        make_pipeline(make_union(WithLabels(embedder), FrozenEstimator(fitted)), LabeledOnly(last)),
    ):
        model.fit(faces.images, faces.target)
        skfer.export_onnx(model, tmp_path / "x.onnx")
        found = answers(tmp_path / "x.onnx", faces.images)
        wanted = faces.images
        for step in embedding_steps(model):
            wanted = step.transform(wanted)
        assert_allclose(found["embedding"], wanted, rtol=1e-5, atol=5e-5 * np.abs(wanted).max())
        assert_allclose(found["posterior"], model.predict_proba(faces.images), atol=2e-5)
    whole = LabeledOnly(make_pipeline(embedder, last)).fit(faces.images, faces.target)
    skfer.export_onnx(whole, tmp_path / "x.onnx")
    found = answers(tmp_path / "x.onnx", faces.images)
    assert_allclose(found["posterior"], whole.predict_proba(faces.images), atol=2e-5)


@pytest.mark.parametrize("last", [[], [LogisticRegression()], [StandardScaler(), SVC()]])
def test_what_was_fitted_on_a_data_frame(last, tmp_path):
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = make_pipeline(*in_float32(CrossEntropyEmbedder), *last)
    for container in ("default", "pandas"):
        model.set_output(transform=container).fit(frame, WORDS)
        skfer.export_onnx(model, tmp_path / "x.onnx")  # without a warning, which is an error here
        found = answers(tmp_path / "x.onnx", X.astype(np.float32))
        assert_array_equal(model.classes_[found["label"]], model.predict(frame))


def test_a_backbone_of_ones_own(faces, tmp_path):
    backbone = nn.Sequential(nn.Conv2d(1, 4, 5, 2), nn.GELU(), nn.AdaptiveAvgPool2d(5))
    model = CrossEntropyEmbedder(8, backbone=backbone, max_epochs=1, random_state=0)
    check_same(model.fit(faces.images, faces.target), faces.images, tmp_path)


def test_a_layer_that_onnx_lacks_is_told(faces, tmp_path):
    backbone = nn.Sequential(nn.Conv2d(1, 4, 5, 2), nn.AdaptiveAvgPool2d(3))
    model = CrossEntropyEmbedder(8, backbone=backbone, max_epochs=1, random_state=0)
    with pytest.raises(ArgumentError, match=r"torch cannot export the network: .*adaptive_avg"):
        skfer.export_onnx(model.fit(faces.images, faces.target), tmp_path / "x.onnx")


def test_the_ready_model_without_its_aligner(tmp_path):
    model = skfer.load_expression_model()
    images = make_expressions(2, 1, random_state=0).images
    skfer.export_onnx(model, tmp_path / "x.onnx")
    found = answers(tmp_path / "x.onnx", images)
    assert_allclose(found["posterior"], model.predict_proba(images), atol=1e-5)


def test_the_file_tells_of_itself(fitted, tmp_path):
    onnx = import_module("onnx")
    skfer.export_onnx(fitted, tmp_path / "x.onnx")
    about = {p.key: p.value for p in onnx.load(tmp_path / "x.onnx").metadata_props}
    assert json.loads(about["classes"]) == ["anger", "fear", "joy"]
    assert about["card"] == skfer.model_card(fitted)
    assert os.listdir(tmp_path) == ["x.onnx"]


def test_classes_are_words_where_labels_are_members_of_an_enumeration(tmp_path):
    onnx = import_module("onnx")
    kind = Enum("Kind", {word.upper(): word for word in np.unique(WORDS)}, type=str)
    model = make_pipeline(
        CrossEntropyEmbedder(4, max_epochs=1, random_state=0), LogisticRegression()
    )
    model.fit(X, np.array([kind(word) for word in WORDS], dtype=object))
    skfer.export_onnx(model, tmp_path / "x.onnx")
    about = {p.key: p.value for p in onnx.load(tmp_path / "x.onnx").metadata_props}
    assert json.loads(about["classes"]) == ["anger", "fear", "joy"]


def test_neighbors_by_angles_from_the_origin(fitted):
    """A row of zeros has no angle, and is at distance 1 of all."""
    rng = np.random.RandomState(0)
    points = rng.standard_normal((40, 3))
    points[::4] = 0
    model = KNeighborsClassifier(5, metric="cosine").fit(points, np.arange(40) % 4)
    tried = rng.standard_normal((200, 3))
    label, shares, _ = classifier_module(model)(torch.from_numpy(tried))
    assert_array_equal(label, model.predict(tried))
    assert_allclose(shares, model.predict_proba(tried))


def _product(a, b):
    """Return a kernel of one's own."""
    return a @ b.T


def test_what_cannot_be_exported_is_named(fitted, tmp_path, monkeypatch):
    embedder = CrossEntropyEmbedder(8, max_epochs=1, random_state=0)

    def refused(*steps, match):
        model = make_pipeline(*steps).fit(X, WORDS)
        with pytest.raises(ArgumentError, match=match):
            skfer.export_onnx(model, tmp_path / "x.onnx")

    refused(embedder, GaussianNB(), match="GaussianNB cannot be exported: there are Calibrated")
    refused(embedder, KNeighborsClassifier(p=1), match="Euclidean distances")
    match = r"KNeighborsClassifier\(metric='cosine', weights='distance'\) .* weights='uniform'"
    refused(embedder, KNeighborsClassifier(metric="cosine", weights="distance"), match=match)
    match = r"NearestCentroid\(metric='manhattan'\) cannot be exported: give metric='euclidean'"
    refused(embedder, NearestCentroid(metric="manhattan"), match=match)
    refused(embedder, SVC(kernel=_product), match=r"SVC\(kernel=.* give one of the kernels \['lin")
    refused(StandardScaler(), embedder, match="begins with one, got StandardScaler")
    union = make_union(embedder, StandardScaler())
    match = r"a FeatureUnion of embedders.* got FeatureUnion\(CrossEntropyEmbedder \+ StandardSc"
    refused(union, KNeighborsClassifier(), match=match)
    folds = CalibratedClassifierCV(embedder, cv=2)
    refused(folds, match=r"got CalibratedClassifierCV\(2 x CrossEntropyEmbedder\)")
    with pytest.raises(NotFittedError):
        skfer.export_onnx(CrossEntropyEmbedder(), tmp_path / "x.onnx")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match="export_onnx needs onnx: pip install"):
        skfer.export_onnx(fitted, tmp_path / "x.onnx")
    assert not os.listdir(tmp_path)


def test_a_graph_that_says_something_else_is_not_written(fitted, tmp_path, monkeypatch):
    monkeypatch.setattr(CrossEntropyEmbedder, "transform", lambda self, X: np.ones((len(X), 8)))
    with pytest.raises(RuntimeError, match="nothing was written"):
        skfer.export_onnx(fitted, tmp_path / "x.onnx")


def test_a_model_that_computes_in_bfloat16_is_written_in_float32(tmp_path):
    model = CrossEntropyEmbedder(8, max_epochs=1, precision="bfloat16", random_state=0)
    pipeline = make_pipeline(model, PCA(3), LogisticRegression()).fit(X, WORDS)
    skfer.export_onnx(pipeline, tmp_path / "model.onnx")
    assert model.get_params()["precision"] == pipeline[0].precision == "bfloat16"
    pipeline[0].set_params(precision="float32")
    found = answers(tmp_path / "model.onnx", X.astype(np.float32))
    assert_allclose(found["embedding"], pipeline[:-1].transform(X), atol=1e-4)


def test_the_command(faces, tmp_path, capsys):
    model = make_pipeline(
        FaceAligner(image_size=24),
        CrossEntropyEmbedder(8, max_epochs=1, random_state=0, precision="float32"),
        LogisticRegression(),
    )
    model.fit(faces.images, faces.target_names[faces.target])
    skfer.save(model, tmp_path / "x.skfer")
    assert main(["export", str(tmp_path / "x.skfer"), "--onnx", str(tmp_path / "x.onnx")]) == 0
    assert capsys.readouterr().out.startswith(f"Graph: {tmp_path / 'x.onnx'} (0.")
    found = answers(tmp_path / "x.onnx", faces.images)
    assert_allclose(found["posterior"], model.predict_proba(faces.images), atol=1e-5)
