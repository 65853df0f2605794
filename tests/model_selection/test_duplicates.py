"""resolve_duplicates."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils import Bunch

from skfer.datasets import make_expressions
from skfer.exceptions import ArgumentError
from skfer.model_selection import resolve_duplicates


def bunch(pixels, target, **columns):
    images = np.array(pixels, dtype=np.uint8).reshape(-1, 1, 1)
    return Bunch(images=images, target=np.array(target), **columns)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=9),
)
def test_one_of_each_is_left(rows):
    pixels = [pixel for pixel, _ in rows]
    target = [pixel if labeled else -1 for pixel, labeled in rows]
    faces, pairs = resolve_duplicates(bunch(pixels, target))
    assert sorted(faces.images.ravel()) == sorted(set(pixels))
    for pixel, code in zip(faces.images.ravel(), faces.target, strict=True):
        assert code == pixel or (pixel, True) not in rows
    assert len(pairs) == len(pixels) - len(faces.images)
    assert all(pixels[i] == pixels[j] and i != j for i, j in pairs)


def test_the_first_is_left_and_every_column_goes_along():
    faces = make_expressions(2, 1, random_state=0, as_frame=True)
    faces.images[5] = faces.images[0]
    faces.target[5] = faces.target[0]
    left, pairs = resolve_duplicates(faces)
    assert pairs == [(0, 5)]
    kept = np.delete(np.arange(16), 5)
    for name in ("images", "target", "groups", "action_units", "data"):
        np.testing.assert_array_equal(left[name], faces[name][kept])
    assert left.target_names.tolist() == faces.target_names.tolist()
    assert left.frame.columns.tolist() == faces.frame.columns.tolist()
    assert left.frame.index.tolist() == list(range(15))
    assert type(left) is type(faces)


def test_contradictions_are_refused_all_at_once():
    names = np.array([f"{i}.png" for i in range(206)])
    faces = bunch([*range(103), *range(103)], [0] * 103 + [1] * 103, filenames=names)
    with pytest.raises(ArgumentError, match=r"refuses 103 pairs of .* of two classes") as info:
        resolve_duplicates(faces)
    assert "0.png (0) and 103.png (1)" in str(info.value)
    assert "... and 3 more" in str(info.value)
    assert info.value.arguments == ("duplicates",)
    same, pairs = resolve_duplicates(faces, "keep")
    assert same is faces
    assert len(pairs) == 103


def test_ten_pairs_are_listed_by_name_and_word():
    names = np.array([*"abcdefghi", "x" * 300] * 2)
    faces = bunch([*range(10)] * 2, [0, 1, *[0] * 8, -1, 1, *[1] * 8], filenames=names)
    faces.target_names = np.array(["joy", "awe"])
    with pytest.raises(ArgumentError, match="refuses 10 pairs") as info:
        resolve_duplicates(faces, "refuse")
    lines = str(info.value).splitlines()
    assert lines[1:4] == ["  a (joy) and a (-1)", "  b (awe) and b (awe)", "  c (joy) and c (awe)"]
    assert [len(part) for part in lines[10].strip().split(" and ")] == [100, 100]
    assert len(lines) == 12
    assert "more" not in str(info.value)


def test_what_is_no_column_stays():
    faces = bunch([1, 1], [0, 0], scale=np.float64(3), names=["a", "b"], note="ab")
    left, _ = resolve_duplicates(faces)
    assert (left.scale, left.names, left.note) == (3, ["a", "b"], "ab")


@pytest.mark.parametrize("faces", [{"images": [[[1]]]}, {"target": [0]}, {}])
def test_images_and_target_are_needed(faces):
    with pytest.raises(ArgumentError, match="bunch must have images and target"):
        resolve_duplicates(Bunch(**faces))


def test_refuse():
    with pytest.raises(ArgumentError, match=r"^duplicates='refuse' refuses 1 pair of identical"):
        resolve_duplicates(bunch([1, 1, 2], [0, 0, 1]), "refuse")
    faces = bunch([1, 2], [0, 1])
    assert resolve_duplicates(faces, "refuse") == (faces, [])
    with pytest.raises(ArgumentError, match="duplicates"):
        resolve_duplicates(faces, "ask")


COLUMNS = {
    "arrays": np.array,
    "lists": list,
    "tuples": tuple,
    "series": pd.Series,
    "series in another order": lambda values: pd.Series(values, index=range(len(values))[::-1]),
    "series with names": lambda values: pd.Series(values, index=list("uvwxyz")),
}


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
@pytest.mark.parametrize("as_list", [False, True])
def test_columns_of_all_kinds_are_taken_by_place(column, as_list):
    faces = bunch([0, 1, 2, 1, 4, 5], [])
    faces.target, faces.groups = column(list("abcbef")), column([f"p{i}" for i in range(6)])
    faces.images = list(faces.images) if as_list else faces.images
    left, pairs = resolve_duplicates(faces)
    assert pairs == [(1, 3)]
    assert np.ravel(left.images).tolist() == [0, 1, 2, 4, 5]
    assert list(left.target) == list("abcef")
    assert list(left.groups) == ["p0", "p1", "p2", "p4", "p5"]
    assert type(left.target) is type(faces.target)
    faces.target = column(list("abcdef"))
    with pytest.raises(ArgumentError, match=r"sample 1 \(b\) and sample 3 \(d\)"):
        resolve_duplicates(faces)


@pytest.mark.parametrize("none", [None, np.nan, "", "NA", "-1"])
def test_a_label_that_is_missing_contradicts_none(none):
    target = np.array(["joy", none, "awe", none], dtype=object)
    faces = bunch([3, 3, 5, 3], target, target_names=np.array(["awe", "joy"]))
    left, pairs = resolve_duplicates(faces)
    assert (left.target.tolist(), pairs) == (["joy", "awe"], [(0, 1), (0, 3)])
    left, pairs = resolve_duplicates(bunch([3, 3], target[1::-1]))
    assert (left.target.tolist(), pairs) == (["joy"], [(1, 0)])
    with pytest.raises(ArgumentError, match=r"sample 0 \(joy\) and sample 1"):
        resolve_duplicates(faces, "refuse")


def test_data_that_are_no_images_stay_what_they_are():
    faces = bunch([3, 3, 5], [0, 0, 1], data=np.arange(6).reshape(3, 2))
    assert resolve_duplicates(faces)[0].data.tolist() == [[0, 1], [4, 5]]
