"""load_raf_db."""

import shutil

import numpy as np
import pandas as pd
import pytest
from helpers import trees
from hypothesis import given, settings
from hypothesis import strategies as st

from skfer.datasets import (
    DatasetError,
    DatasetWarning,
    check_dataset,
    load_image_table,
    load_raf_db,
)

WORDS = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
ROWS = [("train_00001.jpg", 5), ("train_00002.jpg", 1), ("test_0001.jpg", 7), ("test_0002.jpg", 4)]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("outer", ["", "basic", "RAF-DB/basic"])
@pytest.mark.parametrize("name", ["list_patition_label.txt", "list_partition_label.txt"])
def test_owners_form(tmp_path, newline, outer, name):
    made = trees.raf_db(tmp_path, ROWS, outer=outer, newline=newline, name=name)
    faces = load_raf_db(tmp_path)
    trees.check_pixels(faces, made, tolerance=2)
    assert faces.images.shape == (4, 48, 48)
    assert faces.target.tolist() == [6, 7, 5, 4]
    assert faces.split.tolist() == ["train", "train", "test", "test"]
    assert faces.groups is None
    assert all("aligned" in name for name in faces.filenames)


def test_original_pictures(tmp_path):
    made = trees.raf_db(tmp_path, ROWS)
    faces = load_raf_db(tmp_path, align=False)
    trees.check_pixels(faces, made, tolerance=2)
    assert faces.filenames[0] == "Image/original/train_00001.jpg"


def test_originals_are_aligned_by_their_points(tmp_path):
    trees.raf_db(tmp_path, ROWS[:2], size=(60, 80))
    eyes = {"train_00001": [(30, 20), (50, 20)], "train_00002": [(35, 30), (55, 30)]}
    for stem, ((x0, y0), (x1, y1)) in eyes.items():
        image = np.full((60, 80), 90, dtype=np.uint8)
        for x, y in eyes[stem]:
            image[y - 2 : y + 3, x - 2 : x + 3] = 250
        path = tmp_path / f"Image/original/{stem}.jpg"
        trees.Image.fromarray(image).save(path, quality=100)
        points = [(x0, y0), (x1, y1), (40, 35), (33, 45), (47, 45)]
        trees.write_points(tmp_path / f"Annotation/manual/{stem}_manu_attri.txt", np.array(points))
        with open(tmp_path / f"Annotation/manual/{stem}_manu_attri.txt", "a") as file:
            file.write("0\n2\n3\n")
    one, other = load_raf_db(tmp_path, align="points", image_size=50).images.astype(int)
    assert one[17, 16] > 200  # where align_face brings the eyes: 0.34 and (1 - 0.36) / 2 of 50
    assert one[17, 34] > 200
    middle = (slice(8, 28), slice(8, 42))
    assert np.abs(one[middle] - other[middle]).mean() < 3
    whole = load_raf_db(tmp_path, align=False, image_size=50).images
    assert np.abs(whole[0].astype(int) - one).mean() > 3


def test_points_that_cannot_be_used(tmp_path):
    trees.raf_db(tmp_path, ROWS[:2])
    with pytest.raises(DatasetError, match=r"no folder Annotation/manual with the points"):
        load_raf_db(tmp_path, align="points")
    note = tmp_path / "Annotation/manual/train_00001_manu_attri.txt"
    trees.write_points(note, np.arange(8).reshape(4, 2))
    note.write_text(note.read_text() + "\n1\n")
    pattern = r"(?s)train_00001_manu_attri.txt, line 6: '1' is no pair.*00002_manu.*is missing"
    with pytest.raises(DatasetError, match=pattern):
        load_raf_db(tmp_path, align="points")
    with pytest.raises(ValueError, match="align must be one of True, False, 'points', got 'eyes'"):
        load_raf_db(tmp_path, align="eyes")
    trees.named(tmp_path / "folders", ["train/1/a.jpg"])
    with pytest.raises(ValueError, match="align='points': the folder form has no points"):
        load_raf_db(tmp_path / "folders", align="points")


