"""Grids of faces."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from skfer.datasets import make_expressions
from skfer.exceptions import ArgumentError
from skfer.inspection import show_faces

FACES = np.arange(5 * 12 * 10, dtype=np.uint8).reshape(5, 12, 10)


def shown(ax):
    return [np.asarray(image.get_array()) for image in ax.images]


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_one_picture_and_title_a_face():
    ax = show_faces(FACES, ["a", "b", "c", "d", "e"], n_columns=2)
    assert len(ax.images) == 5
    assert texts(ax) == ["a", "b", "c", "d", "e"]
    for picture, face in zip(shown(ax), FACES, strict=True):
        np.testing.assert_array_equal(picture, face)
    assert not ax.patches
    places = [image.get_extent() for image in ax.images]
    assert len({place[0] for place in places}) == 2
    assert len({place[2] for place in places}) == 3
    heights = {round(abs(p[2] - p[3]) / abs(p[1] - p[0]), 6) for p in places}
    assert heights == {1.2}


def test_wrong_ones_are_marked():
    names = ["joy", "rage", "awe"]
    ax = show_faces(FACES, [0, 1, 2, -1, 1], y_pred=[0, 2, 2, 1, 0], names=names)
    assert texts(ax) == ["joy", "rage\nnot awe", "awe", "unlabeled", "rage\nnot joy"]
    assert [frame.get_gid() for frame in ax.patches] == ["right", "wrong", "right", "wrong"]
    assert len({frame.get_linestyle() for frame in ax.patches}) == 2
    assert len({frame.get_edgecolor() for frame in ax.patches}) == 2


def test_predictions_alone_are_titles():
    ax = show_faces(FACES, y_pred=["a", "b", "c", "d", "e"])
    assert texts(ax) == ["a", "b", "c", "d", "e"]
    assert not ax.patches


def test_no_titles():
    ax = show_faces(FACES)
    assert texts(ax) == []
    assert len(ax.images) == 5


def test_all_kinds_of_pictures_look_the_same(tmp_path):
    stored = np.lib.format.open_memmap(
        tmp_path / "faces.npy", mode="w+", dtype=np.uint8, shape=FACES.shape
    )
    stored[:] = FACES
    pictures = [Image.fromarray(face) for face in FACES]
    paths = [tmp_path / f"{i}.png" for i in range(5)]
    for path, picture in zip(paths, pictures, strict=True):
        picture.save(path)
    kinds = [
        stored,
        list(FACES),
        pictures,
        paths,
        [str(path) for path in paths],
        np.array(list(map(str, paths)))[:, None],
        FACES[..., None],
        FACES.astype(int),
        FACES.astype(float),
    ]
    for kind in kinds:
        for picture, face in zip(shown(show_faces(kind)), FACES, strict=True):
            np.testing.assert_array_equal(picture, face if kind is not kinds[-1] else picture)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0.0, 0.5, 1.0]]), [[0, 128, 255]]),
        (np.array([[-2.0, 0.0, 2.0]]), [[0, 128, 255]]),
        (np.array([[0, 65535, 257]], dtype=np.uint16), [[0, 255, 1]]),
        (np.array([[True, False]]), [[255, 0]]),
        (np.array([[np.nan, 0.0, 1.0]]), [[0, 0, 255]]),
        (np.array([[np.inf, -np.inf, 1.0]]), [[0, 0, 255]]),
        (np.array([[7.0, 7.0]]), [[0, 0]]),
        (np.array([[1000, 2000]]), [[0, 255]]),
    ],
)
def test_any_range_of_pixels(values, expected):
    np.testing.assert_array_equal(shown(show_faces(values[None]))[0], expected)


def test_color_and_sizes_that_differ():
    pictures = [np.zeros((8, 8, 3)), np.full((4, 8), 0.5), np.full((8, 4, 4), 200, np.uint8)]
    ax = show_faces(pictures, ["color", "wide", "transparent"])
    assert [picture.shape for picture in shown(ax)] == [(8, 8, 3), (4, 8), (8, 4, 4)]
    ax.figure.canvas.draw()


def test_a_long_title_takes_lines_and_leaves_others_large():
    short = ["joy", "rage", "awe", "fear", "calm"]
    usual = show_faces(FACES, short)
    long = show_faces(FACES, ["a name of forty letters that never ends", *short[1:]])
    assert {text.get_fontsize() for text in long.texts} == {9.0}
    assert texts(long)[1:] == texts(usual)[1:] == short[1:]
    lines = texts(long)[0].split("\n")
    assert 2 <= len(lines) <= 3
    assert max(map(len, lines)) <= 16
    assert "".join(lines)[:6] == "a name"
    assert "".join(lines)[-4:] == "ends"
    wrong = show_faces(FACES[:1], ["joy"], y_pred=["a name of forty letters that never ends"])
    assert texts(wrong)[0].startswith("joy\nnot a name")
    assert texts(wrong)[0].endswith("ends")
    # The height is that of the lines.
    long.figure.canvas.draw()
    box = long.texts[0].get_window_extent()
    assert box.y1 <= long.figure.bbox.y1
    dollars = show_faces(FACES[:1], ["$" * 20])
    assert texts(dollars)[0] == r"\$" * 16 + "\n" + r"\$" * 4


def test_names_of_files_differ_in_their_end():
    files = [f"a_folder/of/many/faces/of/a/person_{k}.png" for k in range(5)]
    assert len(set(texts(show_faces(FACES, files)))) == 5


def test_of_many_some_are_chosen_evenly():
    faces = np.zeros((1000, 4, 4), np.uint8)
    ax = show_faces(faces, np.arange(1000), max_faces=10)
    assert texts(ax) == ["0", "111", "222", "333", "444", "555", "666", "777", "888", "999"]
    assert ax.get_title(loc="left") == "10 of 1,000 faces"
    assert show_faces(faces, max_faces=10, caption="mine").get_title(loc="left") == "mine"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"images": FACES[0]}, "rows of 10 numbers"),
        ({"images": "face.png"}, "an array or a list of pictures"),
        ({"images": 3}, "an array or a list of pictures"),
        ({"images": []}, "an array or a list of pictures"),
        ({"images": np.zeros((2, 3, 8, 8))}, r"images\[0\] is of shape \(3, 8, 8\).*channels last"),
        ({"images": [np.array(["a"])]}, r"images\[0\] is of shape"),
        ({"titles": ["a"]}, "titles has 1 entries"),
        ({"y_pred": [1]}, "y_pred has 1 entries"),
        ({"titles": [0, 1, 0, 1, 3], "names": ["a", "b"]}, "names has 2 entries"),
        ({"n_columns": 0}, "n_columns"),
        ({"max_faces": 0}, "max_faces"),
        ({"ax": "here"}, "ax is a str"),
    ],
)
def test_refusals_name_the_argument(options, text):
    with pytest.raises(ArgumentError, match=text):
        show_faces(**{"images": FACES} | options)


def test_unreadable_file_is_named(tmp_path):
    path = tmp_path / "face.png"
    path.write_text("none")
    with pytest.raises(ValueError, match=r"images\[0\], .*face.png, cannot be read"):
        show_faces([path])


@pytest.mark.parametrize(
    "options",
    [
        {"cmap": "magma"},
        {"vmin": 0, "vmax": 99},
        {"alpha": 0.5},
        {"interpolation": "bilinear"},
        {"origin": "upper"},
        {"norm": plt.Normalize(0, 9)},
        {"titles": ["_", "$x", "a" * 90, "a\nb", ""]},
        {"n_columns": 1},
    ],
    ids=lambda options: "-".join(options),
)
def test_nothing_passed_on_makes_matplotlib_warn(options):
    ax = show_faces(FACES, **options)
    ax.figure.canvas.draw()
    assert len(ax.images) == 5


def test_fits_in_given_axes():
    figure, (left, right) = plt.subplots(1, 2, figsize=(4, 2))
    ax = show_faces(FACES, ["a"] * 5, ax=right)
    assert ax is right
    figure.canvas.draw()
    frame = right.get_window_extent()
    for image in right.images:
        inner = image.get_window_extent()
        assert frame.x0 - 1 <= inner.x0 < inner.x1 <= frame.x1 + 1
    assert not left.images


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_looks_as_kept(style, as_kept):
    drawn = make_expressions(2, 1, image_size=32, random_state=0)
    predicted = np.where(np.arange(16) % 5 == 0, 4, drawn.target)
    with plt.style.context(style):
        ax = show_faces(drawn.images, drawn.target, y_pred=predicted, names=drawn)
        as_kept(ax.figure, f"faces_{style}")
