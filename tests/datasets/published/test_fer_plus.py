"""load_fer_plus."""

from collections import Counter

import numpy as np
import pytest
from helpers import trees
from hypothesis import given, settings
from hypothesis import strategies as st

from skfer import CrossEntropyEmbedder
from skfer.datasets import DatasetError, DatasetWarning, check_dataset, load_fer_plus
from skfer.datasets._votes import VOTES, distribution, majority
from skfer.datasets.published import _fer_plus

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


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_tables_with_another_separator(tmp_path, delimiter):
    make(tmp_path, delimiter=delimiter)
    expected = load_fer_plus(tmp_path)
    table = tmp_path / "fer2013.csv"
    table.write_text(table.read_text().replace(",", delimiter))
    faces = load_fer_plus(tmp_path)
    assert faces.target.tolist() == expected.target.tolist()
    np.testing.assert_array_equal(faces.images, expected.images)
    np.testing.assert_array_equal(faces.votes, expected.votes)


def test_distribution_is_what_embedders_take(tmp_path):
    votes = [CLEAR, TORN, ANGRY] * 4
    rows = [("Training", f"fer{i:07}.png", row) for i, row in enumerate(votes)]
    root = make(tmp_path, rows, [(6, 20 * i, "Training") for i in range(12)])
    faces = load_fer_plus(root, labels="distribution")
    model = CrossEntropyEmbedder(4, max_epochs=1, backbone="scratch", random_state=0)
    model.fit(faces.images, faces.target, votes=faces.distribution)
    assert model.classes_.tolist() == [0, 5]  # anger and neutral
    assert model.class_count_.tolist() == [4, 8]


def test_distribution_keeps_what_has_no_majority(tmp_path):
    faces = load_fer_plus(make(tmp_path), labels="distribution", as_frame=True)
    assert faces.target.tolist() == [5, -1, 0]
    assert faces.images[:, 0, 0].tolist() == [0, 10, 30]
    np.testing.assert_allclose(faces.distribution.sum(axis=1), 1)
    for name, labels in (("votes", VOTES), ("distribution", faces.target_names)):
        wide = faces.frame[[f"{name}_{label}" for label in labels]]
        np.testing.assert_array_equal(wide, faces[name])
    with pytest.raises(ValueError, match="labels must be"):
        load_fer_plus(tmp_path, labels="votes")


def test_rows_that_do_not_belong_together(tmp_path):
    make(tmp_path, rows=ROWS[:-1])
    with pytest.raises(DatasetError, match=r"fer2013.csv has 5 rows and fer2013new.csv has 4"):
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


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (CLEAR[:9], "11 cells, fewer than the header has names"),
        (("?", *CLEAR[1:]), r"'\?,0,0,1,0,0,0,0,0,0' are not votes"),
        (("", *CLEAR[1:]), "are not votes"),
        (("-1", *CLEAR[1:]), "are not votes"),
        ((99, *CLEAR[1:]), "are more votes than the 10 people gave"),
        (("9" * 30, *CLEAR[1:]), "are more votes than the 10 people gave"),
    ],
)
@pytest.mark.parametrize("header", [True, False])
def test_faulty_votes_are_told_by_line(tmp_path, cells, message, header):
    make(tmp_path, rows=[ROWS[0], ("Training", "fer0000001.png", cells), *ROWS[2:]])
    path = tmp_path / "fer2013new.csv"
    if not header:
        path.write_text(path.read_text().partition("\n")[2])
        message = message.replace(", fewer than the header has", " that are not a name and ten")
        message = message.replace("ten names", "ten votes")
    line = 3 if header else 2
    with pytest.raises(DatasetError, match=rf"fer2013new.csv, line {line}: .*{message}"):
        load_fer_plus(tmp_path)
    with pytest.warns(DatasetWarning, match=f"line {line}"):
        faces = load_fer_plus(tmp_path, on_error="skip")
    assert faces.images[:, 0, 0].tolist() == [0, 30]


def rewrite(path, header, order=None, more=()):
    """Write the votes with another header, other columns after them, or columns reordered."""
    rows = [line.split(",") for line in path.read_text().splitlines()[1:]]
    table = [[*header], *([*row, *more] for row in rows)]
    if order is not None:
        table = [[row[i] for i in order] for row in table]
    path.write_text("".join(",".join(row) + "\n" for row in table))


LOUD = [f" {name.upper()} " for name in trees.VOTE_HEADER]
WORDS = ["Usage", "image_name", "neutral", "Happy", "surprised", "sad", "angry", "disgust"]
WORDS += ["fearful", "contempt", "Unknown", "nf"]


