"""Pictures of an embedding."""

import sys
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from helpers.two_in_a_class import two_in_a_class
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.decomposition import TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skfer.datasets import EXPRESSIONS
from skfer.exceptions import ArgumentError
from skfer.inspection import EmbeddingDisplay

X, Y = load_iris(return_X_y=True)
WORDS = np.array(["setosa", "versicolor", "virginica"])


def legend_of(display):
    return [text.get_text() for text in display.legend_.get_texts()]


def n_drawn(display):
    return sum(len(one.get_offsets()) for one in display.scatters_.values())


def looks(display):
    """Color and marker of each kind of point."""
    return [
        (tuple(one.get_facecolor()[0]), one.get_paths()[0].vertices.tobytes())
        for one in display.scatters_.values()
    ]


def test_one_color_and_marker_and_name_a_class():
    display = EmbeddingDisplay.from_embedding(X, Y, names=WORDS)
    assert legend_of(display) == WORDS.tolist()
    assert n_drawn(display) == len(X)
    assert len({color for color, _ in looks(display)}) == 3
    assert len({marker for _, marker in looks(display)}) == 3
    assert display.ax_.figure is display.figure_
    np.testing.assert_array_equal(display.scatters_["setosa"].get_offsets(), display.points[Y == 0])


def test_points_are_the_principal_components():
    display = EmbeddingDisplay.from_embedding(X, Y)
    centered = X - X.mean(axis=0)
    left, values, _ = np.linalg.svd(centered, full_matrices=False)
    np.testing.assert_allclose(np.abs(display.points), np.abs(left[:, :2] * values[:2]), atol=1e-8)
    share = np.square(values[:2]).sum() / np.square(values).sum()
    assert f"{share:.0%} of the variance" in display.caption_.get_text()


def test_draws_again_on_given_axes():
    _, ax = plt.subplots()
    display = EmbeddingDisplay.from_estimator(StandardScaler().fit(X), X, Y, ax=ax, s=3)
    assert display.ax_ is ax
    assert list(display.scatters_) == ["0", "1", "2"]
    again = display.plot()
    assert again is display
    assert again.ax_ is not ax


def test_words_name_themselves():
    for names in (None, WORDS, {"setosa": "Setosa"}):
        display = EmbeddingDisplay.from_embedding(X, WORDS[Y], names=names)
        first = "Setosa" if isinstance(names, dict) else "setosa"
        assert legend_of(display) == [first, "versicolor", "virginica"]


@pytest.mark.parametrize("mark", [-1, "-1", None, np.nan, "nan"])
def test_unlabeled_is_never_the_last_class(mark):
    words = isinstance(mark, str) or mark is None
    y = np.array(WORDS[Y] if words else Y, dtype=object)
    y[::10] = mark
    y = y.tolist()
    display = EmbeddingDisplay.from_embedding(X, y, names=WORDS)
    assert legend_of(display) == [*WORDS, "unlabeled"]
    assert len(display.scatters_["unlabeled"].get_offsets()) == 15
    assert n_drawn(display) == len(X)


def test_two_classes_may_be_called_minus_one_and_one():
    display = EmbeddingDisplay.from_embedding(X[:100], np.where(Y[:100] == 0, -1, 1))
    assert legend_of(display) == ["-1", "1"]


def test_no_labels_at_all():
    display = EmbeddingDisplay.from_embedding(X)
    assert list(display.scatters_) == ["unlabeled"]
    assert display.legend_ is None


def test_bunch_names_its_classes(faces):
    Z = faces.data[:, :5]
    for names in (faces, faces.target_names, dict(enumerate(faces.target_names))):
        display = EmbeddingDisplay.from_embedding(Z, faces.target, names=names)
        assert legend_of(display) == ["anger", "happiness", "neutral", "surprise"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"y": Y[1:]}, "y has 149 entries but embedding has 150 rows"),
        ({"names": ["setosa"]}, "names has 1 entries, and none is the name of class 1"),
        ({"names": "setosa"}, "names must be a list of names"),
        ({"projection": "mds"}, "projection must be one of 'pca', 'tsne', 'umap'"),
        ({"y_pred": WORDS[Y]}, "y_pred"),
        ({"embedding": X[:, :, None]}, "embedding"),
        ({"n_pictures": 3}, "needs the faces"),
        ({"n_pictures": -1}, "n_pictures"),
        ({"ax": plt}, "ax is"),
        ({"embedding_train": X[:, :2]}, "embedding_train has 2 columns"),
        ({"images": X}, "rows of 4 numbers"),
        ({"images": np.zeros((3, 8, 8))}, "images holds 3 pictures"),
    ],
)
def test_refusals_name_the_argument(options, text):
    with pytest.raises(ArgumentError, match=text) as caught:
        EmbeddingDisplay.from_embedding(**{"embedding": X, "y": Y} | options)
    assert len(str(caught.value)) < 400


