"""What scikit-learn users do: pipelines, searches, clones, pickles, data frames."""

import copy
import io
import os
import pickle
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
import sklearn
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    StratifiedGroupKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr
from skorch.callbacks import Callback, EarlyStopping
from torch import nn

from skfer import CrossEntropyEmbedder, InconsistentVersionWarning
from skfer.nets import CompactResNet

COPIES = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "deepcopy": copy.deepcopy,
    "joblib": lambda model: _joblib(model),
}


def _joblib(model):
    buffer = io.BytesIO()
    joblib.dump(model, buffer, compress=3)
    buffer.seek(0)
    return joblib.load(buffer)


@pytest.mark.parametrize("how", COPIES)
def test_copies_embed_bit_for_bit(embedder, faces, how):
    embedder.fit(faces.images, faces.target)
    again = COPIES[how](embedder)
    assert_array_equal(again.transform(faces.images), embedder.transform(faces.images))
    assert again.history_ == embedder.history_
    again.partial_fit(faces.images, faces.target)


def test_pickle_in_a_new_process(embedder, faces, tmp_path):
    embedder.fit(faces.images, faces.target)
    joblib.dump((embedder, faces.images), tmp_path / "model.joblib")
    code = (
        "import sys, joblib, numpy, torch\n"
        f"sys.path += {sys.path!r}\n"
        "torch.set_num_threads(int(sys.argv[2]))\n"
        "model, X = joblib.load(sys.argv[1] + '/model.joblib')\n"
        "numpy.save(sys.argv[1] + '/Z.npy', model.transform(X))\n"
    )
    threads = str(torch.get_num_threads())
    subprocess.run([sys.executable, "-c", code, str(tmp_path), threads], check=True)
    assert_array_equal(np.load(tmp_path / "Z.npy"), embedder.transform(faces.images))


def test_pickle_holds_weights_alone(embedder, faces):
    """No optimizer, callbacks, device or data: hardly more bytes than the weights."""
    embedder.fit(faces.images, faces.target)
    state = embedder.net_.__getstate__()
    assert "optimizer_" not in state
    assert "callbacks_" not in state
    assert state["device"] == "cpu"
    weights = sum(t.nbytes for t in state["module_"].state_dict().values())
    assert len(pickle.dumps(embedder)) < 1.6 * weights + 60_000


class _Tagged(pickle.Pickler):
    """A pickler that would notice a tensor that is not on the CPU."""

    def reducer_override(self, obj):
        if isinstance(obj, torch.Tensor):
            assert obj.device.type == "cpu", "a tensor of another device would be pickled"
        return NotImplemented


def test_model_of_another_device_is_pickled_on_the_cpu(embedder, faces):
    """The meta device stands in for CUDA: what stays on it fails the pickler's check."""
    embedder.fit(faces.images, faces.target)
    _Tagged(io.BytesIO(), protocol=5).dump(embedder)
    n_moved = 0
    for part in [*embedder.net_.module_.modules(), *embedder.net_.criterion_.modules()]:
        for name, value in list(vars(part).items()):
            known_to_torch = name in ("_parameters", "_buffers")
            moved = None if known_to_torch else _on_meta(value)
            if moved is not None:
                n_moved += 1
                setattr(part, name, moved)
    assert n_moved >= 1  # what the latest batch left: workspaces and statistics
    _Tagged(io.BytesIO(), protocol=5).dump(embedder)
    embedder.net_.stray = torch.empty(3, device="meta")
    with pytest.raises(AssertionError, match="another device"):
        _Tagged(io.BytesIO(), protocol=5).dump(embedder)


def _on_meta(value):
    """A tensor, or a dict or tuple that holds one at any depth, moved; None for anything else."""
    if isinstance(value, torch.Tensor):
        return value.to("meta")
    if isinstance(value, dict):
        moved = {k: _on_meta(v) for k, v in value.items()}
        found = any(v is not None for v in moved.values())
        return {k: value[k] if v is None else v for k, v in moved.items()} if found else None
    if isinstance(value, tuple):
        moved = [_on_meta(v) for v in value]
        if all(v is None for v in moved):
            return None
        moved = [old if new is None else new for old, new in zip(value, moved, strict=True)]
        return value._make(moved) if hasattr(value, "_make") else tuple(moved)
    return None


