"""Pictures of the nearest faces."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from skfer.datasets import make_expressions
from skfer.exceptions import ArgumentError
from skfer.inspection import RetrievalDisplay
from skfer.metrics import recall_at_k

LINE = np.array([[0.0], [1.0], [3.0], [7.0], [7.5]])
IMAGES = np.arange(5 * 4 * 4, dtype=np.uint8).reshape(5, 4, 4)
WORDS = np.array(["joy", "joy", "rage", "joy", "rage"])


def test_nearest_others_by_hand():
    display = RetrievalDisplay.from_embedding(LINE, WORDS, IMAGES, queries=[0, 4], n_neighbors=3)
    assert display.neighbors.tolist() == [[1, 2, 3], [3, 2, 1]]
    np.testing.assert_allclose(display.distances, [[1, 3, 7], [0.5, 4.5, 6.5]])
    assert display.verdicts.tolist() == [["right", "wrong", "right"], ["wrong", "right", "wrong"]]
    assert [frame.get_gid() for frame in display.frames_] == [
        "plain", "right", "wrong", "right", "plain", "wrong", "right", "wrong",
    ]  # fmt: skip
    for image, row in zip(display.images_, [0, 1, 2, 3, 4, 3, 2, 1], strict=True):
        np.testing.assert_array_equal(image.get_array(), IMAGES[row])


def test_own_person_is_left_out_and_what_is_not_there():
    display = RetrievalDisplay.from_embedding(
        LINE, WORDS, IMAGES, groups=[0, 0, 1, 0, 0], queries=[0, 2], n_neighbors=9
    )
    assert display.neighbors.tolist() == [[2, -1, -1, -1, -1], [1, 0, 3, 4, -1]]
    assert np.isnan(display.distances).tolist() == (display.neighbors == -1).tolist()
    assert len(display.images_) == 2 + 1 + 4
    assert "other persons" in display.ax_.get_title(loc="left")


def test_another_set_is_searched():
    display = RetrievalDisplay.from_embedding(
        LINE[:2],
        WORDS[:2],
        IMAGES[:2],
        groups=["a", "b"],
        embedding_reference=LINE,
        y_reference=WORDS,
        groups_reference=["a", "b", "c", "d", "e"],
        images_reference=IMAGES,
        queries=[1, 0],
        n_neighbors=2,
    )
    assert display.queries.tolist() == [1, 0]
    assert display.neighbors.tolist() == [[0, 2], [1, 2]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_query_does_not_find_itself_in_a_set_that_begins_with_the_same_faces(dtype):
    reference = np.concatenate([LINE, [[2.0]]]).astype(dtype)
    display = RetrievalDisplay.from_embedding(
        LINE,
        WORDS,
        IMAGES,
        embedding_reference=reference,
        y_reference=[*WORDS, "joy"],
        images_reference=IMAGES[[0, 1, 2, 3, 4, 0]],
        queries=[0, 2],
        n_neighbors=2,
    )
    assert display.neighbors.tolist() == [[1, 5], [5, 1]]
    np.testing.assert_allclose(display.distances, [[1, 2], [1, 2]])


def test_copies_of_queries_elsewhere_in_the_other_set_are_told():
    arguments = {
        "embedding_reference": LINE[::-1],
        "y_reference": WORDS[::-1],
        "images_reference": IMAGES[::-1],
        "n_neighbors": 1,
    }
    with pytest.warns(UserWarning, match="2 of the 2 rows of embedding are in embedding_reference"):
        RetrievalDisplay.from_embedding(LINE, WORDS, IMAGES, queries=[0, 1], **arguments)
    # None is among the references, or groups leave the copies out.
    RetrievalDisplay.from_embedding(LINE + 0.1, WORDS, IMAGES, queries=[0, 1], **arguments)
    persons = np.arange(5)
    apart = RetrievalDisplay.from_embedding(
        LINE,
        WORDS,
        IMAGES,
        queries=[0, 1],
        groups=persons,
        groups_reference=persons[::-1],
        **arguments,
    )
    assert apart.neighbors.tolist() == [[3], [4]]


def test_unlabeled_is_neither_right_nor_wrong():
    y = [0, 0, -1, 1, -1]
    names = ["joy", "rage"]
    display = RetrievalDisplay.from_embedding(LINE, y, IMAGES, queries=[0, 2], names=names)
    assert display.verdicts.tolist() == [
        ["right", "plain", "wrong", "plain", "plain"],
        ["plain"] * 5,
    ]
    assert display.query_names == ["joy", "unlabeled"]


def test_one_query_of_each_class_by_default():
    y = np.arange(40) % 4
    Z, images = np.random.RandomState(0).normal(size=(40, 3)), np.zeros((40, 4, 4))
    display = RetrievalDisplay.from_embedding(Z, y, images, random_state=0)
    assert y[display.queries].tolist() == [0, 1, 2, 3]
    more = RetrievalDisplay.from_embedding(Z, y, images, queries=6, random_state=0)
    assert y[more.queries].tolist() == [0, 0, 1, 1, 2, 3]
    assert len(set(more.queries)) == 6


@settings(max_examples=12)
@given(st.integers(0, 10_000))
def test_share_of_right_ones_is_recall_at_1(seed):
    rng = np.random.RandomState(seed)
    n = rng.randint(8, 20)
    Z, y, groups = rng.normal(size=(n, 2)), np.arange(n) % 3, np.arange(n) % 4
    display = RetrievalDisplay.from_embedding(
        Z, y, np.zeros((n, 2, 2)), groups=groups, queries=np.arange(n), n_neighbors=1
    )
    plt.close(display.figure_)
    right = (display.verdicts[:, 0] == "right").mean()
    assert right == pytest.approx(recall_at_k(Z, y, groups=groups))


def test_models_take_their_own_faces(faces, multi_threshold):
    X, y = faces.images, faces.target_names[faces.target]
    Z = multi_threshold.transform(X)
    model = make_pipeline(multi_threshold, KNeighborsClassifier(3)).fit(X, y)
    display = RetrievalDisplay.from_estimator(model, X, y, groups=faces.groups, queries=[5])
    assert faces.groups[5] not in faces.groups[display.neighbors[0]]
    alone = RetrievalDisplay.from_estimator(multi_threshold, X, y, queries=[0], n_neighbors=2)
    assert 0 not in alone.neighbors
    for n in (3, len(X)):  # the set that is searched begins with them
        over = RetrievalDisplay.from_estimator(
            multi_threshold, X[:n], y[:n], X_reference=X, y_reference=y, queries=[0], n_neighbors=2
        )
        np.testing.assert_array_equal(over.neighbors, alone.neighbors)
    expected = RetrievalDisplay.from_embedding(Z, y, X, groups=faces.groups, queries=[5])
    np.testing.assert_array_equal(display.neighbors, expected.neighbors)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"images": None}, "images is missing"),
        ({"images": IMAGES[:2]}, "images holds 2 pictures"),
        ({"y": [1]}, "y has 1 entries"),
        ({"groups": [1]}, "groups has 1 entries"),
        ({"groups": [1, 2, None, 3, 4]}, "groups has no group"),
        ({"queries": [9]}, "queries must be rows of X"),
        ({"queries": [0.5]}, "queries must be rows of X"),
        ({"queries": []}, "queries must be rows of X"),
        ({"queries": 6}, "queries"),
        ({"n_neighbors": 0}, "n_neighbors"),
        ({"embedding_reference": LINE, "y_reference": WORDS}, "images_reference is missing"),
        (
            {
                "embedding_reference": LINE[:, [0, 0]],
                "y_reference": WORDS,
                "images_reference": IMAGES,
            },
            "embedding_reference has 2 columns",
        ),
    ],
)
def test_refusals_name_the_argument(options, text):
    with pytest.raises(ArgumentError, match=text):
        RetrievalDisplay.from_embedding(
            **{"embedding": LINE, "y": WORDS, "images": IMAGES} | options
        )


def test_rows_need_the_faces_beside_them(rows):
    X, y = rows
    model = make_pipeline(KNeighborsClassifier(3)).fit(X, y)
    with pytest.raises(ArgumentError, match="estimator must embed"):
        RetrievalDisplay.from_estimator(model, X, y)


def test_draws_again_in_other_axes():
    display = RetrievalDisplay.from_embedding(LINE, WORDS, IMAGES, queries=2, random_state=0)
    _, ax = plt.subplots(figsize=(2, 1))
    display.plot(ax=ax, cmap="magma", alpha=0.5, caption="")
    assert display.ax_ is ax
    assert ax.get_title(loc="left") == ""
    display.figure_.canvas.draw()


def test_looks_as_kept(as_kept):
    drawn = make_expressions(6, 1, image_size=32, random_state=0)
    noise = np.random.RandomState(0).normal(scale=0.25, size=drawn.action_units.shape)
    display = RetrievalDisplay.from_embedding(
        drawn.action_units + noise,
        drawn.target,
        drawn.images,
        groups=drawn.groups,
        names=drawn,
        queries=[0, 1, 4],
        n_neighbors=4,
    )
    as_kept(display.figure_, "retrieval")


def test_caption_is_as_wide_as_the_faces(faces, multi_threshold):
    display = RetrievalDisplay.from_estimator(
        multi_threshold, faces.images, faces.target, n_neighbors=2, random_state=0
    )
    display.figure_.draw_without_rendering()
    texts = display.ax_.findobj(plt.Text)
    (caption,) = [text for text in texts if text.get_text().startswith("Left a query")]
    assert "\n" in caption.get_text()
    assert caption.get_window_extent().x1 <= display.figure_.bbox.x1
