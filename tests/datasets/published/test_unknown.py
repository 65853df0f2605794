"""What the error for a folder of no known layout says to do."""

import re

import pytest
from helpers import trees

from skfer.datasets import (
    DatasetError,
    load_affectnet,
    load_ck_plus,
    load_fer2013,
    load_jaffe,
    load_mmi,
    load_raf_db,
    load_sfew,
)


@pytest.mark.parametrize(
    ("loader", "given", "wanted"),
    [
        (load_raf_db, "DATASET/train", "DATASET"),
        (load_raf_db, "basic/Image", "basic"),
        (load_raf_db, "basic/Image/aligned", "basic"),
        (load_affectnet, "set/Manually_Annotated", "set"),
        (load_affectnet, "set/train_set/images", "set"),
        (load_ck_plus, "CK+/Emotion_labels", "CK+"),
        (load_ck_plus, "CK+/cohn-kanade-images/S005", "CK+"),
        (load_ck_plus, "CK+48/anger", "CK+48"),
        (load_mmi, "MMI/Sessions/1", "MMI"),
        (load_sfew, "SFEW/Train/Angry", "SFEW"),
        (load_fer2013, "FER/train/angry", "FER"),
    ],
)
def test_a_folder_within_a_copy(tmp_path, loader, given, wanted):
    trees.picture(tmp_path / given / "a.png")
    says = f"folder within a copy: give {str(tmp_path / wanted)!r}"
    with pytest.raises(DatasetError, match=rf"(?s)in a known layout.*{re.escape(says)}"):
        loader(tmp_path / given)


@pytest.mark.parametrize(
    ("loader", "inner"),
    [
        (load_fer2013, "fer2013.csv"),
        (load_fer2013, "train/angry/b.png"),
        (load_raf_db, "train/1/b.jpg"),
        (load_ck_plus, "anger/S005_001_00000009.png"),
    ],
)
def test_a_copy_that_is_too_far_down(tmp_path, loader, inner):
    trees.picture(tmp_path / "a/b/c" / inner, format="PNG")
    says = re.escape(f"further down: give '{tmp_path}/a/b/c'")
    with pytest.raises(DatasetError, match=rf"(?s)in a known layout.*{says}"):
        loader(tmp_path)


@pytest.mark.parametrize("loader", [load_jaffe, load_raf_db, load_mmi, load_fer2013])
def test_archives_are_named(tmp_path, loader):
    (tmp_path / "inner").mkdir()
    for name in ("set.zip", "inner/a.tar.gz", "inner/b{0}.tar", "inner/c.rar"):
        (tmp_path / name).write_bytes(b"PK")
    says = "unpack 'set.zip', 'inner/a.tar.gz', 'inner/b{0}.tar'"
    with pytest.raises(DatasetError, match=rf"Archives are not read: {re.escape(says)}"):
        loader(tmp_path)


def test_unpacked_archives_are_passed_over(tmp_path):
    for name in ("aligned", "more", "faces"):
        (tmp_path / name).mkdir()
    for name in ("aligned.zip", "More.part01.rar", "More.part02.rar", "faces.tar.gz"):
        (tmp_path / name).write_bytes(b"PK")
    with pytest.raises(DatasetError, match="in a known layout") as info:
        load_mmi(tmp_path)
    assert "Archives" not in str(info.value)
    (tmp_path / "other.zip").write_bytes(b"PK")
    with pytest.raises(DatasetError, match=r"unpack 'other.zip'\."):
        load_mmi(tmp_path)


@pytest.mark.parametrize(
    ("given", "beside", "says"),
    [
        ("basic/Image", "aligned", "folder within a copy: give '{}/basic'"),
        ("data", "a/b/c/train/1", "further down: give '{}/data/a/b/c'"),
    ],
)
def test_an_archive_hides_no_other_advice(tmp_path, given, beside, says):
    trees.picture(tmp_path / given / beside / "a.png")
    for name in ("aligned.zip", "original.zip"):
        (tmp_path / given / name).write_bytes(b"PK")
    says = re.escape(says.format(tmp_path))
    with pytest.raises(DatasetError, match=rf"(?s){says}.*Archives are not .*'original.zip'"):
        load_raf_db(tmp_path / given)


def test_a_part_that_is_too_far_down_is_half_of_a_copy(tmp_path):
    for part in ("test", "train"):
        trees.picture(tmp_path / f"a/b/CK+48/{part}/anger/S005_001_00000009.png")
    with pytest.raises(DatasetError, match=re.escape(f"further down: give '{tmp_path}/a/b/CK+48'")):
        load_ck_plus(tmp_path)
