"""load_image_folder."""

import numpy as np
import pytest
from helpers import trees
from hypothesis import given, settings
from hypothesis import strategies as st

from skfer.datasets import EXPRESSIONS, DatasetError, DatasetWarning, load_image_folder

NAMES = ["Happy/S01_1.png", "Happy/S02_1.PNG", "fear/deep/S01_2.png", "sad/S03_9.png"]


@pytest.fixture
def root(tmp_path):
    trees.folder(tmp_path, NAMES)
    return tmp_path


def test_bunch(root):
    faces = load_image_folder(root, image_size=None)
    assert faces.images.shape == (4, 12, 10)
    assert faces.images.dtype == np.uint8
    assert faces.images[:, 0, 0].tolist() == [5, 42, 79, 116]
    assert faces.target.tolist() == [4, 4, 3, 6]
    assert faces.target_names.tolist() == list(EXPRESSIONS)
    assert faces.filenames.tolist() == NAMES
    assert faces.root == str(root)
    assert (faces.groups, faces.skipped, faces.frame) == (None, [], None)
    assert str(root) in faces.DESCR
    assert np.shares_memory(faces.data, faces.images)
    assert faces.data.shape == (4, 120)
    assert load_image_folder(root).images.shape == (4, 48, 48)


def test_return_x_y(root):
    X, y = load_image_folder(root, return_X_y=True, color=True, image_size=6)
    assert X.shape == (4, 108)
    assert y.tolist() == [4, 4, 3, 6]


def test_frame(root):
    frame = load_image_folder(root, as_frame=True, group_pattern=r"S\d+").frame
    assert frame.columns.tolist() == ["filenames", "groups", "target", "expression"]
    assert frame.expression.tolist() == ["happiness", "happiness", "fear", "sadness"]


def test_groups(root):
    by_pattern = load_image_folder(root, group_pattern=r"(S\d+)_")
    assert by_pattern.groups.tolist() == ["S01", "S02", "S01", "S03"]
    by_function = load_image_folder(root, groups=lambda name: name.split("/")[-1][:3])
    assert by_function.groups.tolist() == by_pattern.groups.tolist()


def test_a_picture_without_group_is_reported(root):
    with pytest.raises(DatasetError, match=r"1 of 4 files.*\n.*sad/S03_9.png: no group"):
        load_image_folder(root, group_pattern="S0[12]")
    with pytest.warns(DatasetWarning, match="1 of 4 files"):
        faces = load_image_folder(root, group_pattern="S0[12]", on_error="skip")
    assert faces.groups.tolist() == ["S01", "S02", "S01"]
    assert len(faces.images) == 3


def test_senseless_groups(root):
    with pytest.raises(ValueError, match="both given"):
        load_image_folder(root, groups=str, group_pattern="S")
    with pytest.raises(ValueError, match="not callable"):
        load_image_folder(root, groups="S")
    with pytest.raises(ValueError, match="not a regular expression"):
        load_image_folder(root, group_pattern="(")


def test_classes(root):
    faces = load_image_folder(root, classes=["sadness", "fearful"])
    assert faces.target.tolist() == [3, 6]
    assert faces.images[:, 0, 0].tolist() == [79, 116]
    with pytest.raises(ValueError, match="classes="):
        load_image_folder(root, classes=["bored"])
    with pytest.raises(DatasetError, match="no pictures"):
        load_image_folder(root, classes=["anger"])


def test_hidden_files_and_notes_are_passed_over(root):
    for name in ("fear/.hidden.png", "fear/Thumbs.db", "fear/readme.txt", "fear/._S1.png"):
        (root / name).write_text("nothing")
    (root / ".git").mkdir()
    (root / ".git" / "x.png").write_text("nothing")
    (root / "LICENSE").write_text("free")
    assert load_image_folder(root).filenames.tolist() == NAMES


def test_misplaced_files_are_reported(root):
    (root / "loose.JPG").write_text("nothing")
    (root / "fear" / "more.zip").write_text("nothing")
    (root / "anger").mkdir()
    pattern = r"(?s)3 of 7 files.*loose.JPG: .*outside.*anger/: .*without.*more.zip: .*'.zip'"
    with pytest.raises(DatasetError, match=pattern):
        load_image_folder(root)
    with pytest.warns(DatasetWarning):
        faces = load_image_folder(root, on_error="skip")
    assert faces.filenames.tolist() == NAMES
    assert [where for where, _ in faces.skipped] == ["loose.JPG", "anger/", "fear/more.zip"]


@pytest.mark.parametrize("how", sorted(set(trees.SPOILT) - {"folder"}))
def test_skipped_pictures_leave_every_column(root, how):
    if how == "missing":  # a link to nothing
        (root / NAMES[1]).unlink()
        (root / NAMES[1]).symlink_to(root / "nowhere.png")
    else:
        trees.spoil(root / NAMES[1], how)
    with pytest.raises(DatasetError, match=trees.SPOILT_SAYS[how]):
        load_image_folder(root, image_size=8)
    with pytest.warns(DatasetWarning, match=trees.SPOILT_SAYS[how]):
        faces = load_image_folder(root, image_size=8, on_error="skip", group_pattern=r"S\d+")
    assert faces.filenames.tolist() == [NAMES[0], *NAMES[2:]]
    assert faces.images[:, 0, 0].tolist() == [5, 79, 116]
    assert faces.target.tolist() == [4, 3, 6]
    assert faces.groups.tolist() == ["S01", "S01", "S03"]
    assert [where for where, _ in faces.skipped] == [NAMES[1]]


def test_no_root(tmp_path):
    with pytest.raises(FileNotFoundError, match="root="):
        load_image_folder(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="root="):
        load_image_folder(tmp_path / "file")
    with pytest.raises(DatasetError, match="no class folders"):
        load_image_folder(tmp_path)


def test_arguments_are_checked_before_reading(root):
    with pytest.raises(ValueError, match="on_error="):
        load_image_folder(root, on_error="warn")
    with pytest.raises(ValueError, match="image_size="):
        load_image_folder(root, image_size=-1)


name = st.text("abcXYZ 09_-é", min_size=1, max_size=6).map(str.strip).filter(bool)


@settings(deadline=None, max_examples=25)
@given(files=st.sets(st.tuples(name, name), min_size=1, max_size=8))
def test_any_names(tmp_path_factory, files):
    root = tmp_path_factory.mktemp("root")
    values = trees.folder(root, [f"{folder}/{file}.png" for folder, file in sorted(files)])
    faces = load_image_folder(root)
    assert sorted(faces.filenames) == sorted(values)
    assert faces.images[:, 0, 0].tolist() == [values[name] for name in faces.filenames]
    for filename, code in zip(faces.filenames, faces.target, strict=True):
        assert faces.target_names[code] == filename.split("/")[0]
