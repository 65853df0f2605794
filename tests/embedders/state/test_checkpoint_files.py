"""Which file a fit is kept in, and which files and folders are refused."""

import hashlib
import importlib
import io
import os
import sys

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from pytorch_metric_learning import losses
from sklearn.model_selection import GridSearchCV, cross_validate
from skorch.callbacks import Checkpoint

import skfer
from skfer import CrossEntropyEmbedder, MetricLossEmbedder
from skfer.embedders.state import _checkpoints

QUICK = {"backbone": "scratch", "embedding_dim": 16, "samples_per_class": 4, "random_state": 0}


def test_searches_keep_a_file_for_each_fit(rows, tmp_path):
    X, y = rows
    model = CrossEntropyEmbedder(**QUICK, max_epochs=1, checkpoint=tmp_path)
    search = GridSearchCV(model, {"lr": [1e-3, 1e-2]}, cv=2).fit(X, y)
    assert len(list(tmp_path.iterdir())) == 5  # and one of all samples
    before = {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    again = GridSearchCV(model, {"lr": [1e-3, 1e-2]}, cv=2).fit(X, y)
    assert {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()} == before
    assert_array_equal(again.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"])
    cross_validate(model, X, y, cv=2)
    assert len(list(tmp_path.iterdir())) == 7


def _net_of(width):
    def make(shape):
        return torch.nn.Sequential(torch.nn.Linear(shape[0], width), torch.nn.ReLU())

    return make


@pytest.mark.parametrize(
    ("given", "n_files"),
    [
        ({"lr": 0.01}, 2),
        ({"random_state": 1}, 2),
        ({"random_state": np.random.RandomState(0)}, 2),
        ({"backbone": _net_of(6)}, 2),
        ({"backbone": torch.nn.Linear(5, 5)}, 2),
        ({"early_stopping": True, "schedule": "constant"}, 2),
        ({"verbose": 0}, 1),
        ({"backbone": _net_of(4)}, 1),
    ],
)
def test_other_parameters_have_a_file_of_their_own(rows, tmp_path, given, n_files):
    model = CrossEntropyEmbedder(
        **QUICK | {"backbone": _net_of(4)}, max_epochs=1, checkpoint=tmp_path
    )
    model.fit(*rows).set_params(**given).fit(*rows)
    assert len(list(tmp_path.iterdir())) == n_files


@pytest.mark.parametrize("what", ["X", "y", "memmap"])
def test_other_data_have_a_file_of_their_own(rows, tmp_path, what):
    X, y = rows[0].copy(), rows[1].copy()
    model = CrossEntropyEmbedder(**QUICK, max_epochs=1, checkpoint=tmp_path / "fits").fit(X, y)
    if what == "X":
        X[3, 2] += 1e-9
    elif what == "y":
        y[3] = "rage"
    else:
        mapped = np.memmap(tmp_path / "X.dat", dtype=X.dtype, mode="w+", shape=X.shape)
        mapped[:] = X
        X = mapped
    model.fit(X, y)
    assert len(list((tmp_path / "fits").iterdir())) == (1 if what == "memmap" else 2)


def test_votes_and_other_settings_of_a_loss_have_a_file_of_their_own(rows, tmp_path):
    """The text of a loss does not tell its margin."""
    X, y = rows
    loss = losses.TripletMarginLoss(margin=0.2)
    model = MetricLossEmbedder(loss, **QUICK, max_epochs=1, checkpoint=tmp_path).fit(X, y)
    model.fit(X, y)
    assert len(list(tmp_path.iterdir())) == 1
    model.set_params(loss=losses.TripletMarginLoss(margin=0.5)).fit(X, y)
    assert len(list(tmp_path.iterdir())) == 2
    votes = np.ones((len(y), 3))
    model.fit(X, y, votes=votes)
    model.fit(X, y, votes=votes + np.eye(3)[0])
    model.fit(X, y, votes=2 * votes)  # the same shares
    assert len(list(tmp_path.iterdir())) == 4


OWN = """
import torch
from own_parts import scaled
from skfer.embedders import CrossEntropyEmbedder
from skfer.training import Objective

FACTOR = {"pull": [1.0]}

class Pull(torch.nn.Module):
    power = 2

    def forward(self, embeddings, labels):
        return scaled(embeddings, FACTOR["pull"][0]).abs().pow(self.power).mean()

class Mine(CrossEntropyEmbedder):
    def make_objective(self):
        return Objective(own_loss, 1.0)

def own_loss(embeddings, labels, **more):
    return Pull()(embeddings, labels)

def net(shape):
    return torch.nn.Linear(5, 4)
"""
EDITS = {
    "nothing": ("", ""),
    "a method": (".abs()", ".square()"),
    "a value of a class": ("power = 2", "power = 3"),
    "a global": ("[1.0]", "[3.0]"),
    "a function that a function uses": ("factor * ", "0.5 * factor * "),
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("kind", ["class", "module", "function", "embedder"])
def test_code_that_was_edited_has_a_file_of_its_own(rows, tmp_path, monkeypatch, kind, edit):
    """What a user wrote is looked at, in each process anew."""
    folder = tmp_path / "own"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    parts = "def scaled(x, factor):\n    return factor * x\n"
    for before, after in (("", ""), EDITS[edit]):
        for name, text in {"own": OWN, "own_parts": parts}.items():
            (folder / f"{name}.py").write_text(text.replace(before, after) if before else text)
            monkeypatch.delitem(sys.modules, name, raising=False)
        importlib.invalidate_caches()
        own = importlib.import_module("own")
        given = QUICK | {"max_epochs": 1, "checkpoint": tmp_path / "fits"}
        if kind == "embedder":
            own.Mine(**given).fit(*rows)
        else:
            loss = {"class": own.Pull, "module": own.Pull(), "function": own.own_loss}[kind]
            MetricLossEmbedder(loss, **given).fit(*rows)
    assert len(list((tmp_path / "fits").iterdir())) == (1 if edit == "nothing" else 2)


def test_files_that_do_not_fit_are_refused(rows, tmp_path, monkeypatch):
    model = CrossEntropyEmbedder(**QUICK, max_epochs=1, checkpoint=tmp_path).fit(*rows)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("skfer.embedders.state._checkpoints.__version__", "99.9")
        with pytest.raises(skfer.ArgumentError, match=r"skfer 0.*here is .*skfer 99\.9"):
            model.fit(*rows)
    for damaged in (whole[:-100], b"", whole[:5000] + b"damage" + whole[5006:]):
        file.write_bytes(damaged)
        with pytest.raises(skfer.ArgumentError, match=r"damaged.*delete it"):
            model.fit(*rows)
        assert file.read_bytes() == damaged  # nothing is lost
    file.unlink()
    model.fit(*rows)


def test_no_code_runs_on_reading(rows, tmp_path):
    model = CrossEntropyEmbedder(**QUICK, max_epochs=1, checkpoint=tmp_path).fit(*rows)
    (file,) = tmp_path.iterdir()

    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'evil'}",)

    buffer = io.BytesIO()
    torch.save({"versions": {}, "evil": Evil()}, buffer)
    content = buffer.getvalue()
    file.write_bytes(content + hashlib.sha256(content).digest())
    with pytest.raises(skfer.ArgumentError, match="cannot be read"):
        model.fit(*rows)
    assert not (tmp_path / "evil").exists()


def test_a_folder_that_takes_no_file_is_told_before_the_first_pass(rows, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    model = CrossEntropyEmbedder(checkpoint=tmp_path / "file" / "x", max_epochs=1, random_state=0)
    with pytest.raises(NotADirectoryError, match=r"checkpoint='.*x': .* \(Not a.*give another f"):
        model.fit(*rows)
    assert not hasattr(model, "history_")

    def refuse(dir):  # as for a user who may not write there; root may
        raise PermissionError(13, "Permission denied", dir)

    model.set_params(checkpoint=tmp_path / "fits").fit(*rows)
    monkeypatch.setattr(_checkpoints.tempfile, "TemporaryFile", refuse)
    model.fit(*rows)  # is finished, and read alone
    with pytest.raises(PermissionError, match=r"no files can be kept there \(Permission denied\)"):
        model.set_params(max_epochs=2).fit(*rows)


def test_what_cannot_be_kept_is_refused(rows, tmp_path):
    with pytest.raises(skfer.ArgumentError, match="random_state"):
        CrossEntropyEmbedder(checkpoint=tmp_path).fit(*rows)
    (tmp_path / "file").touch()
    with pytest.raises(skfer.ArgumentError, match="is a file: give a folder"):
        CrossEntropyEmbedder(checkpoint=tmp_path / "file", random_state=0).fit(*rows)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(skfer.ArgumentError, match="give a folder"):
        CrossEntropyEmbedder(checkpoint=tmp_path / "loop", random_state=0).fit(*rows)
    with pytest.raises(ValueError, match=r"checkpoint='FOLDER' keeps each epoch"):
        CrossEntropyEmbedder(callbacks=[Checkpoint()]).fit(*rows)

    class Plain(CrossEntropyEmbedder):
        def make_sampler(self, codes, seed):
            return [np.arange(len(codes))]

    with pytest.raises(skfer.ArgumentError, match="state_dict"):
        Plain(**QUICK, checkpoint=tmp_path).fit(*rows)


def test_leftovers_of_killed_processes_are_removed(rows, tmp_path):
    model = CrossEntropyEmbedder(**QUICK, max_epochs=1, checkpoint=tmp_path).fit(*rows)
    (file,) = tmp_path.iterdir()
    old, new = (file.with_name(f".{file.name}.{name}.part") for name in ("a", "b"))
    old.touch()
    new.touch()
    os.utime(old, (0, 0))
    model.fit(*rows)
    assert not old.exists()
    assert new.exists()  # someone may be writing it


def test_a_path_survives_saving(rows, tmp_path):
    model = CrossEntropyEmbedder(**QUICK, max_epochs=1, checkpoint=tmp_path / "fits").fit(*rows)
    skfer.save(model, tmp_path / "model.skfer")
    loaded = skfer.load(tmp_path / "model.skfer")
    assert_array_equal(loaded.transform(rows[0]), model.transform(rows[0]))
