"""skfer.save and skfer.load: the same model again, and no code of a file is run."""

import ast
import io
import os
import pickle
import warnings
from enum import Enum
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import sklearn
import torch
from helpers import fake_timm
from helpers.embedders import CASES
from numpy.testing import assert_array_equal
from sklearn import calibration
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import max_error
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler
from sklearn.svm import SVC
from skorch.callbacks import EpochTimer
from torch import nn

import skfer
from skfer import CrossEntropyEmbedder, GaussianMetricEmbedder, TripletCenterEmbedder
from skfer.datasets import make_expressions
from skfer.embedders import WithLabels
from skfer.embedders.composed._within import embedders_in
from skfer.exceptions import ArgumentError, InconsistentVersionWarning, ModelFileError
from skfer.persistence import _file, _known, _model, read_card
from skfer.persistence._file import read_file, write_file
from skfer.training import TrainingBar

X, Y = load_iris(return_X_y=True)
WORDS = np.array(["anger", "fear", "joy"])[Y]
CLASSIFIERS = [
    KNeighborsClassifier(),
    KNeighborsClassifier(algorithm="ball_tree", metric="manhattan"),
    KNeighborsClassifier(algorithm="brute", weights="distance"),
    SVC(),
    LogisticRegression(),
    LinearDiscriminantAnalysis(),
    QuadraticDiscriminantAnalysis(),
    GaussianNB(),
    NearestCentroid(),
    RidgeClassifier(),
    CalibratedClassifierCV(SVC(), cv=2),
    CalibratedClassifierCV(SVC(), method="isotonic", ensemble=False),
    CalibratedClassifierCV(FrozenEstimator(DummyClassifier().fit(np.zeros((150, 3)), WORDS))),
]
if hasattr(calibration, "_TemperatureScaling"):  # of scikit-learn 1.8 and later
    CLASSIFIERS.append(CalibratedClassifierCV(SVC(), method="temperature", ensemble=False))
# What listed classes need to be made.
NEEDED = {
    "CalibratedClassifierCV": {"estimator": SVC()},
    "ColumnTransformer": {"transformers": [("first", "passthrough", [0, 1])]},
    "FeatureUnion": {"transformer_list": [("pca", PCA(2)), ("scaler", StandardScaler())]},
    "FrozenEstimator": {"estimator": PCA(2).fit(np.eye(3))},
    "LogisticRegressionCV": {"cv": 2},
    "NMF": {"max_iter": 2000},
    "OneVsOneClassifier": {"estimator": SVC()},
    "OneVsRestClassifier": {"estimator": SVC()},
    "Pipeline": {"steps": [("scaler", StandardScaler()), ("pca", PCA(2))]},
    "QuantileTransformer": {"n_quantiles": 20},
    "StackingClassifier": {"estimators": [("svm", SVC()), ("bayes", GaussianNB())], "cv": 2},
    "VotingClassifier": {"estimators": [("svm", SVC()), ("bayes", GaussianNB())]},
    "RadiusNeighborsClassifier": {"outlier_label": 0},
}
OF_LABELS = ("LabelBinarizer", "LabelEncoder")  # which are no steps
METHODS = ("predict", "predict_proba", "decision_function", "transform", "kneighbors")


# The text of a member, "Emotion.ANGER", is not the word that it equals.
Emotion = Enum("Emotion", {"ANGER": "anger", "FEAR": "fear", "JOY": "joy"}, type=str)


class Tiny(nn.Module):
    """A backbone of one's own."""

    def __init__(self, input_shape):
        super().__init__()
        self.linear = nn.Linear(input_shape[0], 6)

    def forward(self, x):
        return self.linear(x)


@pytest.fixture(scope="module")
def faces():
    return make_expressions(4, 2, image_size=24, random_state=0)


@pytest.fixture(scope="module")
def fitted():
    return CrossEntropyEmbedder(8, max_epochs=1, random_state=0).fit(X, WORDS)


def kept(model, folder, **options):
    path = folder / "model.skfer"
    skfer.save(model, path)
    return skfer.load(path, **options)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.cls.__name__)
def test_the_same_embedding_to_the_bit(case, faces, tmp_path):
    model = case.make().fit(faces.images, faces.target)
    classes = [value for value in case.params.values() if isinstance(value, type)]
    loaded = kept(model, tmp_path, trusted=[case.cls, *classes])  # one is of our own
    assert_array_equal(loaded.transform(faces.images), model.transform(faces.images))
    assert loaded.get_params(deep=False).keys() == model.get_params(deep=False).keys()
    assert loaded.history_ == model.history_
    for name, value in vars(model).items():
        if isinstance(value, np.ndarray):
            assert_array_equal(getattr(loaded, name), value)


