"""load_image_folder."""

import os
import re
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from helpers import trees
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from skfer.datasets import (
    EXPRESSIONS,
    DatasetError,
    DatasetWarning,
    _groups,
    _tree,
    check_dataset,
    load_image_folder,
)
from skfer.datasets._rows import Row
from skfer.exceptions import ArgumentError
from skfer.validation import is_missing

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
    with pytest.raises(ValueError, match=r"^classes"):
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
    with pytest.raises(ValueError, match="on_error must be"):
        load_image_folder(root, on_error="warn")
    with pytest.raises(ValueError, match="image_size="):
        load_image_folder(root, image_size=-1)


PARTS = ["train/happy/a.png", "train/sad/b.png", "test/happy/c.png", "test/sad/d.png"]


def test_official_parts_are_read_into_split(tmp_path):
    trees.folder(tmp_path, [*PARTS, "VAL/sad/e.png"])
    faces = load_image_folder(tmp_path, as_frame=True)
    assert faces.class_names.tolist() == ["happiness", "sadness"]
    by_name = dict(zip(faces.filenames, zip(faces.split, faces.target, strict=True), strict=True))
    assert by_name == {
        "train/happy/a.png": ("train", 4),
        "train/sad/b.png": ("train", 6),
        "test/happy/c.png": ("test", 4),
        "test/sad/d.png": ("test", 6),
        "VAL/sad/e.png": ("validation", 6),
    }
    assert check_dataset("folder", tmp_path).parts == {"test": 2, "train": 2, "validation": 1}
    (tmp_path / "test/loose.png").write_bytes(trees.png_bytes())
    with pytest.raises(DatasetError, match=r"test/loose.png: a picture outside the class folders"):
        load_image_folder(tmp_path)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([*PARTS, "happy/e.png"], "has class folders in it, and 'test/' has some too: move one"),
        (["happy/a.png", "sad/b.png", "more/sad/c.png"], "and 'more/' has some too"),
        (["happy/a.png", "sad/happy/b.png"], None),
        ([*PARTS[:2], "test/c.png"], r"of which test/ has no class folders in it: move that away"),
        ([*PARTS, "models/x.png"], r"official parts in it, and models/, which is none"),
        (
            ["data/train/happy/a.png", "data/test/sad/b.png"],
            "but 'data/' has",
        ),
        (
            ["archive/faces/happy/a.png", "archive/faces/sad/b.png"],
            "but 'archive/faces/' has",
        ),
        (["set/train/0/a.png", "set/train/1/b.png"], "but 'set/' has: give that folder"),
        (["train/a.png", "test/b.png"], r"no classes: its folders are official parts \(test/, tr"),
        (["faces/happy/a.png", "faces/sad/b.png"], "but 'faces/' has: give that folder"),
        (
            ["S01/happy/a.png", "S02/sad/b.png"],
            r"if those are persons, list the pictures in",
        ),
        ([*PARTS, "training/sad/e.png"], "two folders of the train part, train/ and training/"),
        (["valid/a.png", "invalid/b.png"], None),
    ],
)
def test_folders_that_may_be_no_classes(tmp_path, names, message):
    trees.folder(tmp_path, names)
    if message is None:
        folders = {name.split("/")[0] for name in names}
        assert len(load_image_folder(tmp_path).class_names) == len(folders)
    else:
        with pytest.raises(DatasetError, match=message):
            load_image_folder(tmp_path)


def test_numbered_classes_get_names(tmp_path):
    trees.folder(tmp_path, ["1/a.png", "02/b.png", "x/c.png"])
    faces = load_image_folder(tmp_path, class_names={1: "surprise", "2": "Fear"})
    assert faces.target_names[faces.target].tolist() == ["fear", "surprise", "x"]
    with pytest.raises(ArgumentError, match=r"names none of the classes here: \['02', '1', 'x'\]"):
        load_image_folder(tmp_path, class_names={3: "fear"})
    for senseless in (["fear"], {1: 3}, {1: " "}):
        with pytest.raises(ArgumentError, match="is not a mapping of classes to names"):
            load_image_folder(tmp_path, class_names=senseless)