def test_what_does_not_embed_is_refused():
    model = KNeighborsClassifier().fit(X, Y)
    for wrong in (model, KNeighborsClassifier):
        with pytest.raises(ArgumentError, match="estimator"):
            EmbeddingDisplay.from_estimator(wrong, X, Y)


@pytest.mark.parametrize("n_dims", [1, 2, 3])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_few_dimensions_and_samples(n, n_dims):
    display = EmbeddingDisplay.from_embedding(X[:n, :n_dims], [0] * n)
    assert display.points.shape == (n, 2)
    assert np.isfinite(display.points).all()
    display.figure_.canvas.draw()


def test_one_dimension_has_a_row_for_each_class():
    display = EmbeddingDisplay.from_embedding(X[:, :1], Y)
    np.testing.assert_array_equal(display.points[:, 0], X[:, 0])
    heights = [display.points[k == Y, 1] for k in range(3)]
    assert heights[0].min() > heights[1].max()
    assert heights[1].min() > heights[2].max()


def test_collapsed_embedding_is_a_point():
    display = EmbeddingDisplay.from_embedding(np.ones((6, 4)), [0, 1] * 3)
    assert (display.points == 0).all()
    display.figure_.canvas.draw()


@pytest.mark.parametrize("names", [["rare", "usual"], ["usual", "rare"]])
def test_a_rare_class_lies_on_a_large_one(names):
    y = np.where(np.arange(4020) < 20, names.index("rare"), names.index("usual"))
    points = np.random.RandomState(0).normal(size=(4020, 2))
    display = EmbeddingDisplay.from_embedding(points, y, names=names, y_pred=np.zeros(4020, int))
    assert list(display.scatters_) == names  # the legend keeps its order
    assert legend_of(display)[:2] == names
    rare, usual = display.scatters_["rare"], display.scatters_["usual"]
    drawn = display.ax_.collections
    assert rare.get_zorder() == usual.get_zorder()
    assert drawn.index(rare) > drawn.index(usual)
    # Of thousands points become smaller, and what marks them.
    assert usual.get_sizes()[0] < 0.3 * rare.get_sizes()[0]
    wrong = y != 0
    sizes = np.where(y == names.index("rare"), rare.get_sizes()[0], usual.get_sizes()[0])
    np.testing.assert_allclose(display.wrong_.get_sizes(), 3 * sizes[wrong])
    marks = [handle.get_sizes()[0] for handle in display.legend_.legend_handles]
    assert min(marks) > rare.get_sizes()[0]


def test_few_points_have_one_size():
    display = EmbeddingDisplay.from_embedding(X, Y)
    assert {one.get_sizes()[0] for one in display.scatters_.values()} == {26.0}


def test_long_names_keep_what_tells_them_apart():
    names = ["surprised_and_happy_with_an_open_mouth", "surprised_and_happy_with_closed_mouth"]
    y = np.arange(80) % 2
    display = EmbeddingDisplay.from_embedding(
        X[:80], y, names=names, embedding_train=X[:80], y_train=y, subclass=np.arange(80) // 40
    )
    shown = legend_of(display)
    assert len(set(shown)) == len(shown) == 6
    assert all(text.endswith(" (training)") for text in shown[:2])
    assert [text[-2:] for text in shown[2:]] == [" 1", " 2", " 1", " 2"]
    assert list(display.scatters_)[2] == f"{names[0]} 1"


def test_many_classes_look_different():
    y = np.arange(300) % 50
    display = EmbeddingDisplay.from_embedding(np.random.RandomState(0).normal(size=(300, 3)), y)
    assert len(set(looks(display))) == 50
    display.figure_.canvas.draw()


