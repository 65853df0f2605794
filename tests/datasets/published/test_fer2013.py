"""load_fer2013."""

import numpy as np
import pytest
from helpers import trees
from hypothesis import given, settings
from hypothesis import strategies as st

from skfer.datasets import DatasetError, DatasetWarning, check_dataset, load_fer2013

WORDS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
ROWS = [(3, 7, "Training"), (0, 20, "PublicTest"), (6, 7, "PrivateTest"), (5, 90, "Training")]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "order", [("emotion", "pixels", "Usage"), ("emotion", " Usage", " pixels")]
)
def test_table(tmp_path, newline, order):
    trees.fer2013(tmp_path, ROWS, newline=newline, order=order, name="FER2013.csv")
    faces = load_fer2013(tmp_path)
    assert faces.images.shape == (4, 48, 48)
    assert faces.images[:, 5, 5].tolist() == [7, 20, 7, 90]
    assert faces.target.tolist() == [4, 0, 5, 7]
    assert faces.split.tolist() == ["train", "validation", "test", "train"]
    assert faces.filenames.tolist() == [f"FER2013.csv:{line}" for line in (2, 3, 4, 5)]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_table_with_another_separator(tmp_path, delimiter):
    path = trees.fer2013(tmp_path, ROWS)
    path.write_text(path.read_text().replace(",", delimiter))
    faces = load_fer2013(tmp_path)
    assert faces.images[:, 5, 5].tolist() == [7, 20, 7, 90]
    assert faces.target.tolist() == [4, 0, 5, 7]
    path.rename(tmp_path / "train.csv")
    assert load_fer2013(tmp_path).images[:, 5, 5].tolist() == [7, 20, 7, 90]


def test_numbers_with_a_decimal_point(tmp_path):
    rows = [
        (emotion, pixels, usage)
        for (_, pixels, usage), emotion in zip(ROWS, ("3.0", "0.", "6.00", 5), strict=True)
    ]
    trees.fer2013(tmp_path, rows)
    assert load_fer2013(tmp_path).target.tolist() == [4, 0, 5, 7]
    trees.fer2013(tmp_path, [*rows, ("3.5", 7, "Training")])
    with pytest.raises(DatasetError, match=r"line 6: emotion '3\.5' is not a number from 0 to 6"):
        load_fer2013(tmp_path)


def test_table_of_the_workshop(tmp_path):
    order = ("emotion", " Usage", " pixels")
    trees.fer2013(tmp_path / "data", ROWS, order=order, name="icml_face_data.csv")
    faces = load_fer2013(tmp_path)
    assert faces.target.tolist() == [4, 0, 5, 7]
    assert faces.filenames[0] == "data/icml_face_data.csv:2"


def kaggle(root):
    """Write the tables of the competition."""
    rows = [(emotion, pixels, "") for emotion, pixels, _ in ROWS]
    trees.fer2013(root, rows, order=("emotion", "pixels"), name="train.csv")
    tests = [("", 7, ""), ("", 90, ""), ("", 200, "")]
    trees.fer2013(root, tests, order=("pixels",), name="test.csv", newline="\r\n")


@pytest.mark.parametrize("subset", ["test", "PrivateTest", ["train", "test"]])
def test_the_part_of_the_competition_without_labels_is_named(tmp_path, subset):
    kaggle(tmp_path)
    says = "the test part has no labels here: give unlabeled=True to load it as -1"
    with pytest.raises(ValueError, match=rf"subset=.*{says}"):
        load_fer2013(tmp_path, subset=subset)
    assert set(load_fer2013(tmp_path, subset="test", unlabeled=True).target) == {-1}
    with pytest.raises(ValueError, match="is not among the parts here"):
        load_fer2013(tmp_path, subset="val")


