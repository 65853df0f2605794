"""Retrieval measures against naive loops, the peer library and values made by hand."""

import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import UndefinedMetricWarning

from skfer.exceptions import ArgumentError
from skfer.metrics import (
    clustering_nmi,
    mean_average_precision_at_r,
    precision_at_k,
    recall_at_k,
)

MEASURES = [recall_at_k, precision_at_k, mean_average_precision_at_r]
PROPERTY = settings(deadline=None, max_examples=60)


def naive(measure, X, y, k=1, groups=None, reference=None):
    """Sort every query's references by distance, other labels first among equals."""
    X_ref, y_ref, groups_ref = (X, y, groups) if reference is None else reference
    values = []
    for i in range(len(X)):
        candidates = []
        for j in range(len(X_ref)):
            own = reference is None and i == j
            if own or (groups is not None and groups[i] == groups_ref[j]):
                continue
            candidates.append((float(((X[i] - X_ref[j]) ** 2).sum()), bool(y[i] == y_ref[j])))
        hits = [hit for _, hit in sorted(candidates)]
        if not any(hits):
            continue
        if measure is recall_at_k:
            values.append(float(any(hits[:k])))
        elif measure is precision_at_k:
            values.append(sum(hits[:k]) / k)
        else:
            n_relevant = sum(hits)
            precisions = [
                sum(hits[: rank + 1]) / (rank + 1) for rank in range(n_relevant) if hits[rank]
            ]
            values.append(sum(precisions) / n_relevant)
    return float(np.mean(values)) if values else float("nan")