@pytest.mark.parametrize(
    ("header", "order", "more"),
    [
        (LOUD, None, ()),
        (WORDS, None, ()),
        (trees.VOTE_HEADER, [0, 1, *range(11, 1, -1)], ()),
        (trees.VOTE_HEADER, [5, 1, 0, 2, 3, 4, *range(6, 12)], ()),
        ([*trees.VOTE_HEADER, "comment"], None, ("7",)),
        ([*trees.VOTE_HEADER, "comment", "sum"], [12, 13, *range(12)], ("7", "10")),
    ],
)
def test_columns_are_found_by_their_names(tmp_path, header, order, more):
    expected = load_fer_plus(make(tmp_path))
    rewrite(tmp_path / "fer2013new.csv", header, order, more)
    faces = load_fer_plus(tmp_path)
    assert faces.votes.tolist() == expected.votes.tolist()
    assert faces.split.tolist() == expected.split.tolist()


def test_a_table_without_header(tmp_path):
    expected = load_fer_plus(make(tmp_path))
    path = tmp_path / "fer2013new.csv"
    path.write_text(path.read_text().partition("\n")[2])
    assert load_fer_plus(tmp_path).votes.tolist() == expected.votes.tolist()
    path.write_text(path.read_text().replace("\n", ",7\n"))
    with pytest.raises(DatasetError, match="line 1: 13 cells that are not a name and ten votes"):
        load_fer_plus(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("fear", "dread", r"no column 'fear'; its columns are 'Usage', .*'dread'"),
        ("NF", "no face", "no column 'NF'"),
        ("Image name", "id", "no column 'Image name'"),
        ("fear", "anger", "the column 'anger' is there more than once"),
    ],
)
def test_headers_that_do_not_tell_the_votes(tmp_path, old, new, message):
    make(tmp_path)
    header = [new if name == old else name for name in trees.VOTE_HEADER]
    rewrite(tmp_path / "fer2013new.csv", header)
    with pytest.raises(DatasetError, match=f"fer2013new.csv', line 1: {message}"):
        load_fer_plus(tmp_path)


def test_a_name_twice_in_a_part_is_out_of_order(tmp_path):
    make(tmp_path, rows=[ROWS[0], ROWS[0], *ROWS[2:]])
    with pytest.raises(DatasetError, match=r"line 3 names 'fer0000000.png' after .* line 2"):
        load_fer_plus(tmp_path)


def test_a_table_of_pixels_out_of_order_is_refused(tmp_path):
    """Sorting fer2013.csv by emotion within its parts leaves nothing else to see."""
    rng = np.random.RandomState(0)
    emotions = rng.randint(0, 7, 400)
    column = (4, 5, 6, 1, 3, 2, 0)  # of the votes, for each code of FER2013
    rows = [
        ("Training", f"fer{i:07d}.png", [9 if k == column[emotion] else 0 for k in range(10)])
        for i, emotion in enumerate(emotions)
    ]
    faces = [
        (emotion if rng.rand() < 0.7 else rng.randint(0, 7), i % 256, "Training")
        for i, emotion in enumerate(emotions)
    ]
    assert len(load_fer_plus(make(tmp_path, rows, faces)).images) == 400
    pattern = r"fer2013.csv and fer2013new.csv agree on [12]\d% of the labels of the train part"
    make(tmp_path, rows, sorted(faces))
    with pytest.raises(DatasetError, match=pattern):
        load_fer_plus(tmp_path)
    make(tmp_path, rows[:40], sorted(faces[:40]))  # too few to tell
    assert len(load_fer_plus(tmp_path).images) == 40


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
        DatasetError,
        match=r"(?s)3 of .*line 4: '../x.png' leads out.*line 3: .*again.*line 5 .*no such file",
    ):
        load_fer_plus(tmp_path)
    with pytest.warns(DatasetWarning, match=r"(?s)4 of .*line 5 .*no such file.*truncated"):
        faces = load_fer_plus(tmp_path, on_error="skip")
    assert faces.images[:, 0, 0].tolist() == [11, 11]


def test_a_picture_in_two_parts(tmp_path):
    rows = [*PICTURES, ("FER2013Test", "fer0000000.png", 90, ANGRY)]
    trees.fer_plus_pictures(tmp_path, rows)
    pattern = (
        r"Test/label.csv, line 3: 'fer0000000.png' again, as in FER2013Train/label.csv, line 1"
    )
    with pytest.raises(DatasetError, match=pattern):
        load_fer_plus(tmp_path)


