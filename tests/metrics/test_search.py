"""How the nearest are searched for: what is a candidate, and which search has its turn."""

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skfer.metrics import mean_average_precision_at_r, precision_at_k, recall_at_k
from skfer.metrics._coordinates import Coordinates
from skfer.metrics._nearest import ScreenedSearch, _in_doubt
from skfer.metrics._ranking import _make_search
from skfer.metrics._screen import Screen
from skfer.metrics._sort_keys import ExactSearch
from skfer.metrics._task import build_task


def task_of(query, reference):
    """Queries and references on a line, all with one label."""
    query, reference = (np.array(rows, dtype=float)[:, None] for rows in (query, reference))
    labels = np.zeros(len(query), dtype=int), np.zeros(len(reference), dtype=int)
    return build_task(query, reference, labels, None, is_same=False)


def crowd(n):
    """As many references at one place as are told, all others far away and far apart."""
    places = np.arange(100.0, 2100)
    places[n] = 1
    return places


# A screen of 2,000 references and a depth of 1 has 65 stripes of columns that lie 65 apart, and
# takes up to 8 + 24 candidates a query.
APART, IN_STRIPES = np.arange(40), np.arange(40) // 20 + 65 * (np.arange(40) % 20)


@pytest.mark.parametrize("columns", [APART, IN_STRIPES], ids=["apart", "in two stripes"])
@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_one_candidate_more_than_can_be_measured_is_a_crowd(columns, precision):
    for n, is_crowded in ((32, False), (33, True)):
        found = Screen(task_of([0], crowd(columns[:n])), 1, precision).candidates(np.arange(1))
        assert found.crowded.tolist() == [is_crowded]
        assert sorted(found.column) == ([] if is_crowded else sorted(columns[:n]))


def test_a_crowd_is_one_for_all_pieces(monkeypatch):
    monkeypatch.setattr(Screen, "piece", 1000)
    for start in (0, 960, 1900):
        screen = Screen(task_of([0], crowd(np.arange(start, start + 60))), 2, np.float32)
        assert screen.candidates(np.arange(1)).crowded.all()


def test_the_nearest_alone_are_candidates_where_distances_are_far_apart():
    rng = np.random.default_rng(0)
    places, queries = rng.permutation(600), [0.2, 100.3, 598.6]
    for depth in (1, 2, 3):  # of as many stripes
        found = Screen(task_of(queries, places), depth, np.float64).candidates(np.arange(3))
        for row, query in enumerate(queries):
            nearest = np.argsort(np.abs(places - query))[:depth]
            assert_array_equal(np.sort(found.column[found.row == row]), np.sort(nearest))


def test_what_the_keys_take_for_a_tie_is_a_candidate():
    # Keys round to 36 bits, so that squares that differ by less than 2**-36 may be equal.
    places = np.r_[1, 1 + 7e-12, np.full(40, 1.001)]
    found = Screen(task_of([0], places), 1, np.float64).candidates(np.arange(1))
    assert_array_equal(found.column, [0, 1])


def test_what_must_not_be_found_is_no_candidate():
    own = np.array([[0, 3], [0, 30], [1, 2]])
    task = dataclasses.replace(task_of([0, 1, 2], np.arange(30)), forbidden=own)
    for precision in (np.float32, np.float64):
        found = Screen(task, 1, precision).candidates(np.arange(3))
        assert_array_equal(found.row, [0, 2])
        assert_array_equal(found.column, [3, 2])


def test_distances_are_in_doubt_up_to_the_slack():
    distances = np.array([[4.0, 0, 1, 2.5], [9, 0, 5, np.inf]])
    expected = [[False, True, True, False], [True, False, True, False]]
    assert_array_equal(_in_doubt(distances, np.array([1.0, 4.0])), expected)


def test_what_is_as_near_as_rounding_is_at_the_same_place():
    coordinates = Coordinates(0, np.zeros(1), noise=0.25)
    assert_array_equal(coordinates.squared_distances(np.array([[0.5], [0.75]]), 0), [0, 0.5625])
    task = dataclasses.replace(task_of([0], [0.5, 0.75, 0]), coordinates=coordinates)
    first, second, third = ExactSearch(task).smallest_keys(np.arange(1), 3)[0]
    assert first == second < third


@pytest.fixture
def measured(monkeypatch):
    """Count the queries whose distances are measured from differences."""
    counts = [0]
    measure = ExactSearch._measure

    def counted(search, distances, queries, bounds):
        counts[0] += len(queries)
        measure(search, distances, queries, bounds)

    monkeypatch.setattr(ExactSearch, "_measure", counted)
    return counts