@st.composite
def problems(draw, ties=True):
    """Embeddings on a coarse grid (many ties) or of normals (none), labels and groups."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, n_ref, dims = draw(st.integers(3, 30)), draw(st.integers(2, 30)), draw(st.integers(1, 6))
    n_labels, n_groups = draw(st.integers(1, 5)), draw(st.integers(2, 12))
    dtype = draw(st.sampled_from([np.float32, np.float64]))

    def side(size):
        if draw_grid:
            X = rng.integers(-2, 3, size=(size, dims)).astype(dtype)
        else:
            X = rng.normal(size=(size, dims)).astype(dtype)
        return X, rng.integers(n_labels, size=size), rng.integers(n_groups, size=size)

    draw_grid = ties and draw(st.booleans())
    return side(n), side(n_ref)


def quiet(measure, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        return measure(*args, **kwargs)


@PROPERTY
@given(
    problem=problems(),
    measure=st.sampled_from(MEASURES),
    with_groups=st.booleans(),
    with_reference=st.booleans(),
    data=st.data(),
)
def test_equals_the_naive_loop(problem, measure, with_groups, with_reference, data):
    (X, y, groups), reference = problem
    n_candidates = len(reference[0]) if with_reference else len(X) - 1
    options = {"chunk_size": data.draw(st.sampled_from([None, 1, 3, 100]))}
    k = data.draw(st.integers(1, n_candidates))
    if measure is not mean_average_precision_at_r:
        options["k"] = k
    if with_groups:
        options["groups"] = groups
    if with_reference:
        options["reference_embeddings"], options["reference_labels"] = reference[:2]
        options["reference_groups"] = reference[2] if with_groups else None
    expected = naive(
        measure,
        X.astype(np.float64),
        y,
        k,
        groups if with_groups else None,
        tuple(np.asarray(part) for part in reference) if with_reference else None,
    )
    assert_allclose(quiet(measure, X, y, **options), expected, atol=1e-12)


@PROPERTY
@given(problem=problems(), measure=st.sampled_from(MEASURES), seed=st.integers(0, 2**32 - 1))
def test_order_of_rows_names_of_labels_and_chunks_do_not_matter(problem, measure, seed):
    (X, y, groups), _ = problem
    order = np.random.default_rng(seed).permutation(len(X))
    value = quiet(measure, X, y, groups=groups)
    names = np.array(["e", "b", "d", "a", "c"])
    shuffled = quiet(measure, X[order], names[y][order], groups=groups[order], chunk_size=2)
    assert_allclose(shuffled, value, atol=1e-12)


@PROPERTY
@given(problem=problems(ties=False), measure=st.sampled_from(MEASURES))
def test_scaling_shifting_and_turning_do_not_matter(problem, measure):
    (X, y, _), _ = problem
    X = X.astype(np.float64)
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(X.shape[1], X.shape[1])))
    value = quiet(measure, X, y)
    for moved in (X * 1e-200, X * 1e200, X + 1e4, X @ turn):
        assert_allclose(quiet(measure, moved, y), value, atol=1e-12)


@PROPERTY
@given(problem=problems())
def test_recall_grows_with_k_and_meets_precision_at_1(problem):
    (X, y, groups), _ = problem
    ranks = list(range(1, len(X)))
    recall = quiet(recall_at_k, X, y, k=ranks, groups=groups)
    precision = quiet(precision_at_k, X, y, k=ranks, groups=groups)
    assert_array_equal(recall[0], precision[0])
    if not np.isnan(recall).any():
        assert (np.diff(recall) >= 0).all()
        assert recall[-1] == 1
        assert (precision <= recall + 1e-12).all()


def test_values_made_by_hand():
    # Neighbors of the four, in order: 1 2 3 / 0 2 3 / 3 1 0 / 2 1 0.
    X, y = [[0.0], [1.0], [3.0], [4.5]], [0, 1, 0, 1]
    assert recall_at_k(X, y) == 0
    assert_array_equal(recall_at_k(X, y, k=[1, 2, 3]), [0, 0.5, 1])
    assert_allclose(precision_at_k(X, y, k=(2, 3)), [0.25, 1 / 3])
    # One relevant reference each, never on rank one.
    assert mean_average_precision_at_r(X, y) == 0
    # Query 0: hits 1, 0, 1 with R = 3: (1 + 2/3) / 3.
    reference = {
        "reference_embeddings": [[1.0], [2.0], [3.0], [4.0]],
        "reference_labels": [0, 1, 0, 0],
    }
    assert_allclose(mean_average_precision_at_r([[0.0]], [0], **reference), (1 + 2 / 3) / 3)


@pytest.mark.parametrize("measure", [recall_at_k, precision_at_k])
def test_a_number_for_one_k_and_an_array_for_several(measure):
    X, y = [[0.0], [1.0], [3.0], [4.5]], [0, 1, 0, 1]
    for k in (2, np.int64(2)):
        assert isinstance(measure(X, y, k=k), float)
    with pytest.raises(ArgumentError, match=r"k must be a whole number .* got array\(2\)"):
        measure(X, y, k=np.array(2))
    for k in ([2], (2,), np.array([2])):
        assert measure(X, y, k=k).tolist() == [measure(X, y, k=2)]


def test_a_collapsed_embedding_scores_nothing():
    X, y = np.ones((20, 3)), np.repeat([0, 1], 10)
    assert recall_at_k(X, y, k=9) == 0
    assert mean_average_precision_at_r(X, y) == 0
    # 10 references of the other label fill the first places.
    assert recall_at_k(X, y, k=11) == 1


def test_copies_are_ties_whatever_the_offset():
    points = np.random.default_rng(0).normal(size=(10, 16))
    copies = np.concatenate([points] * 4)
    y = np.repeat([0, 1, 0, 1], 10)
    for chunk_size in (1, 7, 40):
        recall = recall_at_k(copies + 1000, y, k=[1, 2, 3], chunk_size=chunk_size)
        # A query has three copies at distance 0, two of them of the other label.
        assert_array_equal(recall, [0, 0, 1])


def test_what_is_nearer_than_rounding_is_a_tie():
    # The nearest, at some 1e-8 of the radius, has the query's label, the second has not.
    reference = {"reference_embeddings": [[3e-8], [5e-8], [1.0]], "reference_labels": [0, 1, 1]}
    assert recall_at_k([[0.0]], [0], **reference) == 0
    reference["reference_embeddings"] = [[1e-5], [2e-5], [1.0]]
    assert recall_at_k([[0.0]], [0], **reference) == 1


def test_own_group_is_never_found():
    X = [[0.0], [0.1], [5.0], [5.1]]
    y = [0, 0, 1, 0]
    assert recall_at_k(X, y, k=1) == 2 / 3
    # The third is alone in its class, the first two may only find the fourth, second to nearest.
    assert recall_at_k(X, y, k=1, groups=["a", "a", "b", "c"]) == 0
    assert recall_at_k(X, y, k=2, groups=["a", "a", "b", "c"]) == 1
    assert precision_at_k(X, y, k=3, groups=["a", "a", "b", "c"]) == pytest.approx(4 / 9)


def test_many_more_labels_and_groups_than_references():
    X, y = np.arange(12.0)[:, None], np.arange(12)
    reference = {"reference_embeddings": X[[0, 11]], "reference_labels": [0, 11]}
    assert recall_at_k(X + 0.1, y, groups=y, reference_groups=[20, 21], **reference) == 1


def test_a_set_searched_in_itself_is_never_its_own_answer():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 4)).astype(np.float32), rng.integers(3, size=50)
    alone = recall_at_k(X, y, k=[1, 3])
    assert alone[0] < 0.6
    for reference in (X, X.copy(), X.astype(np.float64)):
        same = recall_at_k(
            X, y, k=[1, 3], reference_embeddings=reference, reference_labels=y.tolist()
        )
        assert_array_equal(same, alone)
    # What one side has in double precision and the other in single is the same.
    fine = rng.normal(size=(50, 4))
    for sides in ((fine, fine.astype(np.float32)), (fine.astype(np.float32), fine)):
        same = recall_at_k(sides[0], y, reference_embeddings=sides[1], reference_labels=y)
        assert same == recall_at_k(fine, y)
    # A reference set that begins with the queries: the first answers are those of the whole.
    begins = recall_at_k(X[:20], y[:20], reference_embeddings=X, reference_labels=y)
    n_found = sum(
        recall_at_k(
            X[[i]],
            y[[i]],
            reference_embeddings=np.delete(X, i, 0),
            reference_labels=np.delete(y, i),
        )
        for i in range(20)
    )
    assert begins == pytest.approx(n_found / 20)
    with pytest.raises(ArgumentError, match="k must be at most 49"):
        recall_at_k(X, y, k=50, reference_embeddings=X, reference_labels=y)


def test_copies_of_queries_elsewhere_in_the_reference_set_are_told():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), rng.integers(2, size=40)
    gallery = {"reference_embeddings": X[::-1], "reference_labels": y[::-1]}
    with pytest.warns(UserWarning, match="40 of the 40 rows of embeddings are in reference_emb"):
        assert recall_at_k(X, y, **gallery) == 1
    gallery["reference_embeddings"] = X[::-1].astype(np.float32)
    with pytest.warns(UserWarning, match="40 of the 40 rows"):
        recall_at_k(X, y, **gallery)
    with pytest.warns(UserWarning, match="21 of the 40 rows"):
        recall_at_k(np.r_[X[:21], rng.normal(size=(19, 3))], y, **gallery)
    # No warning: half of them, copies that groups leave out, and an embedding that has collapsed.
    recall_at_k(np.r_[X[:20], rng.normal(size=(20, 3))], y, **gallery)
    recall_at_k(X, y, **gallery, groups=np.arange(40), reference_groups=np.arange(40)[::-1])
    recall_at_k(
        np.ones((3, 2)), [0, 1, 1], reference_embeddings=[[1, 1], [1, 1]], reference_labels=[0, 1]
    )


MISSING = [None, float("nan"), np.datetime64("NaT"), "", "nan", "NA"]


@pytest.mark.parametrize("measure", [*MEASURES, clustering_nmi])
@pytest.mark.parametrize("value", [*MISSING, -1, "-1"], ids=repr)
def test_unlabeled_samples_are_refused(measure, value):
    X = [[0.0], [1.0], [2.0], [3.0]]
    others = ["a", "b", "a"] if isinstance(value, str) else [0, 1, 0]
    with pytest.raises(ArgumentError, match=r"labels has no label for 1 samples, .*leave them|L"):
        measure(X, np.array([*others, value], dtype=object))


@pytest.mark.parametrize("value", MISSING, ids=repr)
def test_samples_of_an_unknown_group_are_refused(value):
    X, y = [[0.0], [1.0], [2.0]], [0, 1, 0]
    with pytest.raises(ArgumentError, match="groups has no group for 2 samples"):
        recall_at_k(X, y, groups=np.array([value, value, "a"], dtype=object))
    with pytest.raises(ArgumentError, match="reference_groups has no group for 1 samples"):
        recall_at_k(
            X,
            y,
            groups=["a", "b", "c"],
            reference_embeddings=[[0.5]],
            reference_labels=[1],
            reference_groups=[value],
        )


def test_ids_of_different_types_do_not_merge():
    X, y = [[0.0], [1.0]], [0, 0]
    reference = {"reference_embeddings": [[0.5], [2.0]], "reference_labels": [0, 0]}
    # A query and a reference that differ by 1 above 2**53, in the two types of 64 bits.
    groups = np.array([2**53 + 1, 7])
    reference_groups = np.array([2**53, 8], dtype=np.uint64)
    assert recall_at_k(X, y, groups=groups, reference_groups=reference_groups, **reference) == 1
    labels = np.array([2**53 + 1] * 2)
    near = {"reference_embeddings": [[0.5], [2.0]], "reference_labels": np.array([2**53 + 1, 5])}
    assert recall_at_k(X, labels, **near) == 1
    near["reference_labels"] = np.array([2**53, 2**53 + 1], dtype=np.uint64)
    assert recall_at_k(X, labels, **near) == 0
    with pytest.raises(ArgumentError, match="reference_labels holds words but labels holds numb"):
        recall_at_k(X, [1, 2], reference_embeddings=[[0.5]], reference_labels=["1"])
    with pytest.raises(ArgumentError, match="labels mixes numbers and words"):
        recall_at_k(X, [1, "1"])


def test_an_offset_costs_no_digits():
    rng = np.random.default_rng(0)
    X, y = rng.integers(-3, 4, size=(60, 3)).astype(float), rng.integers(3, size=60)
    for measure in MEASURES:
        value = measure(X, y)
        assert 0 < value < 1
        for offset in (2.0**30, -(2.0**45)):
            assert measure(X + offset, y) == value


def far_grids():
    """Coarse grids, whose ties stay ties: beside one row far away, and in two far places."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 2, size=(200, 8)).astype(float)
    X[0] = 1e5
    clusters = rng.integers(-2, 3, size=(200, 8)).astype(float)
    clusters[::2] += 1e4
    y = rng.integers(3, size=200)
    return [(X, y), (clusters, y)]


