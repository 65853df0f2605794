"""The registry, the check of a copy, and what all loaders have in common."""

import inspect
import pickle

import numpy as np
import pytest
import trees

from skfer import datasets
from skfer.datasets import DATASETS, EXPRESSIONS, DatasetError, DatasetWarning, check_dataset
from skfer.datasets._docs import SHARED_TEXTS

CLEAR = (9, 0, 0, 1, 0, 0, 0, 0, 0, 0)
# A small copy of each set, in each of its layouts.
COPIES = {
    "ck+": [
        lambda root: trees.ck_plus(root, [("S005", "001", 4, 3), ("S010", "002", 4, 5)]),
        lambda root: trees.ck48(root, [("anger", "S010_004_00000017.png")]),
    ],
    "jaffe": [lambda root: trees.named(root, ["KA.AN1.39.tiff", "KA.HA2.40.tiff"])],
    "fer2013": [
        lambda root: trees.fer2013(root, [(3, 7, "Training"), (0, 9, "PrivateTest")]),
        lambda root: trees.named(root, ["train/angry/1.jpg", "test/sad/2.jpg"]),
    ],
    "fer+": [
        lambda root: (
            trees.fer2013(root, [(3, 7, "Training")]),
            trees.fer_plus_table(root, [("Training", "fer0000000.png", CLEAR)]),
        ),
        lambda root: trees.fer_plus_pictures(root, [("FER2013Train", "fer0000000.png", 11, CLEAR)]),
    ],
    "raf-db": [
        lambda root: trees.raf_db(root, [("train_00001.jpg", 5), ("test_0001.jpg", 2)]),
        lambda root: trees.named(root, ["train/1/a.jpg", "test/7/b.jpg"]),
    ],
    "affectnet": [
        lambda root: trees.affectnet_2016(root, [trees.affectnet_row("1/aa.jpg", 1)], None),
        lambda root: trees.affectnet_2021(root, [("val_set", 3, 0, 0.5, -0.1)]),
    ],
    "bu3dfe": [lambda root: trees.named(root, ["F0001/F0001_AN01WH_F2D.bmp"])],
    "sfew": [
        lambda root: trees.named(root, ["Train/Angry/A_000519240_00000005.png"]),
        lambda root: trees.named(root, ["Val_Aligned_Faces/Sad/A_000519240_00000005.png"]),
    ],
    "mmi": [lambda root: trees.mmi(root, [(1767, "S001-100", 3, 4)])],
    "folder": [lambda root: trees.named(root, ["happy/a.png", "sad/b.png"], size=(20, 20))],
}
ALL = [(name, make) for name, copies in COPIES.items() for make in copies]
IDS = [f"{name}-{i}" for name, copies in COPIES.items() for i, _ in enumerate(copies)]
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


@pytest.mark.parametrize("name", DATASETS)
def test_protocols_are_known(name):
    known = {"official", "subject-10fold", "leave-one-subject-out", "group-fold"}
    assert DATASETS[name].protocol in known


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
    with pytest.raises(ValueError, match="classes="):
        load(tmp_path, classes=["boredom"])


@pytest.mark.parametrize(("name", "make"), ALL, ids=IDS)
def test_check(tmp_path, name, make):
    make(tmp_path)
    report = check_dataset(name, tmp_path)
    faces = DATASETS[name].loader(tmp_path, image_size=16)
    assert sum(report.counts.values()) <= len(faces.images)
    assert set(report.counts) == set(faces.target_names[faces.target])
    assert (report.missing, report.problems) == ([], [])
    assert report.ok == (not report.published)
    text = str(report)
    assert report.layout
    assert report.layout in text
    assert (f"{'class':<12}{'found':>9}{'published':>12}" in text) == bool(report.published)
    if faces.split is not None:
        assert report.parts == dict.fromkeys(faces.split.tolist(), 1)


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


def test_check_counts_against_the_published_and_tells_what_is_missing(tmp_path):
    trees.raf_db(tmp_path, [("train_00001.jpg", 5), ("test_0001.jpg", 2), ("test_0002.jpg", 2)])
    path = tmp_path / "EmoLabel" / "list_patition_label.txt"
    path.write_text(path.read_text() + "test_0003.jpg 9\n")
    (tmp_path / "Image" / "aligned" / "test_0002_aligned.jpg").unlink()
    report = check_dataset("raf-db", tmp_path)
    assert report.counts == {"fear": 2, "sadness": 1}
    assert report.published["happiness"] == 5957
    assert sum(report.published.values()) == 12_271 + 3_068
    assert report.parts == {"test": 2, "train": 1}
    assert report.missing == ["Image/aligned/test_0002_aligned.jpg"]
    assert not report.ok
    text = str(report)
    assert "missing: 1\n  Image/aligned/test_0002_aligned.jpg" in text
    assert "list_patition_label.txt, line 4: label '9'" in text
    assert "fear                2         355  (-353)" in text
    assert text.endswith("NOT as published")


def test_check_of_a_whole_copy(tmp_path):
    counts = {"AN": 30, "DI": 29, "FE": 32, "HA": 31, "NE": 30, "SA": 31, "SU": 30}
    for code, count in counts.items():
        for number in range(count):
            (tmp_path / f"KA.{code}1.{number}.tiff").write_bytes(b"")
    report = check_dataset("jaffe", tmp_path)
    assert report.ok
    assert report.n_groups == 1
    assert str(report).endswith("all as published")


@pytest.mark.parametrize("name", ["table", "ckplus", ""])
def test_check_of_an_unknown_set(tmp_path, name):
    with pytest.raises(ValueError, match=r"name=.*is not known: give one of \['ck\+', 'jaffe'"):
        check_dataset(name, tmp_path)


TOTALS = {
    "ck+": (327, 981),
    "jaffe": (213,),
    "fer2013": (35_887, 35_887),
    "raf-db": (15_339, 15_339),
    "affectnet": (291_651, 291_650),
    "bu3dfe": (2_500,),
    "sfew": (1_394,),
}


@pytest.mark.parametrize(("name", "make"), ALL, ids=IDS)
def test_published_counts_add_up(tmp_path, name, make):
    make(tmp_path)
    published = check_dataset(name, tmp_path).published
    assert not published or sum(published.values()) in TOTALS[name]