def test_training_resumes_alike(faces, tmp_path):
    model = TripletCenterEmbedder(8, class_weight="balanced", max_epochs=1, random_state=0)
    model.fit(faces.images, faces.target)
    loaded = kept(model, tmp_path)
    for one in (model, loaded):
        one.partial_fit(faces.images, faces.target)
    assert_array_equal(loaded.transform(faces.images), model.transform(faces.images))


def test_sub_classes_and_unlabeled_samples(tmp_path):
    y = np.where(np.arange(len(Y)) % 3 == 0, Y, -1)
    model = GaussianMetricEmbedder(8, max_subclasses=2, max_epochs=4, random_state=0).fit(X, y)
    loaded = kept(model, tmp_path)
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert_array_equal(loaded.predict_subclass(X), model.predict_subclass(X))


@pytest.mark.parametrize("last", CLASSIFIERS, ids=lambda c: type(c).__name__)
def test_pipelines(last, tmp_path):
    embedder = CrossEntropyEmbedder(8, max_epochs=1, random_state=0)
    model = make_pipeline(embedder, StandardScaler(), PCA(3), last).fit(X, WORDS)
    loaded = kept(model, tmp_path)
    answer = "predict_proba" if hasattr(model, "predict_proba") else "decision_function"
    for method in (answer, "predict"):
        assert_array_equal(getattr(loaded, method)(X), getattr(model, method)(X))


@pytest.mark.parametrize(
    ("room", "name"),
    [
        (room, name)
        for room, names in _known._SKLEARN.items()
        for name in names
        if name not in OF_LABELS
    ],
)
def test_every_listed_class(room, name, fitted, tmp_path):
    step = getattr(import_module(room), name)(**NEEDED.get(name, {}))
    model = make_pipeline(FrozenEstimator(fitted), PCA(3), MinMaxScaler(), step)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", (FutureWarning, ConvergenceWarning))
        model.fit(X, Y)
    loaded = kept(model, tmp_path)
    answers = [method for method in METHODS if hasattr(model, method)]
    assert answers or hasattr(step, "kneighbors")
    for method in answers:
        assert_array_equal(getattr(loaded, method)(X), getattr(model, method)(X))


def test_a_module_as_parameter(faces, tmp_path):
    first = CrossEntropyEmbedder(8, max_epochs=1, random_state=0)
    first.fit(faces.images, faces.target)
    model = CrossEntropyEmbedder(8, backbone=first.backbone_, max_epochs=1, random_state=0)
    model.fit(faces.images, faces.target)
    loaded = kept(model, tmp_path)
    assert_array_equal(loaded.transform(faces.images), model.transform(faces.images))
    again = kept(model, tmp_path).fit(faces.images, faces.target).transform(faces.images)
    assert_array_equal(again, model.transform(faces.images))
    further = model.partial_fit(faces.images, faces.target).transform(faces.images)
    loaded.partial_fit(faces.images, faces.target)
    assert_array_equal(loaded.transform(faces.images), further)
    changed = loaded.set_params(backbone="scratch")
    with pytest.raises(ValueError, match="goes on with a network that was made with backbone"):
        changed.partial_fit(faces.images, faces.target)
    kept_changed = kept(changed, tmp_path)
    with pytest.raises(ValueError, match="goes on with a network that was made with backbone"):
        kept_changed.partial_fit(faces.images, faces.target)


@pytest.mark.parametrize("backbone", [Tiny, Tiny((4,))], ids=["class", "module"])
def test_a_class_of_ones_own_is_loaded_when_it_is_trusted(backbone, tmp_path):
    model = CrossEntropyEmbedder(8, backbone=backbone, max_epochs=1, random_state=0).fit(X, Y)
    with pytest.raises(ModelFileError, match=r"loaded unasked.* trusted=\['.*Tiny'\]"):
        kept(model, tmp_path)
    loaded = kept(model, tmp_path, trusted=[Tiny])
    assert_array_equal(loaded.transform(X), model.transform(X))


@pytest.mark.parametrize(
    ("last", "where"),
    [
        (FunctionTransformer(lambda Z: Z), "func"),
        (RandomForestClassifier(2, random_state=0), "estimators_"),
    ],
)
def test_what_cannot_be_saved_is_told_with_its_place(last, where, tmp_path):
    model = make_pipeline(CrossEntropyEmbedder(8, max_epochs=1, random_state=0), last)
    path = tmp_path / "model.skfer"
    with pytest.raises(TypeError, match=where):
        skfer.save(model.fit(X, Y), path)
    assert os.listdir(tmp_path) == []


