"""Two processes that train together learn what one learns."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import fit_together
from numpy.testing import assert_allclose, assert_array_equal

import skfer


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What two processes have kept."""
    place = tmp_path_factory.mktemp("together")
    (place / "stdout").write_text(_run(fit_together.__file__, "all", place))
    return place


def _run(*words):
    """Run Python in a process of its own; return what it prints."""
    paths = str(Path(skfer.__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    call = [sys.executable, *map(str, words)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(call, env=environment, start_new_session=True, **pipes) as run:
        try:
            out, err = run.communicate(timeout=600)
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)  # a launcher has started others
            raise
    assert run.returncode == 0, err[-3000:]
    return out


def _assert_as_alone(found):
    for key, value in fit_together.weights(fit_together.fit("cross-entropy")).items():
        assert_allclose(found[key], value, rtol=1e-10, atol=1e-10, err_msg=key)


def _assert_nothing_is_left(folder, rank):
    """A thread of the group that is left may abort its process at the end."""
    assert (folder / f"threads-{rank}").read_text() == ""


@pytest.mark.parametrize("name", fit_together.CASES)
def test_weights_are_those_of_one_process(folder, name):
    """After 50 steps, but for rounding."""
    first, second = (dict(np.load(folder / f"{name}-{rank}.npz")) for rank in range(2))
    alone = fit_together.fit(name)
    assert alone.net_.n_steps >= (10 if name == "images" else 50)
    expected = fit_together.weights(alone)
    assert first.keys() == expected.keys()
    for key, value in expected.items():
        assert_array_equal(first[key], second[key], err_msg=key)
        assert_allclose(first[key], value, rtol=1e-10, atol=1e-10, err_msg=key)


def test_one_process_alone_tells_and_keeps(folder):
    lines = (folder / "stdout").read_text().splitlines()
    assert sum(line.split()[:1] == ["1"] for line in lines) == 1
    assert len(list((folder / "fits").glob("*.ckpt"))) == len(fit_together.CASES)


@pytest.mark.parametrize("differing", ["seed", "length", "groups"])
def test_processes_that_differ_are_refused(differing, folder):
    for rank in range(2):
        _assert_nothing_is_left(folder, rank)
        told = (folder / f"error-{differing}-{rank}").read_text()
        assert "random_state, y, groups, votes and max_epochs have to be the same" in told


def test_a_process_that_dies_is_told_and_one_alone_goes_on(tmp_path):
    _run(fit_together.__file__, "lose one", tmp_path)
    assert "no longer answers" in (tmp_path / "error").read_text()
    _assert_nothing_is_left(tmp_path, 0)
    (kept,) = (tmp_path / "fits").glob("*.ckpt")
    before = kept.stat().st_mtime_ns
    alone = fit_together.fit("cross-entropy", checkpoint=tmp_path / "fits")
    assert list((tmp_path / "fits").glob("*.ckpt")) == [kept]
    assert kept.stat().st_mtime_ns > before
    _assert_as_alone(fit_together.weights(alone))


LAUNCHERS = {
    "torchrun": "torch.distributed.run --standalone --nproc-per-node 2",
    "accelerate": "accelerate.commands.launch --multi_gpu --num_processes 2 --main_process_port 0",
}


@pytest.mark.parametrize(
    "launcher", ["torchrun", pytest.param("accelerate", marks=pytest.mark.accelerate)]
)
def test_launchers_start_the_processes(launcher, tmp_path):
    run = ["-m", *LAUNCHERS[launcher].split()]
    _run(*run, fit_together.__file__, "launched", tmp_path)
    for rank in range(2):
        _assert_as_alone(np.load(tmp_path / f"launched-{rank}.npz"))
        _assert_nothing_is_left(tmp_path, rank)
