"""What all loaders have in common."""

import inspect
import os
import pickle

import numpy as np
import pytest
from helpers import trees
from helpers.copies import ALL, COPIES, IDS
from hypothesis import given, settings
from hypothesis import strategies as st

from skfer import datasets
from skfer.datasets import DATASETS, EXPRESSIONS, DatasetError, DatasetWarning, check_dataset
from skfer.datasets._docs import SHARED_TEXTS

SHARED = (
    "image_size",
    "color",
    "classes",
    "cache_dir",
    "n_jobs",
    "on_error",
    "return_X_y",
    "as_frame",
    "verbose",
)
KEYS = (
    "images",
    "data",
    "target",
    "target_names",
    "groups",
    "sequence",
    "split",
    "filenames",
    "root",
    "skipped",
    "frame",
    "DESCR",
)


@pytest.mark.parametrize("name", DATASETS)
def test_one_signature(name):
    loader = DATASETS[name].loader
    parameters = inspect.signature(loader).parameters
    assert set(SHARED) <= set(parameters)
    assert name in ("folder", "table") or "subset" in parameters
    assert getattr(datasets, loader.__name__) is loader
    positional = [p for p in parameters.values() if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    assert len(positional) == (2 if name == "table" else 1)
    for parameter in parameters:  # each is documented, and no mark of a template is left
        assert f"    {parameter}" in loader.__doc__ or f", {parameter} :" in loader.__doc__
    assert not any(mark in loader.__doc__ for mark in SHARED_TEXTS)


@pytest.mark.parametrize(("name", "make"), ALL, ids=IDS)
@pytest.mark.parametrize(
    ("inside", "root"), [(".", "."), (".inner", ".."), (".inner", "deep/../.."), (".", ".inner/..")]
)
def test_relative_roots(tmp_path, monkeypatch, name, make, inside, root):
    make(tmp_path)
    (tmp_path / ".inner" / "deep").mkdir(parents=True)
    faces = DATASETS[name].loader(tmp_path, image_size=16)
    monkeypatch.chdir(tmp_path / inside)
    here = DATASETS[name].loader(root, image_size=16)
    assert here.filenames.tolist() == faces.filenames.tolist()
    np.testing.assert_array_equal(here.images, faces.images)
    assert check_dataset(name, root).missing == []


@pytest.mark.parametrize(
    ("name", "form", "table"),
    [
        ("fer2013", 0, "fer2013.csv"),
        ("fer+", 0, "fer2013new.csv"),
        ("fer+", 1, "FER2013Train/label.csv"),
        ("raf-db", 0, "EmoLabel/list_patition_label.txt"),
        ("affectnet", 0, "Manually_Annotated_file_lists/training.csv"),
    ],
)
def test_tables_in_another_encoding_are_told_by_file(tmp_path, name, form, table):
    COPIES[name][form](tmp_path)
    path = tmp_path / table
    path.write_text(path.read_text(), encoding="utf-16")
    with pytest.raises(DatasetError, match=path.name):
        DATASETS[name].loader(tmp_path, image_size=16)


def test_relative_root_of_a_table(tmp_path, monkeypatch):
    trees.named(tmp_path, ["a.png"])
    trees.table(tmp_path / "labels.csv", ("file", "label"), [("a.png", "fear")])
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    assert datasets.load_image_table("../labels.csv").target.tolist() == [3]
    assert datasets.load_image_table("../labels.csv", "..").target.tolist() == [3]


@pytest.mark.parametrize(("name", "make"), ALL, ids=IDS)
def test_one_bunch(tmp_path, name, make):
    make(tmp_path / "set")
    load = DATASETS[name].loader
    how = {"image_size": 16, "cache_dir": tmp_path / "cache"}
    plain = load(tmp_path / "set", image_size=16, as_frame=True)
    cached = load(tmp_path / "set", **how)
    again = load(tmp_path / "set", n_jobs=2, **how)
    for faces in (plain, cached, again):
        assert set(KEYS) <= set(faces)
        assert faces.images.dtype == np.uint8
        assert faces.images.shape[1:] == (16, 16)
        assert np.shares_memory(faces.data, faces.images)
        assert len(faces.target) == len(faces.images) == len(faces.filenames)
        assert faces.target.dtype == np.int64
        assert faces.target_names.tolist() == list(EXPRESSIONS)
        np.testing.assert_array_equal(faces.images, plain.images)
        np.testing.assert_array_equal(faces.target, plain.target)
        assert faces.skipped == []
    assert isinstance(again.images, np.memmap)
    assert len(plain.frame) == len(plain.images)
    X, y = load(tmp_path / "set", image_size=16, color=True, return_X_y=True)
    assert X.shape == (len(y), 16 * 16 * 3)
    copy = pickle.loads(pickle.dumps(cached))
    np.testing.assert_array_equal(copy.images, plain.images)


@pytest.mark.parametrize(("name", "make"), ALL, ids=IDS)
def test_one_class(tmp_path, name, make):
    make(tmp_path)
    load = DATASETS[name].loader
    word = str(load(tmp_path, image_size=16).target_names[load(tmp_path, image_size=16).target[0]])
    one = load(tmp_path, image_size=16, classes=[word])
    assert set(one.target_names[one.target]) == {word}
    with pytest.raises(ValueError, match=r"^classes"):
        load(tmp_path, classes=["boredom"])


@pytest.mark.parametrize(("name", "make"), ALL, ids=IDS)
def test_what_the_groups_are(tmp_path, name, make):
    make(tmp_path)
    faces = DATASETS[name].loader(tmp_path, image_size=16)
    kinds = {"fer2013": "different images", "fer+": "different images", "sfew": "films"}
    expected = kinds.get(name, "subjects") if faces.groups is not None else None
    assert faces.group_kind == expected
    assert expected is None or check_dataset(name, tmp_path).groups == expected


SENSELESS = [
    ("classes", 5, "classes must be a list of names, got 5"),
    ("root", None, "root=None is not a path"),
    ("root", 3, "root=3 is not a path"),
    ("image_size", "big", "image_size='big' is not a size"),
    ("image_size", np.array([1.5, 2]), "is not a size"),
    ("color", "RGB", "color must be True or False, got 'RGB'. True is RGB, False is gray"),
    ("return_X_y", 1, "return_X_y must be True or False, got 1"),
    ("as_frame", "yes", "as_frame must be True or False, got 'yes'"),
    ("verbose", "a lot", "verbose must be"),
    ("n_jobs", 1.5, "n_jobs=1.5"),
    ("n_jobs", 0, "n_jobs=0"),
    ("cache_dir", 3, "cache_dir=3 is not a path"),
    ("cache_dir", __file__, r"cache_dir='.*test_loaders.py' is a file: give a folder"),
]


@pytest.mark.parametrize(("name", "make"), ALL, ids=IDS)
@pytest.mark.parametrize(("argument", "value", "message"), SENSELESS)
def test_senseless_arguments(tmp_path, name, make, argument, value, message):
    make(tmp_path)
    with pytest.raises(ValueError, match=message):
        DATASETS[name].loader(**{"root": tmp_path, argument: value})


@pytest.mark.parametrize(
    ("name", "subset", "message"),
    [
        ("ck+", 5, "subset must be a list of names, got 5"),
        ("ck+", "S999", r"subset='S999': \['S999'\] is not among the subjects here: \['S005'"),
        ("ck+", [], r"subset=\[\]: nothing is not among the subjects"),
        ("raf-db", 5, "subset must be a list of names, got 5"),
        ("raf-db", "validation", "is not among the parts here: \\['test', 'train'\\]"),
    ],
)
def test_senseless_subsets(tmp_path, name, subset, message):
    COPIES[name][0](tmp_path)
    with pytest.raises(ValueError, match=message):
        DATASETS[name].loader(tmp_path, subset=subset)


def spoil_line(root, table, old, new):
    path = root / table
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def spoil_expression(root):
    np.save(root / "val_set/annotations/4_exp.npy", np.array("77"))


# A fault in the part that is not training.
FAULTS = [
    ("fer2013", 0, lambda root: spoil_line(root, "fer2013.csv", "0,9 ", "8,9 ")),
    ("fer2013", 1, lambda root: (root / "test/bored").mkdir()),
    ("fer+", 1, lambda root: (root / "FER2013Test/label.csv").write_text("../a.png,9" + ",0" * 9)),
    ("fer+", 1, lambda root: (root / "FER2013Test/label.csv").write_text("a.png,99" + ",0" * 9)),
    (
        "raf-db",
        0,
        lambda root: spoil_line(
            root, "EmoLabel/list_patition_label.txt", "test_0001.jpg 2", "test_0001.jpg 12"
        ),
    ),
    ("raf-db", 1, lambda root: (root / "test/12").mkdir()),
    (
        "affectnet",
        0,
        lambda root: spoil_line(
            root, "Manually_Annotated_file_lists/validation.csv", ",0,0.5,", ",0,7,"
        ),
    ),
    ("affectnet", 1, spoil_expression),
    ("sfew", 0, lambda root: (root / "Val/Sad/B.zip").write_bytes(b"PK")),
    ("sfew", 0, lambda root: trees.picture(root / "Val/Sad/face.png")),
]


@pytest.mark.parametrize(("name", "form", "spoil"), FAULTS)
def test_a_fault_in_another_part_does_no_harm(tmp_path, name, form, spoil):
    COPIES[name][form](tmp_path)
    spoil(tmp_path)
    load = DATASETS[name].loader
    with pytest.raises(DatasetError, match="1 of"):
        load(tmp_path, image_size=16)
    assert set(load(tmp_path, image_size=16, subset="train").split) == {"train"}
    assert load(tmp_path, image_size=16, subset="train").skipped == []


@pytest.mark.parametrize("name", COPIES)
@pytest.mark.parametrize("root", ["nowhere", "file", "empty"])
def test_no_copy(tmp_path, name, root):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    error = {"nowhere": FileNotFoundError, "file": NotADirectoryError, "empty": DatasetError}[root]
    with pytest.raises(error, match="root="):
        DATASETS[name].loader(tmp_path / root)
    with pytest.raises(error, match="root="):
        check_dataset(name, tmp_path / root)


# Builders whose pictures are files, which can be spoilt.
FILES = [(name, make) for name, make in ALL if name not in ("fer2013", "fer+")]


@pytest.mark.parametrize(("name", "make"), FILES, ids=[name for name, _ in FILES])
@pytest.mark.parametrize("how", ["empty", "truncated", "zip", "text"])
def test_faulty_pictures(tmp_path, name, make, how):
    make(tmp_path)
    load = DATASETS[name].loader
    faces = load(tmp_path, image_size=16)
    trees.spoil(tmp_path / faces.filenames[0], how)
    stem = faces.filenames[0].split("/")[-1].split(".")[0]
    with pytest.raises(DatasetError, match=rf"(?s){stem}.*{trees.SPOILT_SAYS[how]}"):
        load(tmp_path, image_size=16)
    if len(faces.images) > 1:
        with pytest.warns(DatasetWarning, match=trees.SPOILT_SAYS[how]):
            left = load(tmp_path, image_size=16, on_error="skip")
        np.testing.assert_array_equal(left.images, faces.images[1:])
        np.testing.assert_array_equal(left.target, faces.target[1:])


NOTES = [
    ("ck+", 0, "Emotion/S005/001/S005_001_00000004_emotion.txt"),
    ("ck+", 0, "Landmarks/S005/001/S005_001_00000004_landmarks.txt"),
    ("fer2013", 0, "fer2013.csv"),
    ("fer+", 0, "fer2013new.csv"),
    ("fer+", 1, "FER2013Train/label.csv"),
    ("raf-db", 0, "EmoLabel/list_patition_label.txt"),
    ("affectnet", 0, "Manually_Annotated_file_lists/training.csv"),
    ("affectnet", 1, "train_set/annotations/3_exp.npy"),
    ("affectnet", 1, "train_set/annotations/3_val.npy"),
    ("mmi", 0, "Sessions/1767/S001-100.xml"),
]
SPECIAL = {
    "named pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "link that leads to itself": lambda path: path.symlink_to(path),
}


@pytest.mark.parametrize(("name", "form", "note"), NOTES)
@pytest.mark.parametrize("kind", SPECIAL)
def test_notes_that_are_no_files_are_told(tmp_path, name, form, note, kind):
    COPIES[name][form](tmp_path)
    (tmp_path / note).unlink()
    SPECIAL[kind](tmp_path / note)
    with pytest.raises(DatasetError) as info:
        DATASETS[name].loader(tmp_path, image_size=16)
    assert note.split("/")[-1] in str(info.value)
    assert kind in str(info.value)


DAMAGED = [
    ("affectnet", 1, "train_set/annotations/3_exp.npy"),
    ("affectnet", 1, "train_set/annotations/3_aro.npy"),
    ("affectnet", 1, "train_set/annotations/3_lnd.npy"),
    ("mmi", 0, "Sessions/1767/S001-100.xml"),
    ("ck+", 0, "Emotion/S005/001/S005_001_00000004_emotion.txt"),
    ("ck+", 0, "Landmarks/S005/001/S005_001_00000004_landmarks.txt"),
    ("fer2013", 0, "fer2013.csv"),
    ("fer+", 0, "fer2013new.csv"),
    ("raf-db", 0, "EmoLabel/list_patition_label.txt"),
    ("affectnet", 0, "Manually_Annotated_file_lists/training.csv"),
]


@pytest.mark.filterwarnings("ignore::skfer.datasets.DatasetWarning")
@pytest.mark.parametrize(("name", "form", "note"), DAMAGED)
@settings(deadline=None, max_examples=15)
@given(data=st.data())
def test_a_damaged_note_is_an_error_that_names_it(tmp_path_factory, name, form, note, data):
    root = tmp_path_factory.mktemp("copy")
    COPIES[name][form](root)
    content = bytearray((root / note).read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    stop = data.draw(st.integers(0, len(content)))
    (root / note).write_bytes(content[:stop])
    how = {"align": "landmarks"} if note.endswith("_lnd.npy") else {}
    for on_error in ("raise", "skip"):
        said = ""
        try:
            DATASETS[name].loader(root, image_size=16, on_error=on_error, **how)
        except DatasetError as error:
            said = str(error)
        assert len(said) < 3000
        assert said.replace("\n", "").replace("\t", "").isprintable()


LONG = "x" * 300


def test_names_that_are_too_long(tmp_path):
    with pytest.raises(FileNotFoundError, match="root="):
        datasets.load_image_folder(tmp_path / LONG)
    trees.named(tmp_path, ["a.png"])
    rows = [("a.png", "fear"), (f"{LONG}.png", "fear"), ("", "fear")]
    path = trees.table(tmp_path / "labels.csv", ("file", "label"), rows)
    with pytest.raises(DatasetError, match=r"2 of 3 rows"):
        datasets.load_image_table(path)
    with pytest.warns(DatasetWarning):
        assert len(datasets.load_image_table(path, on_error="skip").images) == 1
    with pytest.raises(FileNotFoundError, match="csv="):
        datasets.load_image_table(tmp_path / LONG)


def test_errors_tell_facts_and_hint_apart(tmp_path):
    COPIES["raf-db"][0](tmp_path)
    spoil_line(tmp_path, "EmoLabel/list_patition_label.txt", "test_0001.jpg 2", "test_0001.jpg 12")
    with pytest.raises(DatasetError) as info:
        datasets.load_raf_db(tmp_path)
    error = info.value
    hint = "Mend or remove them, or give {on_error='skip'} to leave them out."
    assert error.hint == hint
    assert str(error).endswith("\nMend or remove them, or give on_error='skip' to leave them out.")
    assert error.arguments == ("on_error",)
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.hint, copy.problems) == (str(error), hint, error.problems)
    error.hint = "Leave them out."
    assert str(error).splitlines()[0] == "1 of 2 lines cannot be used:"
    assert str(error).endswith("\nLeave them out.")
    assert "on_error" not in str(error)
    assert str(DatasetError("plain")) == "plain"