def test_of_a_search_the_best_estimator_is_saved(fitted, tmp_path):
    search = GridSearchCV(KNeighborsClassifier(), {"n_neighbors": [1, 3]}, cv=2)
    model = make_pipeline(FrozenEstimator(fitted), search).fit(X, Y)
    with pytest.raises(TypeError, match=r"steps\[1\]\[1\] is a search.*save .* best_estimator_"):
        skfer.save(model, tmp_path / "model.skfer")
    best = make_pipeline(FrozenEstimator(fitted), model[-1].best_estimator_)
    assert_array_equal(kept(best, tmp_path).predict(X), model.predict(X))


def test_all_that_is_not_trusted_is_told_at_once(fitted, tmp_path):
    model = make_pipeline(FrozenEstimator(fitted), SelectKBest(k=3), GaussianNB()).fit(X, Y)
    with pytest.raises(ModelFileError, match=r"SelectKBest', '.*f_classif', which are not") as told:
        kept(model, tmp_path)
    names = ast.literal_eval(str(told.value).partition("trusted=")[2].rstrip(")."))
    assert len(names) == 2
    with pytest.raises(ModelFileError, match=r"needs '[^']*f_classif', which is not"):
        kept(model, tmp_path, trusted=[SelectKBest])
    loaded = kept(model, tmp_path, trusted=names)
    assert_array_equal(loaded.predict(X), model.predict(X))
    assert isinstance(kept(model, tmp_path, trusted=[SelectKBest, f_classif])[1], SelectKBest)


@pytest.mark.parametrize(
    ("value", "what"),
    [(np.array([1j]), "dtype complex128"), (torch.zeros(2, dtype=torch.bfloat16), "bfloat16")],
)
def test_numbers_that_the_format_lacks_are_told(value, what, tmp_path):
    model = CrossEntropyEmbedder(8, max_epochs=1, random_state=0).fit(X, Y)
    model.extra_ = value
    with pytest.raises(TypeError, match=f"extra_ is a.*{what}"):
        skfer.save(model, tmp_path / "model.skfer")


def test_a_backbone_with_hooks_is_not_saved_without_them(tmp_path):
    backbone = nn.Sequential(nn.Linear(4, 8))
    backbone.register_forward_hook(lambda *_: None)
    model = CrossEntropyEmbedder(8, backbone=backbone, max_epochs=1, random_state=0).fit(X, Y)
    with pytest.raises(TypeError, match="a module with hooks"):
        skfer.save(model, tmp_path / "model.skfer")


def test_only_what_is_fitted_is_saved(tmp_path):
    with pytest.raises(NotFittedError):
        skfer.save(CrossEntropyEmbedder(), tmp_path / "model.skfer")


def test_a_file_may_not_name_what_runs_code(fitted, tmp_path):
    path = tmp_path / "model.skfer"
    skfer.save(fitted, path)
    document, arrays = read_file(path)
    for tag in ("object", "module", "embedder", "named"):
        for name in ("os.system", "builtins.eval", "subprocess.Popen", "torch.nn.functional.relu"):
            bad = {"!": tag, "value": name, "state": {}, "net": None}
            bad |= {"_parameters": {}, "_buffers": {}, "_modules": {}}
            write_file(path, document | {"model": bad}, arrays)
            with pytest.raises(ModelFileError):
                skfer.load(path)


class Printing:
    """What a pickle may do when it is loaded."""

    def __reduce__(self):
        return pytest.fail, ("a pickle was loaded",)


@pytest.mark.parametrize("tag", ["embedder", "object"])
def test_a_file_may_not_hold_the_callbacks_of_a_pickle(tag, fitted, tmp_path):
    path = tmp_path / "model.skfer"
    skfer.save(fitted, path)
    document, arrays = read_file(path)
    arrays["code"] = np.frombuffer(pickle.dumps([Printing()]), np.uint8)
    code = {"!": "array", "value": "code", "order": "C"}
    model = document["model"]
    model |= {"!": tag, "state": model["state"] | {"_pickled_callbacks": code}}
    write_file(path, document, arrays)
    if tag == "embedder":
        assert skfer.load(path).callbacks is None
    else:
        with pytest.raises(ModelFileError, match="is no such estimator"):
            skfer.load(path)