def test_wrong_predictions_get_rings():
    predicted = Y.copy()
    predicted[[3, 70]] = 2
    display = EmbeddingDisplay.from_embedding(X, Y, y_pred=predicted)
    np.testing.assert_array_equal(display.wrong_.get_offsets(), display.points[[3, 70]])
    assert legend_of(display)[-1] == "predicted wrongly"
    right = EmbeddingDisplay.from_embedding(X, Y, y_pred=Y)
    assert right.wrong_ is None


def test_pipeline_that_ends_in_a_classifier():
    model = make_pipeline(StandardScaler(), KNeighborsClassifier()).fit(X, WORDS[Y])
    display = EmbeddingDisplay.from_estimator(model, X, WORDS[Y])
    expected = EmbeddingDisplay.from_estimator(model[:-1], X, WORDS[Y])
    np.testing.assert_array_equal(display.points, expected.points)
    n_wrong = int((model.predict(X) != WORDS[Y]).sum())
    assert len(display.wrong_.get_offsets()) == n_wrong > 0
    assert expected.wrong_ is None
    unmarked = EmbeddingDisplay.from_estimator(model, X, WORDS[Y], mark_errors=False)
    assert unmarked.wrong_ is None


def test_classifier_that_transforms_is_no_part_of_the_embedding():
    model = make_pipeline(StandardScaler(), LinearDiscriminantAnalysis()).fit(X, Y)
    display = EmbeddingDisplay.from_estimator(model, X, Y)
    expected = EmbeddingDisplay.from_estimator(model[:-1], X, Y)
    np.testing.assert_array_equal(display.points, expected.points)


def test_transformers_after_the_embedder_count():
    model = make_pipeline(StandardScaler(), TruncatedSVD(3, random_state=0), KMeans(2, n_init=1))
    display = EmbeddingDisplay.from_embedding(model.fit(X).transform(X), Y)
    assert display.points.shape == (150, 2)


def test_search_and_frozen_pipelines():
    pipeline = make_pipeline(StandardScaler(), KNeighborsClassifier())
    search = GridSearchCV(pipeline, {"kneighborsclassifier__n_neighbors": [3, 5]}).fit(X, Y)
    expected = EmbeddingDisplay.from_estimator(search.best_estimator_, X, Y).points
    for model in (search, FrozenEstimator(search.best_estimator_), make_pipeline(search)):
        np.testing.assert_array_equal(EmbeddingDisplay.from_estimator(model, X, Y).points, expected)


def test_test_set_over_a_training_set():
    display = EmbeddingDisplay.from_estimator(
        StandardScaler().fit(X), X[::3], Y[::3], X_train=X[1::3], y_train=Y[1::3], names=WORDS
    )
    assert display.is_training.sum() == 50
    assert list(display.scatters_) == [f"{w} (training)" for w in WORDS] + WORDS.tolist()
    # The axes are those of the training set alone.
    assert np.abs(display.points[display.is_training].mean(axis=0)).max() < 1e-9
    assert np.abs(display.points[~display.is_training].mean(axis=0)).max() > 1e-3
    alpha = [one.get_alpha() for one in display.scatters_.values()]
    assert alpha == [0.3] * 3 + [None] * 3


class FakeUMAP(TruncatedSVD):
    """Complains of what umap-learn complains of."""

    def __init__(self, n_neighbors=15, *, n_components=2, random_state=None, n_jobs=-1):
        super().__init__(n_components=n_components, random_state=random_state)
        self.n_neighbors, self.n_jobs = n_neighbors, n_jobs

    def fit_transform(self, X, y=None):
        assert self.n_neighbors < len(X)
        assert self.random_state is None or self.n_jobs == 1
        return super().fit_transform(X)


@pytest.mark.parametrize("n", [4, 40])
@pytest.mark.parametrize("seed", [None, 0])
def test_umap_is_asked_for_what_it_need_not_change(monkeypatch, n, seed):
    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=FakeUMAP))
    rows = np.linspace(0, 149, n, dtype=int)
    display = EmbeddingDisplay.from_embedding(
        X[rows], Y[rows], projection="umap", random_state=seed
    )
    assert display.caption_.get_text() == f"UMAP, {min(15, n - 1)} neighbors"
    with pytest.raises(ArgumentError, match="needs 4 samples at least, got 3: give 'pca'"):
        EmbeddingDisplay.from_embedding(X[:3], Y[:3], projection="umap")


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_pale_training_points_stand_out_from_the_background(style):
    weights = (0.299, 0.587, 0.114)  # what is left of a color in gray
    with plt.style.context(style):
        y = np.arange(150) % 8
        display = EmbeddingDisplay.from_embedding(X, y, embedding_train=X, y_train=y)
        paper = np.dot(display.ax_.get_facecolor()[:3], weights)
    for one in list(display.scatters_.values())[:8]:
        *color, alpha = one.get_facecolor()[0]
        assert alpha * abs(np.dot(color, weights) - paper) > 0.12


