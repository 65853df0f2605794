"""load_ck_plus: the folder form and the table of pixels."""

import re

import pytest
from helpers import trees

from skfer.datasets import DatasetError, DatasetWarning, check_dataset, load_ck_plus


@pytest.mark.parametrize(
    "outer", ["CK+48/", "", "data/CK+48/", "CKPlus/", "data/CK+/", "CK+48 - Copy/", "faces/"]
)
def test_folder_form(tmp_path, outer):
    items = [
        ("anger", "S010_004_00000017.png"),
        ("anger", "S010_004_00000018.png"),
        ("happy", "S999_001_00000003.PNG"),
        ("Contempt", "S138_008_00000007.png"),
    ]
    made = trees.ck48(tmp_path, items, outer=outer)
    faces = load_ck_plus(tmp_path, image_size=None)
    trees.check_pixels(faces, made)
    targets = dict(zip(faces.sequence, faces.target, strict=True))
    assert targets == {"S010_004": 0, "S999_001": 4, "S138_008": 1}
    assert set(faces.groups) == {"S010", "S999", "S138"}


@pytest.mark.parametrize("outer", ["CK+48/", "data/CK+48/", ""])
@pytest.mark.parametrize("landmarks", [True, False])
def test_the_folder_form_beside_that_of_the_owners(tmp_path, outer, landmarks):
    trees.ck_plus(tmp_path, [("S005", "001", 4, 3)], landmarks=landmarks, outer="CK+")
    trees.ck48(tmp_path, [("anger", "S010_004_00000017.png")], outer=outer)
    says = r"another form of the set in '.*', which is not read. What is read has the form cohn-kan"
    with pytest.warns(DatasetWarning) as told:
        assert set(load_ck_plus(tmp_path).groups) == {"S005"}
    assert re.search(says, str(told[0].message))
    assert len(told) == (1 if landmarks else 2)
    assert len(load_ck_plus(tmp_path / "CK+", align=False).images) == 3  # without a warning


FORM = [
    *(("anger", f"S010_004_{number:08d}.png") for number in (19, 17, 18)),
    *(("fear", f"S011_001_{number:08d}.png") for number in (5, 6, 7)),
    ("neutral", "S011_001_00000001.png"),
]


@pytest.mark.parametrize(
    ("frames", "numbers"),
    [
        ("peak", [19, 7]),
        (1, [19, 7]),
        (2, [18, 19, 6, 7]),
        (3, [17, 18, 19, 5, 6, 7]),
        (9, [17, 18, 19, 5, 6, 7]),
        ("all", [17, 18, 19, 5, 6, 7]),
    ],
)
def test_frames_of_the_folder_form(tmp_path, frames, numbers):
    made = trees.ck48(tmp_path, FORM)
    faces = load_ck_plus(tmp_path, frames=frames, image_size=None)
    trees.check_pixels(faces, made)
    assert faces.frame_number.tolist() == [*numbers, 1]
    assert faces.target[-1] == trees.code_of("neutral")
    assert sum(check_dataset("ck+", tmp_path).counts.values()) == 7


@pytest.mark.parametrize("argument", ["neutral_first", "unlabeled", "align"])
def test_what_the_folder_form_does_not_have(tmp_path, argument):
    trees.ck48(tmp_path, FORM)
    with pytest.raises(
        ValueError, match=rf"^{argument}=True: this copy is not of the owners' form"
    ):
        load_ck_plus(tmp_path, **{argument: True})
    assert len(load_ck_plus(tmp_path, align=False).images) == 7


@pytest.mark.parametrize("stray", ["old/CK+48/", "__MACOSX/CK+48/"])
def test_a_stray_copy_of_the_folder_form(tmp_path, stray):
    made = trees.ck48(tmp_path, FORM)
    trees.ck48(tmp_path, [("sadness", "S010_004_00000019.png")], outer=stray)
    trees.check_pixels(load_ck_plus(tmp_path, image_size=None), made)


EXTENDED = [
    (0, 7, "Training"),
    (6, 20, "PublicTest"),
    (7, 30, "PrivateTest"),
    (4, 40, "Training"),
    (6, 20, "PrivateTest"),
]


PERSONS_UNKNOWN = "ignore:.*ckextended.csv does not tell who is shown:skfer.datasets.DatasetWarning"


@pytest.mark.filterwarnings(PERSONS_UNKNOWN)
def test_table_of_pixels(tmp_path):
    trees.fer2013(tmp_path / "data", EXTENDED, name="ckextended.csv")
    faces = load_ck_plus(tmp_path)
    assert faces.images[:, 9, 9].tolist() == [7, 20, 30, 40, 20]
    assert faces.target_names[faces.target].tolist() == [
        "anger", "neutral", "contempt", "sadness", "neutral",
    ]  # fmt: skip
    assert faces.split.tolist() == ["train", "validation", "test", "train", "test"]
    assert faces.groups.tolist() == [0, 1, 2, 3, 1]
    assert faces.group_kind == "different images"
    assert load_ck_plus(tmp_path, subset="test").target.tolist() == [1, 5]
    report = check_dataset("ck+", tmp_path)
    assert (report.published["neutral"], sum(report.published.values())) == (593, 920)
    for argument in ("neutral_first", "unlabeled", "align"):
        with pytest.raises(ValueError, match=f"^{argument}=True: this copy is not of the owners'"):
            load_ck_plus(tmp_path, **{argument: True})