def test_tables_of_the_competition(tmp_path):
    kaggle(tmp_path)
    faces = load_fer2013(tmp_path)
    assert faces.target.tolist() == [4, 0, 5, 7]
    assert set(faces.split) == {"train"}
    assert faces.images[:, 3, 3].tolist() == [7, 20, 7, 90]
    whole = load_fer2013(tmp_path, unlabeled=True, cache_dir=tmp_path / "cache")
    assert whole.target.tolist() == [4, 0, 5, 7, -1, -1, -1]
    assert whole.split.tolist() == ["train"] * 4 + ["test"] * 3
    assert whole.images[:, 3, 3].tolist() == [7, 20, 7, 90, 7, 90, 200]
    assert whole.groups.tolist() == [0, 1, 0, 2, 0, 2, 3]
    assert whole.filenames[-1] == "test.csv:4"
    report = check_dataset("fer2013", tmp_path)
    assert (report.parts, report.missing) == ({"test": 3, "train": 4}, [])
    assert report.published_parts == {"train": 28_709, "test": 7_178}
    (tmp_path / "test.csv").unlink()
    assert check_dataset("fer2013", tmp_path).missing == ["test.csv"]
    assert len(load_fer2013(tmp_path, unlabeled=True).images) == 4


@pytest.mark.parametrize("validation", ["val.csv", "valid.csv", "Validation.csv"])
def test_a_table_with_labels_for_each_part(tmp_path, validation):
    rows = [(emotion, pixels, "") for emotion, pixels, _ in ROWS]
    order = ("emotion", "pixels")
    trees.fer2013(tmp_path, rows[:2], order=order, name="train.csv")
    trees.fer2013(tmp_path, rows[2:3], order=order, name=validation)
    trees.fer2013(tmp_path, [(1, 7, ""), (9, 8, "")], order=order, name="test.csv")
    with pytest.raises(DatasetError, match=r"1 of 5 rows.*\n.*test.csv, line 3: emotion '9'"):
        load_fer2013(tmp_path)
    assert load_fer2013(tmp_path, subset="train").target.tolist() == [4, 0]
    trees.fer2013(tmp_path, [(1, 7, ""), (0, 8, "")], order=order, name="test.csv")
    for unlabeled in (False, True):
        faces = load_fer2013(tmp_path, unlabeled=unlabeled)
        assert faces.target.tolist() == [4, 0, 5, 2, 0]
        assert faces.split.tolist() == ["train", "train", "validation", "test", "test"]
        assert faces.images[:, 3, 3].tolist() == [7, 20, 7, 7, 8]
        assert faces.groups.tolist() == [0, 1, 0, 0, 2]
    report = check_dataset("fer2013", tmp_path)
    assert report.published["anger"] == 4953
    assert report.published_parts == {"train": 28_709, "validation": 3_589, "test": 3_589}
    (tmp_path / validation).unlink()
    report = check_dataset("fer2013", tmp_path)
    assert report.published_parts == {"train": 28_709, "test": 7_178}
    assert load_fer2013(tmp_path).target.tolist() == [4, 0, 2, 0]


def test_a_table_of_the_test_part_with_an_empty_column_of_labels(tmp_path):
    kaggle(tmp_path)
    trees.fer2013(tmp_path, [("", 7, "")], order=("emotion", "pixels"), name="test.csv")
    assert set(load_fer2013(tmp_path).split) == {"train"}
    assert load_fer2013(tmp_path, unlabeled=True).target.tolist() == [4, 0, 5, 7, -1]


def test_the_whole_table_goes_before_those_of_the_competition(tmp_path):
    kaggle(tmp_path)
    trees.fer2013(tmp_path, ROWS[:2], name="icml_face_data.csv")
    assert load_fer2013(tmp_path).split.tolist() == ["train", "validation"]


def test_other_tables_named_train_are_passed_over(tmp_path):
    (tmp_path / "train.csv").write_text("id,price\n1,2\n")
    with pytest.raises(DatasetError, match=r"(?s)no FER2013 in a known layout.*train.csv with"):
        load_fer2013(tmp_path)


def test_pixels_are_row_by_row(tmp_path):
    image = np.random.RandomState(0).randint(0, 256, (48, 48))
    trees.fer2013(tmp_path, [(3, " ".join(map(str, image.ravel())), "Training")])
    np.testing.assert_array_equal(load_fer2013(tmp_path).images[0], image)
    color = load_fer2013(tmp_path, color=True).images[0]
    np.testing.assert_array_equal(color, np.repeat(image[:, :, None], 3, axis=2))
    assert load_fer2013(tmp_path, image_size=(24, 30)).images.shape == (1, 24, 30)