@pytest.mark.parametrize("projection", ["tsne", TruncatedSVD(2), LinearDiscriminantAnalysis()])
def test_other_projections(projection):
    rows = np.r_[0:20, 50:70, 100:120]
    display = EmbeddingDisplay.from_embedding(
        X[rows], Y[rows], projection=projection, random_state=0
    )
    assert display.points.shape == (60, 2)
    over = EmbeddingDisplay.from_embedding(
        X[rows],
        Y[rows],
        embedding_train=X[rows + 20],
        y_train=Y[rows],
        projection=projection,
        random_state=0,
    )
    assert over.points.shape == (120, 2)
    assert not hasattr(projection, "components_")


def test_umap_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ImportError, match="pip install umap-learn"):
        EmbeddingDisplay.from_embedding(X, Y, projection="umap")


def test_matplotlib_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match="pip install "):
        EmbeddingDisplay.from_embedding(X, Y)


def test_subclasses_share_a_color_and_differ_in_marker():
    subclass = Y * 2 + (np.arange(150) % 2)
    display = EmbeddingDisplay.from_embedding(X, Y, subclass=subclass, names=WORDS)
    assert list(display.scatters_) == [f"{word} {k}" for word in WORDS for k in (1, 2)]
    seen = looks(display)
    assert seen[0][0] == seen[1][0]
    assert len({marker for _, marker in seen}) == 6


def test_labels_of_another_kind_color_without_a_verdict(faces, gaussian):
    """As the kinds within a class, which are finer than what the model has learned."""
    kinds = np.arange(len(faces.target)) % 3
    words = np.array([f"kind {k}" for k in kinds])
    for model, y in ((gaussian, kinds + 20), (two_in_a_class(faces), words)):
        display = EmbeddingDisplay.from_estimator(model, faces.images, y)
        assert list(display.scatters_) == [str(kind) for kind in np.unique(y)]
        assert display.wrong_ is None


def test_faces_at_points(faces):
    Z = faces.data[:, ::7].astype(float)
    display = EmbeddingDisplay.from_embedding(Z, faces.target, images=faces.images, n_pictures=9)
    assert 9 <= len(display.pictures_) <= 16
    places = np.array([box.xy for box in display.pictures_])
    assert len(np.unique(places, axis=0)) == len(places)
    assert all((display.points == place).all(axis=1).any() for place in places)


def test_faces_of_the_model_itself(faces, gaussian):
    display = EmbeddingDisplay.from_estimator(
        gaussian, faces.images, faces.target, names=faces, n_pictures=4
    )
    assert len(display.pictures_) >= 4
    assert display.wrong_ is None or len(display.wrong_.get_offsets()) <= len(faces.target)


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("shape", [(1.0, 1.0), (1.0, 0.6), (1.0, 0.05), (0.0, 0.0)])
def test_view_holds_all_points_and_pictures_and_little_else(shape, own):
    Z = np.random.RandomState(0).uniform(-1, 1, size=(80, 2)) * shape
    images = np.zeros((80, 16, 16), dtype=np.uint8)
    ax = None if own else plt.subplots(1, 2, figsize=(8, 4))[1][0]
    display = EmbeddingDisplay.from_embedding(Z, Y[:80], images=images, n_pictures=20, ax=ax)
    display.figure_.draw_without_rendering()
    view = display.ax_.bbox
    renderer = display.figure_.canvas.get_renderer()
    for box in display.pictures_:
        inside = box.get_window_extent(renderer)
        assert inside.x0 >= view.x0 - 1
        assert inside.y0 >= view.y0 - 1
        assert inside.x1 <= view.x1 + 1
        assert inside.y1 <= view.y1 + 1
    used = np.ptp(display.ax_.transData.transform(display.points), axis=0)
    room = np.array([view.width, view.height]) - used
    if shape[0]:
        assert 0 < room[0] < 60  # pixels: two halves of a picture
    if own and shape[1] >= 0.6:
        assert 0 < room[1] < 60


