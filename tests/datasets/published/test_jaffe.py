"""load_jaffe."""

import numpy as np
import pytest
from helpers import trees
from hypothesis import given, settings
from hypothesis import strategies as st

from skfer.datasets import DatasetError, DatasetWarning, check_dataset, load_jaffe
from skfer.model_selection import SubjectKFold

CODES = {
    "AN": "anger",
    "DI": "disgust",
    "FE": "fear",
    "HA": "happiness",
    "NE": "neutral",
    "SA": "sadness",
    "SU": "surprise",
}


def test_names_tell_everything(tmp_path):
    made = trees.named(tmp_path, ["KA.AN1.39.tiff", "KA.SU3.38.tiff", "YM.NE2.50.TIFF"])
    faces = load_jaffe(tmp_path)
    trees.check_pixels(faces, made)
    assert faces.images.shape == (3, 48, 48)
    assert faces.target.tolist() == [0, 7, 5]
    assert faces.groups.tolist() == ["KA", "KA", "YM"]
    assert faces.take.tolist() == [1, 3, 2]
    assert faces.number.tolist() == [39, 38, 50]
    assert (faces.sequence, faces.split) == (None, None)
    assert "Lyons" in faces.DESCR


def test_palette_pictures(tmp_path):
    trees.picture(tmp_path / "KA.AN1.39.tiff", (256, 256), value=120, mode="P")
    trees.picture(tmp_path / "KA.AN2.40.tiff", (256, 256), value=120)
    palette, plain = load_jaffe(tmp_path).images
    np.testing.assert_array_equal(palette, plain)


def test_default_crop_is_the_face(tmp_path):
    image = np.zeros((256, 256), dtype=np.uint8)
    image[69:225, 59:197] = 200  # 0.27 to 0.88 of the height, 0.23 to 0.77 of the width
    trees.Image.fromarray(image).save(tmp_path / "KA.AN1.39.tiff")
    assert load_jaffe(tmp_path).images.min() == 200
    assert load_jaffe(tmp_path, image_size=None).images.shape == (1, 156, 138)
    whole = load_jaffe(tmp_path, align=False, image_size=None).images[0]
    np.testing.assert_array_equal(whole, image)
    part = load_jaffe(tmp_path, align=(0, 0, 0.5, 0.25), image_size=None).images[0]
    np.testing.assert_array_equal(part, image[:64, :128])
    assert load_jaffe(tmp_path, color=True).images.shape == (1, 48, 48, 3)


@pytest.mark.parametrize("size", [(48, 48), (156, 138), (256, 200)])
def test_faces_that_may_be_cut_out_already_are_not_cropped(tmp_path, size):
    image = trees.picture(tmp_path / "KA.AN1.39.tiff", size)
    faces = load_jaffe(tmp_path, image_size=None)
    np.testing.assert_array_equal(faces.images[0], image)
    cropped = load_jaffe(tmp_path, align=True, image_size=None).images
    assert cropped.shape[1] == round(0.88 * size[0]) - round(0.27 * size[0])


def test_each_crop_has_its_own_cache(tmp_path):
    trees.picture(tmp_path / "set/KA.AN1.39.tiff", (48, 48))
    images = [
        np.array(load_jaffe(tmp_path / "set", align=align, cache_dir=tmp_path / "c").images)
        for align in ("auto", True)
    ]
    assert np.any(images[0] != images[1])


@pytest.mark.parametrize(
    "align", ["face", (0, 0, 1), (0.5, 0, 0.5, 1), (-0.1, 0, 1, 1), (0, 0, 1, 1.2)]
)
def test_senseless_align(tmp_path, align):
    with pytest.raises(ValueError, match="align="):
        load_jaffe(tmp_path, align=align)


def test_crop_of_a_tiny_picture_is_told(tmp_path):
    trees.named(tmp_path, ["KA.AN1.39.tiff"], size=(1, 1))
    with pytest.raises(DatasetError, match="too few to cut"):
        load_jaffe(tmp_path, align=(0, 0, 0.1, 0.1))


def test_other_forms_and_folders(tmp_path):
    names = ["jaffe/KA.AN1.39.png", "jaffe/KL.DI3.43.tiff.jpg", "more/km.fe1.23.tif"]
    made = trees.named(tmp_path, names)
    for name in ("README_FIRST.txt", "README", "paper.pdf", "jaffe.zip", "notes.doc"):
        (tmp_path / "jaffe" / name).write_text("")
    faces = load_jaffe(tmp_path)
    trees.check_pixels(faces, made, tolerance=2)
    assert faces.groups.tolist() == ["KA", "KL", "KM"]