def test_groups_number_identical_images_alike(tmp_path):
    trees.fer2013(tmp_path, ROWS)
    faces = load_fer2013(tmp_path)
    assert faces.groups.tolist() == [0, 1, 0, 2]
    # Parts, classes and sizes that are loaded apart agree.
    assert load_fer2013(tmp_path, subset="test").groups.tolist() == [0]
    assert load_fer2013(tmp_path, subset="train", image_size=1).groups.tolist() == [0, 2]
    assert load_fer2013(tmp_path, classes=["surprise"]).groups.tolist() == [2]
    assert "identical images" in faces.DESCR


@pytest.mark.parametrize("subset", ["validation", "PublicTest", ["val"]])
def test_subset(tmp_path, subset):
    trees.fer2013(tmp_path, ROWS)
    assert load_fer2013(tmp_path, subset=subset).target.tolist() == [0]


def test_cached(tmp_path):
    trees.fer2013(tmp_path / "set", ROWS)
    first = load_fer2013(tmp_path / "set", cache_dir=tmp_path / "cache")
    np.testing.assert_array_equal(first.images[:, 0, 0], [7, 20, 7, 90])
    trees.fer2013(tmp_path / "set", [(3, 200, "Training"), *ROWS[1:]])
    again = load_fer2013(tmp_path / "set", cache_dir=tmp_path / "cache")
    np.testing.assert_array_equal(again.images[:, 0, 0], [200, 20, 7, 90])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((7, 3, "Training"), "emotion '7' is not a number from 0 to 6"),
        (("", 3, "Training"), "emotion ''"),
        ((3, 3, "Test"), None),
        ((3, 3, "Holdout"), "Usage 'holdout'"),
        ((3, "1 2 3", "Training"), "3 pixels, not 2304"),
        ((3, "", "Training"), "0 pixels"),
        ((3, "1 " * 2303 + "256", "Training"), "not numbers from 0 to 255"),
        ((3, "1 " * 2303 + "x", "Training"), "not numbers from 0 to 255"),
    ],
)
def test_faulty_rows_are_told_by_line(tmp_path, row, message):
    trees.fer2013(tmp_path, [ROWS[0], row, ROWS[1]])
    if message is None:
        assert len(load_fer2013(tmp_path).images) == 3
        return
    with pytest.raises(DatasetError, match=rf"1 of 3 rows.*\n.*fer2013.csv, line 3: .*{message}"):
        load_fer2013(tmp_path)
    with pytest.warns(DatasetWarning, match="line 3"):
        faces = load_fer2013(tmp_path, on_error="skip")
    assert faces.target.tolist() == [4, 0]
    assert faces.groups.tolist() == [0, 2]  # numbered over the whole table


def test_short_and_blank_lines(tmp_path):
    path = trees.fer2013(tmp_path, ROWS[:1])
    path.write_text(path.read_text() + "\n3\n\n")
    with pytest.raises(DatasetError, match="line 4: Usage ''"):
        load_fer2013(tmp_path)


def test_missing_columns(tmp_path):
    trees.table(tmp_path / "fer2013.csv", ("emotion", "pixels"), [(1, 2)])
    with pytest.raises(DatasetError, match="no column 'usage'"):
        load_fer2013(tmp_path)


def test_folder_form(tmp_path):
    names = [
        "train/angry/Training_1.jpg",
        "train/happy/Training_2.jpg",
        "test/sad/PublicTest_3.jpg",
        "test/sad/PrivateTest_4.jpg",
        "test/sad/5.jpg",
    ]
    made = trees.named(tmp_path, names, size=(48, 48), quality=95)
    faces = load_fer2013(tmp_path)
    trees.check_pixels(faces, made, tolerance=2)
    parts = dict(zip(faces.filenames, faces.split, strict=True))
    assert [parts[name] for name in names] == ["train", "train", "validation", "test", "test"]
    assert dict(zip(faces.filenames, faces.target, strict=True)) == dict(
        zip(names, [0, 4, 6, 6, 6], strict=True)
    )
    assert faces.groups.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("name", ["test/sad/Training_9.jpg", "train/sad/PrivateTest_9.jpg"])