def test_a_copy_without_aligned_faces(tmp_path):
    trees.raf_db(tmp_path, ROWS, outer="basic")
    shutil.rmtree(tmp_path / "basic/Image/aligned")
    says = r"has no folder Image/aligned: unpack.*\nThe original pictures are there: align=False"
    with pytest.raises(DatasetError, match=says):
        load_raf_db(tmp_path)
    assert len(load_raf_db(tmp_path, align=False).images) == 4
    report = check_dataset("raf-db", tmp_path, decode=True)
    assert (report.missing, report.problems) == (["Image/aligned/"], [])
    assert report.counts == {"happiness": 1, "neutral": 1, "sadness": 1, "surprise": 1}
    assert not report.ok
    shutil.rmtree(tmp_path / "basic/Image/original")
    with pytest.raises(DatasetError, match=r"no folder Image/aligned: unpack") as info:
        check_dataset("raf-db", tmp_path)
    assert "align=False" not in str(info.value)


def test_a_copy_without_original_pictures(tmp_path):
    trees.raf_db(tmp_path, ROWS)
    shutil.rmtree(tmp_path / "Image/original")
    for align in (False, "points"):
        with pytest.raises(
            DatasetError, match=r"no folder Image/original.*\n.*are there: align=True"
        ):
            load_raf_db(tmp_path, align=align)
    assert check_dataset("raf-db", tmp_path).missing == []


def test_the_folder_of_the_list_alone(tmp_path):
    trees.raf_db(tmp_path, ROWS, outer="basic")
    says = rf"within a copy: give '{tmp_path}/basic'"
    with pytest.raises(DatasetError, match=rf"(?s)no folder Image/aligned\.\n.*{says}") as info:
        load_raf_db(tmp_path / "basic" / "EmoLabel")
    assert "unpack" not in str(info.value)


def test_rows_out_of_order(tmp_path):
    made = trees.raf_db(tmp_path, ROWS[::-1])
    faces = load_raf_db(tmp_path, subset="test")
    trees.check_pixels(faces, made, tolerance=2)
    assert faces.target.tolist() == [4, 5]


def test_extensions_on_disk_in_another_case(tmp_path):
    made = trees.raf_db(tmp_path, ROWS)
    path = tmp_path / "Image/aligned/train_00002_aligned.jpg"
    path.rename(path.with_suffix(".JPG"))
    made["Image/aligned/train_00002_aligned.JPG"] = made["Image/aligned/train_00002_aligned.jpg"]
    faces = load_raf_db(tmp_path)
    trees.check_pixels(faces, made, tolerance=2)
    assert faces.filenames[1] == "Image/aligned/train_00002_aligned.JPG"


def test_a_list_in_another_encoding(tmp_path):
    trees.raf_db(tmp_path, ROWS)
    path = tmp_path / "EmoLabel" / "list_patition_label.txt"
    text = path.read_text()
    path.write_bytes(text.encode() + b"tr\xe4in_00003.jpg 3\n")
    with pytest.raises(DatasetError, match=r"list_patition_label.txt, line 5: not in UTF-8"):
        load_raf_db(tmp_path)
    path.write_bytes(text.encode("utf-16"))
    with pytest.raises(DatasetError, match=r"list_patition_label.txt, line 1: not in UTF-8"):
        load_raf_db(tmp_path)
    path.write_text(text, encoding="utf-8-sig")
    assert len(load_raf_db(tmp_path).images) == 4


def test_no_list(tmp_path):
    trees.raf_db(tmp_path, ROWS)
    (tmp_path / "EmoLabel" / "list_patition_label.txt").unlink()
    with pytest.raises(DatasetError, match=r"(?s)no RAF-DB.*list_patition_label.txt"):
        load_raf_db(tmp_path)