class OnMeta(nn.Linear):
    """Stands for a module on another device."""

    def __init__(self):
        super().__init__(5, 7, device="meta")

    def to(self, *args, **kwargs):
        """Move it, with new values: the meta device holds none."""
        return self.to_empty(device="cpu")


def test_parameters_of_another_device_are_pickled_on_the_cpu(embedder, rows):
    """Whatever parameter is a module: the pickler fails on what stays on the meta device."""
    module = OnMeta()
    embedder.fit(*rows).set_params(augment=module)
    assert pickle.loads(_tagged(embedder)).augment.weight.device.type == "cpu"
    assert module.weight.device.type == "meta"
    embedder.set_params(backbone=module)
    loaded = pickle.loads(_tagged(embedder))
    assert loaded.backbone is loaded.augment
    assert loaded.backbone.weight.device.type == "cpu"


def _tagged(model):
    buffer = io.BytesIO()
    _Tagged(buffer, protocol=5).dump(model)
    return buffer.getvalue()


@pytest.mark.cuda
def test_model_fitted_on_cuda_loads_without(embedder, faces, tmp_path):
    embedder.set_params(device="cuda", precision="float32").fit(faces.images, faces.target)
    expected = embedder.transform(faces.images)
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(embedder))
    np.save(tmp_path / "faces.npy", faces.images)
    code = (
        "import pickle, warnings, numpy as np; warnings.simplefilter('ignore')\n"
        "model = pickle.load(open('model.pkl', 'rb'))\n"
        "np.save('z.npy', model.transform(np.load('faces.npy')))"
    )
    tests = str(Path(__file__).parents[1])  # where an embedder of the tests' own is imported from
    path = os.pathsep.join([tests, os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": path}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    assert_allclose(np.load(tmp_path / "z.npy"), expected, atol=0.05)


def test_callbacks_that_no_pickle_takes_are_told(embedder, rows):
    class Watcher(Callback):
        def on_train_end(self, net, X=None, **kwargs):
            self.data = lambda: X  # no pickle takes that

    embedder.set_params(callbacks=[Watcher()])
    assert clone(embedder).callbacks is not None
    embedder.fit(*rows)
    data = pickle.dumps(embedder)
    with pytest.warns(UserWarning, match="comes without its callbacks, since they could not be"):
        assert pickle.loads(data).callbacks is None
    assert embedder.callbacks is not None


class Keeps(Callback):
    """Keeps something of a training; at "net" the net itself."""

    def __init__(self, what=None):
        self.what = what

    def on_train_end(self, net, X=None, **kwargs):
        self.kept_ = {"net": net, "data": np.zeros(200_000), None: None}[self.what]


@pytest.mark.parametrize("how", COPIES)
def test_copies_train_with_the_same_callbacks(embedder, rows, how):
    stop = EarlyStopping(monitor="train_loss", patience=2, threshold=10, load_best=True)
    embedder.set_params(callbacks=[stop, ("count", Keeps), Keeps()], max_epochs=6).fit(*rows)
    size = len(pickle.dumps(embedder))
    again = COPIES[how](embedder)
    assert len(pickle.dumps(clone(embedder).set_params(callbacks=None).fit(*rows))) > size - 2_000
    assert [type(c) for c in again.callbacks] == [EarlyStopping, tuple, Keeps]
    assert again.callbacks[0] is not stop
    assert again.fit(*rows).n_iter_ == embedder.n_iter_ < 6


@pytest.mark.parametrize("what", ["net", "data"])
def test_what_callbacks_keep_of_a_training_is_not_pickled(embedder, rows, what):
    embedder.set_params(callbacks=[Keeps(what)]).fit(*rows)
    data = pickle.dumps(embedder)
    with pytest.warns(UserWarning, match="without its callbacks, since they .*(MetricNet|bytes)"):
        assert pickle.loads(data).callbacks is None
    assert type(copy.deepcopy(embedder).callbacks[0]) is Keeps


def test_callbacks_that_know_their_embedder(embedder, rows):
    keeps = Keeps()
    keeps.embedder = embedder
    embedder.set_params(callbacks=[keeps]).fit(*rows)
    copied = copy.deepcopy(embedder)
    assert copied.callbacks[0].embedder is copied
    data = pickle.dumps(embedder)
    with pytest.warns(UserWarning, match=f"it holds a {type(embedder).__name__}"):
        pickle.loads(data)


def test_a_callback_with_an_open_file(embedder, rows, tmp_path):
    keeps = Keeps()
    with open(tmp_path / "log", "w") as keeps.file:
        embedder.set_params(callbacks=[keeps]).fit(*rows)
        assert copy.deepcopy(embedder).callbacks[0].file is keeps.file
        assert copy.copy(embedder).callbacks is embedder.callbacks
        data = pickle.dumps(embedder)
    with pytest.warns(UserWarning, match="they could not be pickled: .*TextIOWrapper") as told:
        pickle.loads(data)
    assert told[0].filename == __file__


def test_callbacks_whose_code_is_not_there(embedder, rows, monkeypatch):
    data = pickle.dumps(embedder.set_params(callbacks=[Keeps()]).fit(*rows))
    monkeypatch.delattr(sys.modules[__name__], "Keeps")
    with pytest.warns(UserWarning, match="they cannot be loaded: .*Keeps"):
        loaded = pickle.loads(data)
    assert_array_equal(loaded.transform(rows[0]), embedder.transform(rows[0]))


def test_a_cached_pipeline_keeps_callbacks(rows, tmp_path):
    stop = EarlyStopping(monitor="train_loss", patience=2, threshold=10)
    embedder = CrossEntropyEmbedder(max_epochs=6, callbacks=[stop], random_state=0)
    model = make_pipeline(embedder, KNeighborsClassifier(2), memory=str(tmp_path))
    for _ in range(2):  # the second time, the fitted embedder is read from the cache
        assert model.fit(*rows)[0].n_iter_ < 6
    assert type(clone(model)[0].callbacks[0]) is EarlyStopping


def test_explicit_cuda_falls_back_after_loading(embedder, faces):
    if torch.cuda.is_available():
        return
    embedder.fit(faces.images, faces.target)
    expected = embedder.transform(faces.images)
    embedder.device = "cuda"
    loaded = pickle.loads(pickle.dumps(embedder))
    with pytest.warns(UserWarning, match="device='cuda'.*Using the CPU"):
        assert_array_equal(loaded.transform(faces.images), expected)
    with pytest.raises(ValueError, match="device='cuda'"):
        loaded.fit(faces.images, faces.target)


def test_another_version_warns(embedder, faces, monkeypatch):
    embedder.fit(faces.images, faces.target)
    monkeypatch.setattr("skfer.embedders._transformer.__version__", "0.0.9")
    data = pickle.dumps(embedder)
    monkeypatch.undo()
    with pytest.warns(InconsistentVersionWarning, match=r"pickled with skfer 0\.0\.9"):
        pickle.loads(data)


def test_same_seed_same_embedding(embedder, faces, global_state):
    before = global_state()
    first = clone(embedder).fit(faces.images, faces.target).transform(faces.images)
    second = clone(embedder).fit(faces.images, faces.target).transform(faces.images)
    assert global_state() == before
    assert_array_equal(first, second)
    other = clone(embedder).set_params(random_state=1)
    assert not np.array_equal(other.fit(faces.images, faces.target).transform(faces.images), first)


def test_fits_in_threads_are_those_of_one_thread(embedder, faces, global_state):
    """Torch's generator is one for the process: threads that share it would mix their draws."""
    before = global_state()
    expected = clone(embedder).fit(faces.images, faces.target).transform(faces.images)
    search = GridSearchCV(
        make_pipeline(embedder, KNeighborsClassifier(3)),
        {f"{type(embedder).__name__.lower()}__lr": [1e-3, 3e-3, 1e-2]},
        cv=3,
        error_score="raise",
    )
    one = clone(search).fit(faces.images, faces.target)
    with joblib.parallel_config("threading", n_jobs=2):
        several = clone(search).fit(faces.images, faces.target)
        embeddings = joblib.Parallel()(
            joblib.delayed(lambda: clone(embedder).fit_transform(faces.images, faces.target))()
            for _ in range(4)
        )
    assert_array_equal(several.cv_results_["mean_test_score"], one.cv_results_["mean_test_score"])
    for embedding in embeddings:
        assert_array_equal(embedding, expected)
    assert global_state() == before


def test_rows_do_not_depend_on_the_other_rows(embedder, faces):
    embedder.fit(faces.images, faces.target)
    whole = embedder.transform(faces.images)
    assert_array_equal(embedder.transform(faces.images[10:11]), whole[10:11])
    assert_array_equal(embedder.transform(faces.images[::-1])[::-1], whole)
    assert whole.dtype == np.float32


def test_cross_validation_keeps_subjects_apart(embedder, faces):
    model = make_pipeline(embedder, KNeighborsClassifier(3))
    scores = cross_val_score(
        model, faces.images, faces.target, groups=faces.groups, cv=StratifiedGroupKFold(2)
    )
    assert scores.shape == (2,)
    assert np.isfinite(scores).all()


def test_groups_by_metadata_routing(embedder, faces):
    embedder.set_params(early_stopping=True, validation_fraction=0.25, schedule="constant")
    with sklearn.config_context(enable_metadata_routing=True):
        model = make_pipeline(embedder.set_fit_request(groups=True), KNeighborsClassifier(3))
        result = cross_validate(
            model,
            faces.images,
            faces.target,
            params={"groups": faces.groups},
            cv=StratifiedGroupKFold(2),
            error_score="raise",
            return_estimator=True,
        )
    assert np.isfinite(result["test_score"]).all()
    assert "valid_loss" in result["estimator"][0][0].history_[0]


def test_grid_search_in_two_processes(embedder, faces):
    search = GridSearchCV(
        make_pipeline(embedder, KNeighborsClassifier(3)),
        {f"{type(embedder).__name__.lower()}__backbone": ["auto", CompactResNet]},
        cv=2,
        n_jobs=2,
        error_score="raise",
    )
    search.fit(faces.images, faces.target)
    assert len(search.cv_results_["mean_test_score"]) == 2


def test_halving_search(embedder, faces):
    search = HalvingGridSearchCV(
        make_pipeline(embedder, KNeighborsClassifier(1)),
        {f"{type(embedder).__name__.lower()}__lr": [1e-3, 1e-2]},
        cv=2,
        min_resources=32,
        random_state=0,
        error_score="raise",
    )
    assert search.fit(faces.images, faces.target).best_params_


def test_nested_pipeline_on_rows(embedder, rows):
    X, y = rows
    inner = make_pipeline(StandardScaler(), embedder)
    model = make_pipeline(inner, KNeighborsClassifier(3)).fit(X, y)
    assert model.predict(X).shape == y.shape
    assert len(clone(model)[:-1].fit(X, y).get_feature_names_out()) == 16


def test_pandas_output(embedder, rows):
    X, y = rows
    frame = embedder.set_output(transform="pandas").fit(X, y).transform(X)
    assert list(frame.columns) == list(embedder.get_feature_names_out())
    assert frame.shape == (40, 16)


def test_html_repr(embedder, faces):
    assert type(embedder).__name__ in estimator_html_repr(embedder)
    assert type(embedder).__name__ in embedder.fit(faces.images, faces.target)._repr_html_()


def test_paths_are_pickled_as_text(faces, tmp_path):
    """Pickles of a path hold its class, which another system cannot make."""
    model = CrossEntropyEmbedder(8, max_epochs=1, checkpoint=tmp_path / "fits", random_state=0)
    content = pickle.dumps(model.fit(faces.images, faces.target))
    assert b"PosixPath" not in content
    assert b"WindowsPath" not in content
    assert pickle.loads(content).checkpoint == str(tmp_path / "fits")
