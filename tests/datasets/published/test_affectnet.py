"""load_affectnet."""

import numpy as np
import pytest
from helpers import trees
from hypothesis import given, settings
from hypothesis import strategies as st

from skfer.datasets import DatasetError, DatasetWarning, check_dataset, load_affectnet
from skfer.datasets.published._affectnet import _row
from skfer.pictures._npy import read_number

TARGETS = (5, 4, 6, 7, 3, 2, 0, 1, -1, -1, -1)  # of the codes 0 to 10
SIZE = (40, 40)
TRAIN = [
    trees.affectnet_row("1/aa.jpg", 1),
    trees.affectnet_row("1/bb.jpg", 7, valence=-0.5),
    trees.affectnet_row("2/cc.JPG", 9, valence=-2, arousal=-2),
    trees.affectnet_row("3/dd.jpg", 10, valence=-2, arousal=-2, points=False, box=False),
]
VALIDATION = [trees.affectnet_row("9/ee.jpg", 0)]


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("outer", ["", "AffectNet/Manually_Annotated"])
def test_form_of_2016(tmp_path, header, newline, outer):
    made = trees.affectnet_2016(
        tmp_path, TRAIN, VALIDATION, header=header, newline=newline, outer=outer
    )
    for align in ("auto", "landmarks", "box", False):
        faces = load_affectnet(tmp_path, align=align)
        trees.check_pixels(faces, made, tolerance=2)
        assert faces.images.shape == (3, 48, 48)
        assert faces.target.tolist() == [4, 1, 5]
        assert faces.split.tolist() == ["train", "train", "validation"]
        assert faces.valence.tolist() == [0.5, -0.5, 0.5]
        assert faces.arousal.tolist() == [-0.25] * 3
        assert faces.expression_code.tolist() == [1, 7, 0]


def _nest(folder):
    """Put what is in a folder into one of the same name in it, as unpacking may."""
    folder.rename(folder.with_name("inner"))
    folder.mkdir()
    folder.with_name("inner").rename(folder / folder.name)


@pytest.mark.parametrize("lists", [False, True])
@pytest.mark.parametrize("outer", ["", "AffectNet/Manually_Annotated"])
def test_folders_of_2016_in_their_namesakes(tmp_path, outer, lists):
    trees.affectnet_2016(tmp_path, TRAIN, VALIDATION, outer=outer)
    plain = load_affectnet(tmp_path)
    _nest(tmp_path / outer / "Manually_Annotated_Images")
    if lists:
        _nest(tmp_path / outer / "Manually_Annotated_file_lists")
    nested = load_affectnet(tmp_path)
    assert nested.target.tolist() == plain.target.tolist()
    assert np.array_equal(nested.images, plain.images)


def _unpacked_by_the_archives(root):
    """Write the pictures where the owners' archives have them, and the tables above."""
    made = trees.affectnet_2016(root, TRAIN, VALIDATION)
    inner = root / "Manually_Annotated_compressed/Manually_Annotated"
    inner.mkdir(parents=True)
    (root / "Manually_Annotated_Images").rename(inner / "Manually_Annotated_Images")
    return {f"{inner.relative_to(root).as_posix()}/{name}": told for name, told in made.items()}


def test_form_of_2016_as_the_archives_have_it(tmp_path):
    made = _unpacked_by_the_archives(tmp_path / "AffectNet")
    faces = load_affectnet(tmp_path / "AffectNet")
    trees.check_pixels(faces, made, tolerance=2)
    assert np.array_equal(load_affectnet(tmp_path).images, faces.images)
    assert faces.split.tolist() == ["train", "train", "validation"]
    trees.table(tmp_path / "training.csv", ["file", "label"], [])  # of another set
    assert len(load_affectnet(tmp_path).images) == 3


@pytest.mark.parametrize(
    "given", ["", "/Manually_Annotated", "/Manually_Annotated/Manually_Annotated_Images"]
)
def test_pictures_of_2016_without_their_tables(tmp_path, given):
    """The advice names the folder of both, and goes in no circle."""
    root = tmp_path / "AffectNet"
    _unpacked_by_the_archives(root)
    says = rf"(?s)The pictures are there, '.*but not the tables: .*within a copy: give '{root}'\."
    with pytest.raises(DatasetError, match=says) as info:
        load_affectnet(f"{root}/Manually_Annotated_compressed{given}")
    assert "further down" not in str(info.value)