@pytest.mark.parametrize(("X", "y"), far_grids(), ids=["outlier", "clusters"])
def test_what_is_far_away_makes_no_difference_of_a_tie(X, y):
    ranks = [5, 25, 26, 60, 150, 199]  # the few nearest of 200 are searched for in another way
    for columns in (slice(None), slice(None, None, -1)):
        rows = X[:, columns]
        for measure in (recall_at_k, precision_at_k):
            expected = [naive(measure, X, y, k) for k in ranks]
            assert_allclose(measure(rows, y, k=ranks), expected, atol=1e-12)
            assert_allclose([measure(rows, y, k=k) for k in ranks], expected, atol=1e-12)
        expected = naive(mean_average_precision_at_r, X, y)
        assert_allclose(mean_average_precision_at_r(rows, y), expected, atol=1e-12)


def test_equals_the_peer():
    torch = pytest.importorskip("torch")
    from pytorch_metric_learning.distances import LpDistance
    from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
    from pytorch_metric_learning.utils.inference import CustomKNN

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 16)), rng.integers(7, size=300)
    X_ref, y_ref = rng.normal(size=(200, 16)), rng.integers(7, size=200)
    calculator = AccuracyCalculator(
        include=("precision_at_1", "mean_average_precision_at_r"),
        k="max_bin_count",
        device=torch.device("cpu"),
        knn_func=CustomKNN(LpDistance(normalize_embeddings=False)),
        kmeans_func=lambda *_: None,
    )
    tensors = [torch.from_numpy(a) for a in (X, y, X_ref, y_ref)]
    alone = calculator.get_accuracy(*tensors[:2])
    assert_allclose(recall_at_k(X, y), alone["precision_at_1"], atol=1e-12)
    peer = alone["mean_average_precision_at_r"]
    assert_allclose(mean_average_precision_at_r(X, y), peer, atol=1e-12)
    apart = calculator.get_accuracy(*tensors)
    reference = {"reference_embeddings": X_ref, "reference_labels": y_ref}
    assert_allclose(precision_at_k(X, y, **reference), apart["precision_at_1"], atol=1e-12)
    peer = apart["mean_average_precision_at_r"]
    assert_allclose(mean_average_precision_at_r(X, y, **reference), peer, atol=1e-12)