@pytest.mark.parametrize("given", [EpochTimer(), EpochTimer, ("clock", EpochTimer())])
def test_callbacks_are_left_out_and_told(given, tmp_path):
    callbacks = [TrainingBar(), given]
    model = CrossEntropyEmbedder(8, max_epochs=1, callbacks=callbacks, random_state=0).fit(X, Y)
    told = r"The callbacks of CrossEntropyEmbedder are not kept \(EpochTimer\).*set its callbacks"
    with pytest.warns(UserWarning, match=told) as warned:
        loaded = kept(model, tmp_path)
    assert [warning.filename for warning in warned] == [__file__]
    assert loaded.callbacks is None
    assert_array_equal(loaded.transform(X), model.transform(X))


def test_what_only_watches_is_left_out_without_a_word(tmp_path):
    model = CrossEntropyEmbedder(8, max_epochs=1, callbacks=[TrainingBar()], random_state=0)
    wrapped = WithLabels(model).fit(X, Y)  # which holds an embedder that is not fitted, too
    loaded = kept(wrapped, tmp_path)
    assert loaded.embedder.callbacks is loaded.embedder_.callbacks is None


@pytest.mark.parametrize(
    "scoring", ["accuracy", ["accuracy", "recall_at_1"], ("accuracy",), {"all": "accuracy"}]
)
def test_names_of_scorers_are_kept(scoring, tmp_path):
    given = {"max_epochs": 1, "early_stopping": True, "random_state": 0}
    model = CrossEntropyEmbedder(8, scoring=scoring, **given).fit(X, Y)
    loaded = kept(model, tmp_path)
    assert loaded.scoring == scoring
    assert type(loaded.scoring) is type(scoring)
    assert_array_equal(loaded.fit(X, Y).transform(X), model.transform(X))
    assert loaded.history_[-1].keys() == model.history_[-1].keys()


@pytest.mark.parametrize("scoring", [max_error, {"worst": max_error}])
def test_functions_that_score_are_not_kept(scoring, tmp_path):
    model = CrossEntropyEmbedder(8, max_epochs=1, random_state=0).fit(X, Y)
    assert kept(model.set_params(scoring=scoring), tmp_path).scoring is None


def test_another_version_warns(fitted, tmp_path, monkeypatch):
    path = tmp_path / "model.skfer"
    skfer.save(fitted, path)
    monkeypatch.setattr("skfer.embedders._transformer.__version__", "9.9")
    with pytest.warns(InconsistentVersionWarning, match="9.9"):
        skfer.load(path)


def test_a_device_for_the_loaded_model(tmp_path):
    model = CrossEntropyEmbedder(8, max_epochs=1, device="cpu", random_state=0).fit(X, Y)
    assert kept(model, tmp_path, device="auto").device == "auto"


def test_loading_leaves_the_generators_alone(fitted, tmp_path):
    path = tmp_path / "model.skfer"
    skfer.save(fitted, path)
    before = torch.get_rng_state(), np.random.mtrand._rand.get_state()[1].copy()
    skfer.load(path)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert_array_equal(np.random.mtrand._rand.get_state()[1], before[1])


def test_the_card_is_read_without_the_model(fitted, tmp_path, monkeypatch):
    path = tmp_path / "model.skfer"
    skfer.save(fitted, path, card={"data": "iris", "scores": {"accuracy": 0.5}})
    monkeypatch.setattr(_model.Decoder, "_embedder", None)
    read = read_card(path)
    assert read["card"] == {"data": "iris", "scores": {"accuracy": 0.5}}
    assert read["versions"]["skfer"] == skfer.__version__
    assert _file.FORMAT == 1


def test_models_are_read_from_open_files(fitted, tmp_path):
    """As those of object stores are."""
    path = tmp_path / "model.skfer"
    skfer.save(fitted, path, card={"name": "x"})
    content = path.read_bytes()
    assert_array_equal(skfer.load(io.BytesIO(content)).transform(X), fitted.transform(X))
    with path.open("rb") as file:
        assert_array_equal(skfer.load(file).transform(X), fitted.transform(X))
    assert read_card(io.BytesIO(content)) == read_card(path)
    assert skfer.model_card(io.BytesIO(content)) == skfer.model_card(path)
    document, arrays = read_file(path)
    write_file(path, document | {"model": [], "card": 3}, arrays)
    for read in (skfer.load, read_card, skfer.model_card):
        with pytest.raises(ModelFileError, match=r"^the file given is damaged"):
            read(io.BytesIO(path.read_bytes()))
    for read, name in ((skfer.load, "path"), (read_card, "path"), (skfer.model_card, "model")):
        with pytest.raises(ArgumentError, match=rf"^{name} must be .* got bytes: give io\.BytesIO"):
            read(content)