def ordinary_sets():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 16))
    tight = 1e-3 * X + rng.normal(size=(3, 16))[np.arange(300) % 3]
    grid = rng.integers(0, 3, size=(300, 4))
    return {
        "normal": X,
        "single precision": X.astype(np.float32),
        "tight classes": tight,
        "copies": np.tile(X[:150], (2, 1)),
        "grid": grid,
        "collapsed": np.ones((300, 3)),
    }


@pytest.mark.parametrize("kind", ordinary_sets())
def test_of_ordinary_sets_no_distance_is_measured_again(kind, measured):
    y = np.random.default_rng(1).integers(3, size=300)
    groups = np.arange(300) // 5
    mean_average_precision_at_r(ordinary_sets()[kind], y)
    mean_average_precision_at_r(ordinary_sets()[kind], y, groups=groups)
    assert measured == [0]


def task_with_labels(query, reference, labels):
    """Queries of label 1, and references."""
    task = task_of(query, reference)
    labels = np.ones(len(query), dtype=int), np.asarray(labels)
    return dataclasses.replace(task, query_labels=labels[0], reference_labels=labels[1])


@pytest.mark.parametrize(
    ("labels", "depth", "n_measured"),
    [
        ([1, 0, 1, 1], 2, 1),  # which comes first decides
        ([1, 0, 1, 1], 1, 1),  # and so it does where only the first is wanted
        ([1, 1, 0, 1], 4, 0),  # two relevant ones: it does not matter
        ([0, 0, 1, 1], 4, 0),
    ],
)
def test_what_rounding_could_exchange_is_measured(labels, depth, n_measured, measured):
    # The query is far from the center, and its first two references are nearly as far as another.
    task = task_with_labels([1e4], [1e4 + 1, 1e4 - 1 - 1e-9, 1e4 + 3, -1e5], labels)
    keys = ExactSearch(task).smallest_keys(np.arange(1), depth)[0]
    assert (keys & 1).tolist() == labels[:depth]
    assert measured == [n_measured]


@pytest.mark.parametrize(("n", "kind"), [(24, ScreenedSearch), (23, ExactSearch)])
def test_the_nearest_are_singled_out_where_they_are_few(n, kind):
    task = task_of([0, 1], np.arange(n))
    assert type(_make_search(task, 3)) is kind
    assert type(_make_search(task, None)) is ExactSearch


def test_a_block_of_all_distances_stays_small():
    chunk_size = ExactSearch(task_of([0], np.zeros(2**12))).chunk_size
    assert chunk_size == 2**10


@pytest.fixture
def asked(monkeypatch):
    """Let four queries be a block, and note the precision of each block that is screened."""
    precisions = []
    candidates = Screen.candidates

    def noted(screen, queries):
        precisions.append(screen._reference.dtype)
        return candidates(screen, queries)

    monkeypatch.setattr(Screen, "candidates", noted)
    monkeypatch.setattr(Screen, "block", 4)
    return precisions


# At 0 there is a crowd that single precision does not tell apart, everywhere else none.
CROWDED = np.r_[0.02 * np.arange(100), 100 + np.arange(2000.0)]


@pytest.mark.parametrize(
    ("queries", "expected"),
    [
        ([150, 151, 152, 153] * 2, "ff"),
        ([0, 151, 152, 153] * 2, "fdfd"),
        ([0, 0, 152, 153] * 2, "fdd"),
    ],
    ids=["none", "a quarter", "half"],
)
def test_crowds_go_on_in_double_precision(asked, monkeypatch, queries, expected):
    def none(task):
        raise AssertionError("all distances were sorted")

    monkeypatch.setattr("skfer.metrics._nearest.ExactSearch", none)
    references = {"reference_embeddings": CROWDED[:, None], "reference_labels": CROWDED > 1}
    queries = np.array(queries)[:, None] - 0.25
    assert recall_at_k(queries, queries[:, 0] > 1, **references) == 1
    assert "".join(dtype.char for dtype in asked) == expected


def test_what_double_precision_cannot_tell_apart_is_sorted(asked):
    copies = np.zeros((400, 3))
    labels = np.arange(400) % 2
    assert precision_at_k(copies, labels, k=5) == 0
    assert [dtype.char for dtype in asked] == ["f", "d"]
