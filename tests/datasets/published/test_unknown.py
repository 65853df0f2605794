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