def test_folders_of_2021_in_their_namesakes(tmp_path):
    rows = [("train_set", 1, 1, 0.5, 0.25), ("val_set", 2, 0, 0.0, 0.0)]
    trees.affectnet_2021(tmp_path, rows)
    for name in ("train_set", "val_set"):
        _nest(tmp_path / name)
    faces = load_affectnet(tmp_path)
    assert faces.target.tolist() == [4, 5]
    assert faces.split.tolist() == ["train", "validation"]
    assert len(load_affectnet(tmp_path, align="landmarks").images) == 2


def test_unlabeled(tmp_path):
    made = trees.affectnet_2016(tmp_path, TRAIN, VALIDATION)
    faces = load_affectnet(tmp_path, unlabeled=True)
    trees.check_pixels(faces, made, tolerance=2)  # where there is no face the picture is whole
    assert faces.target.tolist() == [4, 1, -1, -1, 5]
    assert faces.expression_code.tolist() == [1, 7, 9, 10, 0]


@pytest.mark.parametrize("part", ["train", "validation"])
def test_one_part_is_enough(tmp_path, part):
    rows = {"train": TRAIN, "validation": None} if part == "train" else {"train": None}
    trees.affectnet_2016(tmp_path, rows["train"], rows.get("validation", VALIDATION))
    assert set(load_affectnet(tmp_path).split) == {part}


def test_box_and_landmarks_cut_out_different_parts(tmp_path):
    trees.affectnet_2016(tmp_path, TRAIN[:1], None)
    image = np.zeros(SIZE, dtype=np.uint8)
    image[5:25, 5:25] = 250  # just the box: x and y from 40 // 8, 40 // 2 wide
    path = tmp_path / "Manually_Annotated_Images/1/aa.jpg"
    trees.Image.fromarray(image).save(path, quality=100, format="PNG")
    box, whole, turned = (
        load_affectnet(tmp_path, align=align).images[0] for align in ("box", False, "landmarks")
    )
    assert box[8:-8, 8:-8].min() > 240
    assert np.mean(box > 128) > 0.95
    assert np.mean(whole > 128) == pytest.approx(0.25, abs=0.02)
    assert 0.3 < np.mean(turned > 128) < 0.9


def test_each_alignment_has_its_own_cache(tmp_path):
    trees.affectnet_2016(tmp_path / "set", TRAIN[:2], None)
    for name in ("aa", "bb"):
        path = tmp_path / f"set/Manually_Annotated_Images/1/{name}.jpg"
        trees.picture(path, SIZE, quality=100)
    images = [
        np.array(load_affectnet(tmp_path / "set", align=align, cache_dir=tmp_path / "c").images)
        for align in ("landmarks", "box", False)
    ]
    assert len(list((tmp_path / "c").glob("*.npy"))) == 3
    assert np.any(images[0] != images[1])
    assert np.any(images[1] != images[2])


def row_with(**changes):
    cells = dict(zip(trees.AFFECTNET_HEADER, trees.affectnet_row("1/zz.jpg", 1), strict=True))
    return tuple((cells | changes).values())


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (row_with(expression=11), "expression '11' is not a number from 0 to 10"),
        (row_with(expression=-1), "expression '-1'"),
        (row_with(expression="happy"), "expression 'happy'"),
        (row_with(valence="?"), "could not convert"),
        (row_with(valence="nan"), r"valence nan is not in \[-1, 1\]"),
        (row_with(arousal=1.5), r"arousal 1.5 is not in \[-1, 1\], nor -2 for none"),
        (row_with(arousal=-1.01), "arousal -1.01"),
        (row_with(face_x="left"), "could not convert"),
        (row_with(facial_landmarks="1;2;3"), "facial_landmarks has 3 numbers, not 136"),
        (row_with(subDirectory_filePath="../../x.jpg"), "leads out of"),
        (row_with()[:5], "5 cells, not 9"),
        (trees.affectnet_row("1/zz.jpg", 1, points=False, box=False), "it has no landmarks"),
        (trees.affectnet_row("1/aa.jpg", 1), "again, as in training.csv, line 2"),
        (trees.affectnet_row("1/aa.jpg", 2), "with the label 'sadness' and not 'happiness'"),
        (trees.affectnet_row("1/gone.jpg", 1), "no such file"),
    ],
)
def test_faulty_rows_are_told_by_table_and_line(tmp_path, row, message):
    trees.affectnet_2016(tmp_path, TRAIN, VALIDATION)
    if row[0] == "1/zz.jpg":
        trees.picture(tmp_path / "Manually_Annotated_Images/1/zz.jpg", SIZE)
    path = tmp_path / "Manually_Annotated_file_lists" / "training.csv"
    path.write_text(path.read_text() + ",".join(map(str, row)) + "\n\n")
    with pytest.raises(DatasetError, match=rf"training.csv, line 6.*{message}"):
        load_affectnet(tmp_path)
    with pytest.warns(DatasetWarning, match="line 6"):
        faces = load_affectnet(tmp_path, on_error="skip")
    first = [] if "and not" in message else [4]
    assert faces.target.tolist() == [*first, 1, 5]