def test_pictures_not_unpacked(tmp_path):
    trees.raf_db(tmp_path, ROWS)
    (tmp_path / "Image" / "aligned").rename(tmp_path / "Image" / "faces")
    (tmp_path / "Image" / "aligned.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(DatasetError, match=r"no folder Image/aligned: unpack Image/aligned.zip"):
        load_raf_db(tmp_path)


@pytest.mark.parametrize("outer", ["", "basic"])
@pytest.mark.parametrize("stray", ["old", "archive/2019", "__MACOSX", "compound"])
def test_a_stray_copy_is_not_used(tmp_path, outer, stray):
    made = trees.raf_db(tmp_path, ROWS, outer=outer)
    trees.raf_db(tmp_path, [(name, 8 - label) for name, label in ROWS[::-1]], outer=stray)
    if stray != "compound" or not outer:
        (tmp_path / stray / "EmoLabel" / "list_patition_label.txt").unlink()
    faces = load_raf_db(tmp_path)
    trees.check_pixels(faces, made, tolerance=2)
    assert faces.target.tolist() == [6, 7, 5, 4]


def test_two_copies_side_by_side_are_refused(tmp_path):
    trees.raf_db(tmp_path, ROWS, outer="a")
    trees.raf_db(tmp_path, ROWS, outer="b")
    with pytest.raises(DatasetError, match=r"has both 'a/EmoLabel/list_pa.*' and 'b/EmoLabel/"):
        load_raf_db(tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("train/2/train_00001.jpg", "'train_00001' again, as in train/1/.*'fear in train' and not"),
        (
            "train/1/train_00001_aligned.png",
            "'train_00001' again, as in train/1/train_00001_aligned.jpg",
        ),
        ("train/2/test_0001_aligned.jpg", "named test but in a folder of train"),
        ("test/2/train_00003_aligned.jpg", "named train but in a folder of test"),
        ("val/4/test_0004_aligned.jpg", "named test but in a folder of validation"),
    ],
)
def test_folder_form_with_a_picture_in_two_places(tmp_path, name, message):
    names = ["train/1/train_00001_aligned.jpg", "train/7/1.jpg", "test/4/1.jpg"]
    trees.named(tmp_path, names)
    assert len(load_raf_db(tmp_path).images) == 3
    trees.named(tmp_path, [name])
    with pytest.raises(DatasetError, match=rf"{name}: {message}"):
        load_raf_db(tmp_path)
    with pytest.warns(DatasetWarning, match=message):
        faces = load_raf_db(tmp_path, on_error="skip")
    torn = "train_00001.jpg" in name  # of two labels nobody knows which is right
    assert len(faces.images) == (2 if torn else 3)


def test_a_part_that_was_set_aside_of_the_training_part(tmp_path):
    trees.named(tmp_path, ["train/1/train_00001.jpg", "val/1/train_00002.jpg", "test/4/test_1.jpg"])
    assert load_raf_db(tmp_path).split.tolist() == ["train", "validation", "test"]


def test_check_tells_pictures_without_a_label(tmp_path):
    trees.raf_db(tmp_path, ROWS)
    trees.picture(tmp_path / "Image/aligned/test_0009_aligned.jpg", mode="RGB")
    (tmp_path / "Image/aligned/._test_0001_aligned.jpg").write_bytes(b"")
    problems = check_dataset("raf-db", tmp_path).problems
    assert problems == [("Image/aligned/test_0009_aligned.jpg", "a picture without a label")]
    assert len(load_raf_db(tmp_path).images) == 4


def test_folder_form_twice(tmp_path):
    trees.named(tmp_path, ["train/1/a.jpg", "test/4/b.jpg", "archive/train/1/a.jpg"])
    with pytest.raises(DatasetError, match="two folders of the train part, 'train/' and 'arch"):
        load_raf_db(tmp_path)


def test_folder_in_a_folder_of_its_name(tmp_path):
    made = trees.raf_db(tmp_path, ROWS)
    aligned = tmp_path / "Image" / "aligned"
    aligned.rename(tmp_path / "Image" / "inner")
    aligned.mkdir()
    (tmp_path / "Image" / "inner").rename(aligned / "aligned")
    faces = load_raf_db(tmp_path)
    assert faces.images[:, 0, 0].tolist() == [
        pytest.approx(made[f"Image/aligned/{name}"]["value"], abs=2)
        for name in (f"{row[0][:-4]}_aligned.jpg" for row in ROWS)
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train_00003.jpg 0", "label '0' is not a number from 1 to 7"),
        ("train_00003.jpg 12", "label '12'"),
        ("train_00003.jpg happy", "label 'happy'"),
        ("train_00003.jpg", "is not like"),
        ("../train_00003.jpg 3", "is not like"),
        ("train_00001.jpg 5", "again, as in list_patition_label.txt, line 1"),
        ("train_00001.jpg 2", "with the label 'fear' and not 'sadness'"),
        ("train_00009.jpg 2", "no such file"),
    ],
)
def test_faulty_lines(tmp_path, line, message):
    trees.raf_db(tmp_path, ROWS)
    path = tmp_path / "EmoLabel" / "list_patition_label.txt"
    path.write_text(path.read_text() + "\n" + line + "\n\n")
    with pytest.raises(DatasetError, match=rf"list_patition_label.txt, line 6.*{message}"):
        load_raf_db(tmp_path)
    with pytest.warns(DatasetWarning):
        faces = load_raf_db(tmp_path, on_error="skip")
    first = [] if "and not" in message else [6]  # of two labels nobody knows which is right
    assert faces.target.tolist() == [*first, 7, 5, 4]


