"""Searches whose fits run on the workers of a dask cluster."""

import contextlib
import os
import runpy
import signal
import sys
from pathlib import Path

import cloudpickle
import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback

from skfer import CrossEntropyEmbedder

pytestmark = [
    pytest.mark.dask,
    # What a second of waiting for a disk would say.
    pytest.mark.filterwarnings("ignore:Creating scratch directories:UserWarning"),
]
GUIDE = Path(__file__).parents[2] / "docs" / "guide"
QUICK = {"embedding_dim": 8, "max_epochs": 3, "samples_per_class": 4, "random_state": 0}

# The workers know nothing of the tests.
cloudpickle.register_pickle_by_value(sys.modules[__name__])


@contextlib.contextmanager
def _two_workers():
    """Two workers, each of them a process."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        client.wait_for_workers(2, timeout=120)
        yield client


@pytest.fixture(scope="module")
def client():
    with _two_workers() as client:
        yield client


def _who():
    return os.getpid(), torch.get_num_threads()


class DiesOnce(Callback):
    """Kills its process in the second epoch, the first time that a fit comes there."""

    def __init__(self, folder, spared):
        self.folder = folder
        self.spared = spared

    def on_epoch_begin(self, net, **kwargs):
        place = Path(self.folder)
        (place / f"{os.getpid()}-{len(net.history)}").touch()
        if len(net.history) == 2 and self._is_first(place):
            assert os.getpid() != self.spared, "the fit runs in the process of the tests"
            os.kill(os.getpid(), signal.SIGKILL)

    @staticmethod
    def _is_first(place):
        try:
            (place / "died").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def test_scores_are_those_of_a_serial_search(client, rows):
    search = GridSearchCV(CrossEntropyEmbedder(**QUICK), {"lr": [1e-3, 1e-2]}, cv=2)
    expected = search.fit(*rows).cv_results_
    with joblib.parallel_config("dask", scatter=list(rows)):
        found = search.fit(*rows).cv_results_
    for name in ("split0_test_score", "split1_test_score"):
        assert_array_equal(found[name], expected[name])


def test_a_worker_is_a_process_of_one_torch_thread(client):
    answers = client.run(_who)
    processes = {process for process, _ in answers.values()}
    assert len(processes - {os.getpid()}) == 2
    assert {n_threads for _, n_threads in answers.values()} == {1}


def test_models_come_back_whole(client, rows):
    model = CrossEntropyEmbedder(**QUICK)
    with joblib.parallel_config("dask"):
        fitted = cross_validate(model, *rows, cv=2, return_estimator=True)["estimator"]
    expected = cross_validate(model, *rows, cv=2, return_estimator=True)["estimator"]
    for one, other in zip(fitted, expected, strict=True):
        assert_array_equal(one.transform(rows[0]), other.transform(rows[0]))


def test_arrays_of_dask_are_embedded_block_by_block(client, faces):
    """By the model that each worker gets once; equal to transform."""
    from dask import array

    model = CrossEntropyEmbedder(**QUICK, backbone="scratch").fit(faces.images, faces.target)
    blocks = array.from_array(faces.images, chunks=(20, -1, -1))
    shared = client.scatter(model, broadcast=True)
    found = blocks.map_blocks(
        lambda block, model: model.transform(block),  # by value, as from a notebook
        shared,
        dtype=np.float32,
        chunks=(blocks.chunks[0], (8,)),
        drop_axis=2,
    )
    assert_array_equal(found.compute(), model.transform(faces.images))


def test_an_array_on_disk_is_embedded_block_by_block(client, faces, tmp_path):
    """By the recipe of the guide; equal to transform."""
    model = CrossEntropyEmbedder(**QUICK, backbone="scratch").fit(faces.images, faces.target)
    np.save(tmp_path / "images.npy", faces.images)
    recipe = runpy.run_path(str(GUIDE / "embed_with_dask.py"))
    found = recipe["embed_array"](client, model, tmp_path / "images.npy", rows=20)
    Z = model.transform(faces.images)
    assert found.numblocks == (-(-len(faces.images) // 20), 1)
    assert_array_equal(found.compute(), Z)
    # The command line puts a classifier behind.
    whole = make_pipeline(model, KNeighborsClassifier(1).fit(Z, faces.target))
    found = recipe["embed_array"](client, whole, tmp_path / "images.npy", rows=20)
    assert_array_equal(found.compute(), Z)


def test_a_fit_whose_worker_is_killed_is_done_again(rows, tmp_path):
    """With a checkpoint it goes on where it was; the others are not done again."""
    # Few rows: joblib sends larger arguments to one worker, with which they are lost, but for
    # those that are to be scattered to all.
    X, y = (values[::2][:80] for values in rows)
    model = CrossEntropyEmbedder(**QUICK)
    expected = cross_validate(model, X, y, cv=2)["test_score"]
    model.set_params(callbacks=[DiesOnce(str(tmp_path), os.getpid())], checkpoint=tmp_path / "fits")
    # Workers of its own: what one of them held would be missed by other tests.
    with _two_workers() as client:
        client.amm.stop()  # as the guide says: each worker keeps X and y
        with joblib.parallel_config("dask", scatter=[X, y]):
            found = cross_validate(model, X, y, cv=2)["test_score"]
        client.wait_for_workers(2, timeout=120)  # the one that was killed is started again
    assert_array_equal(found, expected)
    assert (tmp_path / "died").exists()
    assert len(list((tmp_path / "fits").glob("*.ckpt"))) == 2
    begun = [file.name for file in tmp_path.iterdir() if "-" in file.name]
    assert len([name for name in begun if name.endswith("-1")]) == 2  # no fit began twice