def test_a_number_without_a_name_is_told(tmp_path):
    trees.folder(tmp_path, [f"{number}/{number}.png" for number in range(1, 8)])
    words = ["surprise", "fear", "disgust", "happiness", "sadness", "anger"]
    with pytest.warns(DatasetWarning, match=r"among the classes are '7', classes of their own"):
        faces = load_image_folder(tmp_path, class_names=dict(enumerate(words, 1)))
    assert "7" in faces.class_names
    names = dict(enumerate([*words, "neutral"], 1))
    assert "7" not in load_image_folder(tmp_path, class_names=names).class_names


def test_some_official_parts(tmp_path):
    trees.folder(tmp_path, PARTS)
    assert load_image_folder(tmp_path, subset="train").split.tolist() == ["train"] * 2
    with pytest.raises(ArgumentError, match=r"subset='dev2': .* is not among the parts here"):
        load_image_folder(tmp_path, subset="dev2")


def test_misspelled_expressions_are_told(tmp_path):
    trees.folder(tmp_path, ["suprise/a.png", "happyness/b.png", "bored/c.png", "fear/d.png"])
    with pytest.warns(DatasetWarning, match=r"'happyness' \(for 'happiness'\?\), 'suprise' \(for"):
        faces = load_image_folder(tmp_path)
    assert "suprise" in faces.class_names
    names = {"suprise": "surprise", "happyness": "happy"}
    faces = load_image_folder(tmp_path, class_names=names)
    assert faces.class_names.tolist() == ["fear", "happiness", "surprise", "bored"]


@pytest.mark.parametrize("word", ["None", "NA", "null"])
def test_folders_that_are_called_nothing_are_told(tmp_path, word):
    trees.folder(tmp_path, ["happy/a.png", f"{word}/b.png", f"{word}/c.png", "unlabeled/d.png"])
    with pytest.warns(DatasetWarning, match=rf"named '{word}' stand for no label.*\(2\)"):
        faces = load_image_folder(tmp_path)
    assert faces.target.tolist().count(-1) == 3


def test_classes_that_are_taken_for_persons_are_told(tmp_path):
    persons = [f"{person}_{i}.png" for person in (11, 12) for i in (0, 1)]
    trees.folder(tmp_path, [f"{word}/{name}" for word in ("1_A", "2_B") for name in persons])
    with pytest.warns(DatasetWarning, match="each class is one group, such as '1' of the class"):
        load_image_folder(tmp_path, group_pattern=r"(\d+)_")
    faces = load_image_folder(tmp_path, group_pattern=r"/(\d+)_")
    assert faces.groups.tolist() == ["11", "11", "12", "12"] * 2


@pytest.mark.parametrize(("one", "other"), [("P1", "p1"), ("S1", "S01"), ("7", "07")])
def test_groups_that_are_alike_are_told(tmp_path, one, other):
    trees.folder(tmp_path, [f"a/{one}_1.png", f"b/{other}_2.png", f"b/{one}_3.png"])
    with pytest.warns(DatasetWarning, match="are two groups: if they are one person"):
        load_image_folder(tmp_path, group_pattern=r"/([^/_]+)_")


def test_a_person_may_be_called_na(tmp_path):
    """A woman of JAFFE is; in a table that would be no value."""
    trees.folder(tmp_path, ["happy/NA.HA1.png", "sad/NA.SA1.png", "sad/KA.SA1.png"])
    faces = load_image_folder(tmp_path, group_pattern=r"/([A-Z]{2})\.")
    assert faces.groups.tolist() == ["Na", "KA", "Na"]


@pytest.mark.parametrize("twin", [os.symlink, os.link, shutil.copy])
def test_a_picture_under_two_classes(root, twin):
    twin(root / NAMES[2], root / "sad" / "again.png")
    with pytest.raises(DatasetError, match=r"fear/.*'(fear|sadness)'") as info:
        load_image_folder(root)
    assert {where for where, _ in info.value.problems} == {NAMES[2], "sad/again.png"}
    with pytest.warns(DatasetWarning):
        faces = load_image_folder(root, on_error="skip")
    assert faces.filenames.tolist() == [NAMES[0], NAMES[1], NAMES[3]]


