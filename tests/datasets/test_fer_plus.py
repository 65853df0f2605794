"""load_fer_plus."""

from collections import Counter

import numpy as np
import pytest
import trees
from hypothesis import given, settings
from hypothesis import strategies as st

from skfer.datasets import DatasetError, DatasetWarning, load_fer_plus
from skfer.datasets._fer_plus import VOTES, distribution, majority

CLEAR = (9, 0, 0, 1, 0, 0, 0, 0, 0, 0)  # neutral
TORN = (4, 0, 0, 4, 1, 0, 0, 0, 1, 0)  # no majority: half neutral, half sadness
UNKNOWN = (2, 0, 0, 0, 0, 0, 0, 0, 8, 0)
NO_FACE = (0, 0, 0, 0, 0, 0, 0, 0, 0, 10)
ANGRY = (0, 0, 0, 0, 6, 2, 1, 1, 0, 0)
ROWS = [
    ("Training", "fer0000000.png", CLEAR),
    ("Training", "fer0000001.png", TORN),
    ("Training", "", NO_FACE),
    ("PublicTest", "fer0000002.png", ANGRY),  # the name has fallen behind the row
    ("PrivateTest", "fer0000003.png", UNKNOWN),
]
FACES = [(6, 10 * i, usage) for i, (usage, _, _) in enumerate(ROWS)]
NUMBERS = [2, 5]  # lines of fer2013.csv that have a majority


def make(root, rows=ROWS, faces=FACES, **how):
    trees.fer2013(root, faces)
    trees.fer_plus_table(root, rows, **how)
    return root


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_tables_are_paired_by_row_order(tmp_path, newline):
    faces = load_fer_plus(make(tmp_path, newline=newline))
    assert faces.filenames.tolist() == ["fer2013.csv:2", "fer2013.csv:5"]
    assert faces.images[:, 0, 0].tolist() == [0, 30]
    assert faces.target.tolist() == [5, 0]
    assert faces.split.tolist() == ["train", "validation"]
    assert faces.votes.tolist() == [list(CLEAR), list(ANGRY)]
    np.testing.assert_allclose(faces.distribution[1], [0.75, 0, 0.25, 0, 0, 0, 0, 0])
    assert faces.groups.tolist() == [0, 3]  # as load_fer2013 numbers them
    assert load_fer_plus(tmp_path, subset="validation").groups.tolist() == [3]


def test_distribution_keeps_what_has_no_majority(tmp_path):
    faces = load_fer_plus(make(tmp_path), labels="distribution", as_frame=True)
    assert faces.target.tolist() == [5, -1, 0]
    assert faces.images[:, 0, 0].tolist() == [0, 10, 30]
    np.testing.assert_allclose(faces.distribution.sum(axis=1), 1)
    assert "votes" not in faces.frame.columns
    with pytest.raises(ValueError, match="labels="):
        load_fer_plus(tmp_path, labels="votes")


def test_rows_that_do_not_belong_together(tmp_path):
    make(tmp_path, rows=ROWS[:-1])
    with pytest.raises(DatasetError, match=r"fer2013.csv has 5 rows and fer2013new.csv 4"):
        load_fer_plus(tmp_path)
    make(tmp_path, rows=[ROWS[3], *ROWS[:3], ROWS[4]])
    with pytest.raises(DatasetError, match=r"fer2013.csv, line 2 .*fer2013new.csv, line 2"):
        load_fer_plus(tmp_path)


@settings(deadline=None, max_examples=20)
@given(order=st.permutations(range(6)), first=st.integers(0, 3), empty=st.integers(0, 6))
def test_rows_moved_within_a_part_are_told(tmp_path_factory, order, first, empty):
    """The numbers in the names may lag behind the rows, but never fall."""
    root = tmp_path_factory.mktemp("ferplus")
    rows = [("Training", f"fer{first + i:07d}.png", CLEAR) for i in order]
    rows.insert(empty, ("Training", "", NO_FACE))
    make(root, [*rows, ROWS[3]], [(6, i, "Training") for i in range(7)] + [(6, 0, "PublicTest")])
    if list(order) == sorted(order):
        assert len(load_fer_plus(root).images) == 7
    else:
        with pytest.raises(DatasetError, match=r"fer2013new.csv, line \d+ names 'fer.* line \d+"):
            load_fer_plus(root)


def test_faulty_votes_are_told_by_line(tmp_path):
    make(tmp_path, rows=[ROWS[0], ("Training", "x.png", CLEAR[:9]), *ROWS[2:]])
    with pytest.raises(
        DatasetError, match=r"fer2013new.csv, line 3: its last ten cells are no votes"
    ):
        load_fer_plus(tmp_path)
    make(tmp_path, rows=[ROWS[0], ("Training", "x.png", ("?", *CLEAR[1:])), *ROWS[2:]])
    with pytest.warns(DatasetWarning, match="line 3"):
        faces = load_fer_plus(tmp_path, on_error="skip")
    assert faces.images[:, 0, 0].tolist() == [0, 30]