def test_pictures_and_tables_in_folders_apart(tmp_path):
    trees.fer_plus_pictures(tmp_path / "Images", PICTURES)
    expected = load_fer_plus(tmp_path)
    for name in ("FER2013Train", "FER2013Valid", "FER2013Test"):
        (tmp_path / "Labels" / name).mkdir(parents=True)
        label = tmp_path / "Images" / name / "label.csv"
        label.rename(tmp_path / "Labels" / name / "label.csv")
    faces = load_fer_plus(tmp_path)
    assert faces.filenames.tolist() == expected.filenames.tolist()
    assert faces.target.tolist() == expected.target.tolist()


def test_short_and_foreign_rows_of_pictures(tmp_path):
    trees.fer_plus_pictures(tmp_path, PICTURES)
    label = tmp_path / "FER2013Test" / "label.csv"
    label.write_text(label.read_text() + "1,2,3\n")
    with pytest.raises(DatasetError, match=r"Test/label.csv, line 3: 3 cells that are not a name"):
        load_fer_plus(tmp_path)
    label.unlink()
    trees.fer_plus_table(tmp_path, [("PrivateTest", "fer0000003.png", CLEAR), ("", "x", CLEAR)])
    with pytest.raises(DatasetError, match=r"fer2013new.csv, line 3: its Usage is none of"):
        load_fer_plus(tmp_path)


def test_extensions_on_disk_in_another_case(tmp_path):
    trees.fer_plus_pictures(tmp_path, PICTURES)
    path = tmp_path / "FER2013Valid" / "fer0000002.png"
    path.rename(path.with_suffix(".PNG"))
    assert load_fer_plus(tmp_path).filenames[1] == "FER2013Valid/fer0000002.PNG"


def test_check_of_pictures(tmp_path):
    trees.fer_plus_pictures(tmp_path, PICTURES)
    trees.picture(tmp_path / "FER2013Test" / "fer0000099.png")
    (tmp_path / "FER2013Test" / "._fer0000003.png").write_bytes(b"")
    report = check_dataset("fer+", tmp_path)
    assert report.problems == [("FER2013Test/fer0000099.png", "a picture without a label")]
    assert report.parts == {"train": 2, "validation": 1, "test": 2}
    assert report.published_parts == {"train": 28_709, "validation": 3_589, "test": 3_589}
    assert not report.ok
    assert len(load_fer_plus(tmp_path).images) == 3


def test_check_of_a_whole_table_of_pictures(tmp_path, monkeypatch):
    sizes = {"train": 2, "validation": 1, "test": 2}
    monkeypatch.setattr(_fer_plus, "FER2013_PARTS", sizes)
    monkeypatch.setattr(_fer_plus, "_N_FACELESS", 1)
    trees.fer_plus_pictures(tmp_path, PICTURES)
    assert str(check_dataset("fer+", tmp_path)).endswith("all as published")
    label = tmp_path / "FER2013Test" / "label.csv"
    label.write_text(label.read_text().splitlines()[0])  # without those that show no face
    assert check_dataset("fer+", tmp_path).ok
    label = tmp_path / "FER2013Train" / "label.csv"
    label.write_text(label.read_text() + "fer0000009.png" + ",0" * 9 + ",10\n")
    assert not check_dataset("fer+", tmp_path).ok


def test_folders_of_classes(tmp_path):
    trees.named(tmp_path, ["train/angry/fer0000000.png", "train/happy/fer0000001.png"])
    with pytest.raises(DatasetError, match=r"(?s)no FER\+ in a known layout.*load_image_folder"):
        load_fer_plus(tmp_path)


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


@pytest.mark.parametrize("on_error", ["raise", "skip"])
@pytest.mark.parametrize("form", ["table", "folders", "both"])
def test_votes_without_pictures(tmp_path, on_error, form):
    """The state after cloning the repository of the votes."""
    if form != "table":
        trees.fer_plus_pictures(tmp_path, PICTURES)
        for path in tmp_path.rglob("*.png"):
            path.unlink()
    if form != "folders":
        trees.fer_plus_table(tmp_path, [("PrivateTest", "fer0000003.png", CLEAR)])
    needed = "put fer2013.csv and fer2013new.csv" if form == "folders" else "put fer2013.csv of"
    with pytest.raises(DatasetError, match=rf"come without the pictures: {needed}.*beside it"):
        load_fer_plus(tmp_path, on_error=on_error)