def test_a_link_within_a_class_is_told_once(root):
    (root / "fear" / "again.png").hardlink_to(root / NAMES[2])
    with pytest.raises(DatasetError, match=r"1 of 5 files.*\n.*again, as in fear/"):
        load_image_folder(root)


def test_copies_of_one_class_and_without_label_are_no_contradiction(root):
    shutil.copy(root / NAMES[2], root / "fear" / "copy.png")
    (root / "unlabeled").mkdir()
    shutil.copy(root / NAMES[0], root / "unlabeled" / "copy.png")
    assert load_image_folder(root).target.tolist() == [4, 4, 3, 3, 6, -1]


def test_large_files_that_differ_in_the_middle_are_no_copies(tmp_path):
    image = np.random.RandomState(0).randint(0, 256, (256, 256)).astype(np.uint8)
    for folder in ("happy", "sad"):
        (tmp_path / folder).mkdir()
        Image.fromarray(image).save(tmp_path / folder / "a.bmp")
        image[128, 128] ^= 1
    assert len(load_image_folder(tmp_path).images) == 2
    shutil.copy(tmp_path / "happy/a.bmp", tmp_path / "sad/a.bmp")
    with pytest.raises(DatasetError, match="2 of 2 files"):
        load_image_folder(tmp_path)


@pytest.mark.parametrize("place", ["Happy/all", "Happy/deep/deeper/all"])
def test_a_link_to_a_folder_above_adds_nothing(root, place):
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    (root / place).symlink_to(root, target_is_directory=True)
    assert load_image_folder(root).filenames.tolist() == NAMES


def test_links_to_one_folder_from_two_classes(root, tmp_path_factory):
    pool = tmp_path_factory.mktemp("pool")
    trees.folder(pool, ["one.png"])
    for folder in ("Happy", "sad"):
        (root / folder / "more").symlink_to(pool, target_is_directory=True)
    with pytest.raises(DatasetError, match=r"sad/more/one.png: .*'sadness' and not 'happiness'"):
        load_image_folder(root)


@pytest.mark.parametrize("cache", ["cache", "Happy/cache", "Happy/deep/cache"])
def test_an_empty_cache_dir_inside_of_root_is_no_class(root, cache):
    (root / cache).mkdir(parents=True)
    for _ in range(2):
        faces = load_image_folder(root, cache_dir=root / cache)
        assert faces.filenames.tolist() == NAMES
        assert isinstance(faces.images, np.memmap)


def test_deep_folders(tmp_path):
    deep = Path("happy", *["d"] * 500)
    values = trees.folder(tmp_path, [f"{deep}/a.png", "sad/b.png"])
    assert load_image_folder(tmp_path).filenames.tolist() == sorted(values)


@pytest.mark.parametrize("pattern", [r"(a+)+\d$", r"(a|a)*\d$"])
def test_a_pattern_that_takes_for_ever_is_refused(tmp_path, monkeypatch, pattern):
    trees.folder(tmp_path, [f"happy/{'a' * 60}.png", "sad/a1.png"])
    monkeypatch.setattr(_groups, "_SECONDS", 1.0)
    with pytest.raises(ArgumentError, match=r"^group_pattern=.* takes too long .* give groups"):
        load_image_folder(tmp_path, group_pattern=pattern)


@given(
    names=st.lists(st.text(st.characters(exclude_characters="/\0"), min_size=1), max_size=4),
    pattern=st.sampled_from([r"S\d+", r"(S)(\d)", r"(x)?y", "[0-9]", ".", ""]),
)
@settings(deadline=None, max_examples=15)
def test_patterns_find_what_re_finds(names, pattern):
    rows = [Row(name) for name in names]
    expected = {}
    for name in names:
        match = re.search(pattern, name)
        group = match and (match[1] if match.re.groups else match[0])
        if group and (group.strip() == "NA" or not is_missing(group)):
            expected[name] = "Na" if group.strip() == "NA" else group
    kept, problems = _groups.with_groups(rows, None, pattern)
    assert {row.name: row.group for row in kept} == expected
    assert len(problems) == len(names) - len(kept)


@pytest.mark.parametrize("group", [None, "", " ", "nan", "n/a", float("nan")])
def test_missing_groups_are_told(root, group):
    with pytest.raises(DatasetError, match="4 of 4 files"):
        load_image_folder(root, groups=lambda name: group)