@pytest.mark.parametrize("measure", MEASURES)
def test_memory_does_not_grow_with_the_square(measure):
    rng = np.random.default_rng(0)
    n = 8000  # All distances at once would take 512 MB.
    X, y = rng.normal(size=(n, 8)).astype(np.float32), rng.integers(7, size=n)
    queries = slice(0, 2400)
    tracemalloc.start()
    measure(X[queries], y[queries], reference_embeddings=X, reference_labels=y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150e6


@pytest.mark.parametrize("measure", MEASURES)
def test_nothing_to_find_is_nan_with_a_warning(measure):
    with pytest.warns(UndefinedMetricWarning, match=measure.__name__) as caught:
        assert np.isnan(measure([[0.0], [1.0]], [0, 1]))
    assert [warning.filename for warning in caught] == [__file__]
    with pytest.warns(UndefinedMetricWarning, match="own group"):
        assert np.isnan(measure([[0.0], [1.0], [2.0]], [0, 0, 1], groups=[3, 3, 3]))


def test_nothing_to_find_with_a_sequence_of_k():
    with pytest.warns(UndefinedMetricWarning):
        assert_array_equal(recall_at_k([[0.0], [1.0], [2.0]], [0, 1, 2], k=[1, 2]), [np.nan] * 2)


def test_the_input_is_left_alone():
    X = np.arange(12.0).reshape(6, 2)
    X.setflags(write=False)
    y = np.array([0, 0, 1, 1, 0, 1])
    recall_at_k(X, y)
    recall_at_k(X, y, reference_embeddings=X, reference_labels=y)
    assert_array_equal(X, np.arange(12.0).reshape(6, 2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 0}, "k must be a whole number of at least 1, got 0"),
        ({"k": True}, "k must be a whole number"),
        ({"k": []}, "k must be a whole number or a sequence"),
        ({"k": 1.5}, "k must be a whole number"),
        ({"k": [1, 4]}, "k must be at most 3, the number of samples"),
        ({"chunk_size": 0}, "chunk_size must be"),
        ({"labels": [0, 1]}, "labels has 2 entries but embeddings has 4 rows"),
        ({"groups": [0, 1]}, "groups has 2 entries but embeddings has 4 rows"),
        ({"groups": [0, "a", None, 1]}, "groups mixes numbers and words"),
        ({"embeddings": [[0.0], [np.nan], [1.0], [2.0]]}, "embeddings contains NaN"),
        ({"reference_labels": [0]}, "reference_labels is given without reference_embeddings"),
        ({"reference_groups": [0]}, "reference_groups is given without reference_embeddings"),
        ({"reference_embeddings": [[0.0]]}, "reference_labels is missing"),
        (
            {"reference_embeddings": [[0.0, 1.0]], "reference_labels": [0]},
            "embeddings has 1 columns but reference_embeddings has 2",
        ),
        (
            {"reference_embeddings": [[0.0]], "reference_labels": [0, 1]},
            "reference_labels has 2 entries but reference_embeddings has 1",
        ),
        (
            {"reference_embeddings": [[0.0]], "reference_labels": [0], "groups": [0, 1, 2, 3]},
            "groups and reference_groups must be given together",
        ),
    ],
)
def test_errors_name_the_argument(change, message):
    arguments = {"embeddings": [[0.0], [1.0], [2.0], [3.0]], "labels": [0, 0, 1, 1]} | change
    with pytest.raises(ValueError, match=message):
        recall_at_k(**arguments)