# Everything that scatter takes, as users pass it on; warnings are errors here.
PASSED_ON = [
    {"marker": None},
    {"marker": "x"},
    {"marker": "x", "edgecolors": "black"},
    {"marker": "+", "linewidths": 0},
    {"marker": "o", "facecolors": "none", "edgecolors": "red"},
    {"color": "red"},
    {"c": "red"},
    {"c": np.arange(150.0)},
    {"c": np.arange(150.0), "cmap": "magma", "vmin": 0, "vmax": 9},
    {"c": np.arange(150.0), "norm": plt.Normalize(0, 10)},
    {"c": ["red"] * 150},
    {"c": np.full((150, 4), 0.5)},
    {"cmap": "viridis"},
    {"cmap": "tab10"},
    {"vmin": 0, "vmax": 3},
    {"norm": plt.Normalize(0, 1)},
    {"s": np.linspace(1, 50, 150)},
    {"s": 3},
    {"alpha": np.linspace(0, 1, 150)},
    {"alpha": 0.5},
    {"label": "mine"},
    {"label": "_mine"},
    {"lw": 2, "ec": "k"},
    {"linewidths": np.linspace(0, 1, 150)},
    {"fc": "white"},
    {"rasterized": True, "zorder": 5},
    {"caption": ""},
    {"legend": False},
    {"edgecolor": ["red"], "linewidth": 1},
]


@pytest.mark.parametrize("options", PASSED_ON, ids=lambda options: "-".join(options))
def test_nothing_passed_on_makes_matplotlib_warn(options):
    with plt.style.context("dark_background"):
        display = EmbeddingDisplay.from_embedding(
            X, Y, names=WORDS, y_pred=np.roll(Y, 3), **options
        )
        display.figure_.canvas.draw()
    assert n_drawn(display) == 150


@pytest.mark.parametrize("name", ["_hidden", "$x$", "$", "a" * 200, "line\nbreak", "\x07bell", ""])
def test_no_name_makes_matplotlib_warn(name):
    display = EmbeddingDisplay.from_embedding(X, Y, names=[name, "b", "c"])
    display.figure_.canvas.draw()
    assert len(legend_of(display)) == 3


def test_numbers_as_colors_have_one_scale():
    display = EmbeddingDisplay.from_embedding(X, Y, c=np.arange(150.0))
    limits = {(one.norm.vmin, one.norm.vmax) for one in display.scatters_.values()}
    assert limits == {(0.0, 149.0)}


def placed_axes():
    """Axes whose place does not depend on the fonts of matplotlib's versions."""
    return plt.figure(figsize=(6.4, 4.5)).add_axes([0.01, 0.01, 0.69, 0.93])


def hand_made():
    rng = np.random.RandomState(1)
    y = np.arange(160) % 8
    angle = 2 * np.pi * y / 8
    Z = np.column_stack([np.cos(angle), np.sin(angle)]) + rng.normal(scale=0.18, size=(160, 2))
    y_pred = np.where(np.arange(160) % 15 == 0, 0, y)
    return Z, np.where(np.arange(160) % 9 == 0, -1, y), y_pred


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_looks_as_kept(style, as_kept):
    Z, y, y_pred = hand_made()
    images = np.tile(np.linspace(0, 255, 16, dtype=np.uint8), (160, 16, 1))
    with plt.style.context(style):
        display = EmbeddingDisplay.from_embedding(
            Z, y, names=EXPRESSIONS, y_pred=y_pred, images=images, n_pictures=9, ax=placed_axes()
        )
        as_kept(display.figure_, f"embedding_{style}")


@pytest.mark.parametrize("change", [{"legend": False}, {"s": 200}])
def test_what_looks_otherwise_is_noticed(change, as_kept):
    Z, y, y_pred = hand_made()
    images = np.tile(np.linspace(0, 255, 16, dtype=np.uint8), (160, 16, 1))
    display = EmbeddingDisplay.from_embedding(
        Z, y, names=EXPRESSIONS, y_pred=y_pred, images=images, n_pictures=9, ax=placed_axes()
    )
    if not change.get("legend", True):
        display.legend_.set_visible(False)
        display.legend_.set_in_layout(True)
    else:
        display.ax_.cla()
        display.plot(ax=display.ax_, n_pictures=9, **change)
    with pytest.raises(AssertionError):
        as_kept(display.figure_, "embedding_default")