@pytest.mark.parametrize("argument", ["color", "return_X_y", "as_frame"])
def test_switches_are_true_or_false(root, argument):
    with pytest.raises(ArgumentError, match=rf"^{argument} must be True or False, got 'RGB'"):
        load_image_folder(root, **{argument: "RGB"})


def test_special_files_are_told_and_skipped(root):
    os.mkfifo(root / "sad" / "pipe.png")
    (root / "sad" / "loop.png").symlink_to(root / "sad" / "loop.png")
    (root / "sad" / "zero.png").symlink_to("/dev/zero")
    with pytest.raises(DatasetError) as info:
        load_image_folder(root)
    told = dict(info.value.problems)
    assert "named pipe" in told["sad/pipe.png"]
    assert "link that leads to itself" in told["sad/loop.png"]
    assert "device" in told["sad/zero.png"]
    with pytest.warns(DatasetWarning):
        assert load_image_folder(root, on_error="skip").filenames.tolist() == NAMES


def test_warnings_point_at_the_caller_each_time(root):
    (root / "loose.png").write_bytes(trees.png_bytes())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")  # once for each place
        load_image_folder(root, on_error="skip")
        load_image_folder(root, on_error="skip")
    assert [w.filename for w in caught] == [__file__] * 2


def test_a_folder_that_cannot_be_listed_is_told(root, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("/sad"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(_tree.os, "scandir", refuse)
    with pytest.raises(DatasetError, match=r"sad/: a folder that cannot be read: no permission"):
        load_image_folder(root)
    with pytest.warns(DatasetWarning):
        faces = load_image_folder(root, on_error="skip")
    assert faces.filenames.tolist() == NAMES[:3]


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


def test_names_that_are_no_text_fit_into_a_frame(root):
    """Archives of another system, unpacked here, have names of other bytes."""
    new = "fear/\udce4.png"
    (root / "fear/deep/S01_2.png").rename(root / new)
    frame = load_image_folder(root, as_frame=True).frame
    assert new in frame["filenames"].tolist()


def test_patterns_are_searched_where_no_python_can_be_started(root, monkeypatch):
    """In a program that has Python within it, its file is another one, or none."""
    for program in ("", str(root / "none"), "false"):
        monkeypatch.setattr(_groups.sys, "executable", program)
        faces = load_image_folder(root, group_pattern=r"(S\d+)_")
        assert faces.groups.tolist() == ["S01", "S02", "S01", "S03"]
    monkeypatch.setattr(_groups.sys, "frozen", True, raising=False)
    assert load_image_folder(root, group_pattern=r"(S\d+)_").groups[0] == "S01"


def test_a_cache_may_be_on_another_drive(root, tmp_path_factory, monkeypatch):
    def refuse(path, start):
        raise ValueError("path is on mount 'D:', start on mount 'C:'")

    monkeypatch.setattr(_tree.os.path, "relpath", refuse)
    cache = tmp_path_factory.mktemp("cache")
    assert len(load_image_folder(root, cache_dir=cache).images) == 4


def test_what_systems_leave_in_folders_is_passed_over(root):
    for name in ("Icon\r", "ehthumbs.db", "Thumbs.db", ".DS_Store"):
        (root / "fear" / name).touch()
    assert len(load_image_folder(root).images) == 4


def test_a_file_in_the_place_of_a_folder(root):
    with pytest.raises(NotADirectoryError, match="give the folder that it is in, or unpack it"):
        load_image_folder(root / NAMES[0])


@pytest.mark.parametrize(
    "names",
    [["images/a.png", "images/b.png"], ["Images/a.png", "x/b.png"], ["x/a.png", "train/b.png"]],
)
def test_folders_that_hold_any_class_are_told(tmp_path, names):
    trees.folder(tmp_path, names)
    told = (
        rf"folders named '{'train' if 'train' in names[1] else '[iI]mages'}' are taken as classes"
    )
    with pytest.warns(DatasetWarning, match=told) as warned:
        faces = load_image_folder(tmp_path)
    assert len(faces.images) == 2
    assert warned[0].filename == __file__