def test_a_picture_in_both_parts_is_told(tmp_path):
    trees.affectnet_2016(tmp_path, TRAIN, [TRAIN[0]])
    with pytest.raises(DatasetError, match=r"validation.csv, line 2 .*again, as in training.csv"):
        load_affectnet(tmp_path)


@pytest.mark.parametrize("align", ["landmarks", False])
def test_names_on_disk_in_another_case(tmp_path, align):
    made = trees.affectnet_2016(tmp_path, TRAIN, VALIDATION)
    folder = tmp_path / "Manually_Annotated_Images/1"
    (folder / "aa.jpg").rename(folder / "AA.JPG")
    made["Manually_Annotated_Images/1/AA.JPG"] = made["Manually_Annotated_Images/1/aa.jpg"]
    faces = load_affectnet(tmp_path, align=align)
    trees.check_pixels(faces, made, tolerance=2)
    assert faces.filenames[0] == "Manually_Annotated_Images/1/AA.JPG"


def test_a_header_without_a_column(tmp_path):
    trees.affectnet_2016(tmp_path, TRAIN, None)
    path = tmp_path / "Manually_Annotated_file_lists" / "training.csv"
    path.write_text(path.read_text().replace("valence", "mood"))
    with pytest.raises(DatasetError, match="no column 'valence'"):
        load_affectnet(tmp_path)


ROWS_2021 = [
    ("train_set", 0, 1, 0.7, 0.1),
    ("train_set", 5, 7, -0.6, 0.5),
    ("val_set", 3, 0, 0.0, -0.1),
]


@pytest.mark.parametrize("text", [True, False])
def test_form_of_2021(tmp_path, text):
    made = trees.affectnet_2021(tmp_path, ROWS_2021, text=text)
    faces = load_affectnet(tmp_path, image_size=None)
    trees.check_pixels(faces, made, tolerance=2)
    assert faces.images.shape == (3, 16, 16)
    assert faces.target.tolist() == [4, 1, 5]
    assert faces.split.tolist() == ["train", "train", "validation"]
    assert faces.valence.tolist() == [0.7, -0.6, 0.0]
    assert faces.arousal.tolist() == [0.1, 0.5, -0.1]


@pytest.mark.parametrize("outer", ["", "old"])
def test_the_form_of_2021_beside_that_of_2016(tmp_path, outer):
    trees.affectnet_2021(tmp_path / "AffectNet", ROWS_2021)
    trees.affectnet_2016(tmp_path, TRAIN, None, outer=outer)
    says = r"another form .*in '.*Manually_Annotated_Images', which is not read. .* form train_set"
    with pytest.warns(DatasetWarning, match=says):
        assert len(load_affectnet(tmp_path).images) == 3
    assert len(load_affectnet(tmp_path / "AffectNet").images) == 3  # without a warning
    assert len(check_dataset("affectnet", tmp_path).parts) == 2


def test_what_archivers_leave_is_passed_over(tmp_path):
    made = trees.affectnet_2021(tmp_path, ROWS_2021)
    for name in ("images/._0.jpg", "annotations/._0_exp.npy"):
        (tmp_path / "train_set" / name).write_bytes(b"\0\5\26\7")
    trees.check_pixels(load_affectnet(tmp_path, image_size=None), made, tolerance=2)


