"""The screened search of the nearest against all distances sorted, in every kind of data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skfer.metrics import precision_at_k, recall_at_k
from skfer.metrics._gpu import TorchScreen
from skfer.metrics._screen import Screen

N = 600


def grid(rng, n):
    """Coarse integers: hundreds at the same distance."""
    return rng.integers(-2, 3, size=(n, 4)).astype(np.float32)


def tight(rng, n):
    """Clusters a millionth of the radius wide: single precision does not tell them apart."""
    return rng.integers(0, 2, size=(n, 8)) + 1e-6 * rng.normal(size=(n, 8))


def outlier(rng, n):
    rows = rng.normal(size=(n, 5))
    rows[n // 2] *= 1e4
    return rows


KINDS = {
    "normal": lambda rng, n: rng.normal(size=(n, 16)).astype(np.float32),
    "one dimension": lambda rng, n: rng.normal(size=(n, 1)),
    "grid": grid,
    "grid far from 0": lambda rng, n: grid(rng, n).astype(float) + 2.0**40,
    "copies": lambda rng, n: np.repeat(rng.normal(size=(n // 4, 6)), 4, axis=0)[rng.permutation(n)],
    "copies far from 0": lambda rng, n: np.tile(rng.normal(size=(n // 4, 3)), (4, 1)) + 1e6,
    "tight": tight,
    "outlier": outlier,
    "tiny": lambda rng, n: grid(rng, n).astype(float) * 2.0**-600,
    "huge and negative": lambda rng, n: (grid(rng, n) - 2).astype(float) * 2.0**1000,
    "collapsed": lambda rng, n: np.ones((n, 3)),
    "nearly collapsed": lambda rng, n: 1 + 1e-9 * grid(rng, n).astype(float),
    "large integers": lambda rng, n: rng.integers(-(10**6), 10**6, size=(n, 3)),
}


def sorted_hits(X, y, X_ref, y_ref, forbidden):
    """Rank by all differences, other labels first among equals; what is forbidden comes last."""
    scale = np.abs(X_ref).max().astype(float)
    X, X_ref = X / scale, X_ref / scale
    distances = ((X[:, None] - X_ref) ** 2).sum(axis=2)
    hits = y[:, None] == y_ref
    # Ten digits, and nothing nearer than 1e-7 of the radius: what the measures promise.
    radius = max(np.linalg.norm(rows - X_ref.mean(axis=0), axis=1).max() for rows in (X, X_ref))
    distances[distances <= (1e-7 * radius) ** 2] = 0
    with np.errstate(divide="ignore"):
        digits = np.floor(np.log10(distances, where=distances > 0, out=np.zeros_like(distances)))
    rounded = np.round(distances / 10**digits, 9) * 10**digits
    rounded[forbidden] = np.inf
    order = np.lexsort((hits, rounded))
    return np.take_along_axis(hits & ~forbidden, order, axis=1), (hits & ~forbidden).any(axis=1)


def expected_values(X, y, k, groups=None, reference=None):
    X_ref, y_ref, groups_ref = (X, y, groups) if reference is None else reference
    forbidden = np.zeros((len(X), len(X_ref)), dtype=bool)
    if reference is None:
        np.fill_diagonal(forbidden, True)
    if groups is not None:
        forbidden |= groups[:, None] == groups_ref
    hits, answerable = sorted_hits(X, y, X_ref, y_ref, forbidden)
    hits = hits[answerable, :k]
    return hits.any(axis=1).mean(), hits.mean()


@pytest.fixture
def small_pieces(monkeypatch):
    """Let a few hundred rows make many pieces, as a million does."""
    monkeypatch.setattr(Screen, "block", 150)
    monkeypatch.setattr(Screen, "piece", 64)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.filterwarnings("ignore:.*rows of embeddings are in reference_embeddings too")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("with_groups", [False, True], ids=["alone", "groups"])
@pytest.mark.parametrize("k", [1, 7])
def test_equals_sorting_all_distances(kind, with_groups, k):
    rng = np.random.default_rng(len(kind) + k)
    X, y = KINDS[kind](rng, N), rng.integers(4, size=N)
    groups = rng.integers(40, size=N) if with_groups else None
    expected = expected_values(X, y, k, groups)
    assert recall_at_k(X, y, k=k, groups=groups) == pytest.approx(expected[0], abs=1e-12)
    assert precision_at_k(X, y, k=k, groups=groups) == pytest.approx(expected[1], abs=1e-12)
    # Other queries than references, and groups of very different sizes.
    few = slice(0, 90)
    groups = np.sort(rng.integers(3, size=N)) if with_groups else None
    options = {"reference_embeddings": X[90:], "reference_labels": y[90:]}
    reference = X[90:], y[90:], None
    if with_groups:
        options |= {"groups": groups[few], "reference_groups": groups[90:]}
        reference = X[90:], y[90:], groups[90:]
    own = groups[few] if with_groups else None
    expected = expected_values(X[few], y[few], k, own, reference)
    assert recall_at_k(X[few], y[few], k=k, **options) == pytest.approx(expected[0], abs=1e-12)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(sorted(KINDS)),
    k=st.integers(1, 6),
    n_groups=st.sampled_from([0, 2, 20, 200]),
    chunk_size=st.sampled_from([None, 1, 37]),
    size=st.integers(12, 150),
)
def test_equals_sorting_all_distances_for_any_size(seed, kind, k, n_groups, chunk_size, size):
    rng = np.random.default_rng(seed)
    size += -size % 4
    X, y = KINDS[kind](rng, size), rng.integers(3, size=size)
    groups = rng.integers(n_groups, size=size) if n_groups else None
    expected = expected_values(X, y, k, groups)
    value = precision_at_k(X, y, k=k, groups=groups, chunk_size=chunk_size)
    assert value == pytest.approx(expected[1], abs=1e-12)


def screens(task, depth, precision):
    import torch

    there = torch.device("cpu")
    return [Screen(task, depth, precision), TorchScreen(task, depth, precision, there)]


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("precision", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("with_groups", [False, True], ids=["alone", "groups"])
def test_candidates_hold_the_nearest_on_every_device(monkeypatch, kind, precision, with_groups):
    from skfer.metrics._arguments import make_task

    monkeypatch.setattr(TorchScreen, "piece", 128)
    rng = np.random.default_rng(1)
    X, y = KINDS[kind](rng, N), rng.integers(4, size=N)
    groups = rng.integers(30, size=N) if with_groups else None
    task = make_task(X, y, groups, None, None, None)
    depth = 3
    queries = np.arange(100, 250)
    placed = task.coordinates.place_all(task.reference)
    true = ((placed[queries, None] - placed) ** 2).sum(axis=2)
    task.forbid(true, queries, 0, np.inf)
    limit = np.partition(true, depth - 1, axis=1)[:, depth - 1]
    for screen in screens(task, depth, precision):
        found = screen.candidates(queries)
        is_candidate = np.zeros(true.shape, dtype=bool)
        is_candidate[found.row, found.column] = True
        must = (true <= limit[:, None] * (1 + 1e-11)) & np.isfinite(true)
        assert (is_candidate | ~must | found.crowded[:, None]).all()
        assert not (is_candidate & np.isinf(true)).any()
        assert not is_candidate[found.crowded].any()
        # What the products say is off by less than half of what they allow for.
        off = np.abs(found.distance - true[found.row, found.column])
        assert (off <= found.slack[found.row] / 2).all()
        if kind in ("normal", "one dimension"):
            assert found.crowded.mean() < 0.01
            assert len(found.row) < 3 * depth * len(queries)
    assert_array_equal(found.row, np.sort(found.row))


def test_the_torch_screen_finds_what_the_other_does(monkeypatch):
    import torch

    def on_device(task, depth, precision):
        return TorchScreen(task, depth, precision, torch.device("cpu"))

    rng = np.random.default_rng(0)
    for kind in ("normal", "tight", "grid"):
        X, y = KINDS[kind](rng, N), rng.integers(4, size=N)
        groups = rng.integers(40, size=N)
        values = recall_at_k(X, y, k=[1, 5]), recall_at_k(X, y, k=[1, 5], groups=groups)
        with monkeypatch.context() as patch:
            patch.setattr("skfer.metrics._nearest.make_screen", on_device)
            assert_array_equal(recall_at_k(X, y, k=[1, 5]), values[0])
            assert_array_equal(recall_at_k(X, y, k=[1, 5], groups=groups), values[1])


@pytest.mark.cuda
def test_a_gpu_finds_what_the_processor_does(monkeypatch):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20_000, 64)).astype(np.float32), rng.integers(7, size=20_000)
    on_gpu = recall_at_k(X, y, k=[1, 5])
    monkeypatch.setattr("skfer.metrics._gpu._WORTH_THE_WAY", 2**60)
    monkeypatch.setattr("skfer.metrics._gpu._WORTH_A_LOOK", 2**60)
    assert_array_equal(recall_at_k(X, y, k=[1, 5]), on_gpu)


def test_no_torch_for_a_small_set():
    import subprocess
    import sys

    code = (
        "import sys, numpy as np; from skfer.metrics import recall_at_k; "
        "recall_at_k(np.eye(100), np.arange(100) % 3); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_bar_when_asked(capsys):
    X, y = np.random.default_rng(0).normal(size=(30, 2)), np.arange(30) % 3
    recall_at_k(X, y)
    assert capsys.readouterr().err == ""
    recall_at_k(X, y, verbose=True, chunk_size=10)
    assert "30/30" in capsys.readouterr().err


def test_two_tight_crowds():
    """All of a crowd are as near as the first precision can tell: the exact search decides."""
    rng = np.random.RandomState(0)
    n_references, n_queries = 6_000, 40
    sides = np.where(np.arange(n_references) % 2, 1.0, -1.0)[:, None]
    references = sides * np.ones(6) + 1e-5 * rng.normal(size=(n_references, 6))
    queries = np.ones(6) + 1e-5 * rng.normal(size=(n_queries, 6))
    labels, wanted = rng.randint(0, 5, n_references), rng.randint(0, 5, n_queries)
    distances = ((queries[:, None] - references) ** 2).sum(axis=2)
    found = labels[np.argsort(distances, axis=1)[:, :4]] == wanted[:, None]
    expected = [found[:, :1].any(axis=1).mean(), found.any(axis=1).mean()]
    recall = recall_at_k(
        queries, wanted, k=[1, 4], reference_embeddings=references, reference_labels=labels
    )
    assert_allclose(recall, expected)
