"""`skfer evaluate --dask`: trainings on the workers of a cluster."""

import json
import sys

import numpy as np
import pytest
from helpers.calls import QUICK, refused

from skfer.cli import main
from skfer.cli._cluster import workers_at

# What a second of waiting for a disk would say.
pytestmark = pytest.mark.filterwarnings("ignore:Creating scratch directories:UserWarning")
SMALL = [*QUICK, "--image-size", "16", "--embedders", "pca,cross-entropy"]


@pytest.fixture(scope="module")
def cluster():
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as cluster:
        yield cluster


def _scores(path):
    folds = json.loads(path.read_text())["folds"]
    return {(fold["method"], fold["fold"]): fold["accuracy"] for fold in folds}


@pytest.mark.dask
def test_scores_are_those_of_one_process(cluster, tmp_path):
    here, there = tmp_path / "here.json", tmp_path / "there.json"
    assert main(["evaluate", *SMALL, "--json", str(here)]) == 0
    address = cluster.scheduler_address
    assert main(["evaluate", *SMALL, "--json", str(there), "--dask", address]) == 0
    assert _scores(there) == _scores(here)
    assert len(_scores(here)) == 4


@pytest.mark.dask
def test_every_worker_keeps_the_data(cluster):
    """A worker that dies must not take the last copy of them with it."""
    from distributed import Client

    with Client(cluster) as client:
        assert client.amm.running()
        with workers_at(cluster.scheduler_address, np.ones(1000)):
            assert not client.amm.running()
        assert client.amm.running()


@pytest.mark.dask
def test_a_scheduler_without_workers(capsys):
    from distributed import LocalCluster

    with LocalCluster(n_workers=0, dashboard_address=":0") as empty:
        said = refused(capsys, *SMALL, "--dask", empty.scheduler_address)
    assert f"start some with `dask worker {empty.scheduler_address}`" in said


@pytest.mark.dask
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense:::"])
def test_no_scheduler(capsys, monkeypatch, address):
    """It is told before faces are read, which takes minutes."""
    monkeypatch.setattr("skfer.cli._cluster._PATIENCE", 1)
    monkeypatch.delattr("skfer.cli._evaluate.load_faces")
    said = refused(capsys, *SMALL, "--dask", address)
    assert f"--dask found no scheduler at '{address}'" in said
    assert "the address that `dask scheduler` prints" in said
    assert "fits are done" not in said


def test_without_dask(capsys, monkeypatch):
    """It is told before faces are read, which takes minutes."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delattr("skfer.cli._evaluate.load_faces")
    assert "--dask needs the package distributed: pip install" in refused(
        capsys, *SMALL, "--dask", "tcp://127.0.0.1:9"
    )