def test_folder_form_with_a_picture_of_another_part(tmp_path, name):
    trees.named(tmp_path, ["train/angry/Training_1.jpg", "test/angry/PublicTest_1.jpg", name])
    with pytest.raises(DatasetError, match=rf"{name}: named .* but in a folder of"):
        load_fer2013(tmp_path)


@pytest.mark.parametrize(
    "name", ["train/sad/Training_1.jpg", "train/angry/Training_1.png", "test/sad/PublicTest_1.jpg"]
)
def test_folder_form_with_a_picture_twice(tmp_path, name):
    trees.named(tmp_path, ["train/angry/Training_1.jpg", "test/angry/PublicTest_1.jpg"])
    trees.named(tmp_path, ["train/angry/1.jpg", "train/sad/1.jpg"])  # which tells nothing
    assert len(load_fer2013(tmp_path).images) == 4
    trees.named(tmp_path, [name])
    with pytest.raises(DatasetError, match=rf"{name}: '(training|publictest)_1' again, as in"):
        load_fer2013(tmp_path)


def test_folder_form_twice(tmp_path):
    trees.named(tmp_path, ["train/sad/a.jpg", "test/sad/b.jpg", "archive/train/sad/a.jpg"])
    with pytest.raises(DatasetError, match="two folders of the train part, 'train/' and 'arch"):
        load_fer2013(tmp_path)


@pytest.mark.parametrize("place", ["angry", "more/angry"])
def test_classes_that_are_in_no_part_are_told(tmp_path, place):
    trees.named(tmp_path, ["test/angry/PublicTest_1.jpg", f"{place}/a.jpg", f"{place}/b.jpg"])
    with pytest.raises(
        DatasetError, match=rf"2 of 3 files.*\n.*{place}/a.jpg: .*not in one of the"
    ):
        load_fer2013(tmp_path)
    with pytest.warns(DatasetWarning, match="2 of 3 files"):
        assert len(load_fer2013(tmp_path, on_error="skip").images) == 1


@pytest.mark.parametrize("outer", ["", "train/", "data/test/"])
@pytest.mark.parametrize("classes", [("0", "1", "6"), ("1_angry", "2_fear")])
def test_folders_of_classes_in_another_form(tmp_path, outer, classes):
    trees.named(tmp_path, [f"{outer}{word}/a.jpg" for word in classes])
    with pytest.raises(DatasetError, match=r"(?s)no FER2013 in a known layout.*load_image_folder"):
        load_fer2013(tmp_path)


def test_no_fer2013(tmp_path):
    with pytest.raises(DatasetError, match="no FER2013 in a known layout") as info:
        load_fer2013(tmp_path)
    assert "load_image_folder" not in str(info.value)
    trees.picture(tmp_path / "fer2013.csv.zip", format="PNG")
    with pytest.raises(DatasetError, match="no FER2013 in a known layout"):
        load_fer2013(tmp_path)


row = st.tuples(
    st.integers(0, 6),
    st.integers(0, 255),
    st.sampled_from(["Training", "PublicTest", "PrivateTest"]),
)


@settings(deadline=None, max_examples=15)
@given(rows=st.lists(row, min_size=1, max_size=8), newline=st.sampled_from(["\n", "\r\n"]))
def test_any_rows(tmp_path_factory, rows, newline):
    root = tmp_path_factory.mktemp("fer")
    trees.fer2013(root, rows, newline=newline)
    faces = load_fer2013(root)
    values = np.array([value for _, value, _ in rows])
    assert faces.images[:, 0, 0].tolist() == values.tolist()
    assert [faces.target_names[k] for k in faces.target] == [WORDS[e] for e, _, _ in rows]
    same = faces.groups[:, None] == faces.groups
    np.testing.assert_array_equal(same, values[:, None] == values)
    for part in set(faces.split):
        alone = load_fer2013(root, subset=str(part), image_size=12)
        np.testing.assert_array_equal(alone.groups, faces.groups[faces.split == part])


def test_a_class_that_a_part_does_not_have(tmp_path):
    trees.fer2013(tmp_path, ROWS)
    with pytest.raises(DatasetError, match=r"no pictures with classes=\['anger'\] and subset='tr"):
        load_fer2013(tmp_path, classes=["anger"], subset="train")