def test_torchs_modes_have_no_part_in_loading(fitted, tmp_path):
    path = tmp_path / "model.skfer"
    skfer.save(fitted, path)
    torch.set_default_dtype(torch.float64)
    try:
        with torch.inference_mode(), torch.device("meta"):
            loaded = skfer.load(path)
    finally:
        torch.set_default_dtype(torch.float32)
    assert_array_equal(loaded.transform(X), fitted.transform(X))
    loaded.partial_fit(X, WORDS)


def test_requests_of_metadata_are_kept(tmp_path):
    """They know the estimator that they are of."""
    with sklearn.config_context(enable_metadata_routing=True):
        embedder = CrossEntropyEmbedder(4, max_epochs=1, random_state=0)
        model = make_pipeline(embedder.set_fit_request(groups=True), KNeighborsClassifier())
        again = kept(model.fit(X, Y, groups=Y), tmp_path)
        assert_array_equal(again.predict(X), model.predict(X))
        assert again[0].get_metadata_routing().fit.requests == {"groups": True, "votes": None}
        again.fit(X, Y, groups=Y)


def test_a_device_is_that_of_all_embedders(tmp_path):
    """Of some models parameters are of what was cloned."""
    embedder = CrossEntropyEmbedder(8, max_epochs=1, random_state=0)
    for model in (
        VotingClassifier([("a", embedder), ("b", embedder)]),
        CalibratedClassifierCV(embedder, cv=2),
    ):
        skfer.save(model.fit(X, WORDS), tmp_path / "x.skfer")
        loaded = skfer.load(tmp_path / "x.skfer", device="cpu")
        assert [one.device for one in embedders_in(loaded)] == ["cpu", "cpu"]
        assert [one.device for one in embedders_in(model)] == ["auto", "auto"]


def test_a_backbone_with_parametrizations_is_not_saved_by_their_class(tmp_path):
    backbone = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 8)))
    model = CrossEntropyEmbedder(8, backbone=backbone, max_epochs=1, random_state=0).fit(X, Y)
    with pytest.raises(TypeError, match="a module with parametrizations"):
        skfer.save(model, tmp_path / "model.skfer")


class ReadsItself(CrossEntropyEmbedder):
    """It asks for the file in its own way."""

    def make_network(self):
        path, self.backbone_weights = Path(self.backbone_weights), None
        assert path.read_text() == "weights"
        network = super().make_network()
        self.backbone_weights = str(path)
        return network


def test_an_own_network_may_read_its_weights(tmp_path):
    path = tmp_path / "weights.txt"
    path.write_text("weights")
    model = ReadsItself(8, backbone_weights=str(path), max_epochs=1, random_state=0)
    skfer.save(model.fit(X, Y), tmp_path / "x.skfer")
    loaded = skfer.load(tmp_path / "x.skfer", trusted=[ReadsItself])
    assert_array_equal(loaded.transform(X), model.transform(X))


def test_a_model_needs_no_file_of_weights(tmp_path, monkeypatch):
    """It has what was read from there."""
    fake_timm.put_in_place(monkeypatch)
    weights = tmp_path / "weights.pt"
    torch.save(fake_timm.FakeModel(1, "cnn").state_dict(), weights)
    images = make_expressions(4, 1, image_size=24, random_state=0).images
    model = CrossEntropyEmbedder(
        8, backbone="timm/cnn", backbone_weights=str(weights), max_epochs=1, random_state=0
    ).fit(images, np.arange(32) % 2)
    skfer.save(model, tmp_path / "x.skfer")
    weights.unlink()
    loaded = skfer.load(tmp_path / "x.skfer")
    assert_array_equal(loaded.transform(images), model.transform(images))
    assert loaded.backbone_weights == str(weights)


@pytest.mark.parametrize("last", [None, LogisticRegression()], ids=["embedder", "pipeline"])
def test_members_of_an_enumeration_are_kept_as_their_words(last, tmp_path):
    members = np.array([Emotion(word) for word in WORDS], dtype=object)
    model = CrossEntropyEmbedder(4, max_epochs=1, random_state=0)
    model = model if last is None else make_pipeline(model, last)
    model.fit(X, members)
    assert "Emotion" not in skfer.model_card(model)
    next(embedders_in(model)).card_ = {Emotion.ANGER: Emotion.FEAR}
    skfer.save(model, tmp_path / "a.skfer")
    loaded = skfer.load(tmp_path / "a.skfer")
    assert [str(word) for word in loaded.classes_] == ["anger", "fear", "joy"]
    assert_array_equal(loaded.predict(X), model.predict(X))
    assert next(embedders_in(loaded)).card_ == {"anger": "fear"}
    assert read_card(tmp_path / "a.skfer")["facts"]["classes"] == ["anger", "fear", "joy"]
