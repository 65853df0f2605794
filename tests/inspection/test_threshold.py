"""Pictures of the slices of an embedding."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer

from skfer.exceptions import ArgumentError
from skfer.inspection import ThresholdDisplay
from skfer.inspection._threshold import _distances, _pairs, _pairs_within, _unit_slices
from skfer.metrics import recall_at_k

Z = np.array([[1.0, 0, 0, 2], [3, 0, 2, 0], [0, 5, 7, 0], [0, 1, 0, 1]])
Y = np.array(["joy", "joy", "rage", "rage"])


def test_distances_by_hand():
    display = ThresholdDisplay.from_embedding(Z, Y, [0.5, 1.0])
    # The first slice separates the classes, the second does not.
    np.testing.assert_allclose(display.same, [[0, 0], [2, 2]])
    np.testing.assert_allclose(display.other, [[2, 2, 2, 2], [2, 0, 0, 2]])
    assert display.recall.tolist() == [1, 0]
    together = _unit_slices(Z, 2).reshape(4, 4)
    assert display.recall_all == recall_at_k(together, Y)
    assert [bar.get_width() for bar in display.bars_] == [1, 0]
    ends = [line.get_xdata() for line in display.margins_]
    np.testing.assert_allclose(ends, [[0, 0.5], [2, 3]])
    labels = [text.get_text() for text in display.axes_[0].get_yticklabels()]
    assert labels == ["threshold 0.50", "threshold 1.00"]
    assert len(display.same_) == len(display.other_) == 2
    diamonds = [line for line in display.axes_[0].lines if line.get_marker() == "D"]
    assert [line.get_xydata().tolist() for line in diamonds] == [[[2, 0]], [[1, 1]]]


def test_recall_of_all_slices_is_the_dashed_line():
    display = ThresholdDisplay.from_embedding(np.eye(4)[[0, 0, 1, 1, 2]], [0, 0, 1, 1, 1], [1, 1])
    (dashed,) = display.axes_[1].lines
    assert dashed.get_linestyle() == "--"
    assert display.recall_all == 0.8
    assert list(dashed.get_xdata()) == [0.8, 0.8]


def test_distributions_are_those_of_a_loop():
    rng = np.random.RandomState(0)
    display = ThresholdDisplay.from_embedding(rng.normal(size=(40, 6)), np.arange(40) % 4, [1, 1])
    for drawn, distances, side in (
        (display.same_, display.same, -1),
        (display.other_, display.other, 1),
    ):
        for place, (hump, row) in enumerate(zip(drawn, distances, strict=True)):
            counts = [0] * 66  # a sixteenth each, from 0 to 4, and an empty one on either side
            for distance in row:
                counts[1 + min(int(distance * 16), 63)] += 1
            smooth = [counts[k - 1] / 4 + counts[k] / 2 + counts[k + 1] / 4 for k in range(1, 65)]
            heights = [place + side * 0.42 * value / max(smooth) for value in smooth]
            corners = hump.get_paths()[0].vertices
            away = np.unique(corners[corners[:, 1] != place], axis=0)
            middles = [(k + 0.5) / 16 for k in range(64)]
            wanted = [point for point in zip(middles, heights, strict=True) if point[1] != place]
            np.testing.assert_allclose(away, wanted)
            assert (corners[:, 0].min(), corners[:, 0].max()) == (middles[0], middles[-1])


@pytest.mark.parametrize(("n_pairs", "places"), [(2, [0, 3]), (3, [0, 1, 3]), (4, [0, 1, 2, 3])])
def test_pairs_are_no_more_than_asked_for(n_pairs, places):
    every = ThresholdDisplay.from_embedding(Z, Y, [0.5, 1.0])
    some = ThresholdDisplay.from_embedding(Z, Y, [0.5, 1.0], n_pairs=n_pairs)
    np.testing.assert_array_equal(some.other, every.other[:, places])
    np.testing.assert_array_equal(some.same, every.same)


@settings(max_examples=40)
@given(st.integers(0, 10_000))
def test_pairs_are_those_of_a_loop(seed):
    rng = np.random.RandomState(seed)
    n = rng.randint(4, 12)
    codes, groups = np.arange(n) % 2, rng.randint(3, size=n)
    if len(set(groups)) < 2:
        return
    expected = {True: [], False: []}
    for i in range(n):
        for j in range(i + 1, n):
            if groups[i] != groups[j]:
                expected[codes[i] == codes[j]].append([i, j])
    if not all(expected.values()):
        with pytest.raises(ArgumentError, match="y has no two faces"):
            _pairs(codes, groups, 1000, 0)
        return
    same, other = _pairs(codes, groups, 1000, 0)
    assert same.T.tolist() == expected[True]
    assert other.T.tolist() == expected[False]
    slices = _unit_slices(rng.normal(size=(n, 6)) * 10.0 ** rng.randint(-20, 20), 2)
    for k, row in enumerate(_distances(slices, same)):
        for (i, j), squared in zip(same.T, row, strict=True):
            assert squared == pytest.approx(2 - 2 * slices[i, k] @ slices[j, k], abs=1e-9)


def test_many_pairs_are_drawn():
    rng = np.random.RandomState(0)
    Z, y = rng.normal(size=(300, 4)), np.arange(300) % 3
    display = ThresholdDisplay.from_embedding(Z, y, [0.5], n_pairs=500, random_state=0)
    every = ThresholdDisplay.from_embedding(Z, y, [0.5])
    assert display.same.shape == display.other.shape == (1, 500)
    assert every.same.shape == (1, 3 * 100 * 99 // 2)
    assert display.same.mean() == pytest.approx(every.same.mean(), abs=0.15)


def test_pairs_of_a_class_are_drawn_within_the_classes():
    sizes = 4 + np.arange(500) % 9
    n_pairs = int((sizes * (sizes - 1) // 2).sum())  # 17 thousand of the same class among 8 million
    codes = np.random.RandomState(0).permutation(np.repeat(np.arange(500), sizes))
    same, other = _pairs(codes, None, 20_000, 0)
    assert len(np.unique(np.sort(same, axis=0), axis=1).T) == same.shape[1] == n_pairs
    assert (codes[same[0]] == codes[same[1]]).all()
    assert (codes[other[0]] != codes[other[1]]).all()
    assert other.shape[1] == 20_000
    pair = np.arange(4000)
    pair[1] = 0  # the only two faces of one class
    same, _ = _pairs(pair, None, 100, 0)
    assert same.tolist() == [[0], [1]]


def test_each_pair_of_a_class_is_as_likely():
    codes = np.repeat([0, 1, 2, 3], [40, 80, 120, 1])
    same, _ = _pairs(codes, np.arange(241) // 2, 1000, 0)
    assert same.shape[1] == 1000
    assert (same[0] != same[1]).all()
    assert (same[0] // 2 != same[1] // 2).all()
    shares = np.bincount(codes[same[0]], minlength=4) / 1000
    n_pairs = np.array([40 * 39, 80 * 79, 120 * 119, 0])
    np.testing.assert_allclose(shares, n_pairs / n_pairs.sum(), atol=0.05)
    assert len(np.unique(same)) > 230


def test_pairs_that_are_drawn_within_a_class_are_all_pairs_of_it_alike():
    codes = np.repeat([0, 1], [5, 40])
    one, other = _pairs_within(codes, 90, np.random.RandomState(0))
    assert one.shape == (16 * 90,)
    assert (one != other).all()
    times = np.zeros((45, 45))
    np.add.at(times, (one, other), 1)
    assert times[:5, 5:].sum() == times[5:, :5].sum() == 0
    # A face follows each other one of its class as often as any: each is drawn about 36 times.
    assert times[5:, 5:].sum() > 1300
    next_to = [np.diagonal(times[5:, 5:], place).mean() for place in (-1, 1)]
    np.testing.assert_allclose(next_to, times[5:, 5:].sum() / (40 * 39), rtol=0.5)


def test_fitted_model_in_a_pipeline(faces, multi_threshold):
    X, y = faces.images, faces.target_names[faces.target]
    model = make_pipeline(multi_threshold, KNeighborsClassifier(3)).fit(X, y)
    display = ThresholdDisplay.from_estimator(model, X, y, groups=faces.groups)
    np.testing.assert_array_equal(display.thresholds, multi_threshold.thresholds_)
    Z = multi_threshold.transform(X)
    assert display.recall_all == pytest.approx(recall_at_k(Z, y, groups=faces.groups))
    second = Z[:, multi_threshold.slices_[1]]
    assert display.recall[1] == pytest.approx(recall_at_k(second, y, groups=faces.groups))
    # Faces without a label do not count.
    some = np.where(np.arange(len(y)) % 4 == 0, "", y)
    fewer = ThresholdDisplay.from_estimator(model, X, some)
    assert fewer.same.shape[1] < ThresholdDisplay.from_estimator(model, X, y).same.shape[1]


def test_embedder_beside_others(faces, multi_threshold, gaussian):
    """The only one that has thresholds is shown, wherever it stands."""
    show, X, y = ThresholdDisplay.from_estimator, faces.images, faces.target
    alone = show(multi_threshold, X, y)
    halves = FunctionTransformer(lambda X: X.reshape(len(X), -1)[:, ::2])
    mirrored = make_pipeline(FunctionTransformer(lambda X: X[:, :, ::-1]), multi_threshold)
    union = make_union(mirrored, gaussian, halves)  # of which each is fitted already
    model = make_pipeline(FunctionTransformer(lambda X: X[:, :, ::-1]), union)
    np.testing.assert_array_equal(show(model, X, y).same, alone.same)


def test_embedders_to_choose_from_are_named(faces, multi_threshold):
    frozen = FrozenEstimator(multi_threshold)
    words = "got FeatureUnion, which holds MultiThresholdEmbedder 1, MultiThresholdEmbedder 2: give"
    with pytest.raises(ArgumentError, match=words):
        ThresholdDisplay.from_estimator(make_union(frozen, frozen), faces.images, faces.target)


def test_models_without_slices(faces, gaussian):
    with pytest.raises(ArgumentError, match="with slices_"):
        ThresholdDisplay.from_estimator(gaussian, faces.images, faces.target)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"thresholds": [0.1, 0.2, 0.3]}, "thresholds must be one for each slice"),
        ({"thresholds": []}, "thresholds must be one for each slice"),
        ({"y": Y[1:]}, "y has 3 entries"),
        ({"y": ["a", "b", "c", "d"]}, "y has no two faces of the same class"),
        ({"y": ["a"] * 4}, "y has no two faces of different classes"),
        ({"groups": [1, 1, 2, 2]}, "y has no two faces of the same class"),
        ({"groups": [1, 1, 2]}, "groups has 3 entries"),
        ({"n_pairs": 0}, "n_pairs"),
    ],
)
def test_refusals_name_the_argument(options, text):
    given = {"embedding": Z, "y": Y, "thresholds": [0.5, 1.0]} | options
    with pytest.raises(ArgumentError, match=text):
        ThresholdDisplay.from_embedding(**given)


@pytest.mark.parametrize(
    "options",
    [{"color": "red"}, {"fc": "red", "ec": "k"}, {"alpha": 0.1}, {"lw": 3}, {"hatch": "//"},
     {"cmap": "viridis"}, {"caption": ""}, {"label": "_a"}],
    ids=lambda options: "-".join(options),
)  # fmt: skip
def test_nothing_passed_on_makes_matplotlib_warn(options):
    _, axes = plt.subplots(1, 2)
    display = ThresholdDisplay.from_embedding(Z, Y, [0.5, 1.0], ax=axes, **options)
    display.figure_.canvas.draw()
    assert display.axes_ == list(axes)
    ThresholdDisplay.from_embedding(Z * 0, Y, [0.5]).figure_.canvas.draw()


@pytest.mark.parametrize("spread", [0.0, 0.05, 0.3])
def test_thresholds_and_distances_that_lie_close_together_are_seen(spread):
    """As in an embedding that has nearly collapsed."""
    rng = np.random.RandomState(0)
    embedding = rng.normal(size=(1, 64)) + spread * rng.normal(size=(200, 64))
    margins = np.linspace(0.1, 1, 8)
    display = ThresholdDisplay.from_embedding(embedding, np.arange(200) % 4, margins)
    right = display.axes_[0].get_xlim()[1]
    for k, line in enumerate(display.margins_):
        assert line.get_xdata()[1] < right
        for hump, distances in (
            (display.same_[k], display.same),
            (display.other_[k], display.other),
        ):
            corners = hump.get_paths()[0].vertices
            top = np.abs(corners[:, 1] - k).argmax()
            low, high = np.quantile(distances[k], (0.05, 0.95))
            assert low - 0.01 < corners[top, 0] < high + 0.01


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_looks_as_kept(style, as_kept):
    rng = np.random.RandomState(0)
    y = np.arange(120) % 4
    Z = np.hstack([np.eye(4)[y] * gain + rng.normal(size=(120, 4)) for gain in (1, 2, 4)])
    with plt.style.context(style):
        display = ThresholdDisplay.from_embedding(Z, y, [0.2, 0.6, 1.0])
        as_kept(display.figure_, f"threshold_{style}")