def test_published_counts_of_2021(tmp_path):
    """The training part as public loaders count it, and 500 of each class but 499 of contempt."""
    trees.affectnet_2021(tmp_path, ROWS_2021)
    train = {
        "neutral": 74_874,
        "happiness": 134_415,
        "sadness": 25_459,
        "surprise": 14_090,
        "fear": 6_378,
        "disgust": 3_803,
        "anger": 24_882,
        "contempt": 3_750,
    }
    report = check_dataset("affectnet", tmp_path)
    assert report.published == {
        word: count + (499 if word == "contempt" else 500) for word, count in train.items()
    }
    assert report.published_parts == {"train": sum(train.values()), "validation": 3_999}


def test_landmark_files(tmp_path):
    made = trees.affectnet_2021(tmp_path, ROWS_2021)
    faces = load_affectnet(tmp_path, align="landmarks")
    trees.check_pixels(faces, made, tolerance=2)
    with pytest.raises(ValueError, match="align='box'"):
        load_affectnet(tmp_path, align="box")
    np.save(tmp_path / "train_set/annotations/0_lnd.npy", np.zeros(10))
    (tmp_path / "train_set/annotations/5_lnd.npy").unlink()
    with pytest.raises(DatasetError, match=r"(?s)2 of 3 files.*0_lnd.npy.*5_lnd.npy"):
        load_affectnet(tmp_path, align="landmarks")


