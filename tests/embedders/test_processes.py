"""Embedders in other processes, started after torch has computed with several threads."""

import contextlib
import multiprocessing

import joblib
import pytest
import torch
from numpy.testing import assert_array_equal

from skfer import CrossEntropyEmbedder

METHODS = multiprocessing.get_all_start_methods()


@pytest.fixture
def two_threads():
    n_threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(n_threads)


def test_fits_in_processes_after_a_fit_with_two_threads(faces, two_threads):
    X, y = faces.images, faces.target
    model = CrossEntropyEmbedder(16, backbone="scratch", max_epochs=1, random_state=0)
    expected = model.fit(X, y).transform(X)
    with contextlib.ExitStack() as stack:
        pools = [stack.enter_context(multiprocessing.get_context(m).Pool(1)) for m in METHODS]
        started = [pool.apply_async(model.fit, (X, y)) for pool in pools]
        (by_loky, _) = joblib.Parallel(n_jobs=2)([joblib.delayed(model.fit)(X, y)] * 2)
        for found in (by_loky, *(pool.get(timeout=300) for pool in started)):
            torch.testing.assert_close(found.transform(X), expected, atol=1e-2, rtol=1e-2)
    assert_array_equal(model.transform(X), expected)