PICTURES = [
    ("FER2013Train", "fer0000000.png", 11, CLEAR),
    ("FER2013Train", "fer0000001.png", 22, TORN),
    ("FER2013Valid", "fer0000002.png", 33, ANGRY),
    ("FER2013Test", "fer0000003.png", 11, CLEAR),
    ("FER2013Test", "", 0, NO_FACE),
]


@pytest.mark.parametrize("outer", ["", "data"])
@pytest.mark.parametrize("box", [True, False])
def test_pictures_with_a_table_in_each_folder(tmp_path, outer, box):
    trees.fer_plus_pictures(tmp_path / outer, PICTURES, box=box)
    faces = load_fer_plus(tmp_path)
    assert faces.images[:, 0, 0].tolist() == [11, 33, 11]
    assert faces.target.tolist() == [5, 0, 5]
    assert faces.split.tolist() == ["train", "validation", "test"]
    assert faces.groups.tolist() == [0, 1, 0]  # the same face in training and test


def test_pictures_with_the_one_table(tmp_path):
    trees.fer_plus_pictures(tmp_path, PICTURES, labels=False)
    with pytest.raises(DatasetError, match=r"FER2013Train/ has no label\.csv"):
        load_fer_plus(tmp_path)
    usage = {"FER2013Train": "Training", "FER2013Valid": "PublicTest", "FER2013Test": "PrivateTest"}
    trees.fer_plus_table(
        tmp_path, [(usage[f], name, votes) for f, name, _, votes in PICTURES[::-1]]
    )
    faces = load_fer_plus(tmp_path)
    assert dict(zip(faces.filenames, faces.images[:, 0, 0], strict=True)) == {
        "FER2013Train/fer0000000.png": 11,
        "FER2013Valid/fer0000002.png": 33,
        "FER2013Test/fer0000003.png": 11,
    }


def test_pictures_with_faults(tmp_path):
    trees.fer_plus_pictures(tmp_path, PICTURES)
    label = tmp_path / "FER2013Train" / "label.csv"
    votes = ",".join(map(str, CLEAR))
    label.write_text(
        label.read_text() + f"fer0000000.png,{votes}\n../x.png,{votes}\ngone.png,{votes}"
    )
    trees.spoil(tmp_path / "FER2013Valid" / "fer0000002.png", "truncated")
    with pytest.raises(
        DatasetError, match=r"(?s)2 of .*line 4: '../x.png' leads out.*line 3: .*again"
    ):
        load_fer_plus(tmp_path)
    with pytest.warns(DatasetWarning, match=r"(?s)4 of .*line 5 .*no such file.*truncated"):
        faces = load_fer_plus(tmp_path, on_error="skip")
    assert faces.images[:, 0, 0].tolist() == [11, 11]


def test_no_fer_plus(tmp_path):
    trees.fer2013(tmp_path, FACES)
    with pytest.raises(DatasetError, match=r"(?s)no FER\+ in a known layout.*fer2013new.csv"):
        load_fer_plus(tmp_path)


def majority_by_hand(votes):
    """The rule as its authors put it, vote by vote."""
    left = Counter({name: n for name, n in zip(VOTES, votes, strict=True) if n > 1})
    if not left:
        return -1
    (winner, most), *_ = left.most_common()
    if most <= sum(left.values()) / 2 or winner in ("unknown", "NF"):
        return -1
    return trees.code_of(winner)


votes = st.lists(st.integers(0, 10), min_size=10, max_size=10)


@given(st.lists(votes, min_size=1, max_size=20))
def test_rules_hold_for_any_votes(rows):
    codes, shares = majority(rows), distribution(rows)
    assert codes.tolist() == [majority_by_hand(row) for row in rows]
    known = np.isfinite(shares).all(axis=1)
    np.testing.assert_allclose(shares[known].sum(axis=1), 1)
    assert np.all(known[codes >= 0])  # a majority is always a distribution too
    np.testing.assert_array_equal(shares[codes >= 0].argmax(axis=1), codes[codes >= 0])


@settings(deadline=None, max_examples=10)
@given(rows=st.lists(votes, min_size=1, max_size=6))
def test_any_tables(tmp_path_factory, rows):
    root = tmp_path_factory.mktemp("ferplus")
    names = [("Training", f"fer{i:07d}.png", row) for i, row in enumerate([list(CLEAR), *rows])]
    make(root, names, [(0, i, "Training") for i in range(len(names))])
    faces = load_fer_plus(root)
    expected = {i: majority_by_hand(row) for i, (_, _, row) in enumerate(names)}
    found = dict(zip(faces.images[:, 0, 0].tolist(), faces.target.tolist(), strict=True))
    assert found == {i: code for i, code in expected.items() if code >= 0}