def test_faulty_annotations(tmp_path):
    trees.affectnet_2021(tmp_path, [*ROWS_2021, *[("train_set", i, 1, 0, 0) for i in range(6, 10)]])
    notes = tmp_path / "train_set" / "annotations"
    np.save(notes / "0_exp.npy", np.array("12"))
    np.save(notes / "5_exp.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (notes / "6_exp.npy").write_bytes(b"PK\x03\x04")
    (notes / "7_val.npy").unlink()
    np.save(notes / "8_exp.npy", np.zeros(3))
    (notes / "9_exp.npy").write_bytes((notes / "9_exp.npy").read_bytes()[:-2])
    np.save(notes / "99_exp.npy", np.array("1"))
    with pytest.raises(DatasetError, match="7 of 8 files") as info:
        load_affectnet(tmp_path)
    problems = dict(info.value.problems)
    assert "12, not a number from 0 to 10" in problems["train_set/images/0.jpg"]
    assert "holds no numbers" in problems["train_set/images/5.jpg"]
    assert "no .npy file" in problems["train_set/images/6.jpg"]
    assert "7_val.npy" in problems["train_set/images/7.jpg"]
    assert "holds 3 values" in problems["train_set/images/8.jpg"]
    assert "train_set/images/9.jpg" in problems
    assert problems["train_set/annotations/99_exp.npy"] == "a label with no file"
    with pytest.warns(DatasetWarning):
        assert len(load_affectnet(tmp_path, on_error="skip").images) == 1


@pytest.mark.parametrize("gone", [("val", "aro"), ("val",)])
def test_a_copy_without_valence_and_arousal(tmp_path, gone):
    trees.affectnet_2021(tmp_path, ROWS_2021)
    for kind in gone:
        for note in (tmp_path / "train_set" / "annotations").glob(f"*_{kind}.npy"):
            note.unlink()
    faces = load_affectnet(tmp_path)
    assert faces.target.tolist() == [4, 1, 5]
    np.testing.assert_array_equal(faces.valence, [np.nan, np.nan, 0.0])
    arousal = [np.nan] * 2 if "aro" in gone else [0.1, 0.5]
    np.testing.assert_array_equal(faces.arousal, [*arousal, -0.1])
    assert check_dataset("affectnet", tmp_path).missing == [
        f"train_set/annotations/<id>_{kind}.npy" for kind in gone
    ]


def test_annotations_that_are_missing_are_told_by_file(tmp_path):
    trees.affectnet_2021(tmp_path, ROWS_2021)
    (tmp_path / "train_set/annotations/0_val.npy").unlink()
    (tmp_path / "val_set/annotations/3_exp.npy").unlink()
    with pytest.raises(DatasetError, match="2 of 3 files") as info:
        load_affectnet(tmp_path)
    assert dict(info.value.problems) == {
        "train_set/images/0.jpg": "its annotations cannot be used: there is no 0_val.npy",
        "val_set/images/3.jpg": "its annotations cannot be used: there is no 3_exp.npy",
    }


@pytest.mark.parametrize("classes", [("0", "1", "7"), ("Neutral", "Happy", "Contempt")])
@pytest.mark.parametrize("outer", ["", "train/", "train_set/"])
def test_folders_of_classes(tmp_path, classes, outer):
    trees.named(tmp_path, [f"{outer}{word}/a.jpg" for word in classes])
    with pytest.raises(DatasetError, match=r"(?s)(AffectNet|train_set).*load_image_folder"):
        load_affectnet(tmp_path)


def test_the_numbered_folders_of_the_owners_are_no_classes(tmp_path):
    trees.named(tmp_path, [f"Manually_Annotated_Images/{i}/a.jpg" for i in range(1, 30)])
    with pytest.raises(DatasetError, match="no AffectNet in a known layout") as info:
        load_affectnet(tmp_path)
    assert "load_image_folder" not in str(info.value)


def test_measures_out_of_range_in_the_form_of_2021(tmp_path):
    trees.affectnet_2021(
        tmp_path, [*ROWS_2021, ("val_set", 8, 1, 1.2, 0), ("val_set", 9, 1, -2, -2)]
    )
    with pytest.raises(DatasetError, match=r"1 of 5 files.*\n.*8.jpg: .*valence 1.2 is not in"):
        load_affectnet(tmp_path)


def test_no_tables(tmp_path):
    trees.affectnet_2016(tmp_path, TRAIN, None)
    (tmp_path / "Manually_Annotated_file_lists" / "training.csv").unlink()
    (tmp_path / "lists.zip").write_bytes(b"PK")
    says = (
        r"(?s)no AffectNet in a .*pictures are there, 'Manually_Anno.*'.*not .*\.csv.*unpack 'lists"
    )
    with pytest.raises(DatasetError, match=says):
        load_affectnet(tmp_path)


@given(value=st.floats(width=32))
def test_measures_are_in_range_or_none(value):
    if -1 <= value <= 1 or value == -2:
        assert _row("a.jpg", "train", 1, value, 0.0).extra[0] == value
    else:
        with pytest.raises(ValueError, match="valence"):
            _row("a.jpg", "train", 1, value, 0.0)


def test_no_affectnet(tmp_path):
    with pytest.raises(DatasetError, match=r"(?s)no AffectNet in a known layout.*train_set"):
        load_affectnet(tmp_path)
    (tmp_path / "val_set" / "images").mkdir(parents=True)
    with pytest.raises(DatasetError, match="val_set/ has no folder 'annotations'"):
        load_affectnet(tmp_path)
    with pytest.raises(ValueError, match="align must be"):
        load_affectnet(tmp_path, align="eyes")


@given(value=st.floats(-2, 10), dtype=st.sampled_from(["U", "S", "f4", "f8", "i8"]))
def test_numbers_are_read_as_numpy_reads_them(tmp_path_factory, value, dtype):
    path = tmp_path_factory.mktemp("npy") / "a.npy"
    value = int(value) if dtype == "i8" else value
    np.save(path, np.array(str(value) if dtype in "US" else value, dtype=dtype))
    assert read_number(str(path)) == float(np.load(path))


row = st.tuples(st.integers(0, 10), st.booleans(), st.booleans())


@settings(deadline=None, max_examples=10)
@given(rows=st.lists(row, min_size=1, max_size=6), header=st.booleans(), unlabeled=st.booleans())
def test_any_rows(tmp_path_factory, rows, header, unlabeled):
    root = tmp_path_factory.mktemp("affectnet")
    cells = [trees.affectnet_row("0/first.jpg", 0)]
    for i, (code, points, box) in enumerate(rows):
        cells.append(trees.affectnet_row(f"{i}/x.jpg", code, points=points, box=box or code < 8))
    made = trees.affectnet_2016(root, cells, None, header=header)
    faces = load_affectnet(root, unlabeled=unlabeled, image_size=16)
    trees.check_pixels(faces, made, tolerance=2)
    codes = [0, *[code for code, *_ in rows if code < 8 or unlabeled]]
    assert faces.target.tolist() == [TARGETS[code] for code in codes]