def test_table_of_pixels_does_not_tell_who_is_shown(tmp_path):
    trees.fer2013(tmp_path, EXTENDED, name="ckextended.csv")
    with pytest.warns(DatasetWarning, match=r"ckextended.csv does not tell who is shown"):
        load_ck_plus(tmp_path)
    trees.ck48(tmp_path, FORM)  # which tells it
    assert load_ck_plus(tmp_path).groups.tolist()[:3] == ["S010"] * 3


@pytest.mark.filterwarnings(PERSONS_UNKNOWN)
def test_faulty_rows_of_the_table_of_pixels(tmp_path):
    trees.fer2013(tmp_path, [*EXTENDED, (8, 1, "Training")], name="ckextended.csv")
    with pytest.raises(DatasetError, match=r"ckextended.csv, line 7: emotion '8' is not a number"):
        load_ck_plus(tmp_path)


@pytest.mark.parametrize("outer", ["", "CK+48/", "data/CKPlus/"])
def test_folder_form_that_was_divided_into_parts(tmp_path, outer):
    made = {}
    for part, items in {"train": FORM[::2], "Test": FORM[1::2]}.items():
        made |= trees.ck48(tmp_path, items, outer=f"{outer}{part}/")
    faces = load_ck_plus(tmp_path, image_size=None)
    trees.check_pixels(faces, made)
    assert sorted(faces.filenames) == sorted(made)
    assert faces.split is None
    assert set(faces.groups) == {"S010", "S011"}
    assert sorted(load_ck_plus(tmp_path, frames="peak").frame_number) == [1, 7, 19]
    assert sum(check_dataset("ck+", tmp_path).counts.values()) == 7
    trees.ck48(tmp_path, FORM[:1], outer=f"{outer}Test/")
    with pytest.raises(DatasetError, match=r"S010_004_00000019' again, as in"):
        load_ck_plus(tmp_path)


def test_two_copies_of_the_folder_form_under_other_names(tmp_path):
    for outer in ("CK+48 - Copy/", "CKPlus/train/"):
        trees.ck48(tmp_path, FORM, outer=outer)
    with pytest.raises(DatasetError, match=r"has both 'CK\+48 - Copy' and 'CKPlus': keep one"):
        load_ck_plus(tmp_path)
    trees.ck48(tmp_path, FORM)
    assert load_ck_plus(tmp_path).filenames[0].startswith("CK+48/anger")


@pytest.mark.parametrize("outer", ["faces/", "CK+48/train/"])
def test_folders_of_classes_in_another_form(tmp_path, outer):
    trees.ck48(tmp_path, [("anger", "b.png"), ("happy", "a.png")], outer=outer)
    says = r"(?s)no CK\+ in a known layout.*load_image_folder.*group_pattern who is shown"
    with pytest.raises(DatasetError, match=says):
        load_ck_plus(tmp_path)
    trees.ck48(tmp_path, FORM[:1], outer=outer)
    with pytest.raises(DatasetError, match=r"(?s)2 of 3 files.*happy/a.png: not named like"):
        load_ck_plus(tmp_path)


def test_folder_form_with_faults(tmp_path):
    items = [
        ("anger", "S010_004_00000017.png"),
        ("fear", "S010_004_00000017.png"),
        ("fear", "S010_005_00000018.png"),
        ("fear", "face.png"),
        ("angst", "S010_004_00000019.png"),
    ]
    trees.ck48(tmp_path, items)
    with pytest.raises(DatasetError, match=r"4 of 5 files") as info:
        load_ck_plus(tmp_path)
    assert "angst/: a folder that is named after no class" in str(info.value)
    assert "face.png: not named like" in str(info.value)
    assert "with the label 'fear' and not 'anger'" in str(info.value)
    with pytest.warns(DatasetWarning):
        faces = load_ck_plus(tmp_path, on_error="skip")
    assert faces.filenames.tolist() == ["CK+48/fear/S010_005_00000018.png"]


def test_a_sequence_in_two_classes(tmp_path):
    items = [
        ("anger", "S010_004_00000017.png"),
        ("anger", "S010_004_00000018.png"),
        ("fear", "S010_004_00000019.png"),
        ("fear", "S010_006_00000015.png"),
        ("neutral", "S010_006_00000001.png"),  # the first frame of any sequence may be so
    ]
    trees.ck48(tmp_path, items)
    with pytest.raises(DatasetError) as info:
        load_ck_plus(tmp_path)
    told = dict(info.value.problems)["CK+48/fear/S010_004_00000019.png"]
    assert "'fear' and not 'anger' as CK+48/anger/S010_004_00000017.png" in told
    with pytest.warns(DatasetWarning):
        faces = load_ck_plus(tmp_path, on_error="skip")
    assert faces.sequence.tolist() == ["S010_006"] * 2