@pytest.mark.parametrize("how", sorted(trees.SPOILT))
def test_faulty_pictures(tmp_path, how):
    trees.raf_db(tmp_path, ROWS)
    trees.spoil(tmp_path / "Image/aligned/train_00002_aligned.jpg", how)
    with pytest.raises(DatasetError, match=rf"1 of 4 lines.*\n.*line 2 .*{trees.SPOILT_SAYS[how]}"):
        load_raf_db(tmp_path)


@pytest.mark.parametrize("outer", ["", "DATASET/"])
@pytest.mark.parametrize("test", ["test", "valid", "Test"])
def test_folder_form(tmp_path, outer, test):
    names = [f"{outer}train/{k}/train_{k:05d}_aligned.jpg" for k in range(1, 8)]
    names.append(f"{outer}{test}/4/x.JPG")
    made = trees.named(tmp_path, names, quality=95)
    faces = load_raf_db(tmp_path)
    trees.check_pixels(faces, made, tolerance=2)
    assert [faces.target_names[k] for k in faces.target] == [*WORDS, "happiness"]
    last = "validation" if test == "valid" else "test"
    assert faces.split.tolist() == ["train"] * 7 + [last]


def test_folder_form_with_an_unknown_class(tmp_path):
    trees.named(tmp_path, ["train/1/a.png", "train/21/b.png", "train/2/c.zip.png"])
    (tmp_path / "train" / "2" / "d.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(DatasetError, match=r"(?s)train/2/d.zip.*train/21/: .*no class"):
        load_raf_db(tmp_path)


@pytest.mark.parametrize("on_error", ["raise", "skip"])
@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("last", [6, 7])
def test_folders_that_are_numbered_from_0_are_refused(tmp_path, on_error, part, last):
    """Class 1 of theirs is not class 1 of RAF-DB: nothing can be left out to make it right."""
    numbers = {"train": range(1, 8), "test": range(1, 8), part: range(last + 1)}
    trees.named(tmp_path, [f"{name}/{k}/{name}.jpg" for name, ks in numbers.items() for k in ks])
    pattern = rf"'{part}/' has a folder 0.*1 \(surprise\) to 7 \(neutral\).*Rename.*load_image_fo"
    with pytest.raises(DatasetError, match=pattern) as info:
        load_raf_db(tmp_path, on_error=on_error)
    assert "skip" not in str(info.value)


COMPOUND = r"{}.*compound expressions.*happily surprised.*Give the folder of the basic part.*guide"


@pytest.mark.parametrize("on_error", ["raise", "skip"])
@pytest.mark.parametrize(
    ("outer", "labels", "why"),
    [
        ("", [1, 8, 11], "line 2 has label '8'"),
        ("compound", [1, 2], "compound/EmoLabel/list_patition_label.txt is in a folder compound"),
        ("RAF-DB/Compound", [1, 11], "RAF-DB/Compound/.* is in a folder compound"),
    ],
)
def test_compound_expressions_are_refused(tmp_path, on_error, outer, labels, why):
    """Label 1 of theirs is happily surprised: no line of them is right."""
    rows = [(f"train_{i:05d}.jpg", label) for i, label in enumerate(labels, 1)]
    trees.raf_db(tmp_path, rows, outer=outer)
    with pytest.raises(DatasetError, match=COMPOUND.format(why)) as info:
        load_raf_db(tmp_path, on_error=on_error)
    assert "skip" not in str(info.value)
    if outer == "compound":
        with pytest.raises(DatasetError, match=r"(?s)is in a folder compound.*basic part"):
            load_raf_db(tmp_path / outer, on_error=on_error)


def test_compound_expressions_are_read_as_the_guide_says(tmp_path):
    rows = [("train_0001.jpg", 1), ("train_0002.jpg", 11), ("test_0001.jpg", 1)]
    made = trees.raf_db(tmp_path, rows, outer="compound")
    path = tmp_path / "compound/EmoLabel/list_patition_label.txt"
    says = r"\.txt' has no header line: its first line is 'train_0001.jpg 1'. Write the names"
    with pytest.raises(DatasetError, match=says):
        load_image_table(path)
    listed = pd.read_csv(path, sep=" ", names=["file", "label"])
    listed["part"] = listed["file"].str.split("_").str[0]
    listed["file"] = listed["file"].str.replace(".jpg", "_aligned.jpg")
    listed.to_csv(tmp_path / "compound.csv", index=False)
    faces = load_image_table(
        tmp_path / "compound.csv",
        root=tmp_path / "compound/Image/aligned",
        split_column="part",
        class_names={1: "happily surprised", 11: "disgustedly surprised"},
    )
    assert faces.target_names[faces.target].tolist() == [
        "happily surprised", "disgustedly surprised", "happily surprised",
    ]  # fmt: skip
    assert faces.split.tolist() == ["train", "train", "test"]
    made = {name.rpartition("/")[2]: told for name, told in made.items()}
    trees.check_pixels(faces, made, tolerance=2)


@pytest.mark.parametrize("on_error", ["raise", "skip"])
@pytest.mark.parametrize("number", [8, 11])
def test_folders_of_compound_expressions_are_refused(tmp_path, on_error, number):
    trees.named(tmp_path, ["train/1/a.jpg", "test/1/b.jpg", f"test/{number}/c.jpg"])
    why = COMPOUND.format(f"'test/' has a folder {number}")
    with pytest.raises(DatasetError, match=why):
        load_raf_db(tmp_path, on_error=on_error)


@pytest.mark.parametrize("place", ["1", "more/1"])
def test_classes_that_are_in_no_part_are_told(tmp_path, place):
    trees.named(tmp_path, ["train/1/a.jpg", "test/4/b.jpg", f"{place}/c.jpg"])
    with pytest.raises(
        DatasetError, match=rf"1 of 3 files.*\n.*{place}/c.jpg: .*not in one of the"
    ):
        load_raf_db(tmp_path)


@pytest.mark.parametrize("outer", ["", "train/", "DATASET/train/"])
@pytest.mark.parametrize("classes", [("surprise", "fear"), ("1_Surprise", "2_Fear")])
def test_folders_of_classes_in_another_form(tmp_path, outer, classes):
    trees.named(tmp_path, [f"{outer}{word}/a{i}.jpg" for i, word in enumerate(classes)])
    with pytest.raises(DatasetError, match=r"(?s)no RAF-DB in a known layout.*load_image_folder"):
        load_raf_db(tmp_path)


def test_no_raf_db(tmp_path):
    with pytest.raises(DatasetError, match="no RAF-DB in a known layout"):
        load_raf_db(tmp_path)


@settings(deadline=None, max_examples=10)
@given(
    st.lists(
        st.tuples(st.sampled_from(["train", "test"]), st.integers(0, 99999), st.integers(1, 7)),
        min_size=1,
        max_size=6,
        unique_by=lambda row: row[:2],
    )
)
def test_any_list(tmp_path_factory, rows):
    root = tmp_path_factory.mktemp("raf")
    made = trees.raf_db(root, [(f"{part}_{i:05d}.jpg", code) for part, i, code in rows])
    faces = load_raf_db(root, image_size=None)
    trees.check_pixels(faces, made, tolerance=2)
    assert [faces.target_names[k] for k in faces.target] == [WORDS[c - 1] for *_, c in rows]
    assert faces.split.tolist() == [part for part, *_ in rows]