def test_a_picture_in_a_wrapping_is_told(tmp_path):
    trees.named(tmp_path, ["KA.AN1.39.tiff"])
    (tmp_path / "KA.AN2.40.tiff.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(DatasetError, match=r"KA.AN2.40.tiff.zip: not a picture by its extension"):
        load_jaffe(tmp_path)


def test_wrong_names_and_copies(tmp_path):
    names = ["KA.AN1.39.tiff", "KA.XX1.40.tiff", "face.tiff", "copy/KA.AN1.39.tiff"]
    trees.named(tmp_path, names)
    with pytest.raises(DatasetError, match=r"3 of 4 files") as info:
        load_jaffe(tmp_path)
    assert "copy/KA.AN1.39.tiff'" not in str(info.value)
    assert "again" in str(info.value)
    with pytest.warns(DatasetWarning):
        assert len(load_jaffe(tmp_path, on_error="skip").images) == 1


@pytest.mark.parametrize(
    "copy", ["KA.AN1.39.png", "sub/ka.an1.39.tiff", "KA.AN1.39.tiff.jpg", "sub/KA.AN1.039.bmp"]
)
def test_one_picture_in_two_formats(tmp_path, copy):
    trees.named(tmp_path, ["KA.AN1.39.tiff", copy])
    with pytest.raises(DatasetError, match=r"1 of 2 files.*\n.*'KA.AN1.39' again, as in"):
        load_jaffe(tmp_path)
    with pytest.warns(DatasetWarning):
        assert len(load_jaffe(tmp_path, on_error="skip").images) == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Angry/KA.HA1.1.tiff", "of happiness but in the folder 'Angry'"),
        ("data/joy/more/KA.AN1.1.tiff", "of anger but in the folder 'joy'"),
        ("KL/KA.AN1.2.tiff", "of KA but in the folder 'KL'"),
        ("na/angry/KA.AN1.2.tiff", "of KA but in the folder 'na'"),
    ],
)
def test_folders_that_contradict_the_names(tmp_path, name, message):
    made = ["angry/KA.AN2.40.tiff", "NA/NA.SA1.9.tiff", "JA/KA.SA1.3.tiff", "SU/KA.FE1.4.tiff"]
    trees.named(tmp_path, made)
    assert len(load_jaffe(tmp_path).images) == 4
    trees.named(tmp_path, [name])
    with pytest.raises(DatasetError, match=rf"1 of 5 files.*\n.*{name}: {message}"):
        load_jaffe(tmp_path)
    with pytest.warns(DatasetWarning):
        assert sorted(load_jaffe(tmp_path, on_error="skip").filenames) == sorted(made)


@pytest.mark.parametrize("mark", ["-", "_"])
def test_names_without_dots(tmp_path, mark):
    made = trees.named(tmp_path, [f"KA{mark}AN1{mark}39.jpg", f"ym{mark}ne2{mark}50.tiff.png"])
    faces = load_jaffe(tmp_path)
    trees.check_pixels(faces, made, tolerance=2)
    assert (faces.target.tolist(), faces.groups.tolist()) == ([0, 5], ["KA", "YM"])
    assert (faces.take.tolist(), faces.number.tolist()) == ([1, 2], [39, 50])
    trees.named(tmp_path, ["KA.AN1.39.tiff"])
    with pytest.raises(DatasetError, match=r"'KA.AN1.39' again, as in KA"):
        load_jaffe(tmp_path)


@given(subject=st.from_regex(r"[A-Z]{2}", fullmatch=True))
def test_only_the_ten_women(tmp_path_factory, subject):
    root = tmp_path_factory.mktemp("jaffe")
    (root / f"{subject}.AN1.39.tiff").write_bytes(b"")
    known = subject in {"KA", "KL", "KM", "KR", "MK", "NA", "NM", "TM", "UY", "YM"}
    report = check_dataset("jaffe", root)
    assert report.published_groups == 10
    assert sum(report.counts.values()) == known
    assert known or f"subject '{subject}' is not among KA" in report.problems[0].what


def test_no_woman_counts_as_missing(tmp_path):
    women = ("KA", "KL", "KM", "KR", "MK", "NA", "NM", "TM", "UY", "YM")
    trees.named(tmp_path, [f"{subject}.AN1.{number}.tiff" for number, subject in enumerate(women)])
    faces = load_jaffe(tmp_path)
    assert len(list(SubjectKFold(10).split(faces.images, groups=faces.groups))) == 10
    assert load_jaffe(tmp_path, subset="Na").groups.tolist() == ["Na"]


def test_subset_and_classes(tmp_path):
    trees.named(tmp_path, ["KA.AN1.39.tiff", "KA.SU3.38.tiff", "YM.NE2.50.tiff"])
    assert load_jaffe(tmp_path, subset="KA").groups.tolist() == ["KA", "KA"]
    assert load_jaffe(tmp_path, subset=["KA"], classes=["surprised"]).target.tolist() == [7]
    with pytest.raises(ValueError, match=r"subset='ZZ'.*\['KA', 'YM'\]"):
        load_jaffe(tmp_path, subset="ZZ")


@pytest.mark.parametrize("align", [None, "face", "abcd", 3, (0, 1), (0, 0, 1, None)])
def test_crops_that_are_none(tmp_path, align):
    trees.named(tmp_path, ["KA.AN1.39.tiff"])
    with pytest.raises(
        ValueError, match=r"align=.* is not a part of a picture: give True, False or"
    ):
        load_jaffe(tmp_path, align=align)


def test_no_jaffe(tmp_path):
    with pytest.raises(DatasetError, match="no JAFFE in a known layout"):
        load_jaffe(tmp_path)


@settings(deadline=None, max_examples=15)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["KA", "KL", "YM"]),
            st.sampled_from(sorted(CODES)),
            st.integers(1, 4),
            st.integers(1, 250),
        ),
        min_size=1,
        max_size=6,
        unique=True,
    )
)
def test_any_names(tmp_path_factory, rows):
    root = tmp_path_factory.mktemp("jaffe")
    made = trees.named(root, [f"{s}.{c}{take}.{n}.tiff" for s, c, take, n in rows])
    faces = load_jaffe(root, image_size=8)
    trees.check_pixels(faces, made)
    for name, group, code in zip(faces.filenames, faces.groups, faces.target, strict=True):
        assert group == name[:2]
        assert faces.target_names[code] == CODES[name[3:5]]
